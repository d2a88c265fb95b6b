/**
 * Neighbours' receive sides on a virtual clock, UPDATEs through the codec, and listeners that keep what they hear.
 *
 * Reads next: best-path-feed.test.ts, restarting-peer.test.ts.
 */
import type { Logger } from "../../backends/clock.ts";
import type { NeighborIntent } from "../../backends/intent.ts";
import { createBestPathFeed } from "../../backends/native/best-path-feed.ts";
import type { Negotiated } from "../../backends/native/fsm/signals.ts";
import { createInbound, type Inbound } from "../../backends/native/inbound.ts";
import type { PeerFacts } from "../../backends/native/rib/attribute-facts.ts";
import {
  announcer,
  encodeAll,
  encodeEndOfRib,
  withdrawer,
} from "../../backends/native/wire/encode-updates.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import { address } from "../../events/address.ts";
import { asn, type NeighborKey } from "../../events/ids.ts";
import { type Prefix, prefix, prefixFamily } from "../../events/prefix.ts";
import { virtualClock } from "../virtual-clock.ts";
import { external } from "../wire/session-options.ts";
import { neighborOf } from "./neighbors.ts";
import { ordinaryPeer } from "./ribs.ts";
import { createTold, type Told } from "./told.ts";

export const hosts = (count: number): Prefix[] =>
  Array.from({ length: count }, (_, i) => prefix(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`));

const agreed = (given: Partial<Negotiated> = {}): Negotiated => ({
  ...external,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  remoteAs: asn(65_001),
  remoteRouterId: address("192.0.2.1"),
  capabilities: [],
  gracefulRestart: false,
  peerRestartSeconds: 0,
  restartFamilies: [],
  forwardingKept: [],
  routeRefresh: true,
  ...given,
});

type Peer = Inbound & {
  readonly key: string;
  comes(given?: Partial<Negotiated>, facts?: Partial<PeerFacts>): void;
  /** Of one family, that of the next hop. */
  says(prefixes: readonly Prefix[], nextHop?: string): ReturnType<Inbound["take"]>;
  takesBack(prefixes: readonly Prefix[]): void;
  ends(family: "ipv4" | "ipv6"): void;
};

/** `slow`: milliseconds that each look at the clock takes, so that turns end. */
export function stage({ slow = 0, vrf = "" } = {}) {
  const virtual = virtualClock();
  const clock = {
    ...virtual,
    monotonicMillis: () => {
      virtual.advance(slow);
      return virtual.monotonicMillis();
    },
  };
  const warned: string[] = [];
  const logger: Logger = {
    info: () => undefined,
    warn: (_fields, message) => void warned.push(message),
    error: () => undefined,
  };
  const peers: Peer[] = [];
  const changes: string[] = [];
  const feed = createBestPathFeed({
    clock,
    maximumPaths: 64,
    costOf: () => 0,
    isSettled: (_vrf, family) => peers.every((one) => one.isSettled(family)),
  });
  const peer = (given: Partial<NeighborIntent> = {}): Peer => {
    const key = `${vrf}|r${peers.length}|` as NeighborKey;
    const inbound = createInbound(
      { clock, logger },
      feed,
      vrf,
      neighborOf({ key, ...given }),
      () => void changes.push(key),
    );
    const take = (bytes: Uint8Array): ReturnType<Inbound["take"]> => {
      const read = parseUpdate(bytes, 19, bytes.length, external);
      if (!read.ok) throw new Error("reset");
      return inbound.take(read.value);
    };
    const one: Peer = {
      ...inbound,
      key,
      comes: (more, facts) =>
        inbound.up(agreed(more), { ...ordinaryPeer, neighbor: key, ...facts }),
      takesBack(prefixes) {
        for (const family of ["ipv4", "ipv6"] as const) {
          const gone = prefixes.filter((one_) => prefixFamily(one_) === family);
          for (const message of encodeAll(withdrawer(family), gone)) take(message);
        }
      },
      ends: (family) => void take(encodeEndOfRib(family)),
      says(prefixes, nextHop = "192.0.2.1") {
        const attributes = {
          origin: "igp",
          asPath: [asn(65_001)],
          nextHop: address(nextHop),
          communities: [],
          largeCommunities: [],
        } as const;
        const writer = announcer(nextHop.includes(":") ? "ipv6" : "ipv4", attributes, external);
        if (typeof writer === "string") throw new Error(writer);
        const changes = encodeAll(writer, prefixes).map(take);
        return changes.find(({ exceeded }) => exceeded !== undefined) ?? changes[0] ?? NOTHING;
      },
    };
    peers.push(one);
    return one;
  };
  const listen = (): Told & { readonly stop: () => void } => {
    const told = createTold();
    return Object.assign(told, { stop: feed.listen(told.take) });
  };
  for (const family of ["ipv4", "ipv6"] as const) feed.locRib(vrf, family);
  return { feed, clock: virtual, peer, listen, warned, changes };
}

const NOTHING = { announced: 0, withdrawn: 0, exceeded: undefined };
/** To the end of what this turn brought. */
export const turnEnds = (): Promise<void> => Promise.resolve();
/** Until everything is told. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
