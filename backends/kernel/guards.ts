/**
 * What no learned route may do to this host: take over a link's own prefix, or the way to those who manage it.
 *
 * Pure. A protected prefix is reached by some route of others; a learned one in the same table that meets it must be less
 * specific than that route, or equal with a worse metric. Reads next: host.ts, importer.ts.
 */
import type { Family } from "../../events/address.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import { foreignAt, type Host, isConnected, longestMatch, type Words } from "./host.ts";
import { holds, prefixWords } from "./imports.ts";

export type Guard = {
  readonly prefix: Words;
  /** Length and metric of the route that leads there now; a route that is not longer, or no better, does it no harm. */
  readonly length: number;
  readonly metric: number;
};

/** For one table; a prefix that nobody routes today can't be shadowed and has no guard. */
export function guardsFor(
  host: Host,
  family: Family,
  table: number,
  protectedPrefixes: readonly Prefix[],
): readonly Guard[] {
  return protectedPrefixes.flatMap((one) => {
    if (prefixFamily(one) !== family) return [];
    const prefix = prefixWords(one);
    const match = longestMatch(host, family, table, prefix);
    if (match === undefined) return [];
    return [{ prefix, length: match.length, metric: match.target.metric }];
  });
}

/** True where a route of this prefix and metric would be preferred on the way to something protected. */
export const shadows = (guards: readonly Guard[], words: Words, metric: number): boolean =>
  guards.some(
    ({ prefix, length, metric: theirs }) =>
      (words[0] > length || (words[0] === length && metric <= theirs)) &&
      (holds(words, prefix) || holds(prefix, words)),
  );

/** True where a link of this host has that very prefix. */
export const isOnLink = (host: Host, family: Family, table: number, words: Words): boolean =>
  foreignAt(host, family, table, words).some(isConnected);
