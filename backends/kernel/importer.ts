/**
 * Learned best paths, and what becomes of each: the rule that takes it and the hops it gets, or why it is held back.
 *
 * Pure. Keeps what the speakers told (prefix to set of paths) and the verdict on it in packed tables; tells fib.ts what shall
 * be. Judged anew when the rules or the host change: next hops once for each rule and set, prefixes only where one of those
 * came out otherwise. Reads next: imports.ts, guards.ts, resolve.ts, fib.ts.
 */
import { addressOctets, type Family } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import { type BestPathBatch, NO_PATHS, type PathSet } from "../best-paths.ts";
import {
  claimSlot,
  createPrefixTable,
  findSlot,
  isTaken,
  removeSlot,
  slotsOf,
} from "../native/rib/prefix-table.ts";
import { type Fib, want, wordsAt } from "./fib.ts";
import { type Forwardings, NOWHERE } from "./forwarding.ts";
import { type Guard, guardsFor, isOnLink, shadows } from "./guards.ts";
import { type Host, tableOfVrf, type Words } from "./host.ts";
import { type CompiledRule, compileRules, ruleFor, vrfOfLane } from "./imports.ts";
import type { ImportRule } from "./intent.ts";
import { resolvePath } from "./resolve.ts";
import { createVerdicts, type HeldReason } from "./verdicts.ts";

export type ImporterOptions = {
  readonly host: Host;
  readonly forwardings: Forwardings;
  readonly protectedPrefixes: readonly Prefix[];
  readonly seed: number;
  /** The fib of that table and metric, made if it is new. */
  fib(family: Family, table: number, metric: number): Fib;
  /** The fibs that this lane's rules fill or filled. */
  fibsOf(lane: string, family: Family): readonly Fib[];
  /** Whether this lane may fill the fib; the first that asks has it. */
  claim(lane: string, fib: Fib): boolean;
};

type Resolved = { readonly forwarding: number; readonly held: "taken" | HeldReason };

export type Importer = {
  readonly lane: string;
  /** Where its routes are learned. */
  readonly vrf: string;
  readonly family: Family;
  learn(batch: BestPathBatch): void;
  /** Takes over what another one learned, without a look at it: setRules() says what is to be judged. */
  learnFrom(other: Importer): void;
  learned(): Iterable<readonly [Words, PathSet]>;
  /** A table that its rules name was another's when it was looked at last. */
  contested(): boolean;
  /** What is to be judged anew after a change, as packed words; judge() takes them back in portions. */
  setRules(rules: readonly ImportRule[]): Words[];
  /** Everything that was learned is learned no longer. */
  forget(): Words[];
  hostChanged(): Words[];
  judge(words: Words): void;
  /** What was learned of a prefix and what became of it. */
  counts(): readonly RuleCount[];
  /** Whose route stands in `fib`; undefined where none of this VRF's is wanted there. */
  takenFrom(
    words: Words,
    fib: Fib,
  ): { readonly rule: ImportRule; readonly neighbors: readonly NeighborKey[] } | undefined;
  /** Names of the rules that fill it. */
  rulesOf(fib: Fib): readonly string[];
  /** How many of a rule's prefixes are held back. */
  held(rule: string): number;
  readonly size: number;
};

export type RuleCount = {
  readonly rule: string;
  readonly verdict: "taken" | HeldReason;
  readonly count: number;
  /** One of them. */
  readonly example: Words;
};

