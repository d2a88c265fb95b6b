/**
 * The writer's side of a log database: creating and opening it, and one commit for many batches.
 *
 * Synchronous and for one thread only. A group is one transaction; a batch in it that cannot be (its position is in the
 * log already, it erases what cannot be erased) is answered and left out before anything is written. After a failed
 * commit the store is of no more use: close it and open another, because a failed fsync must not be tried again in place.
 * Reads next: chain.ts (what is written), writer.ts (the thread that calls this).
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, lstatSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { migrate, readMigrations } from "../../migrations/run.ts";
import {
  bodyDigest,
  chainFrom,
  DIGEST_OCTETS,
  type Encoded,
  GENESIS,
  headerStart,
  idOf,
} from "./chain.ts";
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

/** Rows as they go into the file, the first at seq `first`; digests of 32 octets one behind the other. */
type Rows = {
  readonly first: number;
  readonly facts: readonly Encoded[];
  readonly headers: readonly string[];
  readonly digests: Buffer;
  readonly hashes: Buffer;
};

/** Rows in one statement: sixteen take two thirds of the time of sixteen statements, and more gain nothing [measured]. */
const ROWS_A_STATEMENT = 16;

/**
 * What costs is each value that is handed to SQLite, so the large statement takes few: digests and hashes of all its rows as
 * a blob each, and nothing for the columns that only a fact with a position or an erasure has; that one goes alone.
 */
function inserterOf(database: Database): (rows: Rows) => void {
  const one = database.prepare(
    "INSERT INTO event (seq, id, header, body, body_digest, hash, source, position, erases) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const places = Array.from({ length: ROWS_A_STATEMENT }, (_, row) => `(${row}, ?, ?, ?)`);
  const octets = `1 + column1 * ${DIGEST_OCTETS}, ${DIGEST_OCTETS}`;
  // CROSS JOIN keeps the rows in order; were it otherwise, the file's own rule would refuse the statement.
  const many = database.prepare(
    `INSERT INTO event (seq, id, header, body, body_digest, hash)
     SELECT first + column1, column2, column3, column4, substr(digests, ${octets}), substr(hashes, ${octets})
     FROM (SELECT ? AS first, ? AS digests, ? AS hashes) CROSS JOIN (VALUES ${places.join(", ")})`,
  );

  function putOne({ first, facts, headers, digests, hashes }: Rows, row: number): void {
    const fact = facts[row];
    assert(fact !== undefined);
    const [source, position] = fact.key ?? [null, null];
    const digest = octetsOf(digests, row, 1);
    const hash = octetsOf(hashes, row, 1);
    const { header, body, erases = null } = fact;
    one.run(first + row, idOf(header), headers[row], body, digest, hash, source, position, erases);
  }

  function putMany({ first, facts, headers, digests, hashes }: Rows, from: number): void {
    const values: unknown[] = [
      first + from,
      octetsOf(digests, from, ROWS_A_STATEMENT),
      octetsOf(hashes, from, ROWS_A_STATEMENT),
    ];
    for (let row = from; row < from + ROWS_A_STATEMENT; row += 1) {
      const { header, body } = facts[row] ?? { header: "", body: "" };
      values.push(idOf(header), headers[row], body);
    }
    many.run(values);
  }

  return (rows) => {
    for (let row = 0; row < rows.facts.length;) {
      const next = rows.facts.slice(row, row + ROWS_A_STATEMENT);
      const large = next.length === ROWS_A_STATEMENT && next.every(isPlain);
      if (large) putMany(rows, row);
      else putOne(rows, row);
      row += large ? ROWS_A_STATEMENT : 1;
    }
  };
}

const isPlain = ({ key, erases }: Encoded): boolean => key === undefined && erases === undefined;

const octetsOf = (digests: Buffer, row: number, count: number): Buffer =>
  digests.subarray(row * DIGEST_OCTETS, (row + count) * DIGEST_OCTETS);

function storeOf(database: Database, identity: Store["identity"]): Store {
  const insert = inserterOf(database);
  const begin = database.prepare("BEGIN IMMEDIATE");
  const end = database.prepare("COMMIT");
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
    const digests = Buffer.allocUnsafe(batch.length * DIGEST_OCTETS);
    const hashes = Buffer.allocUnsafe(batch.length * DIGEST_OCTETS);
    const link = chainFrom(at.hash);
    const headers = batch.map((fact, row) => {
      const header = headerStart(at.seq + 1 + row) + fact.header;
      link(header, fact.body, digests, hashes, row * DIGEST_OCTETS);
      return header;
    });
    insert({ first: at.seq + 1, facts: batch, headers, digests, hashes });
    for (const { erases } of batch) if (erases !== undefined) erase.run(erases);
    const linked = hashes.toString("hex");
    const last = linked.slice(-2 * DIGEST_OCTETS);
    return { head: { seq: at.seq + batch.length, hash: last }, hashes: linked };
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
      begin.run();
      for (const batch of batches) {
        const refused = refusal(batch);
        if (refused === undefined) {
          const firstSeq = at.seq + 1;
          const done = put(batch, at);
          at = done.head;
          outcomes.push({ type: "recorded", firstSeq, hashes: done.hashes });
        } else outcomes.push(refused);
      }
      end.run();
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
