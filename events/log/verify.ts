/**
 * Walks the chain and says where it breaks.
 *
 * Never changes anything and never believes a row: hashes are computed anew from the stored octets, and the columns that
 * SQLite's rules run on are compared with what header and body say. What was cut off the end can only be seen against a
 * checkpoint that is held elsewhere. Reads next: chain.ts.
 */
import { checkRow, decodeHeader, GENESIS, type Row } from "./chain.ts";
import { LogError } from "./log.ts";
import type { LogHead } from "./log.ts";
import { type Seq, seq as asSeq } from "../ids.ts";

/** What is walked: read.ts gives it. */
export type RowSource = { rows(from: number, to?: number): Iterable<Row> };

export type VerifyOptions = {
  /** First seq to check; the hash of the row before it is believed. 1 where absent. */
  readonly from?: number;
  /** A position that was noted elsewhere: the log must reach it, with this hash. */
  readonly checkpoint?: LogHead;
  /** Called now and then with the last seq that was found whole. */
  readonly onProgress?: (seq: Seq) => void;
};

export type Verified =
  | { readonly ok: true; readonly count: number; readonly head: LogHead }
  /** `head` is the last whole position before `seq`. */
  | {
      readonly ok: false;
      readonly seq: Seq;
      readonly reason: string;
      readonly head: LogHead;
    };

/** Rows between two calls of onProgress. */
const PROGRESS_ROWS = 10_000;

export function verifyLog(log: RowSource, options: VerifyOptions = {}): Verified {
  const from = options.from ?? 1;
  let head: LogHead = { seq: asSeq(from - 1), hash: "" };
  let count = 0;
  const broken = (reason: string, seq = head.seq + 1): Verified => ({
    ok: false,
    seq: asSeq(seq),
    reason,
    head,
  });
  /** seq of an erased row → the seq that says so. */
  const erasedRows = new Set<number>();
  const erasures = new Set<number>();
  try {
    if (from > 1) {
      const [before] = [...log.rows(from - 1, from - 1)];
      if (before === undefined) return broken("row is missing", from - 1);
      head = { seq: asSeq(before.seq), hash: before.hash };
    }
    for (const row of log.rows(from)) {
      const fault = faultOf(row, head, options.checkpoint);
      if (fault !== undefined) return broken(fault);
      if (row.body === null) erasedRows.add(row.seq);
      if (row.erases !== null) erasures.add(row.erases);
      head = { seq: asSeq(row.seq), hash: row.hash };
      count += 1;
      if (count % PROGRESS_ROWS === 0) options.onProgress?.(head.seq);
    }
  } catch (error) {
    // read.ts speaks of the first row that it could not read; rows before it were whole.
    if (!(error instanceof LogError) || error.code !== "LOG_CORRUPT") throw error;
    return broken(`row cannot be read: ${error.message}`);
  }
  const [unexplained] = [...erasedRows.difference(erasures)];
  if (unexplained !== undefined) {
    return broken("body is gone and no erased event names it", unexplained);
  }
  const { checkpoint } = options;
  if (checkpoint !== undefined && checkpoint.seq > head.seq) {
    return broken(`the end was cut off: the checkpoint stands at seq ${checkpoint.seq}`);
  }
  return { ok: true, count, head };
}

function faultOf(row: Row, head: LogHead, checkpoint: LogHead | undefined): string | undefined {
  const checked = checkRow(row, head.seq + 1, head.seq === 0 ? GENESIS : head.hash);
  if (!checked.ok) return checked.reason;
  if (checkpoint?.seq === row.seq && checkpoint.hash !== row.hash) {
    return "hash is not the checkpoint's: the log up to here was written anew";
  }
  return columnFault(row);
}

/** One expression takes a fifth of two searches for a text that begins with the header's commonest octet [measured]. */
const WANTS_COLUMNS = /"position":|"type":"erased"/;

/** Only rows that use the columns, or whose header could want them, are parsed: one in thousands. */
function columnFault(row: Row): string | undefined {
  const speaksOfThem = row.source !== null || row.erases !== null || WANTS_COLUMNS.test(row.header);
  if (!speaksOfThem) return undefined;
  const { source, type } = decodeHeader(row);
  const position = source.position ?? null;
  if (row.position !== position || row.source !== (position === null ? null : source.name)) {
    return "source position column is not the header's";
  }
  const erases = type === "erased" && row.body !== null ? erasedSeq(row.body) : null;
  return row.erases === erases ? undefined : "erases column is not the body's";
}

function erasedSeq(body: string): number | null {
  const { seq }: { readonly seq?: unknown } = JSON.parse(body);
  return typeof seq === "number" ? seq : null;
}
