/**
 * What routes a kernel table shall hold for us and what it holds, in packed tables; the difference goes out in batches.
 *
 * Pure. A Fib is one table, family and metric. `want` says what shall be, `found` what is; a prefix on which they may differ is
 * dirty until an order settled it. An order never touches what another program owns: it adds where nothing is, replaces and
 * removes only what is known to be ours. Reads next: forwarding.ts, netlink/route.ts; who drives it: pump.ts.
 */
import type { Family } from "../../events/address.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  isTaken,
  lengthAt,
  type PrefixTable,
  removeSlot,
  slotsOf,
  wordAt,
} from "../native/rib/prefix-table.ts";
import { type Forwardings, NOWHERE } from "./forwarding.ts";
import { ENOENT, ESRCH } from "./netlink/numbers.ts";
import { type RouteKey, type RouteOrder, routeOctets, writeRoute } from "./netlink/route.ts";

export type Fib = RouteKey & {
  /** Prefix to forwarding. */
  readonly wanted: PrefixTable;
  actual: PrefixTable;
  dirty: PrefixTable;
  /** Prefix to errno of the order that was refused. */
  readonly blocked: PrefixTable;
  /** While a dump runs. */
  fresh: PrefixTable | undefined;
  /** The part of `dirty` that is being worked on. */
  working: { readonly table: PrefixTable; slot: number } | undefined;
  /** What nobody wants may go: every speaker that feeds this has said all. */
  mayRemove: boolean;
  added: number;
  replaced: number;
  removed: number;
};

export type Difference = {
  readonly missing: number;
  readonly extra: number;
  readonly changed: number;
};
type Words = readonly [length: number, a: number, b: number, c: number, d: number];

export const newFib = (key: RouteKey, seed: number): Fib => ({
  ...key,
  wanted: createPrefixTable(key.family, seed),
  actual: createPrefixTable(key.family, seed),
  dirty: createPrefixTable(key.family, seed),
  blocked: createPrefixTable(key.family, seed),
  fresh: undefined,
  working: undefined,
  mayRemove: false,
  added: 0,
  replaced: 0,
  removed: 0,
});

export const fibName = (family: Family, table: number, metric: number): string =>
  `${family} ${table} ${metric}`;

const valueOf = (table: PrefixTable, [length, a, b, c, d]: Words): number => {
  const slot = findSlot(table, length, a, b, c, d);
  return slot < 0 ? NOWHERE : (table.values[slot] ?? NOWHERE);
};

export const wordsAt = (table: PrefixTable, slot: number): Words => [
  lengthAt(table, slot),
  wordAt(table, slot, 0),
  wordAt(table, slot, 1),
  wordAt(table, slot, 2),
  wordAt(table, slot, 3),
];

/** Sets or (NOWHERE) frees a prefix and counts the references. Gives what was there. */
function put(
  table: PrefixTable,
  forwardings: Forwardings,
  words: Words,
  forwarding: number,
): number {
  const [length, a, b, c, d] = words;
  let slot = findSlot(table, length, a, b, c, d);
  const before = slot < 0 ? NOWHERE : (table.values[slot] ?? NOWHERE);
  if (before === forwarding) return before;
  if (before !== NOWHERE) forwardings.refer(before, -1);
  if (forwarding === NOWHERE) removeSlot(table, slot);
  else {
    if (slot < 0) slot = claimSlot(table, length, a, b, c, d);
    table.values[slot] = forwarding;
    forwardings.refer(forwarding, 1);
  }
  return before;
}

const mark = (fib: Fib, [length, a, b, c, d]: Words): void =>
  void claimSlot(fib.dirty, length, a, b, c, d);

/** What a prefix shall have; NOWHERE: no route. */
export function want(fib: Fib, forwardings: Forwardings, words: Words, forwarding: number): void {
  const before = put(fib.wanted, forwardings, words, forwarding);
  if (before !== forwarding || valueOf(fib.actual, words) !== forwarding) mark(fib, words);
}

/** What the kernel says it has, in a dump (between beforeDump and afterDump) or by itself. True where that is new to us. */
export function found(
  fib: Fib,
  forwardings: Forwardings,
  words: Words,
  forwarding: number,
): boolean {
  if (fib.fresh !== undefined) {
    put(fib.fresh, forwardings, words, forwarding);
    return false;
  }
  return put(fib.actual, forwardings, words, forwarding) !== forwarding;
}

