/**
 * Keeps own entries as the intent has them: what differs between two intents at the price of the difference, everything where
 * there is doubt.
 *
 * Everything is compared at the start, after a reading, after a change of the host and while something is wrong. What goes to
 * the kernel goes in portions, so that learned routes and other work get their turn in between. Never removes what is not
 * marked as ours. Reads next: own.ts (one entry), own-orders.ts.
 */
import type { Address } from "../../events/address.ts";
import { type Change, diff, type PersistentMap } from "../../events/persistent-map.ts";
import type { Clock, Logger } from "../clock.ts";
import type { Announcements } from "./announcements.ts";
import type { KernelCapabilities, OwnChange, OwnProblem } from "./facts.ts";
import type { KernelIntent, KernelKey, OwnAddress } from "./intent.ts";
import { type Batch, NetlinkError, type Orders } from "./io/socket.ts";
import type { Model } from "./model.ts";
import { createDuplicates } from "./duplicates.ts";
import { createNatKeeping } from "./nat-keeping.ts";
import { nothing } from "./nothing.ts";
import {
  entryOf,
  isThere,
  type Known,
  notUsable,
  type OwnItem,
  type OwnWish,
  type Placed,
  placeAddress,
  placeRoute,
  placeRule,
  presentItems,
} from "./own.ts";
import { sendItems } from "./own-orders.ts";
import type { Pump } from "./pump.ts";

/** Entries compared in a turn of the loop: some 5 ms. */
const COMPARED_AT_ONCE = 2000;
/** Orders in a portion: some 20 ms, and one batch. */
const ORDERED_AT_ONCE = 2000;
/** An address counts for so many: the kernel walks all addresses of the device for each (20,000: 0.2 ms). */
const ADDRESS_COUNTS = 10;
/** What the kernel has told by then is heard, unless the loop is held up: then a drift is told that is none. */
const HEARD_MILLIS = 100;
/** Entries told in one fact: some 50 kB of the log. */
const TOLD_AT_ONCE = 1000;

export type OwnParts = {
  readonly model: Model;
  readonly pump: Pick<Pump, "alone">;
  readonly orders: Orders;
  readonly batch: Batch;
  readonly tell: Pick<Announcements, "fact" | "drift">;
  readonly capabilities: KernelCapabilities;
  readonly nft: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly receiveOctets: number;
  readonly drift: "repair" | "report";
  /** What the kernel did is not known: it is to be read anew. */
  readonly lost: (reason: string) => void;
  /** Looks after work that nobody waits for. */
  readonly guarded: (work: Promise<unknown>) => void;
  /** Bound by us, where the kernel keeps no mark. */
  readonly bound: (address: Address, device: string) => void;
};

export type OwnKeeping = {
  /** One after the other; resolves when all is as wanted or refused. */
  keep(intent: KernelIntent): Promise<OwnChange>;
  /** Entries, or what they stand on, may not be what they were. */
  doubt(): void;
  /** Tells which addresses are of no use, and puts nothing right. */
  look(intent: KernelIntent): Promise<void>;
  problems(): readonly OwnProblem[];
  /** Looks whether others changed our nft table. */
  lookAtNats(): Promise<void>;
  clear(): Promise<void>;
  stop(): void;
};

/** `before`: what was wanted and in place; undefined: what is there and ours. */
type Look = { readonly wanted: OwnWish; readonly before: OwnWish | undefined };

type Difference = {
  readonly add: readonly OwnItem[];
  readonly remove: readonly OwnItem[];
  readonly problems: readonly OwnProblem[];
};

