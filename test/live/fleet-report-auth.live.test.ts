/**
 * The back channel within the permissions that `rutter fleet auth` writes: hosts, a reader and a publisher, each with its own
 * key. What one of them is not allowed it would lack here.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import type { Finished } from "./daemon.ts";
import { newKey } from "./fleet-keys.ts";
import { poolManifest, serviceManifest } from "./manifests.ts";
import { startNats } from "./nats.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");
const FLEET = "berlin";

type HostJson = { readonly host: string; readonly standing: string; readonly generation: number };
type ToldFact = { readonly host: string; readonly seq: number; readonly type: string };

test(
  "hosts report, a reader keeps its place, and a stream whose files are gone is refilled, each with its own permissions only",
  { timeout: 180_000 },
  async () => {
    await using network = await makeNetwork(["server", "edge1", "edge2", "ops"]);
    const { server, edge1, edge2, ops } = network.nodes;
    const [signer, publisher, reader] = [
      newKey(ops, "signer.nk"),
      newKey(ops, "ops.nk"),
      newKey(ops, "reader.nk"),
    ];
    const keys = new Map([edge1, edge2].map((node) => [node, newKey(node, "nats.nk")]));
    const members = [
      ...[...keys].map(([{ name }, { publicKey }]) => `host ${name} ${publicKey}`),
      `publisher ops ${publisher.publicKey}`,
      `reader audit ${reader.publicKey}`,
    ];
    const rutter = (args: readonly string[], input = ""): Promise<Finished> =>
      ops.run([process.execPath, PROGRAM, "fleet", ...args], {
        input,
        timeoutMs: 60_000,
        // What is known of the hosts' logs is of this test alone.
        env: { ...process.env, XDG_STATE_HOME: ops.directory },
      });
    const auth = await rutter(["auth", "--fleet", FLEET, "-f", "-"], members.join("\n"));
    expect(auth).toMatchObject({ code: 0, stderr: "" });
    await using nats = await startNats(server, { config: auth.stdout });

    const desk = (name: string, seed: string, more = ""): string => {
      const file = join(ops.directory, `${name}.yaml`);
      writeFileSync(file, `name: ${FLEET}\nservers: [${nats.url}]\nseed: ${seed}\n${more}`);
      return file;
    };
    const publishing = desk("publisher", publisher.file, `signingSeed: ${signer.file}\n`);
    const reading = desk("reader", reader.file);
    const apply = async (manifests: string): Promise<void> => {
      const args = ["apply", "-f", "-", "--as", "ops", "--fleet-config", publishing];
      expect(await rutter(args, manifests)).toMatchObject({ code: 0 });
    };
    const read = (...args: readonly string[]): Promise<Finished> =>
      rutter([...args, "--as", "audit", "--fleet-config", reading]);
    const told = async (...args: readonly string[]): Promise<readonly ToldFact[]> => {
      const { code, stdout, stderr } = await read("log", "-o", "json", ...args);
      if (code !== 0) throw new Error(stderr);
      return stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line): ToldFact => JSON.parse(line));
    };
    const agentOn = (node: Node): Promise<Agent> =>
      startAgent(node, {
        config: `node: { name: ${node.name} }
fleet:
  name: ${FLEET}
  servers: [${nats.url}]
  seed: ${keys.get(node)?.file}
  trust: [{ key: ${signer.publicKey} }]
  report: { heartbeatSeconds: 1 }
`,
        listen: "0.0.0.0:1790",
      });
    await using first = await agentOn(edge1);
    await using second = await agentOn(edge2);
    const equalAt = (generation: number): Promise<unknown> =>
      until(
        async () => {
          const { stdout } = await read("status", "-o", "json");
          const hosts: readonly HostJson[] = JSON.parse(stdout);
          const isThere = (one: HostJson): boolean =>
            one.standing === "equal" && one.generation === generation;
          return hosts.length === 2 && hosts.every(isThere);
        },
        {
          what: `generation ${generation} in both statuses`,
          timeoutMs: 60_000,
          everyMs: 200,
          explain: async () => `${await first.explain()}\n${await second.explain()}`,
        },
      );

    await apply(poolManifest(["203.0.113.0/24"]));
    await equalAt(1);
    expect(await read("status", "--check")).toMatchObject({ code: 0 });
    const advanced = (facts: readonly ToldFact[]): string[] =>
      facts.flatMap(({ host, type }) => (type === "feed-advanced" ? [host] : [])).toSorted();
    await until(async () => advanced(await told()).join() === "edge1,edge2", {
      what: "the change in the audit stream",
      timeoutMs: 60_000,
    });
    const before = await told("--reader", "audit");
    expect(advanced(before)).toEqual(["edge1", "edge2"]);

    await nats.kill();
    const store = join(server.directory, "jetstream", "jetstream", "$G", "streams");
    rmSync(join(store, `rutter-${FLEET}-audit`), { recursive: true });
    await nats.restart();
    await apply(serviceManifest("web", { loadBalancerIP: "203.0.113.1" }));
    await equalAt(2);
    const after: ToldFact[] = [];
    await until(
      async () => {
        after.push(...(await told("--reader", "audit")));
        return advanced(after).length === 2;
      },
      { what: "the second change, told to the reader", timeoutMs: 60_000, everyMs: 200 },
    );
    const seqs = [...before, ...after].map(({ host, seq }) => `${host} ${seq}`);
    expect(new Set(seqs).size).toBe(seqs.length);
    expect(advanced([...before, ...after])).toEqual(["edge1", "edge1", "edge2", "edge2"]);
  },
);
