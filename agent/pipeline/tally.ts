/**
 * How long things took, counted in steps: what a histogram shows, in a few numbers that never grow.
 *
 * Pure: who measures hands in the seconds.
 */

/**
 * Seconds, each bucket with everything up to and with its bound. A change that waits for nothing but the speaker takes about a
 * millisecond (bench/wire.ts), one of 100,000 Services some seconds.
 */
export const BOUNDS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

export type Tally = {
  /** How many were at most as long as the bound of the same place, and longer than the one before. */
  readonly counts: readonly number[];
  /** All, also those beyond the last bound. */
  readonly count: number;
  readonly sumSeconds: number;
};

export const emptyTally: Tally = {
  counts: BOUNDS_SECONDS.map(() => 0),
  count: 0,
  sumSeconds: 0,
};

export function tallied({ counts, count, sumSeconds }: Tally, seconds: number): Tally {
  const place = BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
  return {
    counts: counts.map((one, i) => (i === place ? one + 1 : one)),
    count: count + 1,
    sumSeconds: sumSeconds + seconds,
  };
}

/** Of several that count the same thing. */
export const sumOf = (tallies: readonly Tally[]): Tally =>
  tallies.reduce(
    (sum, one) => ({
      counts: sum.counts.map((count, i) => count + (one.counts[i] ?? 0)),
      count: sum.count + one.count,
      sumSeconds: sum.sumSeconds + one.sumSeconds,
    }),
    emptyTally,
  );
