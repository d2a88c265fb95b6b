/**
 * The far end of BFD sessions, started in a namespace and asked over a socket.
 *
 * Reads next: bfd-peer.ts (the process), bfd.ts (what is done with it).
 */
import { once } from "node:events";
import { createConnection } from "node:net";
import { join } from "node:path";
import type { BfdParameters } from "../backends/bfd/parameters.ts";
import { lineReader } from "../backends/bfd/protocol.ts";
import type { Address } from "../events/address.ts";
import { type BfdKey, bfdKey } from "../events/ids.ts";
import { makeNetwork, type Network, type Node } from "../test/live/netns.ts";
import { until } from "../test/live/until.ts";
import type { Seen } from "./bfd-watch.ts";

export type ToPeer =
  | { readonly type: "hold"; readonly sessions: readonly BfdParameters[] }
  | { readonly type: "reset" }
  | { readonly type: "die"; readonly key: BfdKey; readonly times: number }
  | { readonly type: "look" }
  | { readonly type: "tell" };

export type FromPeer = {
  /** Sessions that are Up at the fast rate. */
  readonly settled: number;
  readonly deathsLeft: number;
  readonly problems: readonly string[];
  /** Only where it was told to tell. */
  readonly seen: readonly (readonly [BfdKey, Seen])[];
};

export type Far = { ask(message: ToPeer): Promise<FromPeer> };

export async function startFar(node: Node): Promise<Far> {
  const path = join(node.directory, "far.sock");
  const program = join(import.meta.dirname, "bfd-peer.ts");
  const daemon = await node.start([process.execPath, program, path]);
  const ready = /^ready (.*)$/m;
  await until(() => ready.test(daemon.stdout()), { what: "the far end", explain: daemon.stderr });
  const problem = ready.exec(daemon.stdout())?.[1] ?? "";
  if (problem !== "") throw new Error(`the far end has to be precise: ${problem}`);
  const socket = createConnection(path);
  await once(socket, "connect");
  const waiting: ((answer: FromPeer) => void)[] = [];
  const read = lineReader((line) => waiting.shift()?.(JSON.parse(line) as FromPeer));
  socket.setEncoding("utf8").on("data", read);
  // It ends with its process, which ends with the network.
  socket.on("error", () => {});
  socket.unref();
  return {
    ask: (message) =>
      new Promise((resolve, reject) => {
        waiting.push(resolve);
        if (!daemon.running()) reject(new Error(`the far end has ended: ${daemon.stderr()}`));
        socket.write(`${JSON.stringify(message)}\n`);
      }),
  };
}

/** A network for as long as `work` goes on; Ctrl-C, too, takes it away with all that runs in it. */
export async function inNetwork<const Name extends string, T>(
  names: readonly Name[],
  work: (nodes: Network<Name>["nodes"]) => Promise<T>,
): Promise<T> {
  await using network = await makeNetwork(names);
  const leave = (): void => {
    const end = (): void => process.exit(1);
    network[Symbol.asyncDispose]().then(end, end);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, leave);
  try {
    return await work(network.nodes);
  } finally {
    for (const signal of signals) process.off(signal, leave);
  }
}

export const MULTIPLIER = 3;

/** Waits until so many sessions are Up at the fast rate. */
export const settled = (far: Far, count: number, timeoutMs: number): Promise<FromPeer> =>
  until(
    async () => {
      const answer = await far.ask({ type: "look" });
      return answer.settled === count && answer;
    },
    {
      what: `${count} sessions`,
      timeoutMs,
      explain: async () => JSON.stringify(await far.ask({ type: "look" })),
    },
  );

let discriminators = 0;

/** One end of a session as our engine runs it. */
export function sessionOf(local: string, remote: string, intervalMillis: number): BfdParameters {
  discriminators += 1;
  return {
    key: bfdKey("", remote, local, "", false),
    vrf: "",
    remote: remote as Address,
    local: local as Address,
    interface: "",
    multihop: false,
    localDiscriminator: discriminators,
    timing: {
      transmitIntervalMillis: intervalMillis,
      receiveIntervalMillis: intervalMillis,
      detectMultiplier: MULTIPLIER,
      echoIntervalMillis: undefined,
      passive: false,
      minimumTimeToLive: 255,
    },
    authentication: undefined,
  };
}