/** Marks a prefix for work, where what is differs from what shall be. */
export function repair(fib: Fib, words: Words): void {
  if (valueOf(fib.actual, words) !== valueOf(fib.wanted, words)) mark(fib, words);
}

export function beforeDump(fib: Fib): void {
  fib.fresh = createPrefixTable(fib.family, fib.wanted.seed);
}

/** Forgets a dump that was broken off. */
export function dropDump(fib: Fib, forwardings: Forwardings): void {
  if (fib.fresh !== undefined)
    for (const words of prefixesOf(fib.fresh)) put(fib.fresh, forwardings, words, NOWHERE);
  fib.fresh = undefined;
}

/** Takes the dump for true: says how it differs from what we believed, and marks what has to change. */
export function afterDump(fib: Fib, forwardings: Forwardings, repairs: boolean): Difference {
  const { fresh, actual } = fib;
  if (fresh === undefined) return { missing: 0, extra: 0, changed: 0 };
  fib.fresh = undefined;
  let missing = 0;
  let changed = 0;
  let kept = 0;
  for (let slot = 0; slot < slotsOf(actual); slot += 1) {
    if (!isTaken(actual, slot)) continue;
    const value = actual.values[slot] ?? NOWHERE;
    const now = valueOf(fresh, wordsAt(actual, slot));
    if (now === NOWHERE) missing += 1;
    else kept += 1;
    if (now !== NOWHERE && now !== value) changed += 1;
    forwardings.refer(value, -1);
  }
  const extra = fresh.size - kept;
  fib.actual = fresh;
  if (repairs) review(fib);
  return { missing, extra, changed };
}

/** Marks everything in which what is differs from what shall be; what nobody wants only where it may go. */
export function review(fib: Fib): void {
  for (let slot = 0; slot < slotsOf(fib.wanted); slot += 1) {
    if (isTaken(fib.wanted, slot)) repair(fib, wordsAt(fib.wanted, slot));
  }
  if (fib.mayRemove) markLeftovers(fib);
}

export function markLeftovers(fib: Fib): void {
  for (let slot = 0; slot < slotsOf(fib.actual); slot += 1) {
    if (!isTaken(fib.actual, slot)) continue;
    const words = wordsAt(fib.actual, slot);
    if (valueOf(fib.wanted, words) === NOWHERE) mark(fib, words);
  }
}

function prefixesOf(table: PrefixTable): Words[] {
  const all: Words[] = [];
  for (let slot = 0; slot < slotsOf(table); slot += 1) {
    if (isTaken(table, slot)) all.push(wordsAt(table, slot));
  }
  return all;
}

/** What was refused is tried again. */
export function retryBlocked(fib: Fib): void {
  for (const words of prefixesOf(fib.blocked)) mark(fib, words);
}

export const isEmpty = (fib: Fib): boolean =>
  fib.wanted.size + fib.actual.size + fib.dirty.size === 0 && fib.working === undefined;
export const hasWork = (fib: Fib): boolean => fib.dirty.size > 0 || fib.working !== undefined;

/** Orders at most in one batch: 3 ms of the kernel's time. */
export const MOST_ORDERS = 1000;

/** Orders as they stand in a batch, so that their outcome can be entered; made once and used again. */
export type Prepared = {
  octets: number;
  /** Messages, those that make next hop objects included. */
  count: number;
  /** Message to order, or NO_ORDER for a next hop object. */
  readonly orderOf: Int32Array;
  orders: number;
  readonly fibs: Fib[];
  readonly words: Uint32Array;
  readonly forwarding: Uint32Array;
};

const NO_ORDER = -1;
const MOST_MESSAGES = 4 * MOST_ORDERS;

export const newPrepared = (): Prepared => ({
  octets: 0,
  count: 0,
  orderOf: new Int32Array(MOST_MESSAGES),
  orders: 0,
  fibs: [],
  words: new Uint32Array(5 * MOST_ORDERS),
  forwarding: new Uint32Array(MOST_ORDERS),
});

