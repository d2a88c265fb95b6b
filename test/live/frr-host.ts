/**
 * A host with FRR's daemons and an agent on top of them, and a router (BIRD, with BFD) that is its peer.
 *
 * Read next: frr-agent.live.test.ts, frr-daemons.ts, agent.ts.
 */
import { type Agent, startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { type FrrDaemons, startFrrDaemons } from "./frr-daemons.ts";
import { ALWAYS, peerManifest } from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { type Patience, until } from "./until.ts";

export const HOST_AS = 64_512;
export const ROUTER_AS = 64_999;

export type FrrHost = AsyncDisposable & {
  readonly host: Node;
  readonly routerNode: Node;
  readonly daemons: FrrDaemons;
  readonly router: Router;
  /** The one that runs, or ran last. */
  agent(): Agent;
  startAgent(config?: string): Promise<Agent>;
  /** In its place on the same state. */
  restartAgent(): Promise<Agent>;
  running(daemon?: "bgpd" | "bfdd"): Promise<string>;
  /** Patient, and with all that is to be known where it fails. */
  until(what: string, look: () => unknown, more?: Partial<Patience>): Promise<void>;
  established(): Promise<void>;
  /** Prefixes at the router, sorted. */
  told(): Promise<readonly string[]>;
};

/** `networks`: what the router announces. */
export async function startFrrHost(networks: readonly string[] = []): Promise<FrrHost> {
  const stack = new AsyncDisposableStack();
  const network = stack.use(await makeNetwork(["host", "router"]));
  const { host, router: routerNode } = network.nodes;
  const daemons = stack.use(await startFrrDaemons(host, { kernel: true }));
  const router = stack.use(
    await startBird(routerNode, {
      asn: ROUTER_AS,
      routerId: routerNode.ipv4,
      networks,
      neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS, passive: true }],
      raw: [
        `protocol bfd watch_host { interface "*" { interval 100 ms; multiplier 10; }; neighbor ${host.ipv4}; }`,
      ],
    }),
  );
  let agent: Agent | undefined;
  const agentNow = (): Agent => {
    if (agent === undefined) throw new Error("no agent was started");
    return agent;
  };
  stack.defer(() => agent?.[Symbol.asyncDispose]());
  const running: FrrHost["running"] = async (daemon = "bgpd") =>
    (await daemons.ask(daemon, ["show running-config"]))[0]?.text ?? "";
  const explain = async (): Promise<string> =>
    [
      await agent?.explain(),
      await running().catch(String),
      await router.ask("show bfd sessions"),
      await router.explain(),
    ].join("\n");
  const untilSo: FrrHost["until"] = async (what, look, more = {}) => {
    await until(async () => look(), { what, timeoutMs: 60_000, explain, ...more });
  };
  return {
    host,
    routerNode,
    daemons,
    router,
    agent: agentNow,
    startAgent: async (config = "") => {
      // A process that a failed test leaves behind ends by itself soon.
      const place = config === "" ? `frr: {vtyDirectory: ${daemons.directory}}\n` : config;
      const text = `${ALWAYS}node: {name: wk3}\nbfd: {keepSeconds: 20}\n${place}`;
      agent = await startAgent(host, { config: text, args: ["--backend", "frr"] });
      return agent;
    },
    restartAgent: async () => {
      agent = await agentNow().restart();
      return agent;
    },
    running,
    until: untilSo,
    established: () =>
      untilSo("the session", async () => (await router.session(host.ipv4)).established),
    told: async () => (await router.routes()).map(({ prefix }) => prefix).toSorted(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The router as a BGPPeer that is tried again soon. */
export const routerPeer = (router: Node, extra: readonly string[] = []): string =>
  peerManifest({
    localAs: HOST_AS,
    remoteAs: ROUTER_AS,
    address: router.ipv4,
    extra: ['connectTime: "1s"', ...extra],
  });

export const bfdProfile = (spec: object): string =>
  `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;

/** An FRRConfiguration that adds to the session: prefixes of its own, and what is told and heard. */
export const routerConfiguration = (
  router: Node,
  prefixes: readonly string[],
  neighbor: object = {},
): string =>
  JSON.stringify({
    apiVersion: "frrk8s.metallb.io/v1beta1",
    kind: "FRRConfiguration",
    metadata: { name: "more", namespace: "frr-k8s-system" },
    spec: {
      bgp: {
        routers: [
          {
            asn: HOST_AS,
            prefixes,
            neighbors: [
              {
                asn: ROUTER_AS,
                address: router.ipv4,
                toAdvertise: { allowed: { mode: "all" } },
                ...neighbor,
              },
            ],
          },
        ],
      },
    },
  });

/** `count` host routes of 10.20.0.0/16. */
export const hostRoutes = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `10.20.${i >> 8}.${i & 255}/32`).toSorted();

/** shared/examples/11-bgpextras.yaml for this router, with further lines. */
export const extras = (router: Node, lines: readonly string[] = []): string =>
  [
    "apiVersion: v1",
    "kind: ConfigMap",
    "metadata: {namespace: metallb-system, name: bgpextras}",
    "data:",
    "  extras: |",
    "    ip prefix-list filtered permit 203.0.113.0/24 le 32",
    `    route-map ${router.ipv4}-in permit 20`,
    "    match ip address prefix-list filtered",
    ...lines.map((line) => `    ${line}`),
  ].join("\n");
