/**
 * The log's main side: hands facts to the writer's thread and tells what was committed.
 *
 * Never waits for the disk: facts are encoded here (one JSON text is copied between threads faster than an object) and
 * everything else happens in writer.ts. What was not recorded is counted until a `recording-interrupted` fact says so.
 * Reads next: writer.ts, read.ts (reads through a handle of this thread), log.ts (the interface).
 */
import { once } from "node:events";
import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Fact, Recorded } from "../envelope.ts";
import type { BookEvent } from "../event.ts";
import { seq as asSeq } from "../ids.ts";
import { type Encoded, encodeFact } from "./chain.ts";
import {
  type EventLog,
  type Interruption,
  type LogCounts,
  LogError,
  type LogHead,
  type Receipt,
  type Refused,
  type Snapshot,
} from "./log.ts";
import {
  type Answer,
  type FromWriter,
  pack,
  type Recovered,
  type ToWriter,
  type WriterStart,
} from "./messages.ts";
import { placeOf } from "./place.ts";
import { openReader } from "./read.ts";
import { readSnapshot } from "./snapshots.ts";

export type LogOptions = {
  /** The state directory; made where it is missing. */
  readonly directory: string;
  /** What this host is known by, for as long as its disk lives. */
  readonly host: string;
  /** Name and version, for whoever finds the log held. */
  readonly program: string;
  /** Makes a fact of one of the book's own events: the log has neither clock nor ids. */
  readonly birth: (event: BookEvent) => Fact;
  /** Walk the whole chain, and where it is damaged move it aside and begin a new log with `log-recovered`. */
  readonly recover?: boolean;
};

/** Facts that wait for a stalled disk may take this many characters; a minute of a very busy host. Then they are lost and counted. */
const WAITING_CHARACTERS = 256 * 1024 * 1024;
/** SQLite itself ends at a thousand million octets; the delta of a million routes takes some 60 million. */
const BODY_CHARACTERS = 128 * 1024 * 1024;
const HASH_CHARACTERS = 64;

type Waiting = {
  readonly facts: readonly Fact[];
  readonly refused: Refused;
  readonly characters: number;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: Error) => void;
};
type Settle = { readonly resolve: () => void; readonly reject: (error: Error) => void };

/** The writer's thread, which opens the log by itself, and its first word. */
export type Writer = { readonly worker: Worker; readonly opened: Promise<FromWriter[]> };

/** Starts the thread; whoever does must openLog() with it, for it holds the log from now on. */
export function startWriter({
  directory,
  host,
  program,
  recover = false,
}: Pick<LogOptions, "directory" | "host" | "program" | "recover">): Writer {
  const worker = new Worker(new URL("./writer.ts", import.meta.url), {
    workerData: { directory, host, program, recover } satisfies WriterStart,
    execArgv: [],
    env: workerEnvironment(),
  });
  const opened: Promise<FromWriter[]> = once(worker, "message");
  // It is waited for in openLog(), which says what went wrong.
  opened.catch(() => undefined);
  return { worker, opened };
}

/** Opens or makes the log of a directory. Rejects with LogError LOG_HELD, LOG_FOREIGN, LOG_NEWER, LOG_CORRUPT, LOG_UNREADABLE. */
export async function openLog(
  options: LogOptions,
  { worker, opened: first }: Writer = startWriter(options),
): Promise<EventLog> {
  const [opened] = await first;
  if (opened?.type === "not-opened") throw new LogError(opened.code, opened.message);
  if (opened?.type !== "opened") throw new Error(`the writer begins with ${opened?.type}`);
  const log = logOf(worker, options.directory, {
    seq: asSeq(opened.head.seq),
    hash: opened.head.seq === 0 ? "" : opened.head.hash,
  });
  if (opened.head.seq === 0) {
    await log.append(firstFacts(options, opened.id, opened.recovered));
  }
  return log;
}

/**
 * A worker does not share the compile cache of its process unless its environment names it. With it the thread starts in 45 ms
 * instead of 80 [measured]: no types are stripped a second time.
 */
