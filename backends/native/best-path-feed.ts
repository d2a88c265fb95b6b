/**
 * When Loc-RIBs decide, and who is told: in turns of bounded length, the first change within the turn that brought it.
 *
 * A full table, a lost neighbour or another policy is work for many turns; what changes meanwhile comes in between. Decides
 * nothing itself. Reads next: rib/loc-rib.ts (what a batch holds), rib/table-walk.ts, ../best-paths.ts (what is promised).
 */
import type { Family } from "../../events/address.ts";
import type { BestPaths } from "../best-paths.ts";
import type { Clock } from "../clock.ts";
import type { DecisionOptions } from "./rib/decision.ts";
import { contentBatch, createLocRib, type LocRib, takeBatch, waitingCount } from "./rib/loc-rib.ts";
import { createPathStore, type PathStore } from "./rib/path-store.ts";
import { type TableWalk, type VisitPrefix, walkTable } from "./rib/table-walk.ts";

export type BestPathFeed = {
  readonly paths: PathStore;
  /** Made when it is asked for first; from then on it is among those that get complete. */
  locRib(vrf: string, family: Family): LocRib;
  /** Something waits in a Loc-RIB. Cheap: it is called for each route. */
  wake(): void;
  /** Visits what the walk finds, some prefixes a round, beside what waits. */
  walk(loc: LocRib, walk: TableWalk, visit: VisitPrefix): void;
  listen(listener: (told: BestPaths) => void): () => void;
  /** Looks anew whether something is complete. */
  check(): void;
  /** Nothing more becomes complete by time alone. */
  isComplete(): boolean;
  close(): void;
};

export type FeedOptions = DecisionOptions & {
  readonly clock: Pick<Clock, "monotonicMillis" | "random">;
  /** Every neighbour of the VRF with this family has said what it had to say, or its time is over. */
  readonly isSettled: (vrf: string, family: Family) => boolean;
};

/** Prefixes in a batch at most; some 50 kB of IPv4. Fewer than the least make batches that cost more than what is in them. */
const MOST_PREFIXES = 4096;
const LEAST_PREFIXES = 512;
/**
 * A round is as long as what its listeners do with a batch, which no count of prefixes says: batches become smaller where it takes
 * longer than this, and larger again where it takes less than a quarter.
 */
const ROUND_MILLIS = 4;
/** Longest turn of deciding; as long as one of reading, so that deciding keeps up with it. */
const TURN_MILLIS = 10;

type Table = {
  readonly loc: LocRib;
  readonly walks: { readonly walk: TableWalk; readonly visit: VisitPrefix }[];
  complete: boolean;
};

type Listening = {
  readonly tell: (told: BestPaths) => void;
  /** What it has not heard of yet. */
  readonly contents: { readonly table: Table; readonly walk: TableWalk }[];
};

export function createBestPathFeed({ clock, isSettled, ...decision }: FeedOptions): BestPathFeed {
  const paths = createPathStore();
  const tables = new Map<string, Table>();
  const listeners = new Set<Listening>();
  let portion = MOST_PREFIXES;
  let awake = false;
  let closed = false;

  const tellAll = (told: BestPaths): void => {
    for (const { tell } of listeners) tell(told);
  };

  const wake = (): void => {
    if (awake || closed) return;
    awake = true;
    queueMicrotask(turn);
  };
  const turn = (): void => {
    let now = clock.monotonicMillis();
    const end = now + TURN_MILLIS;
    do {
      awake = !closed && round();
      const took = clock.monotonicMillis() - now;
      now += took;
      if (took > ROUND_MILLIS) portion = Math.max(LEAST_PREFIXES, portion >> 1);
      else if (took < ROUND_MILLIS / 4) portion = Math.min(MOST_PREFIXES, portion * 2);
    } while (awake && now < end);
    if (awake) setImmediate(turn);
  };

  /** One portion for each that has work; true where there is more. */
  const round = (): boolean => {
    let more = false;
    for (const table of tables.values()) {
      const { loc, walks } = table;
      const [first] = walks;
      if (first !== undefined && !first.walk.some(portion, first.visit)) walks.shift();
      const batch = takeBatch(loc, portion);
      if (batch !== undefined) tellAll(batch);
      const isBusy = walks.length > 0 || waitingCount(loc) > 0;
      more = more || isBusy;
      if (!isBusy) complete(table);
    }
    for (const listening of listeners) more = tellContents(listening) || more;
    return more;
  };

  const complete = (table: Table): void => {
    const { vrf, family } = table.loc;
    if (table.complete || !isSettled(vrf, family)) return;
    table.complete = true;
    // Who has not heard all of the table yet is told at its end.
    for (const { tell, contents } of listeners) {
      if (contents.every((one) => one.table !== table)) tell({ type: "complete", vrf, family });
    }
  };

  const tellContents = ({ tell, contents }: Listening): boolean => {
    const [first] = contents;
    if (first === undefined) return false;
    const { vrf, family } = first.table.loc;
    const { batch, more } = contentBatch(first.table.loc, first.walk, portion);
    if (batch !== undefined) tell(batch);
    if (!more) {
      contents.shift();
      if (first.table.complete) tell({ type: "complete", vrf, family });
    }
    return contents.length > 0;
  };

  return {
    paths,
    locRib(vrf, family) {
      const key = `${vrf}|${family}`;
      const known = tables.get(key);
      if (known !== undefined) return known.loc;
      const seed = Math.floor(clock.random() * 2 ** 32);
      const loc = createLocRib(vrf, family, paths, seed, decision);
      tables.set(key, { loc, walks: [], complete: false });
      return loc;
    },
    wake,
    walk(loc, walk, visit) {
      tables.get(`${loc.vrf}|${loc.family}`)?.walks.push({ walk, visit });
      wake();
    },
    listen(listener) {
      const contents = [...tables.values()].map((table) => ({
        table,
        walk: walkTable(table.loc.table, true),
      }));
      const listening = { tell: listener, contents };
      listeners.add(listening);
      wake();
      return () => {
        listeners.delete(listening);
      };
    },
    check: wake,
    isComplete: () => [...tables.values()].every((table) => table.complete),
    close() {
      closed = true;
      listeners.clear();
    },
  };
}
