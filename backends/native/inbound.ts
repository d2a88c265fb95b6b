/**
 * The receive side of one neighbour: what it said, what of it is accepted, and whether it has said everything.
 *
 * Between the session and the VRF's Loc-RIBs; chooses nothing. A session's table is left behind when the session ends, and its
 * routes leave the Loc-RIBs in turns; where the peer restarts gracefully, the table stays, and the next session goes on with it.
 * Reads next: rib/adj-rib-in.ts, restarting-peer.ts, best-path-feed.ts, maximum-prefixes.ts.
 */
import type { Family } from "../../events/address.ts";
import type { Clock, Logger } from "../clock.ts";
import type { NeighborIntent } from "../intent.ts";
import type { BestPathFeed } from "./best-path-feed.ts";
import type { Negotiated } from "./fsm/signals.ts";
import { warningsOf } from "./maximum-prefixes.ts";
import {
  createRestartingPeer,
  DEFAULT_STALE_PATH_SECONDS,
  isSameSpeaker,
  staleCount,
} from "./restarting-peer.ts";
import { limitsOf, policyOf } from "./receive-rule.ts";
import {
  accepted,
  acceptedRoute,
  type AdjRibIn,
  applyUpdate,
  createAdjRibIn,
  endRib,
  fresh,
  received,
  rejudge,
  type RibInChange,
  setPolicy,
} from "./rib/adj-rib-in.ts";
import type { PeerFacts } from "./rib/attribute-facts.ts";
import { addSource, removeSource, touch } from "./rib/loc-rib.ts";
import { condemnStale, sweepRoute } from "./rib/stale-routes.ts";
import { type VisitPrefix, walkTable } from "./rib/table-walk.ts";
import type { Update } from "./wire/message.ts";

export type Inbound = {
  /** A session is up; its peer says everything anew. Stale routes that it kept no forwarding state for go (RFC 4724 §4.2). */
  up(negotiated: Negotiated, peer: PeerFacts): void;
  /** `graceful`: routes stay as the peer's capability has it. */
  down(graceful: boolean): void;
  /** Nothing of this peer stays: neither of its session nor of one before. */
  drop(): void;
  take(update: Update): RibInChange;
  /** Another policy; the answer is a family that holds more than it may now. */
  update(intent: NeighborIntent): RibInChange["exceeded"];
  /** undefined while the session is down and nothing is kept. */
  readonly rib: () => AdjRibIn | undefined;
  /** Routes are kept for a peer that is away. */
  readonly isKeeping: () => boolean;
  /** Of all families, or of one. */
  count(of: "received" | "accepted", family?: Family): number;
  /** What is kept of a restart, and warnings that stand. */
  words(): string;
  /** The peer has said all its routes of the family (RFC 4724 §2), or its time for that is over; stays so. */
  isSettled(family: Family): boolean;
};

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];
/** A neighbour that is down is waited for as long as peers wait for a restarted one (FRR's and BIRD's default restart time). */
const DOWN_MILLIS = 120_000;
/** RFC 4724 §4.1, Selection_Deferral_Timer; FRR's default. Where graceful restart is agreed, End-of-RIB comes sooner or later. */
const END_OF_RIB_MILLIS = 360_000;
/** Where it is not, FRR and others never say so: a pause like this is the end (choice; routes of a table come closer together). */
const QUIET_MILLIS = 10_000;

export type InboundOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** See DEFAULT_STALE_PATH_SECONDS. */
  readonly stalePathSeconds?: number;
};

