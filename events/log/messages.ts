/**
 * What the main thread and the writer's thread say to each other.
 *
 * Every message is plain data. One long string is copied between threads several times faster than an object for each
 * fact, so a batch travels packed. Never holds behaviour beyond that packing.
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

/** Headers and bodies in turn, a line each: compact JSON has no newline. */
export type PackedBatch = {
  readonly lines: string;
  readonly keys: readonly (readonly [place: number, source: string, position: string])[];
  readonly erasures: readonly (readonly [place: number, seq: number])[];
};

export const pack = (facts: readonly Encoded[]): PackedBatch => ({
  lines: facts.map(({ header, body }) => `${header}\n${body}`).join("\n"),
  keys: facts.flatMap(({ key }, place) => (key === undefined ? [] : [[place, ...key] as const])),
  erasures: facts.flatMap(({ erases }, place) =>
    erases === undefined ? [] : [[place, erases] as const],
  ),
});

export function unpack({ lines, keys, erasures }: PackedBatch): Encoded[] {
  const parts = lines.split("\n");
  const facts: Encoded[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    facts.push({
      header: parts[i] ?? "",
      body: parts[i + 1] ?? "",
      key: undefined,
      erases: undefined,
    });
  }
  for (const [place, source, position] of keys) {
    facts[place] = { ...factAt(facts, place), key: [source, position] };
  }
  for (const [place, seq] of erasures) facts[place] = { ...factAt(facts, place), erases: seq };
  return facts;
}

function factAt(facts: readonly Encoded[], place: number): Encoded {
  const fact = facts[place];
  if (fact === undefined) throw new Error(`a batch has no fact ${place}`);
  return fact;
}

export type ToWriter =
  | { readonly type: "append"; readonly ticket: number; readonly batch: PackedBatch }
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
