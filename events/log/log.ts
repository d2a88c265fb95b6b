/**
 * The log as the rest of the program sees it; the worker thread, SQLite and the chain are behind it.
 *
 * Nothing here waits for the disk on the caller's thread. A batch is one transaction: all of it is recorded or nothing.
 * Reads next: open-log.ts (the writer in its worker), read.ts (readers), chain.ts (the hashes), recover.ts.
 */
import type { Erased, Fact, Instant, Recorded, Source } from "../envelope.ts";
import type { EventId, Seq } from "../ids.ts";

export type Receipt =
  | {
      readonly type: "recorded";
      /** One for each fact of the batch, in order. */
      readonly positions: readonly { readonly seq: Seq; readonly hash: string }[];
    }
  /** The batch's source position is in the log already: nothing was written, and this is where it stands. */
  | { readonly type: "duplicate"; readonly seq: Seq };

export type LogErrorCode =
  | "NOT_RECORDED" /* the disk refused; nothing of the batch is in the log */
  | "LOG_HELD" /* another agent has this database */
  | "LOG_FOREIGN" /* the database belongs to another host */
  | "LOG_NEWER" /* written by a newer version of this program */
  | "LOG_CORRUPT" /* refused at a named seq */
  | "LOG_CLOSED"
  | "LOG_UNREADABLE";

export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type LogHead = { readonly seq: Seq; readonly hash: string };

export type ReadFilter = {
  /** First seq to read; 1 where absent. */
  readonly from?: number;
  /** Last seq to read. */
  readonly to?: number;
  readonly types?: readonly string[];
  readonly subject?: string;
  /** Wall clock, nanoseconds, inclusive. */
  readonly since?: bigint;
  readonly until?: bigint;
  readonly limit?: number;
};

/** What a snapshot holds: a fold's own serialised state, and where in the log it stands. A cache: any mismatch, and it is ignored. */
export type Snapshot = {
  readonly foldVersion: string;
  readonly seq: Seq;
  readonly hash: string;
  readonly state: string;
};

/** The disk refused, and no `recording-interrupted` fact has told of it yet. `since`: birth of the first fact that it refused. */
export type Interruption = {
  readonly lost: number;
  readonly reason: string;
  readonly since: Instant;
};

/** What becomes of facts that are refused: they happened all the same and are lost, or whoever asked is told and nothing happened. */
export type Refused = "lost" | "answered";

/** In this run. */
export type LogCounts = {
  readonly commits: number;
  readonly facts: number;
  /** Facts that happened and were refused by the disk, whether a `recording-interrupted` has told of them or not. */
  readonly lost: number;
};

export interface EventLog {
  /** Path of the database. */
  readonly file: string;
  /**
   * Records the facts in one transaction, several waiting batches in one commit. Resolves after the commit (fsync).
   * Rejects with LogError NOT_RECORDED, after which nothing of the batch is in the log and later batches are tried anew.
   * `refused` (default: lost) says whether interruption() counts the facts then.
   */
  append(facts: readonly Fact[], refused?: Refused): Promise<Receipt>;
  /** The newest committed position; seq 0 and an empty hash for an empty log. */
  head(): LogHead;
  /** Committed facts in order of seq; reads in pages through a reader of its own and holds no transaction between pages. */
  read(filter: ReadFilter): Iterable<Recorded | Erased>;
  /** The fact that has this source and position, where it is in the log: what makes a retried change the same change. */
  find(source: Source): Seq | undefined;
  /** Where a recorded fact stands; undefined for one that is not recorded. */
  seqOf(id: EventId): Seq | undefined;
  /** Calls back after each commit, in order, with what was committed; the returned function stops it. */
  follow(listener: (committed: readonly Recorded[]) => void): () => void;
  /** What was lost since the last recorded `recording-interrupted`; append one, and its `lost` is taken off. */
  interruption(): Interruption | undefined;
  counts(): LogCounts;
  saveSnapshot(snapshot: Snapshot): Promise<void>;
  /** Whether the chain has this hash at this seq. */
  has(at: LogHead): boolean;
  /** The newest snapshot that the chain has, and whose fold version is `foldVersion`. */
  loadSnapshot(foldVersion: string): Snapshot | undefined;
  /** Waits for what was appended, checkpoints, and gives the database up. */
  close(): Promise<void>;
}
