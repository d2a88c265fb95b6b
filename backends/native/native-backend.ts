/**
 * The native speaker: sessions of our own behind the seam (backends/backend.ts).
 *
 * Level-triggered and synchronous: apply() finds the difference to the intent before, and what changed is on its way to the
 * sockets when it resolves. A prefix never touches a neighbour; only a hard change of a neighbour resets it. Reads next:
 * neighbor.ts (one neighbour's life), io/listener.ts.
 */
import type { Socket } from "node:net";
import { hostname } from "node:os";
import type { Address, Family } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type {
  Applied,
  Capabilities,
  Capability,
  PathState,
  RestartContext,
  RevealSecret,
  RouteBatch,
  SessionFact,
  SpeakerBackend,
} from "../backend.ts";
import type { Clock, Logger } from "../clock.ts";
import { classify, deltaOf, neighborsOf, routeChanges } from "../delta.ts";
import type { ReadAddresses } from "../host-address.ts";
import type { NeighborIntent, RouterIntent, SpeakerIntent } from "../intent.ts";
import { createBestPathFeed } from "./best-path-feed.ts";
import { type Endpoint, lowestAddress, ownAddresses, systemAddresses } from "./host-addresses.ts";
import { routerSocketProblem } from "./io/icmpv6.ts";
import { bindToDeviceProblem, tcpMd5Problem } from "./io/libc.ts";
import { type Keys, type ListenAt, openListeners } from "./io/listener.ts";
import { createRouterDiscovery, type RouterDiscovery } from "./io/router-discovery.ts";
import { noDevice, watchVrfDevices } from "./io/vrf-devices.ts";
import { DEFAULT_MAXIMUM_PATHS } from "./rib/loc-rib.ts";
import { createNeighbor, type Neighbor } from "./neighbor.ts";
import {
  otherConfigurationChange,
  peerDeconfigured,
  administrativeShutdown,
} from "./wire/notification.ts";

export type NativeOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reveal: RevealSecret;
  readonly restart: RestartContext;
  readonly listen: readonly ListenAt[];
  /** Whoever knows this host's addresses already; the system is asked unless told. */
  readonly addresses?: ReadAddresses | undefined;
  /** Paths that are used together at most; see DEFAULT_MAXIMUM_PATHS. */
  readonly maximumPaths?: number;
  /** How long routes of a peer that is back from a restart stay unconfirmed; see DEFAULT_STALE_PATH_SECONDS. */
  readonly stalePathSeconds?: number;
};

export type NativeBackend = SpeakerBackend & Required<Pick<SpeakerBackend, "listenProblem">>;

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];
const CHECK_MILLIS = 1000;
/** Where time can settle nothing: a host at rest is not woken each second. */
const REST_MILLIS = 10_000;

