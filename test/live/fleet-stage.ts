/**
 * A stage for the back channel: a NATS server, an operator beside it, and agents that report to a fleet.
 *
 * What is in the stream is looked at in two ways: by `rutter fleet log`, as a reader has it, and message by message. Read
 * next: nats.ts, agent.ts, fleet-admin.ts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type Agent, startAgent } from "./agent.ts";
import { apiOf } from "./api.ts";
import type { Finished } from "./daemon.ts";
import { type NatsServer, startNats } from "./nats.ts";
import { type Network, makeNetwork, type Node } from "./netns.ts";
import { type Key, newKey } from "./fleet-keys.ts";
import { poolManifest, serviceManifest } from "./manifests.ts";
import { until } from "./until.ts";

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");
const ADMIN = join(import.meta.dirname, "fleet-admin.ts");
export const FLEET = "berlin";
export const AUDIT = `rutter-${FLEET}-audit`;

export type Stored = {
  readonly sequence: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};
/** What `rutter fleet log -o json` prints, as far as tests look at it. */
export type ToldFact = {
  readonly host: string;
  readonly lane: string;
  readonly seq: number;
  readonly hash: string;
  readonly type: string;
  readonly standsFor: number;
};
type BookFact = { readonly seq: number; readonly hash: string; readonly type: string };

export type Stage = AsyncDisposable & {
  readonly network: Network<"server" | "host" | "far">;
  readonly nats: NatsServer;
  readonly trusted: Key;
  admin(...args: readonly string[]): Promise<void>;
  /** Everything in a stream, oldest first. */
  stored(stream?: string): Promise<readonly Stored[]>;
  /** `rutter fleet ARGS` on the server's own node. */
  fleet(...args: readonly string[]): Promise<Finished>;
  /** `rutter fleet log -o json ARGS`: what a reader without memory has. */
  told(...args: readonly string[]): Promise<readonly ToldFact[]>;
  agent(node?: Node, report?: string): Promise<Agent>;
  /** Waits until a new reader has every fact of the agent's book that is of the desired lane; gives both. */
  allTold(agent: Agent): Promise<readonly ToldFact[]>;
};

/** Types that stay in the host or are coalesced; the rest is the desired lane. */
const NOT_DESIRED =
  /^(?:host|endpoint|exports|session|bfd|bfd-process|routes)-observed$|^(?:neighbor-found|kernel-drifted|kernel-read|routes-imported)$/;

export const isDesired = ({ type }: { readonly type: string }): boolean => !NOT_DESIRED.test(type);

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the shape of the contract
const parsed = <T>({ stdout }: Finished): readonly T[] =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): T => JSON.parse(line));

export async function makeStage(): Promise<Stage> {
  const network = await makeNetwork(["server", "host", "far"]);
  const { server, host } = network.nodes;
  const nats = await startNats(server);
  const trusted = newKey(server, "publisher.nk");
  const config = join(server.directory, "fleet.yaml");
  writeFileSync(config, `name: ${FLEET}\nservers: [${nats.url}]\n`);
  let heads = 0;

  const must = async (run: Promise<Finished>): Promise<Finished> => {
    const finished = await run;
    if (finished.code !== 0) throw new Error(finished.stderr);
    return finished;
  };
  const admin = (...args: readonly string[]): Promise<Finished> =>
    must(server.run([process.execPath, ADMIN, nats.url, ...args]));
  const fleet = (...args: readonly string[]): Promise<Finished> =>
    server.run([process.execPath, PROGRAM, "fleet", ...args, "--fleet-config", config], {
      timeoutMs: 60_000,
      // What is known of the hosts' logs is of this test alone.
      env: { ...process.env, XDG_STATE_HOME: server.directory },
    });
  const told = async (...args: readonly string[]): Promise<readonly ToldFact[]> => {
    heads += 1;
    const file = join(server.directory, `heads-${heads}.json`);
    return parsed(await fleet("log", "-o", "json", "--heads", file, ...args));
  };
  await admin("make", FLEET);
  return {
    network,
    nats,
    trusted,
    admin: async (...args) => void (await admin(...args)),
    stored: async (stream = AUDIT) => parsed(await admin("list", stream)),
    fleet,
    told,
    agent: (node = host, report = "heartbeatSeconds: 1") =>
      startAgent(node, {
        config: `fleet:
  name: ${FLEET}
  servers: [${nats.url}]
  trust: [{ key: ${trusted.publicKey} }]
  report: { ${report} }
`,
        listen: "0.0.0.0:1790",
      }),
    allTold: (agent) =>
      until(
        async () => {
          const book = parsed<BookFact>(await agent.rutter("log", "-o", "json")).filter(isDesired);
          const have = (await told()).filter(({ lane }) => lane === "desired");
          const byHash = new Set(have.map(({ hash }) => hash));
          return book.every(({ hash }) => byHash.has(hash)) ? have : undefined;
        },
        {
          what: "every desired fact in the audit stream",
          timeoutMs: 60_000,
          everyMs: 200,
          explain: agent.explain,
        },
      ),
    async [Symbol.asyncDispose]() {
      await nats[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
    },
  };
}

/** Services of one address each, a change each, after their pool. */
export async function change(agent: Agent, from: number, count: number): Promise<void> {
  const api = apiOf(agent.socket);
  expect(await api.apply(poolManifest(["198.18.0.0/15"]))).toBe(200);
  for (let index = from; index < from + count; index += 1) {
    const loadBalancerIP = `198.18.${Math.floor(index / 250)}.${(index % 250) + 1}`;
    expect(await api.apply(serviceManifest(`s${index}`, { loadBalancerIP }))).toBe(200);
  }
}

/** `fleet log --verify` of a reader without memory. */
export const verify = (stage: Stage, heads = "verify.json"): ReturnType<Stage["fleet"]> => {
  const file = join(stage.network.nodes.server.directory, heads);
  return stage.fleet("log", "--verify", "--heads", file);
};
