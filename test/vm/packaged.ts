/**
 * A booted Debian with the package installed and its agent running, beside FRR as its peer: what tests of the package begin with.
 *
 *     const debs = await buildDebs(["1.0.0"]);
 *     await using world = await installed(debs, { config: "stop: graceful\n" });
 *
 * The package is made of these very sources. What counts is the router's table and systemd's own word. Read next: booted.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../live/daemon.ts";
import { startFrr } from "../live/frr.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  type PeerPlan,
  poolManifest,
  serviceManifest,
} from "../live/manifests.ts";
import { makeNetwork, type Network, type Node } from "../live/netns.ts";
import type { Neighbour, Router } from "../live/router.ts";
import { until } from "../live/until.ts";
import { type Booted, bootDebian } from "./booted.ts";

const BUILD = join(import.meta.dirname, "../../systemd/package/build.ts");
const HOST_AS = 64512;
const ROUTER_AS = 64999;
/** A boot, an installation and some commands, on a machine that does much else. */
export const SLOW_MS = 240_000;

export type Debs = Disposable & {
  /** By the name that it has below /job. */
  readonly files: Readonly<Record<string, string>>;
  /** Of the version that is installed first. */
  readonly first: string;
};

/** A package of each version. */
export async function buildDebs(versions: readonly [string, ...string[]]): Promise<Debs> {
  const directory = mkdtempSync(join(tmpdir(), `rutter-debs-${process.pid}-`));
  const files: Record<string, string> = {};
  for (const version of versions) {
    const argv = [process.execPath, BUILD, "--quick", "--version", version, "--out", directory];
    const built = await run(argv, { timeoutMs: SLOW_MS });
    if (built.code !== 0) throw new Error(`no package: ${built.stderr}`);
    files[`${version}.deb`] = built.stdout.trim();
  }
  return {
    files,
    first: `/job/${versions[0]}.deb`,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export type World = AsyncDisposable & {
  readonly booted: Booted;
  readonly router: Router;
  readonly nodes: Network<"host" | "router">["nodes"];
  /** The host's address at the router. */
  readonly address: string;
  /** How many prefixes the router has, and how often it lost the session. */
  seen(): Promise<{ readonly routes: number; readonly drops: number }>;
  until(what: string, look: () => Promise<unknown>): Promise<void>;
  established(): Promise<void>;
  apply(text: string): Promise<void>;
};

export type WorldPlan = {
  /** Lines of agent.yaml; `router` is where the peer is. */
  readonly config?: string | ((router: Node) => string);
  /** What the router has of its neighbour beyond the usual. */
  readonly neighbour?: Partial<Neighbour>;
  /** What the host's manifest has of its peer beyond the usual. */
  readonly peer?: Partial<PeerPlan>;
  /** On the host, after the installation and before the first start. */
  readonly prepare?: (booted: Booted, router: Node) => Promise<void>;
};

/** A host with the package installed and running, and its peer; the session may need more than this. */
export async function started(debs: Debs, plan: WorldPlan = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const network: Network<"host" | "router"> = stack.use(await makeNetwork(["host", "router"]));
  const { host, router: place } = network.nodes;
  const neighbour = { name: "host", address: host.ipv4, asn: HOST_AS, passive: true };
  const router = stack.use(
    await startFrr(place, {
      asn: ROUTER_AS,
      routerId: place.ipv4,
      networks: [],
      neighbours: [{ ...neighbour, ...plan.neighbour }],
    }),
  );
  const booted = stack.use(await bootDebian(host, debs.files));
  await booted.must(["dpkg", "--install", debs.first]);
  const { config = "" } = plan;
  const lines = typeof config === "string" ? config : config(place);
  await booted.must(["tee", "/etc/rutter/agent.yaml"], `${ALWAYS}${lines}`);
  await plan.prepare?.(booted, place);
  const untilSo: World["until"] = async (what, look) => {
    await until(look, {
      what,
      timeoutMs: 60_000,
      explain: async () => `${await booted.explain()}\n${await router.explain()}`,
    });
  };
  const apply = async (text: string): Promise<void> => {
    await booted.must(["rutter", "apply", "-f", "-", "--wait"], text);
  };
  await booted.must(["systemctl", "enable", "--now", "rutter-bfd", "rutter"]);
  await apply(
    peerManifest({
      localAs: HOST_AS,
      remoteAs: ROUTER_AS,
      address: place.ipv4,
      extra: ['connectTime: "1s"'],
      ...plan.peer,
    }),
  );
  const resources = stack.move();
  return {
    booted,
    router,
    nodes: network.nodes,
    address: host.ipv4,
    async seen() {
      const table = JSON.parse(await router.ask("show bgp ipv4 unicast json"));
      const neighbors = JSON.parse(await router.ask(`show bgp neighbors ${host.ipv4} json`));
      return {
        routes: Object.keys(table.routes).length,
        drops: Number(neighbors[host.ipv4].connectionsDropped),
      };
    },
    until: untilSo,
    established: () =>
      untilSo("the session", async () => (await router.session(host.ipv4)).established),
    apply,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** As started(), with graceful restart, and the session is up. */
export async function installed(debs: Debs, plan: WorldPlan = {}): Promise<World> {
  const world = await started(debs, { ...plan, peer: { gracefulRestart: true, ...plan.peer } });
  try {
    await world.established();
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
  return world;
}

/** That many Services, with all that announces them. */
export const services = (count: number): string =>
  documents(
    poolManifest(["10.20.0.0/16"]),
    advertisementManifest(),
    ...Array.from({ length: count }, (_, i) => serviceManifest(`s${i}`)),
  );
