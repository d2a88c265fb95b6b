/**
 * Times as people and JSON write them ↔ nanoseconds since 1970 as the log keeps them.
 *
 * Pure: it never asks what time it is. RFC 3339 §5.6, with up to nine digits of fraction and with `T` or a space.
 */

const NANOS_PER_MILLI = 1_000_000n;
const rfc3339 =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([Zz]|[+-]\d{2}:\d{2})?)?$/;

/** Nanoseconds since 1970-01-01T00:00:00Z; a date alone is its midnight, no offset means UTC. undefined: not a time. */
export function parseTime(text: string): bigint | undefined {
  const found = rfc3339.exec(text);
  if (found === null) return undefined;
  const [, date, clock = "00:00", second = "00", fraction = "", offset = "Z"] = found;
  const millis = Date.parse(`${date}T${clock}:${second}${offset.toUpperCase()}`);
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * NANOS_PER_MILLI + BigInt(fraction.padEnd(9, "0"));
}

/** `2026-01-31T10:00:00.000000000Z`; nine digits always, so that text sorts as time does. */
export function formatTime(wall: bigint): string {
  const millis = wall / NANOS_PER_MILLI;
  const rest = wall % NANOS_PER_MILLI;
  const whole = new Date(Number(millis)).toISOString();
  return `${whole.slice(0, -1)}${String(rest).padStart(6, "0")}Z`;
}
