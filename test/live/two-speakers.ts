/**
 * A host with two speakers: one has the fabric and the listener, the other one dials a monitoring session.
 *
 * Read next: two-speakers.live.test.ts.
 */
import type { BackendName } from "../../backends/intent.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { startFrrDaemons } from "./frr-daemons.ts";
import { startGobgpd } from "./gobgpd.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

export const HOST_AS = 64_512;
export const FABRIC_AS = 64_999;
export const MONITOR_AS = 64_998;
/** What each of them announces. */
export const FROM_FABRIC = "203.0.113.0/24";
export const FROM_MONITOR = "198.18.0.0/16";

/** A speaker of its own process, and how the agent finds it. */
type Outside = AsyncDisposable & {
  readonly config: string;
  /** kill -9. */
  kill(): Promise<void>;
  /** Another one in its place. */
  start(): Promise<void>;
};

export const OUTSIDE = {
  async frr(host: Node, isFirst: boolean): Promise<Outside> {
    const daemons = await startFrrDaemons(host, {
      kernel: true,
      ...(isFirst ? {} : { listens: false }),
    });
    return {
      config: `frr: {vtyDirectory: ${daemons.directory}}\n`,
      kill: () => daemons.kill("bgpd"),
      start: () => daemons.start("bgpd"),
      [Symbol.asyncDispose]: () => daemons[Symbol.asyncDispose](),
    };
  },
  async gobgp(host: Node): Promise<Outside> {
    const gobgpd = await startGobgpd(host);
    return {
      config: `gobgp: {address: "unix:${gobgpd.socket}"}\n`,
      kill: () =>
        gobgpd
          .daemon()
          .stop("SIGKILL")
          .then(() => undefined),
      start: () => gobgpd.restart(),
      [Symbol.asyncDispose]: () => gobgpd[Symbol.asyncDispose](),
    };
  },
} as const satisfies Partial<
  Record<BackendName, (host: Node, isFirst: boolean) => Promise<Outside>>
>;

export type TwoSpeakers = AsyncDisposable & {
  readonly host: Node;
  readonly outside: Outside;
  readonly fabric: Router;
  readonly monitor: Router;
  readonly addresses: Addresses;
  agent(): Agent;
  /** kill -9, and another one on its state. */
  restartAgent(): Promise<void>;
  apply(...manifests: readonly string[]): Promise<void>;
  remove(...names: readonly string[]): Promise<void>;
  /** How often each session was lost, as the far ends count. */
  lost(): Promise<{ readonly fabric: number; readonly monitor: number }>;
  until(what: string, look: () => unknown): Promise<void>;
};

/** All is there but manifests. The one of `native` and the other is `first`. */
export async function startTwoSpeakers(
  other: keyof typeof OUTSIDE,
  first: BackendName = other,
): Promise<TwoSpeakers> {
  const stack = new AsyncDisposableStack();
  const network = stack.use(await makeNetwork(["host", "fabric", "monitor"]));
  const { host, fabric: fabricNode, monitor: monitorNode } = network.nodes;
  const outside = stack.use(await OUTSIDE[other](host, first === other));
  const router = async (node: Node, asn: number, prefix: string, passive: boolean) =>
    stack.use(
      await startBird(node, {
        asn,
        routerId: node.ipv4,
        networks: [prefix],
        neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS, passive }],
      }),
    );
  // The fabric dials, too, as routers do: port 179 of the host has to be the first speaker's.
  const fabric = await router(fabricNode, FABRIC_AS, FROM_FABRIC, false);
  const monitor = await router(monitorNode, MONITOR_AS, FROM_MONITOR, true);
  const config = `${ALWAYS}backend: ${first}\nbesides: [${first === other ? "native" : other}]\nbfd: {start: never}\n${outside.config}`;
  let agent = await startAgent(host, { config });
  stack.defer(() => agent[Symbol.asyncDispose]());
  const explain = async (): Promise<string> =>
    [await agent.explain(), await fabric.explain(), await monitor.explain()].join("\n");
  const must = async (done: ReturnType<Agent["rutter"]>): Promise<void> => {
    const { code, stderr, stdout } = await done;
    if (code !== 0) throw new Error(stdout + stderr);
  };
  return {
    host,
    outside,
    fabric,
    monitor,
    addresses: { fabric: fabricNode.ipv4, monitor: monitorNode.ipv4 },
    agent: () => agent,
    restartAgent: async () => {
      agent = await agent.restart();
    },
    apply: (...manifests) => must(agent.apply(documents(...manifests))),
    remove: (...names) => must(agent.rutter("delete", ...names)),
    lost: async () => ({
      fabric: (await fabric.session(host.ipv4)).timesLost,
      monitor: (await monitor.session(host.ipv4)).timesLost,
    }),
    until: async (what, look) => {
      await until(async () => look(), { what, timeoutMs: 90_000, explain });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const SOON = 'connectTime: "1s"';

/** Both peers, what is announced to both, and who has the monitoring session. */
export const fabricAndMonitor = ({ fabric, monitor }: Addresses): string =>
  documents(
    poolManifest(["198.51.100.0/24"]),
    advertisementManifest(),
    peerManifest({
      name: "fabric",
      localAs: HOST_AS,
      remoteAs: FABRIC_AS,
      address: fabric,
      extra: [SOON],
    }),
    peerManifest({
      name: "monitor",
      localAs: HOST_AS,
      remoteAs: MONITOR_AS,
      address: monitor,
      extra: [SOON],
    }),
  );

export type Addresses = { readonly fabric: string; readonly monitor: string };

export const monitorBy = (backend: BackendName): string =>
  `apiVersion: rutter/v1\nkind: PeerBackend\nmetadata: {name: monitoring}\nspec: {peers: [monitor], backend: ${backend}}`;

/** Everything that both say comes in, and goes into the kernel where that is done. */
export const RECEIVED = "apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: all}\nspec: {}";
