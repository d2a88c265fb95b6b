/**
 * A fleet for a test: NATS servers with the permissions of `rutter fleet auth`, a publisher's desk, and what a host is told.
 *
 * Keys are drawn and files written here; everything else is the program's own commands, run in the network's nodes.
 * Read next: fleet.live.test.ts, nats.ts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, type AgentPlan, startAgent } from "./agent.ts";
import type { Finished } from "./daemon.ts";
import { type Key, newKey } from "./fleet-keys.ts";
import { ALWAYS } from "./manifests.ts";
import { type NatsServer, startCluster, startNats } from "./nats.ts";
import type { Node } from "./netns.ts";
import { until } from "./until.ts";

const PROGRAM = join(import.meta.dirname, "../../agent/main.ts");
export const FLEET = "berlin";

/** What `status` says of a fleet, as far as tests read it. */
export type FleetStatus = {
  readonly connected: boolean;
  readonly reason: string;
  readonly generation: number;
  readonly stateDigest: string;
  readonly lag: number | null;
  readonly verdicts: readonly { readonly generation: number; readonly rule: string }[];
  readonly diverged: { readonly reason: string; readonly resources: readonly string[] } | null;
};

export type Fleet = AsyncDisposable & {
  readonly servers: readonly NatsServer[];
  /** Signs change sets, and every host trusts it. */
  readonly signer: Key;
  /** The nkey that a host connects with. */
  readonly hostKey: (host: Node) => Key;
  readonly opsKey: Key;
  /** fleet.yaml of the publisher's desk. */
  readonly configFile: string;
  /** `rutter fleet ARGS` at the publisher's desk. */
  rutter(args: readonly string[], input?: string): Promise<Finished>;
  /** `rutter fleet ARGS` of a reader, with more of its fleet.yaml; what it remembers is of this fleet alone. */
  read(args: readonly string[], more?: string): Promise<Finished>;
  /** `rutter fleet apply -f -`; throws with its words where it ends otherwise than with 0. */
  apply(manifests: string, ...args: readonly string[]): Promise<string>;
  /** agent.yaml of a host of the fleet. */
  agentConfig(host: Node, more?: string): string;
  /** An agent that is fed by the fleet. */
  agent(host: Node, plan?: AgentPlan, more?: string): Promise<Agent>;
};

/** One server a node, with JetStream; `ops` is the node of the publisher's desk. */
export async function makeFleet(
  serverNodes: readonly Node[],
  ops: Node,
  hosts: readonly Node[],
): Promise<Fleet> {
  const signer = newKey(ops, "signer.nk");
  const opsKey = newKey(ops, "ops.nk");
  const readerKey = newKey(ops, "reader.nk");
  const keys = new Map(hosts.map((host) => [host.name, newKey(host, "nats.nk")]));
  const hostKey = (host: Node): Key => {
    const key = keys.get(host.name);
    if (key === undefined) throw new Error(`${host.name} is no host of the fleet`);
    return key;
  };
  const members = [
    ...hosts.map((host) => `host ${host.name} ${hostKey(host).publicKey}`),
    `publisher ops ${opsKey.publicKey}`,
    `reader audit ${readerKey.publicKey}`,
  ];
  const run = (args: readonly string[], input = ""): Promise<Finished> =>
    ops.run([process.execPath, PROGRAM, "fleet", ...args], {
      input,
      timeoutMs: 60_000,
      env: { ...process.env, XDG_STATE_HOME: ops.directory },
    });
  const auth = await run(["auth", "--fleet", FLEET, "-f", "-"], members.join("\n"));
  if (auth.code !== 0) throw new Error(auth.stderr);
  const [only] = serverNodes;
  const servers =
    serverNodes.length === 1 && only !== undefined
      ? [await startNats(only, { config: auth.stdout })]
      : await startCluster(serverNodes, auth.stdout);
  const urls = servers.map(({ url }) => JSON.stringify(url)).join(", ");
  const configFile = join(ops.directory, "fleet.yaml");
  writeFileSync(
    configFile,
    `name: ${FLEET}
servers: [${urls}]
seed: ${opsKey.file}
signingSeed: ${signer.file}
trust: [{ key: ${signer.publicKey} }]
`,
  );
  const rutter = (args: readonly string[], input?: string): Promise<Finished> =>
    run([...args, "--fleet-config", configFile, "--as", "ops"], input);
  const readerFile = join(ops.directory, "reader.yaml");
  const read = (args: readonly string[], more = ""): Promise<Finished> => {
    const text = `name: ${FLEET}\nservers: [${urls}]\nseed: ${readerKey.file}\n${more}`;
    writeFileSync(readerFile, text);
    return run([...args, "--fleet-config", readerFile, "--as", "audit"]);
  };
  const agentConfig = (host: Node, more = ""): string => `
node: { name: ${host.name} }
${ALWAYS}fleet:
  name: ${FLEET}
  servers: [${urls}]
  seed: ${hostKey(host).file}
  trust: [{ key: ${signer.publicKey} }]
${more}`;
  return {
    servers,
    signer,
    hostKey,
    opsKey,
    configFile,
    rutter,
    read,
    async apply(manifests, ...args) {
      // A cluster that was cut in half takes its time on a busy machine.
      const done = await rutter(["apply", "-f", "-", "--timeout", "90", ...args], manifests);
      if (done.code !== 0) throw new Error(`fleet apply ends with ${done.code}: ${done.stderr}`);
      return done.stdout;
    },
    agentConfig,
    agent: (host, plan = {}, more = "") =>
      startAgent(host, { config: agentConfig(host, more), listen: `${host.ipv4}:179`, ...plan }),
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}

export async function fleetOf(agent: Agent): Promise<FleetStatus> {
  const { fleet } = await agent.ask<{ fleet: FleetStatus | null }>("status");
  if (fleet === null) throw new Error("this agent is in no fleet");
  return fleet;
}

/** Waits until a host has recorded this generation. */
export const hasGeneration = (
  agent: Agent,
  generation: number,
  timeoutMs = 60_000,
): Promise<FleetStatus> =>
  until(
    async () => {
      const fleet = await fleetOf(agent);
      return fleet.generation >= generation && fleet;
    },
    { what: `generation ${generation}`, timeoutMs, everyMs: 200, explain: () => agent.explain() },
  );
