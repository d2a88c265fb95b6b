/**
 * Looks at bgpd's sessions, cheaply and often: who failed every 120 ms, everything when that moved or once in a while.
 *
 * FRR 8.4.4 with 1,000 Established neighbours: the cheap look takes 0.9 ms of bgpd's time and 0.1 ms of ours, the whole one 11 and
 * 3.5 ms, so it is made once a second there, and four times a second where there are few. A change of who is Established is therefore
 * seen within some 150 ms, and a flap between two looks at the next whole one, by its counter. I/O only through daemon.ts.
 * Reads next: session-record.ts (what is recorded), summary.ts.
 */
import type { Address } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import {
  idleStatus,
  type RouteBatch,
  type SessionFact,
  type SessionStatus,
} from "../../backend.ts";
import type { Clock } from "../../clock.ts";
import { neighborsOf } from "../../delta.ts";
import type { NeighborIntent, SpeakerIntent } from "../../intent.ts";
import type { Daemon } from "./daemon.ts";
import { type PeerName, peerNameOf, remoteName, vrfForFrr } from "./names.ts";
import { type NeighborDetail, parseNeighbor } from "./neighbor-detail.ts";
import { IDLE_MILLIS, paced } from "./rhythm.ts";
import { needsDetail, newsOf, observed, statusOf, type SessionRecord } from "./session-record.ts";
import { type Failed, parseFailed, parseSummary, type Summary, type TableSize } from "./summary.ts";

export type Watched = {
  readonly intent: NeighborIntent;
  readonly vrf: string;
  readonly name: PeerName;
};

export type SessionWatch = {
  neighbors(intent: SpeakerIntent): void;
  watched(): ReadonlyMap<NeighborKey, Watched>;
  record(key: NeighborKey): SessionRecord | undefined;
  /** As of the last whole look. */
  summary(): Summary | undefined;
  /** Why a session of that address is said to be lost: taken where bgpd itself no longer says it, and only one can be meant. */
  heard(address: Address, reason: string): void;
  /** The next look is a whole one. */
  hurry(): void;
  /** Asks, tells what changed, and returns after how many milliseconds it wants to look again. */
  look(): Promise<number>;
  /** bgpd was away: nothing of what was seen holds. */
  forget(why: "away" | "restarted"): void;
  /** Asks about the neighbour again, for what comes later than the session (End-of-RIB). */
  again(key: NeighborKey): Promise<void>;
  /** Tells what the state of bgpd makes of the sessions. */
  tellAll(): void;
  statuses(): readonly SessionStatus[];
};

const FAST_MILLIS = 120;
/** The cheap look takes at most a twentieth of the time, the whole one a hundredth. */
const FAST_SHARE = 20;
const WHOLE_SHARE = 100;
const WHOLE_MILLIS = { least: 2 * FAST_MILLIS, most: 1_000 } as const;
/** Neighbours asked about at once, so that bgpd's other clients get their turn. */
const DETAILS_AT_ONCE = 32;

export type SessionWatchOptions = {
  readonly daemon: Daemon;
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly tell: (fact: SessionFact | RouteBatch) => void;
};

