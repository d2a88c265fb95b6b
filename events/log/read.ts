/**
 * Reads a log: in pages through a handle of its own that cannot write.
 *
 * No transaction is held between pages, so that a slow consumer never keeps the writer from checkpointing. A read of every
 * fact checks the chain as it goes: a damaged row is refused at its seq and never folded. A filtered read checks each row
 * by itself. readOnlyLog() opens any file, also a copy on another host, and changes nothing beside it.
 * Reads next: chain.ts (what a row says), verify.ts, export.ts.
 */
import { constants, copyFileSync, existsSync, linkSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMigrations } from "../../migrations/run.ts";
import type { Erased, Recorded, Source } from "../envelope.ts";
import { type EventId, type Seq, seq as asSeq } from "../ids.ts";
import { bodyDigest, checkRow, decodeRow, GENESIS, type Row } from "./chain.ts";
import { LogError, type LogHead, type ReadFilter } from "./log.ts";
import { asLogError, type Database, isDamage, openForReading } from "./sqlite.ts";

export type LogReader = {
  /** The newest committed position; seq 0 and an empty hash for an empty log. */
  head(): LogHead;
  /** Facts in order of seq. Throws LOG_CORRUPT or LOG_NEWER, naming the seq, when it gets there. */
  read(filter: ReadFilter): Iterable<Recorded | Erased>;
  /** Stored rows, unchecked, in order. Throws LOG_CORRUPT at the first row that SQLite cannot read. */
  rows(from: number, to?: number): Iterable<Row>;
  hashAt(seq: number): string | undefined;
  seqOf(id: EventId): Seq | undefined;
  /** Undefined also where the source has no position. */
  find(source: Source): Seq | undefined;
  close(): void;
};

/** A page ends at whichever comes first: rows for many small facts, octets for a few huge ones. */
const PAGE_ROWS = 512;
const PAGE_OCTETS = 4 * 1024 * 1024;
/** A filtered read looks at so many rows in one statement: some ten milliseconds. */
const WINDOW_ROWS = 10_000;

const COLUMNS =
  "seq, id, header, body, lower(hex(body_digest)), lower(hex(hash)), source, position, erases";
type Columns = [
  seq: number,
  id: string,
  header: string,
  body: string | null,
  bodyDigest: string,
  hash: string,
  source: string | null,
  position: string | null,
  erases: number | null,
];

