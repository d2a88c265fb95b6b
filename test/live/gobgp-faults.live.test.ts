/**
 * A gobgpd that dies, hangs, is shut down for BFD, or is not ours alone: what the backend says and makes good again.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { FAR_AS, far, HOST_AS, pair, toAll, toPeer, VIP } from "./gobgp-pair.ts";
import { driveGobgpd, intentOf, never } from "./gobgpd.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "gobgp"));

describe("gobgpd that dies, hangs or is gone", () => {
  test("kill -9: shown as down within 3 s with the reason, and everything restored once when it is back", async () => {
    await using at = await pair();
    await using driven = driveGobgpd(at.gobgpd.socket);
    await driven.backend.apply(
      intentOf({ neighbors: [toPeer(at.node.ipv4)], routes: { [VIP]: toAll(at.key) } }),
      never(),
    );
    await driven.established(at.key);
    const { explain } = driven;
    await at.gobgpd.daemon().stop("SIGKILL");
    await until(() => driven.session(at.key).state === "Idle", { what: "the end seen", explain });
    expect(driven.session(at.key).reason).toMatch(/gobgpd cannot be reached/);
    await expect(
      driven.backend.apply(intentOf({ neighbors: [toPeer(at.node.ipv4)] }), never()),
    ).rejects.toMatchObject({ code: "SPEAKER_UNREACHABLE" });
    await driven.backend
      .apply(
        intentOf({ neighbors: [toPeer(at.node.ipv4)], routes: { [VIP]: toAll(at.key) } }),
        never(),
      )
      .catch(() => undefined);
    await at.gobgpd.restart();
    await driven.established(at.key);
    await until(() => at.bird.route(VIP), { what: VIP, explain });
    expect(driven.log.filter((line) => line.includes("was changed"))).toHaveLength(2);
  });

  test("SIGSTOP: no session is shown as Established, and SIGCONT changes nothing", async () => {
    await using at = await pair();
    await using driven = driveGobgpd(at.gobgpd.socket);
    await driven.backend.apply(intentOf({ neighbors: [toPeer(at.node.ipv4)] }), never());
    await driven.established(at.key);
    const { explain } = driven;
    process.kill(at.gobgpd.daemon().pid, "SIGSTOP");
    await until(() => driven.session(at.key).state === "Idle", {
      what: "the silence seen",
      explain,
    });
    expect(driven.session(at.key).reason).toMatch(/does not answer/);
    process.kill(at.gobgpd.daemon().pid, "SIGCONT");
    await driven.established(at.key);
    expect((await at.bird.session(at.host.ipv4)).timesEstablished).toBe(1);
    expect(driven.log.filter((line) => line.includes("was changed"))).toHaveLength(1);
  });

  test("supervised: it is started, started again after its end, and ends with the agent", async () => {
    await using at = await pair();
    const socket = join(at.host.directory, "own.sock");
    // The daemon of this test must be in the node's namespace, so the program is one that goes there first.
    const program = join(at.host.directory, "gobgpd");
    writeFileSync(program, `#!/bin/sh\nexec ip netns exec ${at.host.namespace} gobgpd "$@"\n`, {
      mode: 0o755,
    });
    await at.gobgpd.daemon().stop();
    const driven = driveGobgpd(socket, { supervise: { program } });
    const intent = intentOf({
      neighbors: [toPeer(at.node.ipv4)],
      routes: { [VIP]: toAll(at.key) },
    });
    const { explain } = driven;
    await until(() => driven.log.some((line) => line.includes("started gobgpd")), {
      what: "a start",
      explain,
    });
    await until(
      () =>
        driven.backend.apply(intent, never()).then(
          () => true,
          () => false,
        ),
      { what: "an apply", explain },
    );
    await driven.established(at.key);
    const pids = () =>
      driven.log.flatMap((line) => /started gobgpd {"pid":(\d+)/.exec(line)?.[1] ?? []);
    process.kill(Number(pids()[0]), "SIGKILL");
    await until(() => pids().length === 2, { what: "another start", explain });
    await driven.established(at.key);
    await until(() => at.bird.route(VIP), { what: VIP, explain });
    expect(driven.log.some((line) => line.startsWith("gobgpd ended with SIGKILL"))).toBe(true);
    await driven.backend.close("final");
    await until(async () => !(await at.bird.session(at.host.ipv4)).established, {
      what: "the end",
      explain,
    });
    expect(() => process.kill(Number(pids()[1]), 0)).toThrow(/ESRCH/);
  });
});

test("an agent that is killed leaves its gobgpd, and the next one takes it with its sessions", async () => {
  await using at = await pair();
  const first = driveGobgpd(at.gobgpd.socket);
  const intent = intentOf({
    neighbors: [toPeer(at.node.ipv4)],
    routes: { [VIP]: toAll(at.key) },
  });
  await first.backend.apply(intent, never());
  await first.established(at.key);
  await first.backend.close("graceful");
  await using next = driveGobgpd(at.gobgpd.socket, { supervise: { program: "/nonexistent" } });
  const { explain } = next;
  await until(() => next.log.some((line) => line.includes("is kept")), {
    what: "the find",
    explain,
  });
  await next.backend.apply(intent, never());
  await next.established(at.key);
  expect((await at.bird.session(at.host.ipv4)).timesEstablished).toBe(1);
  await at.gobgpd.daemon().stop("SIGKILL");
  await until(() => next.log.some((line) => line.includes("cannot be started")), {
    what: "a start of its own",
    explain,
  });
});

describe("BFD", () => {
  test("Down shuts the peer down with the reason, and what no live Down justifies is enabled, by another run too", async () => {
    await using at = await pair();
    const intent = intentOf({ neighbors: [toPeer(at.node.ipv4)] });
    {
      await using driven = driveGobgpd(at.gobgpd.socket);
      await driven.backend.apply(intent, never());
      await driven.established(at.key);
      const { explain } = driven;
      const down = {
        type: "down",
        reason: "Control Detection Time Expired",
        remoteControlPlaneIndependent: false,
      } as const;
      driven.backend.path(at.key, down);
      await until(() => driven.session(at.key).state !== "Established", {
        what: "its end",
        explain,
      });
      await until(() => /BFD Down: Control Detection/.test(driven.session(at.key).reason), {
        what: "the reason",
        explain,
      });
      await driven.backend.apply(
        intentOf({ neighbors: [toPeer(at.node.ipv4, { connectRetrySeconds: 3 })] }),
        never(),
      );
      expect(await at.gobgpd.cli("neighbor", at.node.ipv4)).toContain("BGP state = IDLE");
      driven.backend.path(at.key, { type: "up" });
      await driven.established(at.key);
      driven.backend.path(at.key, down);
      await until(() => driven.session(at.key).state !== "Established", {
        what: "its second end",
        explain,
      });
    }
    await using after = driveGobgpd(at.gobgpd.socket);
    await after.backend.apply(intent, never());
    await after.established(at.key);
    expect(after.session(at.key).reason).toBe("");
  });
});

describe("what others made in the same gobgpd", () => {
  test("stays: a neighbour of theirs is not touched, not told our routes, and taken over only where that is said", async () => {
    await using at = await pair();
    await at.gobgpd.cli("global", "as", `${HOST_AS}`, "router-id", at.host.ipv4);
    await at.gobgpd.cli("neighbor", "add", at.node.ipv4, "as", `${FAR_AS}`);
    await at.gobgpd.cli("global", "rib", "add", "192.0.2.0/24");
    const explain = () => at.bird.explain();
    await until(() => at.bird.route("192.0.2.0/24"), {
      what: "their route",
      timeoutMs: 60_000,
      explain,
    });
    const other = toPeer("10.99.0.200");
    const routes = { [VIP]: toAll(other.key, at.key) };
    {
      await using driven = driveGobgpd(at.gobgpd.socket);
      await driven.backend.apply(
        intentOf({ neighbors: [other, toPeer(at.node.ipv4)], routes }),
        never(),
      );
      await until(() => driven.session(at.key).reason.includes("not made by Rutter"), {
        what: "the refusal",
        explain: driven.explain,
      });
      expect(await at.bird.route(VIP)).toBeUndefined();
      expect(await at.bird.route("192.0.2.0/24")).toBeDefined();
      await driven.backend.apply(intentOf({ neighbors: [] }), never());
      expect(await at.gobgpd.cli("neighbor")).toContain(at.node.ipv4);
    }
    expect((await at.bird.session(at.host.ipv4)).timesEstablished).toBe(1);
    await using taking = driveGobgpd(at.gobgpd.socket, { takeOver: [at.node.ipv4] });
    await taking.backend.apply(intentOf({ neighbors: [toPeer(at.node.ipv4)], routes }), never());
    await taking.established(at.key);
    await until(() => at.bird.route(VIP), { what: VIP, explain });
    await until(async () => (await at.bird.route("192.0.2.0/24")) === undefined, {
      what: "theirs",
      explain,
    });
    expect(await at.gobgpd.cli("global", "rib")).toContain("192.0.2.0/24");
  });

  test("another AS is refused with the reason", async () => {
    await using at = await pair();
    await at.gobgpd.cli("global", "as", "65000", "router-id", at.host.ipv4);
    await using driven = driveGobgpd(at.gobgpd.socket);
    await expect(
      driven.backend.apply(intentOf({ neighbors: [toPeer(at.node.ipv4)] }), never()),
    ).rejects.toMatchObject({
      code: "SPEAKER_REFUSED",
      message: expect.stringMatching(
        /started by somebody else with AS 65000.*routers have AS 64512/,
      ),
    });
  });
});

test("an agent with backend gobgp starts its own, announces both families over IPv4 and restores all after kill -9", async () => {
  await using network = await makeNetwork(["host", "bird"]);
  const { host, bird: node } = network.nodes;
  await using bird = await startBird(node, {
    asn: FAR_AS,
    routerId: node.ipv4,
    neighbours: [far(host.ipv4)],
  });
  const config = `${ALWAYS}\nbackend: gobgp\ngobgp:\n  supervise: {}\n`;
  await using agent = await startAgent(host, { config });
  const pool = poolManifest(["203.0.113.1-203.0.113.9", "2001:db8:f::1-2001:db8:f::9"]);
  const service = serviceManifest("web", { ipFamilyPolicy: "RequireDualStack" });
  const peer = peerManifest({
    localAs: HOST_AS,
    remoteAs: FAR_AS,
    address: node.ipv4,
    dualStack: true,
  });
  await agent.apply(documents(peer, pool, advertisementManifest(), service));
  const explain = async () => `${await agent.explain()}\n${await bird.explain()}`;
  const announced = async () => {
    for (const [vip, nextHop] of [
      [VIP, host.ipv4],
      ["2001:db8:f::1/128", host.ipv6],
    ] as const) {
      const there = async () => (await bird.route(vip))?.nextHop === nextHop;
      await until(there, { what: vip, timeoutMs: 60_000, explain });
    }
  };
  await announced();
  const pid = () => /"pid":(\d+),"socketPath":[^\n]*started gobgpd/.exec(agent.stderr())?.[1] ?? "";
  await until(() => pid() !== "", { what: "the pid of gobgpd", explain });
  const view = () => agent.ask<{ state: string; resets: number }[]>("peers").then(([one]) => one);
  await until(async () => (await view())?.state === "Established", { what: "it shown", explain });
  process.kill(Number(pid()), "SIGKILL");
  await until(async () => ((await view())?.resets ?? 0) > 0, { what: "the end seen", explain });
  await until(async () => (await view())?.state === "Established", { what: "a session", explain });
  await announced();
  expect((await bird.session(host.ipv4)).timesEstablished).toBe(2);
});
