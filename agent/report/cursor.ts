/**
 * Where a lane of the audit stream is gone on with: a judgement of what the stream holds against what the log says.
 *
 * Pure. The outbox is a cursor in the log and nothing else: where it stands is read from the stream itself, so that nothing of
 * it can be lost or be wrong. A stream that lost its end (wiped, made anew, restored from a backup) is told again from what it
 * still has, or from the oldest seq that a reader lacks. Reads next: outbox.ts.
 */
import type { Place } from "./message.ts";

/** Everything of the lane up to `upTo` is in the stream; `readFrom` is the first seq of the log to look at. */
export type Resume = {
  readonly upTo: number;
  readonly readFrom: number;
  /** `foreign`: the stream tells of another log than this one. */
  readonly why: "goes-on" | "nothing-there" | "foreign";
};

export type Found = {
  /** The lane's newest message; undefined: there is none. */
  readonly last: Place | undefined;
  /** Of the newest checkpoint in the stream: the lane's newest acknowledged seq then, and how far the log had been looked through. */
  readonly looked: { readonly last: number; readonly to: number } | undefined;
  /** How far each reader that reads this lane has it. */
  readonly readers: readonly number[];
};

/** The log's own hash at a seq; undefined beyond its end. */
export type HashAt = (seq: number) => string | undefined;

export function resume({ last, looked, readers }: Found, hashAt: HashAt): Resume {
  if (last === undefined) {
    // A reader that has more than this log ever told has it of another log: everything is told again.
    const known = readers.filter((seq) => seq === 0 || hashAt(seq) !== undefined);
    const upTo = known.length === 0 || known.length < readers.length ? 0 : Math.min(...known);
    return { upTo, readFrom: upTo + 1, why: "nothing-there" };
  }
  if (hashAt(last.seq) !== last.hash) return { upTo: 0, readFrom: 1, why: "foreign" };
  const told = toldUpTo(last);
  const upTo = looked !== undefined && looked.last <= last.seq ? Math.max(told, looked.last) : told;
  const readFrom = looked?.last === upTo && looked.to > upTo ? looked.to + 1 : upTo + 1;
  return { upTo, readFrom, why: "goes-on" };
}

/**
 * A message says how far everything before it was acknowledged when it was sent. Where that is all there was before it, it
 * stands alone; otherwise one before it may be missing. Of a fact in parts only the last one says that all are there.
 */
const toldUpTo = ({ seq, previous, confirmed, isWhole }: Place): number =>
  isWhole && confirmed >= previous ? seq : confirmed;