/** `shownAs`: the name that errors give. */
export function openReader(file: string, shownAs: string = file): LogReader {
  try {
    const database = openForReading(file);
    try {
      refuseUnknown(database, shownAs);
      return readerOf(database, shownAs);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw asLogError(error, shownAs);
  }
}

/**
 * A log file of whatever host, for reading only; a WAL beside it is read too. Where nobody has it open, it is opened under
 * another name in a private directory, because SQLite makes files beside every database that it opens.
 */
export function readOnlyLog(file: string): LogReader {
  if (!existsSync(file)) throw new LogError("LOG_UNREADABLE", `${file}: no such file`);
  if (existsSync(`${file}-shm`)) return openReader(file);
  const directory = mkdtempSync(join(tmpdir(), "rutter-log-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  try {
    const name = join(directory, "log.db");
    linkOrCopy(file, name);
    if (existsSync(`${file}-wal`)) linkOrCopy(`${file}-wal`, `${name}-wal`);
    const reader = openReader(name, file);
    return {
      ...reader,
      close: () => {
        reader.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** A second name costs nothing; another file system or owner wants a copy. */
function linkOrCopy(file: string, name: string): void {
  try {
    linkSync(file, name);
  } catch {
    try {
      copyFileSync(file, name, constants.COPYFILE_FICLONE);
    } catch (error) {
      throw asLogError(error, file);
    }
  }
}

function refuseUnknown(database: Database, file: string): void {
  const has = Number(database.pragma("user_version", { simple: true }));
  const knows = readMigrations().length;
  if (has > knows) {
    const text = `${file}: schema ${has} is newer than this rutter, which knows ${knows}: use the newer one`;
    throw new LogError("LOG_NEWER", text);
  }
  if (has === 0) throw new LogError("LOG_UNREADABLE", `${file}: not a log of rutter`);
}

function readerOf(database: Database, file: string): LogReader {
  const onePage = database
    .prepare<[number, number, number], Columns>(
      `SELECT ${COLUMNS} FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?`,
    )
    .raw();
  const newest = database
    .prepare<[], [number, string]>(
      "SELECT seq, lower(hex(hash)) FROM event ORDER BY seq DESC LIMIT 1",
    )
    .raw();
  const hashOf = database
    .prepare<[number], string>("SELECT lower(hex(hash)) FROM event WHERE seq = ?")
    .pluck();

  /** Rows up to a page's limits, and what stopped SQLite before, if anything did. */
  function page(from: number, to: number): { rows: Row[]; failure: unknown } {
    const found: Row[] = [];
    let octets = 0;
    try {
      for (const columns of onePage.iterate(from, to, PAGE_ROWS)) {
        const row = rowOf(columns);
        found.push(row);
        octets += row.header.length + (row.body?.length ?? 0);
        if (octets > PAGE_OCTETS) break;
      }
      return { rows: found, failure: undefined };
    } catch (failure) {
      return { rows: found, failure };
    }
  }

  function* rows(from: number, to: number = Number.MAX_SAFE_INTEGER): Iterable<Row> {
    for (let next = from; next <= to;) {
      const { rows: found, failure } = page(next, to);
      yield* found;
      next = (found.at(-1)?.seq ?? next - 1) + 1;
      if (failure !== undefined) throw asLogError(failure, file, `: seq ${next}`);
      if (found.length === 0) return;
    }
  }

  const seqOfId = database.prepare<[string], Seq>("SELECT seq FROM event WHERE id = ?").pluck();
  const seqOfPosition = database
    .prepare<[string, string], Seq>("SELECT seq FROM event WHERE source = ? AND position = ?")
    .pluck();

  const guarded = <T>(look: () => T): T => {
    try {
      return look();
    } catch (error) {
      throw asLogError(error, file);
    }
  };
  const head = (): LogHead => {
    const [last, hash] = guarded(() => newest.get()) ?? [0, ""];
    return { seq: asSeq(last), hash };
  };
  const hashAt = (seq: number): string | undefined => guarded(() => hashOf.get(seq));
  const every = (filter: ReadFilter): Iterable<Recorded | Erased> =>
    chained(rows(filter.from ?? 1, filter.to), filter.from ?? 1, hashAt);
  return {
    head,
    rows,
    hashAt,
    seqOf: (id) => guarded(() => seqOfId.get(id)),
    find: ({ name, position }) =>
      position === undefined ? undefined : guarded(() => seqOfPosition.get(name, position)),
    read: (filter) =>
      limited(
        isNarrow(filter) ? matching(database, file, filter, head().seq) : every(filter),
        filter.limit,
      ),
    close: () => {
      database.close();
    },
  };
}

const rowOf = (columns: Columns): Row => {
  const [number, id, header, body, digest, hash, source, position, erases] = columns;
  return { seq: number, id, header, body, bodyDigest: digest, hash, source, position, erases };
};

const isNarrow = ({ types, subject, since, until }: ReadFilter): boolean =>
  (types ?? subject ?? since ?? until) !== undefined;

function* chained(
  rows: Iterable<Row>,
  from: number,
  hashAt: (seq: number) => string | undefined,
): Iterable<Recorded | Erased> {
  let previous = from <= 1 ? GENESIS : hashAt(from - 1);
  // Nothing stands before `from`: it lies beyond the end.
  if (previous === undefined) return;
  let expected = Math.max(from, 1);
  for (const row of rows) {
    const checked = checkRow(row, expected, previous);
    if (!checked.ok) throw new LogError("LOG_CORRUPT", `seq ${expected}: ${checked.reason}`);
    yield decodeRow(row);
    previous = row.hash;
    expected += 1;
  }
}

/**
 * SQLite looks for the member as JSON spells it in the header: a quote inside a string is always escaped, so nothing that
 * a user wrote can look like a member. `at` is the header's first object, and its wall clock the first member of it.
 */
function* matching(
  database: Database,
  file: string,
  filter: ReadFilter,
  newest: number,
): Iterable<Recorded | Erased> {
  const types = (filter.types ?? []).map((type) => member("type", type));
  const subjects = filter.subject === undefined ? [] : [member("subject", filter.subject)];
  const wall = 'CAST(substr(header, instr(header, \'"wall":"\') + 8, 20) AS INTEGER)';
  const conditions = [
    "seq BETWEEN ? AND ?",
    ...(filter.types === undefined ? [] : [anyOf(types)]),
    ...(filter.subject === undefined ? [] : [anyOf(subjects)]),
    ...(filter.since === undefined ? [] : [`${wall} >= ?`]),
    ...(filter.until === undefined ? [] : [`${wall} <= ?`]),
  ];
  const bounds = [filter.since, filter.until].filter((bound) => bound !== undefined);
  const statement = database
    .prepare<unknown[], Columns>(
      `SELECT ${COLUMNS} FROM event WHERE ${conditions.join(" AND ")} ORDER BY seq`,
    )
    .raw();
  const end = Math.min(filter.to ?? newest, newest);
  for (let from = Math.max(filter.from ?? 1, 1); from <= end; from += WINDOW_ROWS) {
    const to = Math.min(from + WINDOW_ROWS - 1, end);
    yield* window(from, to);
  }

  function window(from: number, to: number): (Recorded | Erased)[] {
    try {
      return statement.all(from, to, ...types, ...subjects, ...bounds).map(decodeAlone);
    } catch (error) {
      if (isDamage(error)) throw asLogError(error, file, `: between seq ${from} and ${to}`);
      throw asLogError(error, file);
    }
  }
}

const member = (name: string, value: string): string => `"${name}":${JSON.stringify(value)},`;

const anyOf = (members: readonly string[]): string =>
  members.length === 0 ? "0" : `(${members.map(() => "instr(header, ?) > 0").join(" OR ")})`;

function decodeAlone(columns: Columns): Recorded | Erased {
  const row = rowOf(columns);
  if (row.body !== null && bodyDigest(row.body) !== row.bodyDigest) {
    throw new LogError("LOG_CORRUPT", `seq ${row.seq}: body does not match its digest`);
  }
  return decodeRow(row);
}

function* limited<T>(items: Iterable<T>, limit: number | undefined): Iterable<T> {
  let left = limit ?? Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  for (const item of items) {
    yield item;
    left -= 1;
    if (left <= 0) return;
  }
}
