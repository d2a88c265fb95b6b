/**
 * Own routes → classes of routes that are told alike, each with a tag and one entry in the `-out` map of each neighbour told.
 *
 * Pure. FRR notices a changed route map only seconds later (`bgp route-map delay-timer`), and a changed `network` line at once. So what a
 * tag means to a neighbour never changes while both are there: a class that is told otherwise gets another tag and its routes
 * move. That also makes any order of commands safe in which entries come before routes and go after them. A neighbour that comes or goes
 * changes no tag: nothing was told to it, or is any more.
 */
import { familyOf } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { prefixFamily } from "../../../events/prefix.ts";
import type { Export, ExportAttributes, SpeakerIntent } from "../../intent.ts";
import { setText } from "../../delta.ts";
import type { FrrVersion } from "../version.ts";
import { familyLine, routerLine } from "./names.ts";
import { freeNumbers, type OutEntry, reservedBy, type Tags } from "./numbers.ts";
import { communityWord } from "./spelling.ts";

/** Far from what people number by hand: a route of another protocol that bears a tag must not pass for ours. */
const FIRST_TAG = 1_870_000_001;

/** Who can be told: a neighbour with a session. */
export type Teller = { readonly outMap: string; readonly internal: boolean };

export type Classes = {
  /** undefined: there is no such class in this configuration, and a route of it takes a new rendering. */
  readonly tagOf: (exports: readonly Export[]) => number | undefined;
  /** Tag → out map → entry; a class that nobody is told has none. */
  readonly entries: ReadonlyMap<number, ReadonlyMap<string, OutEntry>>;
};

type Class = {
  readonly key: string;
  readonly exports: readonly Export[];
  /** Out map → what is set for routes of the class. */
  readonly told: ReadonlyMap<string, readonly string[]>;
};

export function assignClasses(
  intent: SpeakerIntent,
  tellers: ReadonlyMap<NeighborKey, Teller>,
  before: Tags,
  version: FrrVersion,
): Classes {
  const classes = classesOf(intent, tellers, version);
  const tags = tagsFor(intent, classes, tellers, before);
  const reserved = reservedBy(intent.raw);
  const sequences = new Map<string, Generator<number, never>>();
  const sequenceIn = (outMap: string): number => {
    const start = `route-map ${outMap}`;
    const free = sequences.get(outMap) ?? freeNumbers(before.taken.get(start), reserved.get(start));
    sequences.set(outMap, free);
    return free.next().value;
  };
  const entries = new Map<number, ReadonlyMap<string, OutEntry>>();
  for (const [key, { told }] of classes.byKey) {
    const tag = known(tags.get(key));
    const had = before.classes.get(tag);
    entries.set(
      tag,
      new Map(
        [...told].map(([outMap, sets]) => [
          outMap,
          { sequence: had?.get(outMap)?.sequence ?? sequenceIn(outMap), sets },
        ]),
      ),
    );
  }
  return {
    entries,
    tagOf: (exports) => tags.get(classes.keyOf(exports)),
  };
}

type KnownClasses = {
  readonly byKey: ReadonlyMap<string, Class>;
  readonly keyOf: (exports: readonly Export[]) => string;
};

/** In order of their text, so that equal intents give equal numbers. */
function classesOf(
  intent: SpeakerIntent,
  tellers: ReadonlyMap<NeighborKey, Teller>,
  version: FrrVersion,
): KnownClasses {
  const keys = new Map<readonly Export[], string>();
  const keyOf = (exports: readonly Export[]): string => {
    const found = keys.get(exports);
    if (found !== undefined) return found;
    const key = setText(exports);
    keys.set(exports, key);
    return key;
  };
  const found = new Map<string, Class>();
  for (const { routes } of intent.routers) {
    for (const { exports } of routes.values()) {
      if (keys.has(exports)) continue;
      const key = keyOf(exports);
      if (!found.has(key))
        found.set(key, { key, exports, told: toldOf(exports, tellers, version) });
    }
  }
  return { keyOf, byKey: new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1))) };
}

function toldOf(
  exports: readonly Export[],
  tellers: ReadonlyMap<NeighborKey, Teller>,
  version: FrrVersion,
): ReadonlyMap<string, readonly string[]> {
  const told = new Map<string, readonly string[]>();
  for (const { to, attributes } of exports) {
    const inside = setLines(attributes, true, version);
    const outside = setLines(attributes, false, version);
    for (const key of to) {
      const teller = tellers.get(key);
      if (teller !== undefined) told.set(teller.outMap, teller.internal ? inside : outside);
    }
  }
  return told;
}