function workerEnvironment(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  if (cache === undefined) return process.env;
  // Node says the folder of its own version, and wants the one that holds it.
  return { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
}

function firstFacts(
  { birth, host }: LogOptions,
  logId: string,
  recovered: Recovered | undefined,
): Fact[] {
  const created = birth({ type: "log-created", logId, host });
  return recovered === undefined
    ? [created]
    : [birth({ type: "log-recovered", ...recovered }), created];
}

function logOf(worker: Worker, directory: string, opened: LogHead): EventLog {
  const place = placeOf(directory);
  const reader = openReader(place.database);
  const waiting = new Map<number, Waiting>();
  const saving = new Map<number, Settle>();
  const listeners = new Set<(committed: readonly Recorded[]) => void>();
  const closed = Promise.withResolvers<void>();
  let closing = false;
  let tickets = 0;
  let waitingCharacters = 0;
  let head = opened;
  let lost: Interruption | undefined;
  let counts: LogCounts = { commits: 0, facts: 0, lost: 0 };

  const say = (message: ToWriter): void => {
    worker.postMessage(message, []);
  };

  function append(facts: readonly Fact[], refused: Refused = "lost"): Promise<Receipt> {
    if (closing) return Promise.reject(new LogError("LOG_CLOSED", "the log is closed"));
    const [first] = facts;
    if (first === undefined) return Promise.reject(new Error("a batch has at least one fact"));
    const encoded = facts.map(encodeFact);
    const characters = encoded.reduce((sum, one) => sum + one.header.length + one.body.length, 0);
    const refusal = tooMuch(encoded, characters);
    if (refusal !== undefined) {
      return Promise.reject(notRecorded(first, refused === "lost" ? facts.length : 0, refusal));
    }
    tickets += 1;
    const ticket = tickets;
    waitingCharacters += characters;
    return new Promise((resolve, reject) => {
      waiting.set(ticket, { facts, refused, characters, resolve, reject });
      say({ type: "append", ticket, batch: pack(encoded) });
    });
  }

  function tooMuch(encoded: readonly Encoded[], characters: number): string | undefined {
    if (encoded.some(({ body }) => body.length > BODY_CHARACTERS)) {
      return `a body has more than ${BODY_CHARACTERS} characters`;
    }
    return waiting.size > 0 && waitingCharacters + characters > WAITING_CHARACTERS
      ? "the disk is too slow: too much waits for it"
      : undefined;
  }

  function notRecorded({ at }: Pick<Fact, "at">, count: number, reason: string): LogError {
    lost = { lost: (lost?.lost ?? 0) + count, reason, since: lost?.since ?? at };
    counts = { ...counts, lost: counts.lost + count };
    return new LogError("NOT_RECORDED", `not recorded: ${reason}`);
  }

  function settle(answers: readonly Answer[]): void {
    const committed: Recorded[] = [];
    const settled: (() => void)[] = [];
    for (const answer of answers) {
      const batch = waiting.get(answer.ticket);
      if (batch === undefined) throw new Error(`no batch has ticket ${answer.ticket}`);
      waiting.delete(answer.ticket);
      waitingCharacters -= batch.characters;
      settled.push(settleOne(batch, answer, committed));
    }
    const last = committed.at(-1);
    if (last !== undefined) {
      head = { seq: last.seq, hash: last.hash };
      const { commits, facts } = counts;
      counts = { ...counts, commits: commits + 1, facts: facts + committed.length };
    }
    // Receipts resolve in a microtask, so whoever follows has seen the facts before whoever appended goes on.
    for (const done of settled) done();
    if (committed.length > 0) for (const listener of listeners) listener(committed);
  }

  function settleOne(batch: Waiting, answer: Answer, committed: Recorded[]): () => void {
    if ("notRecorded" in answer) {
      const [first] = batch.facts;
      if (first === undefined) throw new Error("a batch without facts was sent");
      const count = batch.refused === "lost" ? batch.facts.length : 0;
      const error = notRecorded(first, count, answer.notRecorded);
      return () => batch.reject(error);
    }
    const { outcome } = answer;
    if (outcome.type === "duplicate") {
      return () => batch.resolve({ type: "duplicate", seq: asSeq(outcome.seq) });
    }
    if (outcome.type === "refused") return () => batch.reject(new Error(outcome.reason));
    const positions = batch.facts.map((fact, index) => {
      const from = index * HASH_CHARACTERS;
      const position = {
        seq: asSeq(outcome.firstSeq + index),
        hash: outcome.hashes.slice(from, from + HASH_CHARACTERS),
      };
      committed.push({ ...fact, ...position });
      if (fact.event.type === "recording-interrupted") forgetLost(fact.event.lost);
      return position;
    });
    return () => batch.resolve({ type: "recorded", positions });
  }

  function forgetLost(recorded: number): void {
    const left = (lost?.lost ?? 0) - recorded;
    lost = lost === undefined || left <= 0 ? undefined : { ...lost, lost: left };
  }

  worker.on("message", (message: FromWriter) => {
    if (message.type === "committed") settle(message.answers);
    else if (message.type === "snapshot-done") {
      const { ticket, failure } = message;
      const save = saving.get(ticket);
      saving.delete(ticket);
      if (failure === undefined) save?.resolve();
      else save?.reject(new LogError("NOT_RECORDED", `snapshot not written: ${failure}`));
    } else if (message.type === "closed") closed.resolve();
  });
  // The writer's own bugs end the process, as ours do: systemd starts it again, and the log is replayed.
  worker.on("error", (error) => {
    throw error;
  });

  return {
    file: place.database,
    append,
    head: () => head,
    read: (filter) => reader.read(filter),
    find: (source) => reader.find(source),
    seqOf: (id) => reader.seqOf(id),
    follow: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    interruption: () => lost,
    counts: () => counts,
    saveSnapshot: (snapshot: Snapshot) => {
      if (closing) return Promise.reject(new LogError("LOG_CLOSED", "the log is closed"));
      tickets += 1;
      const ticket = tickets;
      return new Promise((resolve, reject) => {
        saving.set(ticket, { resolve, reject });
        say({ type: "snapshot", ticket, snapshot });
      });
    },
    has: ({ seq, hash }) => reader.hashAt(seq) === hash,
    loadSnapshot: (foldVersion) =>
      readSnapshot(place.snapshots, foldVersion, ({ seq, hash }) => reader.hashAt(seq) === hash),
    close: async () => {
      if (!closing) {
        closing = true;
        reader.close();
        say({ type: "close" });
      }
      await closed.promise;
    },
  };
}