export function createSessionWatch({ daemon, clock, tell }: SessionWatchOptions): SessionWatch {
  const watched = new Map<NeighborKey, Watched>();
  const records = new Map<NeighborKey, SessionRecord>();
  const said = new Map<NeighborKey, string>();
  const reasons = new Map<NeighborKey, string>();
  let last: Failed | undefined;
  let summary: Summary | undefined;
  let wholeAt = Number.NEGATIVE_INFINITY;
  let restarted = false;
  /** Counts how often bgpd was away: what an earlier one said is not recorded. */
  let epoch = 0;

  const statusNow = (one: Watched): SessionStatus => {
    const state = daemon.state();
    if (state.type === "down") return idleStatus(one.intent, daemon.problem(), state.sinceMillis);
    return statusOf(one.intent, records.get(one.intent.key), clock.monotonicMillis());
  };
  const tellChange = (one: Watched): void => {
    const status = statusNow(one);
    const news = newsOf(status);
    const { key } = one.intent;
    if (said.get(key) === news) return;
    said.set(key, news);
    tell({ type: "session", neighbor: key, status });
  };
  const tellRoutes = (key: NeighborKey, before: SessionRecord | undefined): void => {
    const now = records.get(key)?.peer;
    if (now === undefined || before?.peer === undefined) return;
    const moved = now.sent - before.peer.sent;
    if (moved === 0 && now.received === before.peer.received) return;
    tell({
      type: "routes",
      neighbor: key,
      received: now.received,
      announced: Math.max(0, moved),
      withdrawn: Math.max(0, -moved),
    });
  };

  const isAt = ({ intent: { key, remote } }: Watched, address: Address): boolean =>
    remote.type === "address"
      ? remote.address === address
      : records.get(key)?.detail?.remoteAddress === address;
  const detailOf = ({ vrf, intent }: Watched): Promise<NeighborDetail | undefined> => {
    const name = remoteName(intent);
    return daemon.ask(`show bgp vrf ${vrfForFrr(vrf)} neighbors ${name} json`, (text) =>
      parseNeighbor(text, name),
    );
  };
  const lookAt = async (
    one: Watched,
    whole: Summary,
    failed: Failed,
    asOf: number,
  ): Promise<void> => {
    const { key } = one.intent;
    const peer = whole.peers.get(one.name);
    const before = records.get(key);
    const detail = needsDetail(before, peer) ? await detailOf(one) : undefined;
    // Gone from the intent, or bgpd gone, while it was asked.
    if (watched.get(key) !== one || asOf !== epoch || daemon.state().type === "down") return;
    const nowMillis = clock.monotonicMillis();
    const reset = failed.resets.get(one.name);
    const heard = reasons.get(key) ?? "";
    const seen = observed(before, { peer, reset, detail, heard, nowMillis });
    // What was heard is of one loss, which has been seen now.
    if ((peer?.dropped ?? 0) > (before?.peer?.dropped ?? 0)) reasons.delete(key);
    const young = restarted && before === undefined ? "bgpd was restarted" : seen.lost;
    records.set(key, seen.state === "Established" ? seen : { ...seen, lost: seen.lost || young });
    tellRoutes(key, before);
    tellChange(one);
  };
  const lookWhole = async (failed: Failed, asOf: number): Promise<boolean> => {
    const whole = await daemon.ask("show bgp vrf all summary json", parseSummary);
    if (whole === undefined || asOf !== epoch) return false;
    // Counters only grow: this may be another process, whose word is taken only when that is known.
    if (summary !== undefined && wentBack(summary, whole)) await daemon.check();
    if (asOf !== epoch) return false;
    summary = whole;
    const all = [...watched.values()];
    const needs = (one: Watched): boolean =>
      needsDetail(records.get(one.intent.key), whole.peers.get(one.name));
    const { asked = [], plain = [] } = Object.groupBy(all, (one) =>
      needs(one) ? "asked" : "plain",
    );
    await Promise.all(plain.map((one) => lookAt(one, whole, failed, asOf)));
    for (let from = 0; from < asked.length; from += DETAILS_AT_ONCE) {
      const part = asked.slice(from, from + DETAILS_AT_ONCE);
      await Promise.all(part.map((one) => lookAt(one, whole, failed, asOf)));
    }
    if (asOf !== epoch) return false;
    last = failed;
    restarted = false;
    return true;
  };

  return {
    neighbors(intent) {
      const next = [...neighborsOf(intent)];
      const vrfs = new Map(
        intent.routers.flatMap(({ vrf, neighbors }) =>
          neighbors.map(({ key }) => [key, vrf] as const),
        ),
      );
      for (const key of watched.keys()) {
        if (vrfs.has(key)) continue;
        watched.delete(key);
        records.delete(key);
        said.delete(key);
        reasons.delete(key);
      }
      for (const [key, one] of next) {
        if (watched.get(key)?.intent === one) continue;
        const vrf = vrfs.get(key) ?? "";
        watched.set(key, { intent: one, vrf, name: peerNameOf(vrf, remoteName(one)) });
      }
      wholeAt = Number.NEGATIVE_INFINITY;
    },
    watched: () => watched,
    record: (key) => records.get(key),
    summary: () => summary,
    heard(address, reason) {
      const meant = [...watched.values()].filter((one) => isAt(one, address));
      const [one] = meant;
      if (one !== undefined && meant.length === 1) reasons.set(one.intent.key, reason);
    },
    hurry() {
      wholeAt = Number.NEGATIVE_INFINITY;
    },
    async look() {
      if (watched.size === 0) return IDLE_MILLIS;
      const began = clock.monotonicMillis();
      const asOf = epoch;
      const failed = await daemon.ask("show bgp vrf all summary failed json", parseFailed);
      if (failed === undefined) return FAST_MILLIS;
      const fast = clock.monotonicMillis();
      const next = paced(fast - began, FAST_SHARE, FAST_MILLIS, IDLE_MILLIS);
      if (failed.digest === last?.digest && fast < wholeAt) return next;
      if (!(await lookWhole(failed, asOf))) return FAST_MILLIS;
      const end = clock.monotonicMillis();
      wholeAt = end + paced(end - fast, WHOLE_SHARE, WHOLE_MILLIS.least, WHOLE_MILLIS.most);
      return next;
    },
    forget(why) {
      epoch += 1;
      records.clear();
      reasons.clear();
      last = undefined;
      summary = undefined;
      restarted = restarted || why === "restarted";
      wholeAt = Number.NEGATIVE_INFINITY;
    },
    async again(key) {
      const one = watched.get(key);
      const detail = one === undefined ? undefined : await detailOf(one);
      const record = records.get(key);
      if (record !== undefined && detail !== undefined) records.set(key, { ...record, detail });
    },
    tellAll() {
      for (const one of watched.values()) tellChange(one);
    },
    statuses: () =>
      [...watched.values()].map(statusNow).toSorted((a, b) => (a.neighbor < b.neighbor ? -1 : 1)),
  };
}

function wentBack(before: Summary, after: Summary): boolean {
  const isLess = (old: TableSize | undefined, { version }: TableSize): boolean =>
    old !== undefined && version < old.version;
  return (
    [...after.tables].some(([key, table]) => isLess(before.tables.get(key), table)) ||
    [...after.peers].some(([name, { established, dropped }]) => {
      const old = before.peers.get(name);
      return old !== undefined && (established < old.established || dropped < old.dropped);
    })
  );
}
