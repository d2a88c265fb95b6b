/**
 * Durations as these kinds write them: Go's text (`90s`, `1m30s`, `1.5h`), which is not ISO 8601.
 *
 * Never guesses a unit: a bare number other than 0 is refused, for it meant nanoseconds where the format comes from.
 */

const NANOS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const WHOLE = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
/** The longest sensible text; longer ones would only feed the pattern. */
const MAX_TEXT = 64;

/** Seconds, perhaps with a fraction, perhaps negative; undefined where the text is no duration. */
export function durationSeconds(text: string): number | undefined {
  if (text === "0" || text === "+0" || text === "-0") return 0;
  if (text.length > MAX_TEXT) return undefined;
  const [, sign, parts] = WHOLE.exec(text) ?? [];
  if (parts === undefined) return undefined;
  let nanos = 0;
  for (const [, amount = "", unit = ""] of parts.matchAll(PART)) {
    nanos += Math.round(Number(amount) * (NANOS[unit] ?? 0));
  }
  const seconds = nanos / 1e9;
  return sign === "-" && seconds !== 0 ? -seconds : seconds;
}
