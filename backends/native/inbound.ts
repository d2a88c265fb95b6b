/**
 * The receive side of one neighbour: what it said, what of it is accepted, and whether it has said everything.
 *
 * Between the session and the VRF's Loc-RIBs; chooses nothing. A session's table is left behind when the session ends, and its
 * routes leave the Loc-RIBs in turns. Reads next: rib/adj-rib-in.ts, best-path-feed.ts, maximum-prefixes.ts.
 */
import type { Family } from "../../events/address.ts";
import type { Clock, Logger } from "../clock.ts";
import type { NeighborIntent } from "../intent.ts";
import type { BestPathFeed } from "./best-path-feed.ts";
import type { Negotiated } from "./fsm/signals.ts";
import { warningsOf } from "./maximum-prefixes.ts";
import { limitsOf, policyOf } from "./receive-rule.ts";
import {
  accepted,
  acceptedRoute,
  type AdjRibIn,
  applyUpdate,
  createAdjRibIn,
  endRib,
  received,
  rejudge,
  type RibInChange,
  setPolicy,
} from "./rib/adj-rib-in.ts";
import type { PeerFacts } from "./rib/attribute-facts.ts";
import { addSource, removeSource, touch } from "./rib/loc-rib.ts";
import { type VisitPrefix, walkTable } from "./rib/table-walk.ts";
import type { Update } from "./wire/message.ts";

export type Inbound = {
  /** A session is up; its peer says everything anew. */
  up(negotiated: Negotiated, peer: PeerFacts): void;
  down(): void;
  take(update: Update): RibInChange;
  /** Another policy; the answer is a family that holds more than it may now. */
  update(intent: NeighborIntent): RibInChange["exceeded"];
  /** undefined while the session is down. */
  readonly rib: () => AdjRibIn | undefined;
  count(of: "received" | "accepted"): number;
  /** Warnings that stand. */
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

export function createInbound(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  feed: BestPathFeed,
  vrf: string,
  first: NeighborIntent,
): Inbound {
  let intent = first;
  let rib: AdjRibIn | undefined;
  let agreed: Negotiated | undefined;
  const warnings = warningsOf(first.name, logger);
  const settled = new Set<Family>();
  const started = clock.monotonicMillis();
  let upSince = 0;
  const heard: Record<Family, number> = { ipv4: 0, ipv6: 0 };

  const counts = (): Readonly<Record<Family, number>> => ({
    ipv4: rib === undefined ? 0 : received(rib, "ipv4"),
    ipv6: rib === undefined ? 0 : received(rib, "ipv6"),
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

  const down = (): void => {
    const left = rib;
    rib = undefined;
    agreed = undefined;
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
      down();
      rib = createAdjRibIn({
        policy: policyOf(intent),
        limits: limitsOf(intent),
        peer,
        paths: feed.paths,
        seed: Math.floor(clock.random() * 2 ** 32),
        changed: touching(),
      });
      for (const family of FAMILIES) addSource(feed.locRib(vrf, family), rib);
      agreed = negotiated;
      upSince = clock.monotonicMillis();
      heard.ipv4 = upSince;
      heard.ipv6 = upSince;
    },
    down,
    take(update) {
      if (rib === undefined) return { announced: 0, withdrawn: 0, exceeded: undefined };
      const change = applyUpdate(rib, update);
      for (const { family } of update.announced) heard[family] = clock.monotonicMillis();
      if (update.endOfRib !== undefined) {
        settled.add(update.endOfRib);
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
        if (received(held, family) > limit) return { family, limit };
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
    count(of) {
      const held = rib;
      if (held === undefined) return 0;
      const counter = of === "received" ? received : accepted;
      return FAMILIES.reduce((sum, family) => sum + counter(held, family), 0);
    },
    words: warnings.words,
    isSettled(family) {
      if (!settled.has(family) && isOver(family)) settled.add(family);
      return settled.has(family);
    },
  };

  function isOver(family: Family): boolean {
    const now = clock.monotonicMillis();
    if (agreed === undefined) {
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