/** Adds orders for what is dirty in `fib` until the batch is full; true while there is room. */
export function fill(
  fib: Fib,
  forwardings: Forwardings,
  out: { readonly view: DataView; readonly bytes: Uint8Array },
  prepared: Prepared,
): boolean {
  if (fib.working === undefined) {
    if (fib.dirty.size === 0) return true;
    fib.working = { table: fib.dirty, slot: 0 };
    fib.dirty = createPrefixTable(fib.family, fib.wanted.seed);
  }
  const { working } = fib;
  const most = routeOctets(fib.family);
  for (; working.slot < slotsOf(working.table); working.slot += 1) {
    if (!isTaken(working.table, working.slot)) continue;
    if (prepared.orders >= MOST_ORDERS) return false;
    const words = wordsAt(working.table, working.slot);
    const [length, a, b, c, d] = words;
    const shall = valueOf(fib.wanted, words);
    const is = valueOf(fib.actual, words);
    if (shall === is) {
      unblock(fib, words);
      continue;
    }
    const order: RouteOrder = shall === NOWHERE ? "remove" : is === NOWHERE ? "add" : "replace";
    const rest = order === "remove" ? NO_OCTETS : (forwardings.at(shall)?.attributes ?? NO_OCTETS);
    if (prepared.octets + most + rest.length + ROOM_FOR_OBJECTS > out.bytes.length) return false;
    if (prepared.count + MOST_OBJECTS > MOST_MESSAGES) return false;
    if (order !== "remove") addObjects(forwardings.missing(shall), out, prepared);
    prepared.octets = writeRoute(out.view, prepared.octets, order, fib, length, a, b, c, d, rest);
    prepared.orderOf[prepared.count] = prepared.orders;
    prepared.count += 1;
    prepared.words.set(words, 5 * prepared.orders);
    prepared.forwarding[prepared.orders] = shall;
    prepared.fibs[prepared.orders] = fib;
    prepared.orders += 1;
  }
  fib.working = undefined;
  return true;
}

function unblock({ blocked }: Fib, [length, a, b, c, d]: Words): void {
  if (blocked.size === 0) return;
  const slot = findSlot(blocked, length, a, b, c, d);
  if (slot >= 0) removeSlot(blocked, slot);
}

const NO_OCTETS = new Uint8Array(0);
/** Hops in a group at most (agent's limit on paths), and the group. */
const MOST_OBJECTS = 258;
const ROOM_FOR_OBJECTS = 16_384;

function addObjects(
  orders: readonly Uint8Array[],
  out: { readonly bytes: Uint8Array },
  prepared: Prepared,
): void {
  for (const order of orders) {
    out.bytes.set(order, prepared.octets);
    prepared.octets += order.length;
    prepared.orderOf[prepared.count] = NO_ORDER;
    prepared.count += 1;
  }
}

export type Refused = { readonly index: number; readonly errno: number; readonly words: string };

/**
 * Enters what became of the batch. `failures` in order. True where the kernel is not as we believed and must be read anew; what
 * it refused stays in `blocked` until the next reading (EEXIST: another program has a route of that prefix and metric there).
 */
export function settle(
  prepared: Prepared,
  forwardings: Forwardings,
  failures: readonly Refused[],
): boolean {
  const refused = new Map<number, number>();
  let doubt = false;
  for (const { index, errno } of failures) {
    const order = prepared.orderOf[index] ?? NO_ORDER;
    if (order === NO_ORDER) doubt = true;
    else refused.set(order, errno);
  }
  for (let i = 0; i < prepared.orders; i += 1) {
    const fib = prepared.fibs[i];
    if (fib === undefined) continue;
    const at = 5 * i;
    const { words: all } = prepared;
    const words: Words = [
      all[at] ?? 0,
      all[at + 1] ?? 0,
      all[at + 2] ?? 0,
      all[at + 3] ?? 0,
      all[at + 4] ?? 0,
    ];
    const forwarding = prepared.forwarding[i] ?? NOWHERE;
    const errno = refused.get(i) ?? 0;
    // Gone already is as good as removed.
    const done = errno === 0 || (forwarding === NOWHERE && (errno === ESRCH || errno === ENOENT));
    if (!done) {
      const [length, a, b, c, d] = words;
      const known = valueOf(fib.blocked, words);
      const slot = claimSlot(fib.blocked, length, a, b, c, d);
      // The same refusal a second time is no news, and no reason to read everything again.
      doubt ||= known !== errno;
      fib.blocked.values[slot] = errno;
      continue;
    }
    unblock(fib, words);
    const before = put(fib.actual, forwardings, words, forwarding);
    if (forwarding === NOWHERE) fib.removed += 1;
    else if (before === NOWHERE) fib.added += 1;
    else fib.replaced += 1;
  }
  prepared.octets = prepared.count = prepared.orders = 0;
  return doubt;
}

/** Nothing shall be here any more. */
export function wantNothing(fib: Fib, forwardings: Forwardings): void {
  for (const words of prefixesOf(fib.wanted)) want(fib, forwardings, words, NOWHERE);
  fib.mayRemove = true;
  markLeftovers(fib);
}
