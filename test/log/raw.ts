/**
 * SQLite without any of our rules about it: for tests that attack a log, or ask it past our own readers.
 */
import Sqlite from "better-sqlite3";
import { onTestFinished } from "vitest";

/** Closed after the test. */
export function rawDatabase(file: string): Sqlite.Database {
  const database = new Sqlite(file, { fileMustExist: true });
  onTestFinished(() => {
    database.close();
  });
  return database;
}

/** What somebody with root does first: the file's own rules are taken away. */
export function withoutRules(file: string): Sqlite.Database {
  const database = rawDatabase(file);
  const triggers = database
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    .pluck()
    .all();
  for (const trigger of triggers) database.exec(`DROP TRIGGER ${trigger}`);
  return database;
}