/** Sorted, as numbers.ts reads them. FRR sends MED 0 unless told otherwise, and LOCAL_PREF 100. */
function setLines(
  { localPref, med, communities, largeCommunities, nextHop }: ExportAttributes,
  internal: boolean,
  version: FrrVersion,
): readonly string[] {
  const lines: string[] = [];
  if (med !== undefined) lines.push(`set metric ${med}`);
  // RFC 4271 §5.1.5: to internal peers only.
  if (localPref !== undefined && internal) lines.push(`set local-preference ${localPref}`);
  if (communities.length > 0)
    lines.push(`set community ${communities.map((one) => communityWord(one, version)).join(" ")}`);
  if (largeCommunities.length > 0) lines.push(`set large-community ${largeCommunities.join(" ")}`);
  if (nextHop !== undefined)
    lines.push(
      familyOf(nextHop) === "ipv4"
        ? `set ip next-hop ${nextHop}`
        : `set ipv6 next-hop global ${nextHop}`,
    );
  return lines.toSorted();
}

/**
 * A class has the tag that meant the same to all neighbours that were there and still are. Where several do, for they differ only in
 * neighbours that came or went, the one goes to the class that most of its routes are in now.
 */
function tagsFor(
  intent: SpeakerIntent,
  { byKey, keyOf }: KnownClasses,
  tellers: ReadonlyMap<NeighborKey, Teller>,
  before: Tags,
): ReadonlyMap<string, number> {
  const staying = [...tellers.values()]
    .map(({ outMap }) => outMap)
    .filter((outMap) => before.outMaps.has(outMap))
    .toSorted();
  const meaning = (sets: (outMap: string) => readonly string[] | undefined): string =>
    JSON.stringify(staying.map((outMap) => sets(outMap) ?? null));
  const had = Map.groupBy(before.classes, ([, entries]) =>
    meaning((outMap) => entries.get(outMap)?.sets),
  );
  const wanted = Map.groupBy(byKey, ([, { told }]) => meaning((outMap) => told.get(outMap)));

  const tags = new Map<string, number>();
  let votes: ReadonlyMap<string, ReadonlyMap<number, number>> | undefined;
  for (const [text, classes] of wanted) {
    const free = new Set((had.get(text) ?? []).map(([tag]) => tag));
    const [only] = free;
    const [first] = classes;
    if (free.size === 1 && classes.length === 1 && only !== undefined && first !== undefined) {
      tags.set(first[0], only);
      continue;
    }
    if (free.size === 0) continue;
    votes ??= countVotes(intent, keyOf, before);
    for (const { key, tag } of ranked(classes, votes)) {
      if (tags.has(key) || !free.delete(tag)) continue;
      tags.set(key, tag);
    }
  }
  let next = FIRST_TAG;
  for (const key of byKey.keys()) {
    if (tags.has(key)) continue;
    while (before.classes.has(next)) next += 1;
    tags.set(key, next);
    next += 1;
  }
  return tags;
}

/** Class → tag → routes of the class that bear the tag. */
function countVotes(
  intent: SpeakerIntent,
  keyOf: KnownClasses["keyOf"],
  before: Tags,
): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const votes = new Map<string, Map<number, number>>();
  for (const { localAs, vrf, routes } of intent.routers) {
    const router = routerLine(localAs, vrf);
    for (const [prefix, { exports }] of routes.entries()) {
      const tag = before.tagOf(router, familyLine(prefixFamily(prefix)), prefix);
      if (tag === undefined) continue;
      const key = keyOf(exports);
      const ofClass = votes.get(key) ?? new Map<number, number>();
      votes.set(key, ofClass.set(tag, (ofClass.get(tag) ?? 0) + 1));
    }
  }
  return votes;
}

function ranked(
  classes: readonly (readonly [string, Class])[],
  votes: ReadonlyMap<string, ReadonlyMap<number, number>>,
): { readonly key: string; readonly tag: number; readonly count: number }[] {
  return classes
    .flatMap(([key]) => [...(votes.get(key) ?? [])].map(([tag, count]) => ({ key, tag, count })))
    .toSorted((a, b) => b.count - a.count || a.tag - b.tag || (a.key < b.key ? -1 : 1));
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("every class has a tag");
  return value;
}
