/**
 * The writer's thread: everything that waits goes into one commit, and disks that refuse are survived.
 *
 * It is the only one that writes the database. Never answers a batch before its commit is synced; never tries a failed
 * commit again in place: the connection is closed, opened anew, and what the file then holds decides what is answered.
 * Entry file of a worker (workerData: WriterStart). Reads next: messages.ts, store.ts, recover.ts.
 */
import assert from "node:assert/strict";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Encoded } from "./chain.ts";
import { LogError } from "./log.ts";
import {
  type Answer,
  type FromWriter,
  type ToWriter,
  unpack,
  type WriterStart,
} from "./messages.ts";
import { holdPlace, placeOf, preparePlace, saysFull, withWayOut } from "./place.ts";
import { openOrRecover } from "./recover.ts";
import { dropSnapshots, writeSnapshot } from "./snapshots.ts";
import { CommitFailed, type Head, openStore, type Outcome, type Store } from "./store.ts";

/** A commit takes no more facts than this, so that one flood does not make everybody else wait for all of it. */
const GROUP_FACTS = 20_000;
/**
 * Rough size of the WAL, in octets, at which it is copied into the database when nothing waits (SQLite's own default is 4 MB).
 * A small one is written over again and again, which costs a sync less than a file that grows.
 */
const CHECKPOINT_IDLE = 4 * 1024 * 1024;
/** The same in a flood. The copy takes 30 ms then, and 64 MB takes 110 ms to gain 2 % [measured]. */
const CHECKPOINT_BUSY = 16 * 1024 * 1024;
/** Octets of a commit that is one of a flood: more is on its way even where nothing waits yet. */
const FLOOD_COMMIT = 256 * 1024;
/** Octets that a commit writes beside its facts: pages are written whole. */
const COMMIT_OVERHEAD = 12 * 1024;

type Append = { readonly ticket: number; readonly facts: readonly Encoded[] };

assert(parentPort !== null, "writer.ts is a worker's entry");
const port = parentPort;
const start: WriterStart = workerData;
const place = placeOf(start.directory);
const say = (message: FromWriter): void => {
  port.postMessage(message);
};

let release: () => void = () => undefined;
let store: Store | undefined;
/** Head of the file as far as anybody was told. */
let told: Head = { seq: 0, hash: "" };
let walOctets = 0;
let saving: Promise<void> = Promise.resolve();

function open(): void {
  try {
    preparePlace(place);
    release = holdPlace(place, start.program);
    const opened = openOrRecover(place, start.host, start.recover);
    store = opened.store;
    told = store.head();
    say({
      type: "opened",
      head: told,
      id: store.identity.id,
      recovered: opened.recovered,
    });
    port.on("message", receive);
  } catch (error) {
    release();
    if (!(error instanceof LogError)) throw error;
    const message = saysFull(error.message) ? withWayOut(place, error.message) : error.message;
    say({ type: "not-opened", code: error.code, message });
  }
}

/** Takes what else waits, so that one sync serves all of it; a message of another sort waits for the commit. */
function receive(first: ToWriter): void {
  let next: ToWriter | undefined = first;
  while (next !== undefined) {
    if (next.type !== "append") {
      other(next);
      next = waiting();
      continue;
    }
    const group: Append[] = [];
    let facts = 0;
    while (next?.type === "append" && facts < GROUP_FACTS) {
      const batch = { ticket: next.ticket, facts: unpack(next.batch) };
      group.push(batch);
      facts += batch.facts.length;
      next = waiting();
    }
    say({ type: "committed", answers: commitGroup(group) });
    noteWritten(group, next === undefined);
  }
}

const waiting = (): ToWriter | undefined => receiveMessageOnPort(port)?.message;

function other(message: Exclude<ToWriter, { type: "append" }>): void {
  if (message.type === "close") {
    void saving.then(close);
    return;
  }
  const { ticket, snapshot } = message;
  saving = saving
    .then(() => writeSnapshot(place.snapshots, snapshot))
    .then(
      () => say({ type: "snapshot-done", ticket, failure: undefined }),
      (error: Error) => say({ type: "snapshot-done", ticket, failure: error.message }),
    );
}

function commitGroup(group: readonly Append[]): Answer[] {
  const refused = (reason: string): Answer[] =>
    group.map(({ ticket }) => ({ ticket, notRecorded: withWayOut(place, reason) }));
  const reopened = store === undefined ? reopen() : undefined;
  if (store === undefined) return refused(reopened ?? "");
  try {
    const outcomes = store.commit(group.map(({ facts }) => facts));
    return answersOf(group, outcomes, store.head());
  } catch (error) {
    if (!(error instanceof CommitFailed)) throw error;
    return afterFailure(group, error) ?? refused(error.message);
  }
}

function answersOf(group: readonly Append[], outcomes: readonly Outcome[], head: Head): Answer[] {
  told = head;
  return group.map(({ ticket }, index) => {
    const outcome = outcomes[index];
    assert(outcome !== undefined);
    return { ticket, outcome };
  });
}

/**
 * A commit can fail in its sync and still stand whole in the file. Then it is made durable by copying it into the database,
 * and counts; answers are undefined where nothing of it is there.
 */
function afterFailure(group: readonly Append[], failed: CommitFailed): Answer[] | undefined {
  closeStore();
  const before = told;
  if (reopen(failed.head) !== undefined || store === undefined) return undefined;
  return store.head().seq === before.seq
    ? undefined
    : answersOf(group, failed.outcomes, failed.head);
}

/** Gives the reason where it does not open. `possible`: a head that a failed commit may have left. */
function reopen(possible?: Head): string | undefined {
  try {
    const opened = openStore(place.database, start.host);
    const { seq, hash } = opened.head();
    if (seq !== told.seq) {
      // Otherwise the log holds what was answered as not recorded: only a restart, which replays it, makes that right.
      assert(possible?.seq === seq && possible.hash === hash, `the log moved to seq ${seq}`);
      assert(opened.checkpoint("truncate"), "a commit of doubtful durability cannot be made safe");
    }
    store = opened;
    return undefined;
  } catch (error) {
    if (error instanceof LogError) return error.message;
    throw error;
  }
}

function closeStore(): void {
  try {
    store?.close();
  } catch {
    // What the disk says at closing changes nothing: the file is opened anew and looked at.
  }
  store = undefined;
}

/** Checkpoints between commits, after the answers went out. */
function noteWritten(group: readonly Append[], nothingWaits: boolean): void {
  let erased = false;
  let octets = COMMIT_OVERHEAD;
  for (const { facts } of group) {
    for (const { header, body, erases } of facts) {
      octets += header.length + body.length;
      erased ||= erases !== undefined;
    }
  }
  walOctets += octets;
  const idle = nothingWaits && octets < FLOOD_COMMIT;
  if (erased) {
    dropSnapshots(place.snapshots);
    checkpoint("truncate");
  } else if (walOctets > (idle ? CHECKPOINT_IDLE : CHECKPOINT_BUSY)) checkpoint("passive");
}

function checkpoint(mode: "passive" | "truncate"): void {
  try {
    // A reader in the way: tried again when as much has been written again.
    store?.checkpoint(mode);
    walOctets = 0;
  } catch {
    // The disk refuses: the WAL keeps everything, and the next commit meets the same disk and answers for it.
    walOctets = 0;
  }
}

function close(): void {
  checkpoint("truncate");
  closeStore();
  release();
  say({ type: "closed" });
  port.close();
}

open();