/** `changed`: by time alone, words() or count() say something else. */
export function createInbound(
  { clock, logger, stalePathSeconds = DEFAULT_STALE_PATH_SECONDS }: InboundOptions,
  feed: BestPathFeed,
  vrf: string,
  first: NeighborIntent,
  changed: () => void,
): Inbound {
  let intent = first;
  let rib: AdjRibIn | undefined;
  let agreed: Negotiated | undefined;
  const warnings = warningsOf(first.name, logger);
  const settled = new Set<Family>();
  const started = clock.monotonicMillis();
  let upSince = 0;
  const heard: Record<Family, number> = { ipv4: 0, ipv6: 0 };

  const restarting = createRestartingPeer(clock, stalePathSeconds, {
    givenUp() {
      logger.warn({ peer: intent.name }, "not back within its restart time: its routes go");
      drop();
      changed();
    },
    condemned() {
      logger.warn({ peer: intent.name }, "back, but never said End-of-RIB: its stale routes go");
      sweep();
      changed();
    },
  });

  /** What a maximum counts: stale routes only while there are no others, for the peer may come back with as many other ones. */
  const counted = (held: AdjRibIn, family: Family): number =>
    agreed === undefined ? received(held, family) : fresh(held, family);
  const counts = (): Readonly<Record<Family, number>> => ({
    ipv4: rib === undefined ? 0 : counted(rib, "ipv4"),
    ipv6: rib === undefined ? 0 : counted(rib, "ipv6"),
  });

  /** Adj-RIB-In names the family of what changed; each family has its Loc-RIB. */
  const touching = (): VisitPrefix => {
    const ipv4 = feed.locRib(vrf, "ipv4");
    const ipv6 = feed.locRib(vrf, "ipv6");
    return (family, length, a, b, c, d) => {
      touch(family === "ipv4" ? ipv4 : ipv6, length, a, b, c, d);
      feed.wake();
    };
  };

  /** Condemned routes leave in turns; what the peer says of them meanwhile holds. */
  const sweep = (): void => {
    const held = rib;
    if (held === undefined) return;
    for (const family of FAMILIES) {
      if (held.condemned[family] === 0) continue;
      const walk = walkTable(held.tables[family], true);
      feed.walk(feed.locRib(vrf, family), walk, (_family, length, a, b, c, d) => {
        if (rib === held) sweepRoute(held, family, length, a, b, c, d);
      });
    }
  };

  const drop = (): void => {
    const left = rib;
    rib = undefined;
    agreed = undefined;
    restarting.forget();
    warnings.forget();
    if (left === undefined) return;
    endRib(left);
    for (const family of FAMILIES) {
      const loc = feed.locRib(vrf, family);
      removeSource(loc, left);
      if (accepted(left, family) === 0) continue;
      feed.walk(loc, walkTable(left.tables[family], false), (_family, length, a, b, c, d) => {
        if (acceptedRoute(left, family, length, a, b, c, d) >= 0) touch(loc, length, a, b, c, d);
      });
    }
  };

  return {
    up(negotiated, peer) {
      if (agreed !== undefined) drop();
      if (rib !== undefined && isSameSpeaker(rib.facts.peer, peer)) {
        rib.facts.peer = peer;
        restarting.back(rib, negotiated);
        sweep();
      } else {
        drop();
        rib = createAdjRibIn({
          policy: policyOf(intent),
          limits: limitsOf(intent),
          peer,
          paths: feed.paths,
          seed: Math.floor(clock.random() * 2 ** 32),
          changed: touching(),
        });
        for (const family of FAMILIES) addSource(feed.locRib(vrf, family), rib);
      }
      agreed = negotiated;
      upSince = clock.monotonicMillis();
      heard.ipv4 = upSince;
      heard.ipv6 = upSince;
    },
    down(graceful) {
      const before = agreed;
      agreed = undefined;
      warnings.forget();
      if (rib === undefined || before === undefined) return;
      if (graceful && restarting.away(rib, before)) sweep();
      else drop();
    },
    drop,
    take(update) {
      if (rib === undefined || agreed === undefined)
        return { announced: 0, withdrawn: 0, exceeded: undefined };
      const change = applyUpdate(rib, update);
      for (const { family } of update.announced) heard[family] = clock.monotonicMillis();
      if (update.endOfRib !== undefined) {
        settled.add(update.endOfRib);
        if (condemnStale(rib, update.endOfRib)) sweep();
        if (staleCount(rib) === 0) restarting.forget();
        feed.check();
      }
      warnings.see(counts(), intent);
      return change;
    },
    update(next) {
      const isOther = JSON.stringify(rulesOf(next)) !== JSON.stringify(rulesOf(intent));
      intent = next;
      const held = rib;
      if (!isOther || held === undefined) return undefined;
      setPolicy(held, { policy: policyOf(next), limits: limitsOf(next) });
      warnings.see(counts(), next);
      for (const family of FAMILIES) {
        const limit = held.options.limits[family];
        if (counted(held, family) > limit) return { family, limit };
      }
      for (const family of FAMILIES) {
        const walk = walkTable(held.tables[family], true);
        feed.walk(feed.locRib(vrf, family), walk, (_family, length, a, b, c, d) => {
          if (rib === held) rejudge(held, family, length, a, b, c, d);
        });
      }
      return undefined;
    },
    rib: () => rib,
    isKeeping: restarting.isAway,
    count(of, family) {
      const held = rib;
      if (held === undefined) return 0;
      const counter = of === "received" ? received : accepted;
      if (family !== undefined) return counter(held, family);
      return FAMILIES.reduce((sum, one) => sum + counter(held, one), 0);
    },
    words: () =>
      [rib === undefined ? "" : restarting.words(rib), warnings.words()]
        .filter((one) => one !== "")
        .join("; "),
    isSettled(family) {
      if (!settled.has(family) && isOver(family)) settled.add(family);
      return settled.has(family);
    },
  };

  function isOver(family: Family): boolean {
    const now = clock.monotonicMillis();
    if (agreed === undefined) {
      // One that is expected back with its routes is waited for, but not time and again.
      if (restarting.isAway() && now - started < END_OF_RIB_MILLIS) return false;
      const patience = intent.gracefulRestart?.restartTimeSeconds;
      return now - started >= (patience === undefined ? DOWN_MILLIS : 1000 * patience);
    }
    if (!agreed.families.includes(family)) return true;
    return agreed.gracefulRestart
      ? now - upSince >= END_OF_RIB_MILLIS
      : now - heard[family] >= QUIET_MILLIS;
  }
}

const rulesOf = ({ receive, receiveGuard }: NeighborIntent): object => ({ receive, receiveGuard });
