/**
 * Who reads a fleet's audit, and whose word is believed there: readers listed and removed, host keys pinned, changed and
 * accepted. On a real nats-server with the permissions of `rutter fleet auth`.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { newSeed, publicKeyOf } from "../../agent/fleet/signing.ts";
import { skipUnless } from "../probe.ts";
import { hasGeneration, makeFleet } from "./fleet.ts";
import { poolManifest, serviceManifest } from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const TIMEOUT = { timeout: 240_000 };

type ReaderJson = {
  readonly reader: string;
  readonly host: string | null;
  readonly lanes: Readonly<Record<string, number>>;
  readonly at: string;
};

test(
  "readers are listed with what they have; one that is gone is removed by a publisher, and by nobody else",
  TIMEOUT,
  async () => {
    await using network = await makeNetwork(["server", "edge1"]);
    const { server, edge1 } = network.nodes;
    await using fleet = await makeFleet([server], server, [edge1]);
    await fleet.apply(poolManifest(["203.0.113.0/24"]));
    expect(await fleet.read(["readers"])).toMatchObject({
      code: 0,
      stdout: "nobody reads this fleet's audit by name\n",
    });
    await using agent = await fleet.agent(edge1);
    await hasGeneration(agent, 1);
    const listed = async (): Promise<readonly ReaderJson[]> => {
      const { stdout } = await fleet.read(["readers", "-o", "json"]);
      return JSON.parse(stdout) as readonly ReaderJson[];
    };
    const names = async (): Promise<string[]> =>
      (await listed()).map(({ reader, host }) => `${reader} ${host}`);
    await until(
      async () => {
        await fleet.read(["log", "--reader", "audit"]);
        return (await names()).join() === "audit null,audit edge1";
      },
      { what: "the reader's place", timeoutMs: 60_000, explain: agent.explain },
    );
    const [, place] = await listed();
    expect(place?.lanes["desired"]).toBeGreaterThan(0);
    expect(Date.parse(place?.at ?? "")).not.toBeNaN();
    expect((await fleet.read(["readers"])).stdout).toMatch(/audit +edge1 +.*desired \d+/);

    expect((await fleet.read(["readers", "remove", "audit", "--timeout", "5"])).code).toBe(1);
    expect(await names()).toEqual(["audit null", "audit edge1"]);
    const some = await fleet.rutter(["readers", "remove", "audit", "--host", "edge1"]);
    expect(some).toMatchObject({ code: 0, stderr: "" });
    expect(some.stdout).toBe("reader audit is removed: edge1\n");
    expect(await names()).toEqual(["audit null"]);
    const rest = await fleet.rutter(["readers", "remove", "audit", "-o", "json"]);
    expect(JSON.parse(rest.stdout)).toMatchObject({
      fleet: "berlin",
      removed: [{ reader: "audit", host: null }],
    });
    expect(await listed()).toEqual([]);
    const again = await fleet.rutter(["readers", "remove", "audit"]);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toContain("fleet berlin has no reader audit");
  },
);

test(
  "a host whose key is pinned is believed with that key only; without a pin another key is said until it is accepted",
  TIMEOUT,
  async () => {
    await using network = await makeNetwork(["server", "edge1"]);
    const { server, edge1 } = network.nodes;
    await using fleet = await makeFleet([server], server, [edge1]);
    await fleet.apply(poolManifest(["203.0.113.0/24"]));
    const first = await fleet.agent(edge1);
    await hasGeneration(first, 1);
    const keyNow = async (agent: typeof first): Promise<string> =>
      (await agent.ask<{ fleet: { hostKey: string } }>("status")).fleet.hostKey;
    const pin = (...keys: readonly string[]): string =>
      `hostKeys: { edge1: [${keys.join(", ")}] }\n`;
    const verify = (more = "", ...args: readonly string[]) =>
      fleet.read(["log", "--verify", ...args], more);
    const old = await keyNow(first);
    await until(async () => (await verify(pin(old))).stdout.includes("pinned"), {
      what: "a checkpoint of the pinned key",
      timeoutMs: 60_000,
      explain: first.explain,
    });
    expect(await verify(pin(old))).toMatchObject({ code: 0, stderr: "" });
    expect(await verify()).toMatchObject({ code: 0, stderr: "" });
    expect((await verify()).stdout).toContain("first heard");

    const stranger = publicKeyOf(newSeed("user"));
    const refused = await verify(pin(stranger));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("NOT ITS PINNED KEY");
    expect(refused.stderr).toContain(`is signed by ${old}, and fleet.yaml pins ${stranger}`);
    const checked = await fleet.read(["status", "--check"], pin(stranger));
    expect(checked).toMatchObject({ code: 1 });
    expect(checked.stdout).toContain(`it signs with ${old}; fleet.yaml pins ${stranger}`);

    await first.stop();
    rmSync(join(first.state, "fleet", "host.nk"));
    await using second = await first.restart();
    await fleet.apply(serviceManifest("web", { loadBalancerIP: "203.0.113.1" }));
    await hasGeneration(second, 2);
    const fresh = await keyNow(second);
    expect(fresh).not.toBe(old);
    const found = await until(
      async () => {
        const verdict = await verify();
        return verdict.stderr.includes("ANOTHER KEY") && verdict;
      },
      { what: "the other key", timeoutMs: 60_000, explain: second.explain },
    );
    expect(found.code).toBe(1);
    expect(found.stderr).toMatch(
      new RegExp(
        `edge1: ANOTHER KEY: it signs with ${fresh} since \\S+ .*signed with ${old} until`,
      ),
    );
    expect(found.stdout).toContain("another");
    const status = await until(
      async () => {
        const said = await fleet.read(["status", "--check"]);
        return said.stdout.includes(fresh) && said;
      },
      { what: "the other key in the status", timeoutMs: 60_000, explain: second.explain },
    );
    expect(status).toMatchObject({ code: 1 });
    expect(status.stdout).toContain(`it was known with ${old}`);

    // Pinned beside the old one it is the host's, whatever is remembered.
    expect(
      await verify(pin(fresh, old), "--heads", join(server.directory, "pinned.json")),
    ).toMatchObject({
      code: 0,
    });
    const accepted = await verify("", "--accept", "edge1");
    expect(accepted).toMatchObject({ code: 0 });
    expect(accepted.stderr).toContain("ITS KEY HAS CHANGED");
    expect(await verify()).toMatchObject({ code: 0, stderr: "" });
    expect(await fleet.read(["status", "--check"])).toMatchObject({ code: 0 });
  },
);
