/**
 * Import rules: which learned prefix goes into which table, by the first rule that takes it.
 *
 * Pure. A rule takes a prefix that is one of its prefixes and has a path from one of its neighbours; the set is cut down to
 * those paths. Reads next: guards.ts (what no rule may take), importer.ts.
 */
import { addressOctets, type Family } from "../../events/address.ts";
import { type Prefix, prefixAddress, prefixFamily, prefixLength } from "../../events/prefix.ts";
import type { Path, PathSet } from "../best-paths.ts";
import { masked, type Words } from "./host.ts";
import type { ImportRule } from "./intent.ts";
import { addressWords } from "./resolve.ts";

/**
 * Whose rules are judged together: those of a VRF, by its name, and those by which it is leaked into another one, for a route may
 * stand in both. No device has a slash in its name.
 */
export const laneOf = ({ vrf, table }: Pick<ImportRule, "vrf" | "table">): string =>
  typeof table === "object" ? `${vrf}/${table.vrf}` : vrf;

/** Where the routes of the lane were learned. */
export const vrfOfLane = (lane: string): string => lane.split("/", 1)[0] ?? "";

export type Span = {
  readonly family: Family;
  readonly words: Words;
  readonly atLeast: number;
  readonly atMost: number;
};

export type CompiledRule = {
  readonly rule: ImportRule;
  readonly spans: readonly Span[];
  /** Paths that the rule takes of a set; none: it does not take it. */
  cut(set: PathSet): readonly Path[];
};

export function prefixWords(prefix: Prefix): Words {
  const [, a, b, c, d] = addressWords(addressOctets(prefixAddress(prefix)));
  return [prefixLength(prefix), a, b, c, d];
}

export const spansOf = (prefixes: ImportRule["prefixes"]): readonly Span[] =>
  prefixes.map(({ prefix, atLeast, atMost }) => ({
    family: prefixFamily(prefix),
    words: prefixWords(prefix),
    atLeast,
    atMost,
  }));

export function compileRules(rules: readonly ImportRule[], lane: string): readonly CompiledRule[] {
  return rules
    .filter((rule) => laneOf(rule) === lane)
    .map((rule) => {
      const neighbors = rule.neighbors === undefined ? undefined : new Set(rule.neighbors);
      // Sets are one object as long as they are in use, so each is cut once.
      const cuts = new WeakMap<PathSet, readonly Path[]>();
      return {
        rule,
        spans: spansOf(rule.prefixes),
        cut(set) {
          if (neighbors === undefined) return set.paths;
          let paths = cuts.get(set);
          if (paths === undefined) {
            paths = set.paths.filter(({ neighbor }) => neighbors.has(neighbor));
            cuts.set(set, paths);
          }
          return paths;
        },
      };
    });
}

/** True where `inner` lies in `outer` or is equal. */
export const holds = (outer: Words, inner: Words): boolean =>
  inner[0] >= outer[0] &&
  masked(inner[1], 0, outer[0]) === outer[1] &&
  masked(inner[2], 1, outer[0]) === outer[2] &&
  masked(inner[3], 2, outer[0]) === outer[3] &&
  masked(inner[4], 3, outer[0]) === outer[4];

export const inSpans = (spans: readonly Span[], family: Family, words: Words): boolean =>
  spans.length === 0 ||
  spans.some(
    (span) =>
      span.family === family &&
      words[0] >= span.atLeast &&
      words[0] <= span.atMost &&
      holds(span.words, words),
  );

/** Index of the rule that takes the prefix; -1: none does. */
export function ruleFor(
  rules: readonly CompiledRule[],
  family: Family,
  words: Words,
  set: PathSet,
): number {
  for (let i = 0; i < rules.length; i += 1) {
    const compiled = rules[i];
    if (compiled === undefined) break;
    if (inSpans(compiled.spans, family, words) && compiled.cut(set).length > 0) return i;
  }
  return -1;
}

/** A rule that is there by other facts than before is the same rule. */
export const rulesText = (rules: readonly ImportRule[], lane: string): string =>
  JSON.stringify(
    rules.filter((rule) => laneOf(rule) === lane).map((rule) => ({ ...rule, provenance: [] })),
  );
