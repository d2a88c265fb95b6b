/**
 * Results of a check → healthy or not: so many good ones in a row to rise, so many bad ones to fall.
 *
 * Pure: one small value for each check. A state that is not known yet is decided by the first result, in both directions,
 * for waiting there would only delay a good Service or announce a dead one. Reads next: runner.ts.
 */

export type Result = {
  readonly ok: boolean;
  /** In words an operator can act on; the same words for the same cause, so without times and counters. */
  readonly reason: string;
};

export type Trend =
  | { readonly name: "Unknown" }
  /** `against`: results in a row that say otherwise; 0 where the last one agreed. */
  | { readonly name: "Healthy"; readonly against: number }
  | { readonly name: "Unhealthy"; readonly against: number };

export type Thresholds = { readonly rise: number; readonly fall: number };

/** What to tell; undefined where nothing changed. */
export type Verdict = { readonly healthy: boolean; readonly reason: string };

export const unknown: Trend = { name: "Unknown" };

/** A trend that goes on from a state that was recorded before. */
export const resumed = (healthy: boolean): Trend => ({
  name: healthy ? "Healthy" : "Unhealthy",
  against: 0,
});

/** True where the next result could only change something if it differs from the last one. */
export const isSettled = (trend: Trend): boolean => trend.name !== "Unknown" && trend.against === 0;

export function judge(
  trend: Trend,
  result: Result,
  { rise, fall }: Thresholds,
): { readonly trend: Trend; readonly verdict: Verdict | undefined } {
  const told: Verdict = { healthy: result.ok, reason: result.reason };
  if (trend.name === "Unknown") return { trend: resumed(result.ok), verdict: told };
  if ((trend.name === "Healthy") === result.ok) {
    return { trend: resumed(result.ok), verdict: undefined };
  }
  const against = trend.against + 1;
  const needed = result.ok ? rise : fall;
  if (against < needed) return { trend: { name: trend.name, against }, verdict: undefined };
  return { trend: resumed(result.ok), verdict: told };
}
