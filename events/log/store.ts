/**
 * The writer's side of a log database: creating and opening it, and one commit for many batches.
 *
 * Synchronous and for one thread only. A group is one transaction; a batch in it that cannot be (its position is in the
 * log already, it erases what cannot be erased) is answered and left out before anything is written. After a failed
 * commit the store is of no more use: close it and open another, because a failed fsync must not be tried again in place.
 * Reads next: chain.ts (what is written), writer.ts (the thread that calls this).
 */
import { randomUUID } from "node:crypto";
import { existsSync, lstatSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { migrate, readMigrations } from "../../migrations/run.ts";
import { bodyDigest, chainHash, type Encoded, GENESIS, headerStart, idOf } from "./chain.ts";
import { LogError } from "./log.ts";
import { createFile, syncDirectory } from "./place.ts";
import { asLogError, type Database, isRefusal, messageOf, openForWriting } from "./sqlite.ts";

export type Outcome =
  /** Hashes in hexadecimal, one behind the other. */
  | { readonly type: "recorded"; readonly firstSeq: number; readonly hashes: string }
  | { readonly type: "duplicate"; readonly seq: number }
  /** The batch breaks a rule that its maker must keep: our own bug, not the disk's. */
  | { readonly type: "refused"; readonly reason: string };

export type Head = { readonly seq: number; readonly hash: string };

/** The disk refused. `outcomes` and `head` are what would hold if the commit is found in the file after all. */
export class CommitFailed extends Error {
  override readonly name = "CommitFailed";
  readonly outcomes: readonly Outcome[];
  readonly head: Head;
  constructor(cause: unknown, outcomes: readonly Outcome[], head: Head) {
    super(messageOf(cause), { cause });
    this.outcomes = outcomes;
    this.head = head;
  }
}

export type Store = {
  readonly identity: { readonly id: string; readonly host: string };
  head(): Head;
  /** One transaction, synced when this returns. Throws CommitFailed. */
  commit(batches: readonly (readonly Encoded[])[]): Outcome[];
  /** Copies the WAL into the database; `truncate` also empties the WAL. False where a reader was in the way. */
  checkpoint(mode: "passive" | "truncate"): boolean;
  close(): void;
};

/** Makes a new log under another name first, so that a database of this name is always a whole one. */
export function createStore(file: string, host: string): void {
  for (const suffix of ["-wal", "-shm"]) {
    if (existsSync(`${file}${suffix}`)) {
      throw new LogError("LOG_CORRUPT", `${file} is missing, and its ${suffix} is there: seq 1`);
    }
  }
  const unfinished = `${file}.new`;
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${unfinished}${suffix}`, { force: true });
  try {
    createFile(unfinished);
    const database = openForWriting(unfinished);
    try {
      upgrade(database, unfinished);
      database.prepare("INSERT INTO log_identity VALUES (1, ?, ?)").run(randomUUID(), host);
    } finally {
      database.close();
    }
    renameSync(unfinished, file);
    syncDirectory(dirname(file));
  } catch (error) {
    throw asLogError(error, file);
  }
}

/** Throws LOG_NEWER, LOG_FOREIGN, LOG_CORRUPT (SQLite's own word; the chain is verify.ts's) or LOG_UNREADABLE. */
export function openStore(file: string, host: string): Store {
  // SQLite would take an empty file for a new database; createStore() never leaves one.
  if (lstatSync(file).size === 0) throw new LogError("LOG_CORRUPT", `${file} is empty: seq 1`);
  try {
    const database = openForWriting(file);
    try {
      upgrade(database, file);
      return storeOf(database, identityOf(database, file, host));
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw asLogError(error, file);
  }
}

function upgrade(database: Database, file: string): void {
  const outcome = migrate(database, readMigrations(), bodyDigest);
  if (outcome.type === "newer") {
    const { has, knows } = outcome;
    const text = `${file}: schema ${has} is newer than this rutter, which knows ${knows}: use the newer one`;
    throw new LogError("LOG_NEWER", text);
  }
  if (outcome.type === "edited") {
    const text = `${file} was made by another ${outcome.name} than this rutter's`;
    throw new LogError("LOG_UNREADABLE", text);
  }
}

function identityOf(database: Database, file: string, host: string): Store["identity"] {
  const identity = database
    .prepare<[], Store["identity"]>("SELECT id, host FROM log_identity")
    .get();
  if (identity === undefined) {
    throw new LogError("LOG_CORRUPT", `${file} has lost its identity: seq 1`);
  }
  if (identity.host !== host) {
    const text =
      `${file} is the log of host ${identity.host}, and this is host ${host}: ` +
      "move it away to begin a new one here; it can still be read with --log";
    throw new LogError("LOG_FOREIGN", text);
  }
  return identity;
}

type Inserter = {
  add(seq: number, header: string, digest: string, hash: string, fact: Encoded): void;
  /** Writes what was added since; nothing is in the file before. */
  flush(): void;
};

/** Rows in one statement: eight take three quarters of the time of eight statements, and more gain nothing [measured]. */
const ROWS_A_STATEMENT = 8;
const PLACES = "(?, ?, ?, ?, ?, ?, ?, ?, ?)";
const COLUMN_COUNT = 9;
const DIGEST_OCTETS = 32;

