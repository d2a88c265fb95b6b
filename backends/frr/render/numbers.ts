/**
 * Which numbers a configuration has given: tags of classes, sequence numbers of route maps and prefix lists.
 *
 * Pure. What has a number keeps it, so that one more prefix or neighbour is one more line and never many others. It is read from a
 * tree: the running configuration after a start, the last rendered one later. Reads next: classes.ts.
 */
import type { Prefix } from "../../../events/prefix.ts";
import type { SpeakerIntent } from "../../intent.ts";
import type { ConfigTree } from "../config/tree.ts";
import { tagMap } from "./names.ts";

export type OutEntry = { readonly sequence: number; readonly sets: readonly string[] };

export type Tags = {
  /** Tag of ours → out map → what the map does with routes of that tag; nothing where nobody is told. */
  readonly classes: ReadonlyMap<number, ReadonlyMap<string, OutEntry>>;
  readonly outMaps: ReadonlySet<string>;
  /** `route-map NAME` and `ip prefix-list NAME` → sequence numbers that are there, whoever made them. */
  readonly taken: ReadonlyMap<string, ReadonlySet<number>>;
  /** `ip prefix-list NAME` → rule → its sequence number. */
  readonly rules: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** The tag that the `network` line of a prefix names. */
  readonly tagOf: (routerLine: string, familyLine: string, prefix: Prefix) => number | undefined;
};

const ROUTE_MAP = /^(route-map (\S+)) (permit|deny) (\d+)$/;
const LIST_LINE = /^(ip(?:v6)? prefix-list \S+) seq (\d+) (.+)$/;
const MATCH_TAG = /^match tag (\d+)$/;
const TAG_MAP = /^rutter-(\d+)$/;
/** What entries of ours set; other lines in them are of raw lines. */
const OWN_SET =
  /^set (?:metric|local-preference|community|large-community|ip next-hop|ipv6 next-hop global) /;

export function tagsOf(bgpd: ConfigTree): Tags {
  const classes = new Map<number, Map<string, OutEntry>>();
  const outMaps = new Set<string>();
  const taken = new Map<string, Set<number>>();
  const rules = new Map<string, Map<string, number>>();
  for (const [line, children] of bgpd) {
    const [, start, name, , sequence] = ROUTE_MAP.exec(line) ?? [];
    if (start !== undefined && name !== undefined) {
      at(taken, start, () => new Set()).add(Number(sequence));
      const tag = TAG_MAP.exec(name)?.[1];
      if (tag !== undefined) at(classes, Number(tag), () => new Map());
      if (name.endsWith("-out")) {
        outMaps.add(name);
        readEntry(classes, name, Number(sequence), children);
      }
      continue;
    }
    const [, list, number, rule] = LIST_LINE.exec(line) ?? [];
    if (list === undefined || rule === undefined) continue;
    at(taken, list, () => new Set()).add(Number(number));
    at(rules, list, () => new Map()).set(rule, Number(number));
  }
  // A tag that no map of ours gives is somebody else's, whoever matches it.
  for (const tag of classes.keys()) {
    if (!taken.has(`route-map ${tagMap(tag)}`)) classes.delete(tag);
  }
  return { classes, outMaps, taken, rules, tagOf: taggedRoutes(bgpd) };
}

export const NO_TAGS: Tags = tagsOf(new Map());

/** Below it a raw line means an entry that is generated, and adds to it (frr-k8s); from it on it makes one of its own. */
const FIRST_RAW_ENTRY = 20;

/** Sequence numbers of raw lines' own: kept free for them before they are there. */
export function reservedBy(raw: SpeakerIntent["raw"]): ReadonlyMap<string, ReadonlySet<number>> {
  const reserved = new Map<string, Set<number>>();
  for (const { raw: written } of raw) {
    for (const line of written.text.split("\n").map((text) => text.trim().replace(/\s+/g, " "))) {
      const map = ROUTE_MAP.exec(line);
      const list = LIST_LINE.exec(line);
      const [start, sequence] = map === null ? [list?.[1], list?.[2]] : [map[1], map[4]];
      if (start === undefined || (map !== null && Number(sequence) < FIRST_RAW_ENTRY)) continue;
      at(reserved, start, () => new Set()).add(Number(sequence));
    }
  }
  return reserved;
}

/** Numbers from 1 that nobody has, and that nobody had until now: a line never changes its meaning while others move. */
export function* freeNumbers(
  ...taken: readonly (ReadonlySet<number> | undefined)[]
): Generator<number, never> {
  for (let number = 1; ; number += 1) {
    if (!taken.some((numbers) => numbers?.has(number) === true)) yield number;
  }
}

function readEntry(
  classes: Map<number, Map<string, OutEntry>>,
  map: string,
  sequence: number,
  children: ConfigTree,
): void {
  const lines = [...children.keys()];
  const tag = lines.map((line) => MATCH_TAG.exec(line)?.[1]).find((found) => found !== undefined);
  if (tag === undefined) return;
  const sets = lines.filter((line) => OWN_SET.test(line)).toSorted();
  at(classes, Number(tag), () => new Map()).set(map, { sequence, sets });
}

/** Most renderings never ask: a family's lines are read when it is first asked about. */
function taggedRoutes(bgpd: ConfigTree): Tags["tagOf"] {
  const read = new Map<ConfigTree, ReadonlyMap<string, number>>();
  return (routerLine, familyLine, prefix) => {
    const node = bgpd.get(routerLine)?.get(familyLine);
    if (node === undefined) return undefined;
    return at(read, node, () => tagsIn(node)).get(prefix);
  };
}

function tagsIn(family: ConfigTree): ReadonlyMap<string, number> {
  const tags = new Map<string, number>();
  for (const line of family.keys()) {
    const [word, prefix, , map = ""] = line.split(" ");
    const tag = TAG_MAP.exec(map)?.[1];
    if (word === "network" && prefix !== undefined && tag !== undefined)
      tags.set(prefix, Number(tag));
  }
  return tags;
}

function at<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
