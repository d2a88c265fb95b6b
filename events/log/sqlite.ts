/**
 * The one door to better-sqlite3: opening, and what its errors mean.
 *
 * Knows no table. Nothing else imports the package. Reads next: store.ts (the writer's handle), read.ts (readers).
 */
import Sqlite from "better-sqlite3";
import { LogError } from "./log.ts";

export type Database = Sqlite.Database;

/** How long a statement waits for another process' lock (an operator's own sqlite3, a backup), milliseconds. */
const BUSY_MILLIS = 5_000;

/** A handle that writes. Settings that do not outlive a connection are made here; WAL is a property of the file. */
export function openForWriting(file: string): Database {
  const database = new Sqlite(file, { fileMustExist: true, timeout: BUSY_MILLIS });
  try {
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    // The writer checkpoints itself, between commits and not inside one.
    database.pragma("wal_autocheckpoint = 0");
    // An erased body must not live on in free space of the file.
    database.pragma("secure_delete = ON");
    database.pragma("trusted_schema = OFF");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A handle that cannot write. */
export function openForReading(file: string): Database {
  const database = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: BUSY_MILLIS });
  try {
    database.pragma("trusted_schema = OFF");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Takes an exclusive lock on a small database of its own; the kernel frees it when the process ends, however it ends. */
export function holdExclusively(file: string): Database | undefined {
  const database = new Sqlite(file, { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    if (sqliteCode(error)?.startsWith("SQLITE_BUSY") === true) return undefined;
    throw error;
  }
}

/** SQLite's extended result code (`SQLITE_FULL`, `SQLITE_IOERR_WRITE`…), or undefined where the error is not SQLite's. */
const sqliteCode = (error: unknown): string | undefined =>
  error instanceof Sqlite.SqliteError ? error.code : undefined;

/** Whether the file itself is damaged, by SQLite's word. */
export const isDamage = (error: unknown): boolean =>
  /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error) ?? "");

/** Whether the world refused (disk, permissions, locks); anything else of SQLite (constraints, misuse) is our own bug. */
export const isRefusal = (error: unknown): boolean =>
  /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|PERM|CORRUPT|NOTADB|PROTOCOL|TOOBIG)/.test(
    sqliteCode(error) ?? "",
  );

/** What opening or reading `file` failed with, as the log's own error. What neither SQLite nor the system refused is thrown on. */
export function asLogError(error: unknown, file: string, where = ""): LogError {
  if (error instanceof LogError) return error;
  const code = sqliteCode(error) ?? systemCode(error);
  if (code === undefined || (sqliteCode(error) !== undefined && !isRefusal(error))) throw error;
  const text = `${file}${where}: ${messageOf(error)} (${code})`;
  return new LogError(isDamage(error) ? "LOG_CORRUPT" : "LOG_UNREADABLE", text, { cause: error });
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** `ENOENT` and the like: only a failed system call has one beside the call's name. */
const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