export function createImporter(lane: string, family: Family, options: ImporterOptions): Importer {
  const vrf = vrfOfLane(lane);
  const { host, forwardings, protectedPrefixes, fib, fibsOf, claim } = options;
  const learned = createPrefixTable(family, options.seed);
  const verdicts = createVerdicts(family, options.seed);
  const sets: (PathSet | undefined)[] = [];
  const setNumbers = new Map<PathSet, number>();
  const setUsers: number[] = [];
  const freeSets: number[] = [];
  let rules: readonly CompiledRule[] = [];
  let targets: (Fib | "vrf-missing" | "table-shared")[] = [];
  let guards: (readonly Guard[])[] = [];
  let resolutions = new Map<number, Resolved>();

  const numberOf = (set: PathSet): number => {
    let number = setNumbers.get(set);
    if (number === undefined) {
      number = freeSets.pop() ?? sets.length;
      sets[number] = set;
      setUsers[number] = 0;
      setNumbers.set(set, number);
    }
    return number;
  };
  const useSet = (number: number, by: 1 | -1): void => {
    const users = (setUsers[number] ?? 0) + by;
    setUsers[number] = users;
    const set = sets[number];
    if (users > 0 || set === undefined) return;
    setNumbers.delete(set);
    sets[number] = undefined;
    freeSets.push(number);
    for (let rule = 0; rule < rules.length; rule += 1) dropResolution(keyOf(rule, number));
  };
  const keyOf = (rule: number, set: number): number => rule * 2 ** 32 + set;

  // What is kept here refers to its forwarding, so that its number stays its own.
  const dropResolution = (key: number): void => {
    const known = resolutions.get(key);
    if (known === undefined) return;
    resolutions.delete(key);
    if (known.forwarding !== NOWHERE) forwardings.refer(known.forwarding, -1);
  };
  const resolutionOf = (rule: number, set: number): Resolved => {
    const key = keyOf(rule, set);
    let known = resolutions.get(key);
    if (known === undefined) {
      known = resolve(rule, set);
      if (known.forwarding !== NOWHERE) forwardings.refer(known.forwarding, 1);
      resolutions.set(key, known);
    }
    return known;
  };
  const resolve = (rule: number, set: number): Resolved => {
    const table = tableOfVrf(host, vrf);
    if (table === undefined) return { forwarding: NOWHERE, held: "vrf-missing" };
    const compiled = rules[rule];
    const paths = sets[set];
    if (compiled === undefined || paths === undefined) throw new Error("no such rule or set");
    const found = compiled.cut(paths).map((path) => resolvePath(host, family, table, path));
    const hops = found.flatMap((one) => (one.type === "hop" ? [one.hop] : []));
    const [failed] = found.flatMap((one) => (one.type === "unresolved" ? [one.reason] : []));
    if (hops.length === 0) return { forwarding: NOWHERE, held: failed ?? "no-route" };
    const source = compiled.rule.preferredSource[family];
    const octets = source === undefined ? undefined : addressOctets(source);
    return { forwarding: forwardings.intern(family, hops, octets), held: "taken" };
  };

  const locate = (): void => {
    targets = rules.map(({ rule }) => {
      const table =
        typeof rule.table === "number" ? rule.table : tableOfVrf(host, rule.table?.vrf ?? vrf);
      if (table === undefined) return "vrf-missing";
      // The kernel of IPv6 turns no metric into 1024 (IP6_RT_PRIO_USER).
      const metric = rule.metric === 0 && family === "ipv6" ? 1024 : rule.metric;
      const target = fib(family, table, metric);
      return claim(lane, target) ? target : "table-shared";
    });
    guards = targets.map((target) =>
      typeof target === "string" ? [] : guardsFor(host, family, target.table, protectedPrefixes),
    );
  };

  /** The verdict, without the maximum, which only matters for what is not there yet. */
  const judgement = (rule: number, set: number, words: Words): Resolved => {
    const target = targets[rule];
    const compiled = rules[rule];
    if (target === undefined || compiled === undefined || typeof target === "string") {
      return { forwarding: NOWHERE, held: target === "table-shared" ? target : "vrf-missing" };
    }
    if (words[0] === 0 && !compiled.rule.acceptDefault) {
      return { forwarding: NOWHERE, held: "default-route" };
    }
    if (isOnLink(host, family, target.table, words)) {
      return { forwarding: NOWHERE, held: "connected" };
    }
    if (shadows(guards[rule] ?? [], words, target.metric)) {
      return { forwarding: NOWHERE, held: "protected" };
    }
    return resolutionOf(rule, set);
  };

  const judgeOne = (words: Words): void => {
    const [length, a, b, c, d] = words;
    const slot = findSlot(learned, length, a, b, c, d);
    const number = slot < 0 ? undefined : learned.values[slot];
    const set = number === undefined ? undefined : sets[number];
    const rule = set === undefined ? -1 : ruleFor(rules, family, words, set);
    let target: Fib | undefined;
    let forwarding = NOWHERE;
    if (rule < 0 || number === undefined) verdicts.remove(words);
    else {
      let { forwarding: to, held } = judgement(rule, number, words);
      const has = verdicts.takenBy(words) === rule;
      const most = rules[rule]?.rule.maximum ?? 0;
      if (held === "taken" && !has && verdicts.taken(rule) >= most) {
        held = "maximum";
        to = NOWHERE;
      }
      verdicts.set(words, rule, held);
      const place = targets[rule];
      if (held === "taken" && typeof place === "object") target = place;
      forwarding = to;
    }
    if (target !== undefined) want(target, forwardings, words, forwarding);
    for (const other of fibsOf(lane, family)) {
      if (other !== target) want(other, forwardings, words, NOWHERE);
    }
  };

  /** Room below a maximum is filled with what it held back; each that is judged then waits no longer, so that this ends. */
  const fill = (): void => {
    for (const [rule, compiled] of rules.entries()) {
      while (verdicts.waiting(rule) > 0 && verdicts.taken(rule) < compiled.rule.maximum) {
        const words = verdicts.nextWaiting(rule);
        if (words === undefined) throw new Error("more wait than there are");
        judgeOne(words);
      }
    }
  };

  const everything = (): Words[] => {
    const first: Words[] = [];
    const then: Words[] = [];
    const fibs = fibsOf(lane, family);
    for (let slot = 0; slot < slotsOf(learned); slot += 1) {
      if (!isTaken(learned, slot)) continue;
      const words = wordsAt(learned, slot);
      const [length, a, b, c, d] = words;
      // What is held stays, where there is a maximum: it is judged before what is new.
      const isHeld = fibs.some((one) => findSlot(one.wanted, length, a, b, c, d) >= 0);
      (isHeld ? first : then).push(words);
    }
    return [...first, ...then];
  };

  /** Enters what was told of a prefix, in place of what was told before. */
  const enter = ([length, a, b, c, d]: Words, set: PathSet | undefined): void => {
    let slot = findSlot(learned, length, a, b, c, d);
    const before = slot < 0 ? undefined : learned.values[slot];
    const number = set === undefined ? undefined : numberOf(set);
    if (number !== undefined) {
      if (slot < 0) slot = claimSlot(learned, length, a, b, c, d);
      learned.values[slot] = number;
      useSet(number, 1);
    } else if (slot >= 0) removeSlot(learned, slot);
    if (before !== undefined) useSet(before, -1);
  };

  return {
    lane,
    vrf,
    family,
    judge(words) {
      judgeOne(words);
      fill();
    },
    get size() {
      return learned.size;
    },
    learn(batch) {
      let at = 0;
      for (let i = 0; i < batch.count; i += 1) {
        const words = readPrefix(batch.nlri, at);
        at += 1 + ((words[0] + 7) >> 3);
        const chosen = batch.chosen[i] ?? NO_PATHS;
        const set = chosen === NO_PATHS ? undefined : batch.sets[chosen];
        enter(words, set);
        judgeOne(words);
      }
      fill();
    },
    learnFrom(other) {
      for (const [words, set] of other.learned()) enter(words, set);
    },
    *learned() {
      for (let slot = 0; slot < slotsOf(learned); slot += 1) {
        const set = isTaken(learned, slot) ? sets[learned.values[slot] ?? 0] : undefined;
        if (set !== undefined) yield [wordsAt(learned, slot), set];
      }
    },
    contested: () => targets.includes("table-shared"),
    setRules(wanted) {
      for (const key of resolutions.keys()) dropResolution(key);
      resolutions = new Map();
      rules = compileRules(wanted, lane);
      verdicts.clear();
      locate();
      return everything();
    },
    forget() {
      const all = everything();
      for (const [length, a, b, c, d] of all) {
        const slot = findSlot(learned, length, a, b, c, d);
        const number = learned.values[slot];
        removeSlot(learned, slot);
        if (number !== undefined) useSet(number, -1);
      }
      return all;
    },
    hostChanged() {
      const before = { resolutions, targets, guards: JSON.stringify(guards) };
      resolutions = new Map();
      locate();
      let same =
        before.guards === JSON.stringify(guards) &&
        before.targets.every((target, i) => target === targets[i]);
      for (const [key, old] of before.resolutions) {
        const now = resolutionOf(Math.floor(key / 2 ** 32), key % 2 ** 32);
        same &&= now.forwarding === old.forwarding && now.held === old.held;
        if (old.forwarding !== NOWHERE) forwardings.refer(old.forwarding, -1);
      }
      return same ? [] : everything();
    },
    counts: () =>
      verdicts.counts().map(({ rule, ...one }) => ({ ...one, rule: rules[rule]?.rule.name ?? "" })),
    takenFrom(words, fib) {
      const index = verdicts.takenBy(words);
      const compiled = rules[index];
      if (compiled === undefined || targets[index] !== fib) return undefined;
      const [length, a, b, c, d] = words;
      const at = findSlot(learned, length, a, b, c, d);
      const set = at < 0 ? undefined : sets[learned.values[at] ?? 0];
      const paths = set === undefined ? [] : compiled.cut(set);
      return { rule: compiled.rule, neighbors: paths.map(({ neighbor }) => neighbor) };
    },
    rulesOf: (fib) => rules.flatMap(({ rule }, i) => (targets[i] === fib ? [rule.name] : [])),
    held: (rule) => verdicts.held(rules.findIndex((one) => one.rule.name === rule)),
  };
}

/** `length, octets` as in an UPDATE (RFC 4271 §4.3); the speaker has masked the bits beyond the length. */
export function readPrefix(nlri: Uint8Array, at: number): Words {
  const length = nlri[at] ?? 0;
  const octets = (length + 7) >> 3;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < octets; i += 1) {
    const value = (nlri[at + 1 + i] ?? 0) << (24 - 8 * (i & 3));
    if (i < 4) a |= value;
    else if (i < 8) b |= value;
    else if (i < 12) c |= value;
    else d |= value;
  }
  return [length, a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}
