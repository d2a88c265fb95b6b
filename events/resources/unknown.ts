/**
 * Fields nobody knows, in kinds whose upstream is not ours to police: they warn, with the name that was probably meant.
 *
 * The strict kinds refuse them by their schemas; see complaints.ts, which uses the same guess.
 */
import type { z } from "zod";
import type { Path, Reading } from "./reading.ts";

/** `ignored`: the upstream's fields that are known by name and say nothing to a host. */
export function warnUnknown(
  reading: Reading,
  path: Path,
  value: Readonly<Record<string, unknown>>,
  schema: z.ZodObject,
  ignored: readonly string[] = [],
): void {
  const known = Object.keys(schema.shape);
  for (const key of Object.keys(value)) {
    if (known.includes(key) || ignored.includes(key)) continue;
    reading.warn([...path, key], "unknown-field", unknownField(key, [...known, ...ignored]));
  }
}

export function unknownField(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const name = JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);
  return meant === undefined
    ? `${name} is not a field of this kind: remove it`
    : `${name} is not a field of this kind: did you mean ${meant}?`;
}

/** The candidate that differs in case only, or by at most two letters; undefined where none is near. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const MAX_LENGTH = 60;
  if (text.length > MAX_LENGTH) return undefined;
  const folded = text.toLowerCase();
  const scored = candidates
    .map((name) => ({ name, distance: distance(folded, name.toLowerCase()) }))
    .filter(({ name, distance: d }) => d <= (Math.min(name.length, text.length) > 5 ? 2 : 1));
  return scored.toSorted((a, b) => a.distance - b.distance)[0]?.name;
}

/** Levenshtein's: the fewest insertions, deletions and replacements of one letter. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