export function createOwnKeeping(parts: OwnParts): OwnKeeping {
  const { model, pump, orders, batch, tell } = parts;
  const known: Known = model;
  let doubts = 0;
  /** In place without a fault, at that count of doubts. */
  let settled: { readonly intent: KernelIntent; readonly doubts: number } | undefined;
  let problems: readonly OwnProblem[] = [];
  let unusable: ReadonlyMap<Address, string> = new Map();
  /** Where they are placed hangs on the links of a VRF. */
  let natsAt = 0;
  let last: KernelIntent | undefined;
  let turnOf: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const mine = turnOf.then(act);
    turnOf = mine.catch(() => undefined);
    return mine;
  };

  const send = async (items: readonly OwnItem[], order: "add" | "remove", sum: Sum) => {
    for (const portion of portions(items)) {
      if (order === "add") {
        for (const item of portion) if (item.kind === "address") note(item);
      }
      const refused = await pump.alone(() => sendItems(known, portion, order, orders, batch));
      const failed = new Set(refused.map(({ item }) => item));
      for (const { entry, reason, item } of refused) {
        sum.failed.push({ entry, reason });
        if ("address" in item) sum.refused.add(item.address);
      }
      const done = portion.filter((item) => !failed.has(item)).map(({ text }) => text);
      sum.done(order === "add" ? "added" : "removed", done);
    }
  };
  const note = ({ address, device }: Extract<OwnItem, { kind: "address" }>): void =>
    parts.bound(address, model.host.links.get(device)?.name ?? "");

  const keep = async (intent: KernelIntent): Promise<OwnChange> => {
    const from = settled?.doubts === doubts ? settled.intent : undefined;
    settled = undefined;
    last = intent;
    const sum = summing(tell);
    let at = doubts;
    try {
      const found = await pump.alone(() => {
        at = doubts;
        return compare(known, lookAt(from, intent));
      });
      sum.failed.push(...found.problems);
      const { free, taken } = await duplicates.sift(found.add);
      for (const { item, ...problem } of taken) {
        sum.failed.push(problem);
        if ("address" in item) sum.refused.add(item.address);
      }
      // A virtual IP's new place or form is there before its old one goes, which stays where the new one was refused.
      await send(free, "add", sum);
      const { refused } = sum;
      const gone = found.remove.filter((item) => !("address" in item && refused.has(item.address)));
      await send(gone, "remove", sum);
      const natProblem = await nats.keep(intent.sourceNats, natsAt !== doubts);
      natsAt = doubts;
      if (natProblem !== undefined) sum.failed.push(natProblem);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      sum.failed.push({ entry: "own entries", reason: error.message });
      parts.lost(error.message);
    }
    const { failed } = sum;
    const news = failed.some(
      ({ entry, reason }) => !problems.some((old) => old.entry === entry && old.reason === reason),
    );
    problems = failed;
    sum.tell(news ? failed : []);
    const { addresses } = intent;
    const useless = await uselessOf(
      known,
      from === undefined ? addresses.values() : changed(from.addresses, addresses),
      failed,
    );
    tellUnusable(useless);
    duplicates.left(useless.keys());
    if (failed.length === 0 && useless.size === 0) settled = { intent, doubts: at };
    return { added: sum.added, removed: sum.removed, failed };
  };

  const tellUnusable = (now: ReadonlyMap<Address, string>): void => {
    const same =
      now.size === unusable.size && [...now].every(([one, why]) => unusable.get(one) === why);
    unusable = now;
    if (!same) tell.fact({ type: "unusable", addresses: now });
  };

  const lookAtNats = (): Promise<void> =>
    inTurn(async () => {
      const problem = await nats.look();
      const isKnown = problems.some(
        ({ entry, reason }) => entry === problem?.entry && reason === problem.reason,
      );
      if (problem === undefined || isKnown) return;
      settled = undefined;
      problems = [...problems.filter(({ entry }) => entry !== problem.entry), problem];
      tell.fact({ type: "own-changed", added: [], removed: [], failed: [problem] });
    });
  /** Duplicates of ours are taken away, and bound by what is kept next. */
  const tryAgain = async (): Promise<void> => {
    if (last === undefined) return;
    const items = [...duplicatesOf(known, last)];
    for (let from = 0; from < items.length; from += ORDERED_AT_ONCE) {
      const portion = items.slice(from, from + ORDERED_AT_ONCE);
      await pump.alone(() => sendItems(known, portion, "remove", orders, batch));
    }
    // The kernel's news of an IPv6 address do not say whose doing they are: they are heard before it is bound again.
    await new Promise<void>((resolve) => {
      parts.clock.after(HEARD_MILLIS, resolve);
    });
    doubts += 1;
    await keep(last);
  };
  const duplicates = createDuplicates(model.host, parts.clock, parts.logger, () =>
    parts.guarded(inTurn(tryAgain)),
  );
  const nats = createNatKeeping({ ...parts, touched: () => parts.guarded(lookAtNats()) });

  return {
    keep: (intent) => inTurn(() => keep(intent)),
    doubt() {
      doubts += 1;
    },
    look: ({ addresses }) =>
      inTurn(async () => tellUnusable(await uselessOf(known, addresses.values()))),
    problems: () => problems,
    clear: () =>
      inTurn(async () => {
        doubts += 1;
        last = undefined;
        const { remove } = await pump.alone(() => compare(known, lookAt(undefined, nothing)));
        await send(remove, "remove", summing(tell));
        await nats.clear();
      }),
    lookAtNats,
    stop() {
      nats.stop();
      duplicates.stop();
    },
  };
}

function lookAt(from: KernelIntent | undefined, to: KernelIntent): Look {
  if (from === undefined) {
    const { addresses, routes, rules } = to;
    const wanted = {
      addresses: addresses.values(),
      routes: routes.values(),
      rules: rules.values(),
    };
    return { wanted, before: undefined };
  }
  // One table by its number and by its VRF's name is one rule in the kernel: it goes with the last that wants it.
  const rules = [...changed(to.rules, from.rules)];
  return {
    wanted: {
      addresses: changed(from.addresses, to.addresses),
      routes: changed(from.routes, to.routes),
      rules: rules.length === 0 ? changed(from.rules, to.rules) : to.rules.values(),
    },
    before: {
      addresses: changed(to.addresses, from.addresses),
      routes: changed(to.routes, from.routes),
      rules,
    },
  };
}