export function createNativeBackend(options: NativeOptions): NativeBackend {
  const { logger, addresses = systemAddresses } = options;
  const isOwn = (address: Address): boolean => ownAddresses("", addresses).has(address);
  const neighbors = new Map<NeighborKey, Neighbor>();
  const listeners = new Set<(fact: SessionFact | RouteBatch) => void>();
  const paths = new Map<NeighborKey, PathState>();
  let intent: SpeakerIntent | undefined;

  const feed = createBestPathFeed({
    clock: options.clock,
    maximumPaths: options.maximumPaths ?? DEFAULT_MAXIMUM_PATHS,
    // What a way costs, only an IGP of this host could tell, and it has none.
    costOf: () => 0,
    isSettled: (vrf, family) =>
      intent !== undefined &&
      [...neighbors.values()]
        .filter((one) => one.router().vrf === vrf && one.intent().families.includes(family))
        .every((one) => one.isSettled(family)),
  });
  const checking = keepChecking(options.clock, () => {
    feed.check();
    return followSources() || !feed.isComplete();
  });

  const say = (fact: SessionFact | RouteBatch): void => {
    for (const listener of listeners) listener(fact);
  };
  const accept = (socket: Socket, from: Endpoint, vrf: string): void => {
    for (const neighbor of neighbors.values()) {
      if (neighbor.router().vrf === vrf && neighbor.isAt(from)) {
        neighbor.accept(socket);
        return;
      }
    }
    // A stranger gets nothing but the end of the connection.
    socket.destroy();
  };
  const listening = openListeners(options.listen, accept);
  const warnOfListener = (): void => {
    const problem = listening.problem();
    if (problem !== undefined) logger.warn({ problem }, "BGP listener");
  };
  warnOfListener();

  const devices = watchVrfDevices(options.clock, (vrf, exists) => {
    listening.close(vrf);
    if (exists) {
      listening.open(vrf);
      warnOfListener();
    }
    for (const neighbor of neighbors.values()) if (neighbor.router().vrf === vrf) place(neighbor);
  });
  const discovery = createRouterDiscovery(options.clock, isOwn, (name) => {
    if (intent !== undefined) listening.setKeys(keysOf(intent, options.reveal, discovery));
    for (const neighbor of neighbors.values()) {
      if (interfaceOf(neighbor.intent()) === name) place(neighbor);
    }
  });
  /** Whether and where the neighbour can be tried now. */
  const place = (neighbor: Neighbor): void => {
    const { vrf } = neighbor.router();
    const name = interfaceOf(neighbor.intent());
    const found = name === undefined ? undefined : discovery.found(name);
    if (found?.type === "neighbor") neighbor.meet(found.address);
    if (!devices.exists(vrf)) neighbor.refuse(noDevice(vrf));
    else neighbor.refuse(found?.type === "waiting" ? found.reason : undefined);
    neighbor.speakFrom(addresses);
  };
  /** One reading for all of them: there may be many addresses. */
  /** False where nobody is spoken to from an interface. */
  const followSources = (): boolean => {
    const from = [...neighbors.values()].filter((one) => one.intent().localInterface !== undefined);
    if (from.length === 0) return false;
    const now = [...addresses()];
    for (const neighbor of from) neighbor.speakFrom(() => now);
    return true;
  };
  const followDevices = (before: SpeakerIntent | undefined, after: SpeakerIntent): void => {
    const vrfs = new Set(after.routers.map(({ vrf }) => vrf));
    devices.follow(vrfs);
    for (const { vrf } of before?.routers ?? []) {
      if (vrf !== "" && !vrfs.has(vrf)) listening.close(vrf);
    }
    for (const vrf of vrfs) if (devices.exists(vrf)) listening.open(vrf);
  };

  const openNeighbor = (router: RouterIntent, one: NeighborIntent): void => {
    const path = paths.get(one.key) ?? { type: "unknown" };
    const neighbor = createNeighbor(
      options,
      router,
      one,
      routerIdOf(router, addresses),
      path,
      say,
      feed,
    );
    neighbors.set(one.key, neighbor);
    place(neighbor);
    neighbor.start();
  };

  const applyNeighbors = (after: SpeakerIntent): void => {
    const old = neighborsOf(intent);
    const young = neighborsOf(after);
    for (const [key, neighbor] of neighbors) {
      if (young.has(key)) continue;
      neighbors.delete(key);
      neighbor.stop(peerDeconfigured, "removed from the configuration");
    }
    discovery.follow([...young.values()].flatMap((one) => interfaceOf(one) ?? []));
    listening.setKeys(keysOf(after, options.reveal, discovery));
    followDevices(intent, after);
    for (const router of after.routers) {
      for (const one of router.neighbors) {
        const known = old.get(one.key);
        const neighbor = neighbors.get(one.key);
        const moved = neighbor !== undefined && neighbor.router().key !== router.key;
        const { effect } = known === undefined ? { effect: "hard" } : classify(known, one);
        if (neighbor !== undefined && (moved || effect === "hard")) {
          neighbors.delete(one.key);
          neighbor.stop(otherConfigurationChange, "another configuration");
        }
        if (neighbors.has(one.key)) neighbor?.update(router, one);
        else openNeighbor(router, one);
      }
    }
  };

  return {
    name: "native",
    capabilities: nativeCapabilities(),
    listenProblem: listening.problem,
    apply(after): Promise<Applied> {
      const delta = deltaOf(intent, after);
      const changes = [...routeChanges(intent, after)];
      applyNeighbors(after);
      intent = after;
      for (const vrf of ["", ...after.routers.map((router) => router.vrf)]) {
        for (const family of FAMILIES) feed.locRib(vrf, family);
      }
      feed.check();
      checking.soon();
      const touched = new Set<Neighbor>();
      for (const { router, prefix, route } of changes) {
        for (const { key } of router.neighbors) {
          const neighbor = neighbors.get(key);
          if (neighbor?.tell(prefix, route) === true) touched.add(neighbor);
        }
      }
      for (const neighbor of touched) neighbor.flush();
      return Promise.resolve({ delta });
    },
    watch(listener_) {
      listeners.add(listener_);
      return () => {
        listeners.delete(listener_);
      };
    },
    path(key, state) {
      if (state.type === "unknown") paths.delete(key);
      else paths.set(key, state);
      neighbors.get(key)?.path(state);
    },
    bestPaths: feed.listen,
    sessions: () =>
      [...neighbors.values()]
        .map((neighbor) => neighbor.status())
        .toSorted((a, b) => (a.neighbor < b.neighbor ? -1 : 1)),
    *routes(direction, only) {
      for (const [key, neighbor] of neighbors) {
        if (only !== undefined && key !== only) continue;
        yield* direction === "received" ? neighbor.received() : neighbor.advertised();
      }
    },
    async close(mode) {
      for (const neighbor of neighbors.values()) {
        if (mode === "graceful") neighbor.vanish();
        else neighbor.stop(administrativeShutdown("rutter is stopped on this host"), "stopped");
      }
      neighbors.clear();
      listeners.clear();
      checking.stop();
      feed.close();
      devices.close();
      discovery.close();
      await listening.closeAll();
    },
  };
}

