/**
 * Brings a log database to the newest schema: numbered SQL files, each in one transaction of its own.
 *
 * Never edits a file that was released and never runs one twice: the database keeps each file's SHA-256. Never touches a
 * database that a newer program wrote. SHA-256 is handed in. Reads next: 001-log.sql, ../events/log/store.ts.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "../events/log/sqlite.ts";

export type Migration = { readonly number: number; readonly name: string; readonly sql: string };

export type Migrated =
  | { readonly type: "migrated"; readonly ran: readonly string[] }
  /** Written by a program that knows more migrations than this one. */
  | { readonly type: "newer"; readonly has: number; readonly knows: number }
  /** The database was made by a file of the same number and another content. */
  | { readonly type: "edited"; readonly name: string };

const NAME = /^(\d{3})-[a-z0-9-]+\.sql$/;

/** The released files in order. Throws where a number is missing or twice: our own bug. */
export function readMigrations(directory: string = import.meta.dirname): Migration[] {
  const names = readdirSync(directory).filter((name) => NAME.test(name));
  return names.toSorted().map((name, place) => {
    const number = Number(NAME.exec(name)?.[1]);
    if (number !== place + 1) throw new Error(`migrations must be numbered without gaps: ${name}`);
    return { number, name, sql: readFileSync(`${directory}/${name}`, "utf8") };
  });
}

/** Runs what the database lacks. `sha256` gives hexadecimal. SQLite's errors pass through. */
export function migrate(
  database: Database,
  migrations: readonly Migration[],
  sha256: (text: string) => string,
): Migrated {
  const has = Number(database.pragma("user_version", { simple: true }));
  if (has > migrations.length) return { type: "newer", has, knows: migrations.length };
  const edited = migrations
    .slice(0, has)
    .find(({ number, sql }) => recordedDigest(database, number) !== sha256(sql));
  if (edited !== undefined) return { type: "edited", name: edited.name };
  const missing = migrations.slice(has);
  for (const migration of missing) runOne(database, migration, sha256(migration.sql));
  return { type: "migrated", ran: missing.map(({ name }) => name) };
}

function recordedDigest(database: Database, number: number): unknown {
  return database.prepare("SELECT sha256 FROM migration WHERE number = ?").pluck().get(number);
}

/** user_version is part of the transaction, so a crash leaves either all of a migration or none. */
function runOne(database: Database, { number, name, sql }: Migration, digest: string): void {
  database
    .transaction(() => {
      database.exec(
        "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT",
      );
      database.exec(sql);
      database.prepare("INSERT INTO migration VALUES (?, ?, ?)").run(number, name, digest);
      database.pragma(`user_version = ${number}`);
    })
    .immediate();
}
