/**
 * What the main thread and the writer's thread say to each other.
 *
 * Types only. Every message is plain data; strings are copied between threads faster than objects, so facts travel encoded.
 * Reads next: open-log.ts (main side), writer.ts (the thread).
 */
import type { Encoded } from "./chain.ts";
import type { LogErrorCode, Snapshot } from "./log.ts";
import type { Head, Outcome } from "./store.ts";

/** How the thread is started (workerData). */
export type WriterStart = {
  readonly directory: string;
  readonly host: string;
  readonly program: string;
  readonly recover: boolean;
};

export type ToWriter =
  | { readonly type: "append"; readonly ticket: number; readonly facts: readonly Encoded[] }
  | { readonly type: "snapshot"; readonly ticket: number; readonly snapshot: Snapshot }
  | { readonly type: "close" };

/** A log that could not be read on was moved aside. */
export type Recovered = {
  readonly lastSeq: number;
  readonly lastHash: string;
  readonly movedTo: string;
  readonly reason: string;
};

export type Answer =
  | { readonly ticket: number; readonly outcome: Outcome }
  | { readonly ticket: number; readonly notRecorded: string };

export type FromWriter =
  | {
      readonly type: "opened";
      readonly head: Head;
      readonly id: string;
      readonly recovered: Recovered | undefined;
    }
  | { readonly type: "not-opened"; readonly code: LogErrorCode; readonly message: string }
  /** One commit's answers, in the order in which the batches were appended. */
  | { readonly type: "committed"; readonly answers: readonly Answer[] }
  | {
      readonly type: "snapshot-done";
      readonly ticket: number;
      readonly failure: string | undefined;
    }
  | { readonly type: "closed" };
