/**
 * What of a lane was told once and is not in the stream any more, and which of it is told again.
 *
 * Pure. A purge may take messages of the middle or of one subject and leave the lane's newest, so the end of a lane says
 * nothing about it; what the stream still holds, message by message, does. Reads next: refill.ts (who looks and fills).
 */
import type { StreamInfo } from "../fleet/io/connection.ts";
import type { Lane } from "./lanes.ts";

/** The lane's facts above `from` and up to `to`; `to` is a fact of the lane that was told. */
export type Span = { readonly from: number; readonly to: number };

/** A hole that stays. `read`: every reader has it; `limits`: the stream's own rules took it; `log`: the host's log lacks it. */
export type Missing = Span & { readonly lane: Lane; readonly why: "read" | "limits" | "log" };

export type Coverage = {
  /** A message tells of everything of its lane above `from` and up to `to`. Messages may come in any order, and twice. */
  add(from: number, to: number): void;
  /** In order, what up to `upTo` no message tells of. */
  holes(upTo: number): readonly Span[];
};

export function coverage(): Coverage {
  /** Disjoint, in order, none touches the next. */
  let spans: Span[] = [];
  return {
    add(from, to) {
      // Nearly all messages follow the one before.
      let at = spans.length;
      while (at > 0 && (spans[at - 1]?.to ?? 0) >= from) at -= 1;
      let end = at;
      while (end < spans.length && (spans[end]?.from ?? 0) <= to) end += 1;
      const met = spans.slice(at, end);
      const made = {
        from: Math.min(from, ...met.map((span) => span.from)),
        to: Math.max(to, ...met.map((span) => span.to)),
      };
      spans.splice(at, end - at, made);
    },
    holes(upTo) {
      const below = spans.filter(({ from }) => from < upTo);
      const starts = [0, ...below.map(({ to }) => to)];
      const ends = [...below.map(({ from }) => from), upTo];
      return starts.flatMap((from, index) => {
        const to = ends[index] ?? 0;
        return from < to ? [{ from, to }] : [];
      });
    },
  };
}

/**
 * How many messages were taken out of a stream since it was made; it only grows. Where the stream's own rules let the oldest
 * go, only what is missing behind the first one counts.
 */
export const removedFrom = ({
  firstSequence,
  lastSequence,
  messages,
  isLimited,
}: StreamInfo): number =>
  isLimited && messages > 0 ? lastSequence - firstSequence + 1 - messages : lastSequence - messages;

/**
 * Splits a lane's holes into what is told again and what stays. `readers`: how far each reader of the lane has it; without
 * a reader everything is told again, for who comes is to find it.
 */
export function judgeHoles(
  lane: Lane,
  holes: readonly Span[],
  { readers, isLimited }: { readonly readers: readonly number[]; readonly isLimited: boolean },
): { readonly fill: readonly Span[]; readonly missing: readonly Missing[] } {
  const fill: Span[] = [];
  const missing: Missing[] = [];
  for (const hole of holes) {
    // What limits take from the beginning would be taken again, with more of what is newer.
    if (isLimited && hole.from === 0) missing.push({ ...hole, lane, why: "limits" });
    else if (readers.length > 0 && !isLackedBy(readers, hole)) {
      missing.push({ ...hole, lane, why: "read" });
    } else fill.push(hole);
  }
  return { fill, missing };
}

/** Whether a reader has not all of it. */
export const isLackedBy = (readers: readonly number[], { to }: Span): boolean =>
  readers.some((seq) => seq < to);