/** One array and its digest buffers serve every statement: SQLite copies what it is given. */
function inserterOf(database: Database): Inserter {
  const into =
    "INSERT INTO event (seq, id, header, body, body_digest, hash, source, position, erases) VALUES ";
  const one = database.prepare(into + PLACES);
  const many = database.prepare(into + Array(ROWS_A_STATEMENT).fill(PLACES).join(", "));
  const values: unknown[] = Array(ROWS_A_STATEMENT * COLUMN_COUNT).fill(null);
  const octets = Array.from({ length: 2 * ROWS_A_STATEMENT }, () => Buffer.alloc(DIGEST_OCTETS));
  let rows = 0;
  const digestAt = (place: number, hex: string): Buffer => {
    const buffer = octets[place] ?? Buffer.alloc(DIGEST_OCTETS);
    buffer.write(hex, "hex");
    return buffer;
  };
  return {
    add: (seq, header, digest, hash, fact) => {
      const at = rows * COLUMN_COUNT;
      values[at] = seq;
      values[at + 1] = idOf(fact.header);
      values[at + 2] = header;
      values[at + 3] = fact.body;
      values[at + 4] = digestAt(2 * rows, digest);
      values[at + 5] = digestAt(2 * rows + 1, hash);
      values[at + 6] = fact.key?.[0] ?? null;
      values[at + 7] = fact.key?.[1] ?? null;
      values[at + 8] = fact.erases ?? null;
      rows += 1;
      if (rows < ROWS_A_STATEMENT) return;
      many.run(values);
      rows = 0;
    },
    flush: () => {
      for (let row = 0; row < rows; row += 1) {
        one.run(values.slice(row * COLUMN_COUNT, (row + 1) * COLUMN_COUNT));
      }
      rows = 0;
    },
  };
}

function storeOf(database: Database, identity: Store["identity"]): Store {
  const insert = inserterOf(database);
  const erase = database.prepare<[number]>("UPDATE event SET body = NULL WHERE seq = ?");
  const seqOfKey = database
    .prepare<[string, string], number>("SELECT seq FROM event WHERE source = ? AND position = ?")
    .pluck();
  const canErase = database
    .prepare<[number], number>(
      "SELECT 1 FROM event WHERE seq = ? AND body IS NOT NULL AND erases IS NULL",
    )
    .pluck();
  const newest = database
    .prepare<[], [number, string]>(
      "SELECT seq, lower(hex(hash)) FROM event ORDER BY seq DESC LIMIT 1",
    )
    .raw();
  const [seq, hash] = newest.get() ?? [0, GENESIS];
  let head: Head = { seq, hash };

  /** Rows of the batch behind `at`. */
  function put(
    batch: readonly Encoded[],
    at: Head,
  ): { readonly head: Head; readonly hashes: string } {
    let { seq: last, hash: linked } = at;
    let hashes = "";
    for (const fact of batch) {
      last += 1;
      const header = headerStart(last) + fact.header;
      const digest = bodyDigest(fact.body);
      linked = chainHash(linked, header, digest);
      hashes += linked;
      insert.add(last, header, digest, linked, fact);
    }
    insert.flush();
    for (const { erases } of batch) if (erases !== undefined) erase.run(erases);
    return { head: { seq: last, hash: linked }, hashes };
  }

  /** Answered without writing: a duplicate, a refusal; undefined where the batch can be put. */
  function refusal(batch: readonly Encoded[]): Outcome | undefined {
    for (const [place, { key, erases }] of batch.entries()) {
      const known = key === undefined ? undefined : seqOfKey.get(...key);
      if (known !== undefined) {
        return place === 0
          ? { type: "duplicate", seq: known }
          : { type: "refused", reason: `fact ${place} of a batch repeats position ${key?.[1]}` };
      }
      if (erases !== undefined && canErase.get(erases) === undefined) {
        return { type: "refused", reason: `the body of seq ${erases} cannot be erased` };
      }
    }
    const keys = batch.flatMap(({ key }) => (key === undefined ? [] : [JSON.stringify(key)]));
    const erasures = batch.flatMap(({ erases }) => erases ?? []);
    return new Set(keys).size < keys.length || new Set(erasures).size < erasures.length
      ? { type: "refused", reason: "a batch says the same position or erasure twice" }
      : undefined;
  }

  function commit(batches: readonly (readonly Encoded[])[]): Outcome[] {
    const outcomes: Outcome[] = [];
    let at = head;
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const batch of batches) {
        const refused = refusal(batch);
        if (refused === undefined) {
          const firstSeq = at.seq + 1;
          const done = put(batch, at);
          at = done.head;
          outcomes.push({ type: "recorded", firstSeq, hashes: done.hashes });
        } else outcomes.push(refused);
      }
      database.exec("COMMIT");
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw new CommitFailed(error, outcomes, at);
    }
    head = at;
    return outcomes;
  }

  return {
    identity,
    head: () => head,
    commit,
    checkpoint: (mode) => {
      const [result] = database
        .prepare<[], [busy: number, log: number, checkpointed: number]>(
          `PRAGMA wal_checkpoint(${mode.toUpperCase()})`,
        )
        .raw()
        .all();
      return result !== undefined && result[0] === 0 && result[1] === result[2];
    },
    close: () => {
      database.close();
    },
  };
}