/**
 * Time alone settles what no message does (inbound.ts), and nobody says that the address of an interface is another one: looked
 * for each second while `check` says that it may be so, else rarely.
 */
function keepChecking(
  clock: Clock,
  check: () => boolean,
): { readonly soon: () => void; readonly stop: () => void } {
  let cancel = (): void => undefined;
  let isResting = true;
  const after = (millis: number): void => {
    isResting = millis === REST_MILLIS;
    cancel();
    cancel = clock.after(millis, () => after(check() ? CHECK_MILLIS : REST_MILLIS));
  };
  /** Many calls in a second put nothing off. */
  const soon = (): void => {
    if (isResting) after(CHECK_MILLIS);
  };
  soon();
  return { soon, stop: () => cancel() };
}

/** What the native speaker can do on this host: probed from the kernel, without opening a session. */
export function nativeCapabilities(): Capabilities {
  const md5 = tcpMd5Problem();
  const missing = new Map<Capability, string>([
    ["evpn", "the native speaker has no EVPN"],
    ["raw", "raw lines are FRR's"],
  ]);
  const has = new Set<Capability>([
    "graceful-restart",
    "routers-per-vrf",
    "local-as",
    "bfd",
    "source-interface",
  ]);
  if (md5 === undefined) has.add("tcp-md5");
  else missing.set("tcp-md5", md5);
  const device = bindToDeviceProblem();
  // What a VRF learned the kernel brings into another one by the plan's rules; Loc-RIBs stay separate.
  for (const one of ["vrf", "vrf-import"] as const) {
    if (device === undefined) has.add(one);
    else missing.set(one, device);
  }
  const unnumbered = routerSocketProblem();
  if (unnumbered === undefined) has.add("unnumbered");
  else missing.set("unnumbered", unnumbered);
  return { has, missing };
}

const interfaceOf = ({ remote }: NeighborIntent): string | undefined =>
  remote.type === "interface" ? remote.interface : undefined;

/** Keys of peers for the listeners, by VRF; a peer whose secret is missing is not opened at all (neighbor.ts). */
function keysOf(
  intent: SpeakerIntent,
  reveal: RevealSecret,
  discovery: Pick<RouterDiscovery, "found">,
): ReadonlyMap<string, Keys> {
  const keys = new Map<string, Map<Address, string>>();
  for (const { vrf, neighbors } of intent.routers) {
    const ofVrf = keys.get(vrf) ?? new Map<Address, string>();
    keys.set(vrf, ofVrf);
    for (const { remote, authentication } of neighbors) {
      if (authentication === undefined) continue;
      const key = reveal(authentication.secret);
      if (key === undefined) continue;
      if (remote.type === "address") ofVrf.set(remote.address, key);
      else {
        const found = discovery.found(remote.interface);
        if (found.type === "neighbor") ofVrf.set(found.address, key);
      }
    }
  }
  return keys;
}

/** The router's identifier: the one that is asked for; else the host's, else one made of its name (MetalLB's way without IPv4). */
const routerIdOf = ({ routerId }: RouterIntent, addresses: ReadAddresses): Address =>
  routerId ?? lowestAddress(addresses) ?? fromName(hostname());

/** FNV-1a over the name, never 0 (RFC 6286 §2.1). */
function fromName(name: string): Address {
  let hash = 0x811c9dc5;
  for (const octet of new TextEncoder().encode(name)) hash = Math.imul(hash ^ octet, 0x01000193);
  const value = hash >>> 0 || 1;
  const octets = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return octets.join(".") as Address;
}