/** Values of `to` that `from` has not, or has otherwise. */
function* changed<V>(
  from: PersistentMap<KernelKey, V>,
  to: PersistentMap<KernelKey, V>,
): Generator<V> {
  for (const { after } of diff(from, to) as Iterable<Change<KernelKey, V>>) {
    if (after !== undefined) yield after;
  }
}

async function compare(known: Known, { wanted, before }: Look): Promise<Difference> {
  const add: OwnItem[] = [];
  const remove: OwnItem[] = [];
  const problems: OwnProblem[] = [];
  const texts = new Set<string>();
  const rest = turns();
  for (const placed of placing(known, wanted)) {
    if (rest()) await turn();
    if (placed.type === "problem") problems.push(placed.problem);
    if (placed.type !== "item" || texts.has(placed.item.text)) continue;
    texts.add(placed.item.text);
    if (!isThere(known, placed.item)) add.push(placed.item);
  }
  for (const item of before === undefined ? presentItems(known) : itemsOf(known, before)) {
    if (rest()) await turn();
    if (!texts.has(item.text) && isThere(known, item)) remove.push(item);
  }
  return { add, remove, problems };
}

function* placing(known: Known, { addresses, routes, rules }: OwnWish): Generator<Placed> {
  for (const one of addresses) yield placeAddress(known, one);
  for (const one of routes) yield placeRoute(known, one);
  for (const one of rules) yield placeRule(known, one);
}

function* itemsOf(known: Known, wish: OwnWish): Generator<OwnItem> {
  for (const placed of placing(known, wish)) if (placed.type === "item") yield placed.item;
}

function* portions(items: readonly OwnItem[]): Generator<readonly OwnItem[]> {
  for (let from = 0; from < items.length;) {
    let to = from;
    for (let room = ORDERED_AT_ONCE; room > 0 && to < items.length; to += 1) {
      room -= items[to]?.kind === "address" ? ADDRESS_COUNTS : 1;
    }
    yield items.slice(from, to);
    from = to;
  }
}

/** `failed`: the words for what could not be bound. */
async function uselessOf(
  known: Known,
  addresses: Iterable<OwnAddress>,
  failed: readonly OwnProblem[] = [],
): Promise<ReadonlyMap<Address, string>> {
  const found = new Map<Address, string>();
  const reasons = new Map(failed.map(({ entry, reason }) => [entry, reason]));
  const rest = turns();
  for (const one of addresses) {
    if (rest()) await turn();
    const why = notUsable(known, one);
    if (why !== undefined) found.set(one.address, reasons.get(entryOf(known, one)) ?? why);
  }
  return found;
}

/** Bound by us to no use, for another host has them. */
function* duplicatesOf(known: Known, { addresses }: KernelIntent): Generator<OwnItem> {
  for (const own of addresses.values()) {
    const placed = placeAddress(known, own);
    if (placed.type !== "item" || placed.item.kind !== "address") continue;
    const { address, device } = placed.item;
    if (known.host.addresses.on(address, device)?.duplicate !== true) continue;
    if (isThere(known, placed.item)) yield placed.item;
  }
}

/** Asked for each entry: whether it is time to let others have the loop. */
function turns(): () => boolean {
  let count = 0;
  return () => {
    count += 1;
    return count % COMPARED_AT_ONCE === 0;
  };
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

type Sum = {
  readonly added: string[];
  readonly removed: string[];
  readonly failed: OwnProblem[];
  /** Virtual IPs whose entry was refused. */
  readonly refused: Set<Address>;
  done(what: "added" | "removed", texts: readonly string[]): void;
  /** What is left, with what is new of failures. */
  tell(failed: readonly OwnProblem[]): void;
};

/** What was done, told in facts of a limited size. */
function summing(tell: Pick<Announcements, "fact">): Sum {
  const added: string[] = [];
  const removed: string[] = [];
  const failed: OwnProblem[] = [];
  const told = { added: 0, removed: 0 };
  const fact = (fresh: readonly OwnProblem[]): void => {
    const change = { added: added.slice(told.added), removed: removed.slice(told.removed) };
    told.added = added.length;
    told.removed = removed.length;
    if (change.added.length + change.removed.length + fresh.length === 0) return;
    tell.fact({ type: "own-changed", ...change, failed: fresh });
  };
  return {
    added,
    removed,
    failed,
    refused: new Set(),
    done(what, texts) {
      (what === "added" ? added : removed).push(...texts);
      if (added.length - told.added + removed.length - told.removed >= TOLD_AT_ONCE) fact([]);
    },
    tell(fresh) {
      for (let from = 0; from < fresh.length; from += TOLD_AT_ONCE) {
        fact(fresh.slice(from, from + TOLD_AT_ONCE));
      }
      fact([]);
    },
  };
}
