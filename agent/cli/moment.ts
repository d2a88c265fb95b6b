/**
 * Points in time and in the log as operators write them: `42`, `2026-01-31T10:00:00Z`, `10m` (ago).
 *
 * Pure: what time it is, is handed in.
 */
import type { Moment } from "../api/core.ts";
import { formatTime, parseTime } from "../api/time.ts";
import { Failure } from "./failure.ts";
import { parseDuration } from "./terminal.ts";

const NANOS_PER_MILLI = 1_000_000n;
const NANOS_PER_SECOND = 1_000_000_000n;

/** Nanoseconds since 1970. Throws Failure USAGE, naming the option. */
export function timeOf(text: string, option: string, nowMillis: number): bigint {
  const before = parseDuration(text);
  if (before !== undefined) {
    return BigInt(nowMillis) * NANOS_PER_MILLI - BigInt(before) * NANOS_PER_SECOND;
  }
  const wall = parseTime(text);
  if (wall !== undefined) return wall;
  throw new Failure(
    "USAGE",
    `${option}: "${text}" is no time; write 2026-01-31T10:00:00Z, or 10m for ten minutes ago`,
  );
}

/** A seq where it is digits only, a time otherwise. */
export function momentOf(text: string, nowMillis: number): Moment {
  if (/^\d{1,15}$/.test(text)) return { type: "seq", seq: Number(text) };
  return { type: "time", wall: timeOf(text, "SEQ|TIME", nowMillis) };
}

/** As the API takes it. */
export const momentText = (moment: Moment): string =>
  moment.type === "seq" ? String(moment.seq) : formatTime(moment.wall);

/** Throws Failure USAGE. */
export function countOf(text: string, option: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Failure("USAGE", `${option}: "${text}" is no whole number`);
}
