/**
 * Reads bgpd's tables for whoever wants best paths: a table whose version moved, whole, and tells the difference.
 *
 * Nothing is read while nobody listens. Reading takes at most a tenth of the time. A table beyond MOST_PREFIXES is not read at all,
 * and a warning says so: its text would be 30 MB. I/O only through daemon.ts.
 * Reads next: best-path-table.ts, ../../native/best-path-feed.ts (the same promise, kept by the native speaker).
 */
import type { Family } from "../../../events/address.ts";
import type { BestPaths } from "../../best-paths.ts";
import type { Clock, Logger } from "../../clock.ts";
import {
  type BestPathTable,
  contentsOf,
  createBestPathTable,
  takeTable,
} from "./best-path-table.ts";
import type { Daemon } from "./daemon.ts";
import { vrfForFrr } from "./names.ts";
import type { SessionRecord } from "./session-record.ts";
import type { SessionWatch, Watched } from "./session-watch.ts";
import { parseTable } from "./tables.ts";
import { sayersIn, whoSaid } from "./who-said.ts";

export type BestPathWatch = {
  vrfs(names: Iterable<string>): void;
  listen(listener: (told: BestPaths) => void): () => void;
  look(): Promise<void>;
  /** Another process: its tables fill anew. */
  forget(): void;
};

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];
const MOST_PREFIXES = 100_000;
const SHARE = 10;
/** As the native speaker has them (../../native/inbound.ts), and for the same reasons. */
const DOWN_MILLIS = 120_000;
const END_OF_RIB_MILLIS = 360_000;
const QUIET_MILLIS = 10_000;
/** Between two questions whether End-of-RIB came. */
const AGAIN_MILLIS = 1_000;

type Reading = {
  readonly table: BestPathTable;
  version: number | undefined;
  movedAt: number;
  notBefore: number;
  complete: boolean;
  warned: boolean;
};

export type BestPathWatchOptions = {
  readonly daemon: Daemon;
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly logger: Logger;
  readonly sessions: Pick<SessionWatch, "watched" | "record" | "summary" | "again">;
};

export function createBestPathWatch(options: BestPathWatchOptions): BestPathWatch {
  const { daemon, clock, logger, sessions } = options;
  const readings = new Map<string, Reading>();
  const listeners = new Set<(told: BestPaths) => void>();
  let startedAt = clock.monotonicMillis();
  let againAt = startedAt;

  const tell = (told: BestPaths): void => {
    for (const listener of listeners) listener(told);
  };
  const isOver = (one: Watched, family: Family, { movedAt }: Reading): boolean => {
    const now = clock.monotonicMillis();
    const record: SessionRecord | undefined = sessions.record(one.intent.key);
    if (record?.state !== "Established") {
      const patience = one.intent.gracefulRestart?.restartTimeSeconds;
      return now - startedAt >= (patience === undefined ? DOWN_MILLIS : 1000 * patience);
    }
    const { detail, sinceMillis } = record;
    if (detail === undefined) return false;
    if (!detail.families.includes(family) || detail.endOfRib.includes(family)) return true;
    return detail.gracefulRestart
      ? now - sinceMillis >= END_OF_RIB_MILLIS
      : now - Math.max(movedAt, sinceMillis) >= QUIET_MILLIS;
  };
  const unsettled = (reading: Reading): readonly Watched[] =>
    [...sessions.watched().values()].filter(
      (one) =>
        one.vrf === reading.table.vrf &&
        one.intent.families.includes(reading.table.family) &&
        !isOver(one, reading.table.family, reading),
    );
  const read = async (reading: Reading, settled: boolean): Promise<void> => {
    const { vrf, family } = reading.table;
    const who = sayersIn(sessions);
    const began = clock.monotonicMillis();
    const detail = who.isAmbiguous ? " detail" : "";
    const command = `show bgp vrf ${vrfForFrr(vrf)} ${family} unicast json${detail}`;
    const found = await daemon.ask(command, parseTable);
    if (found === undefined || readings.get(`${vrf}|${family}`) !== reading) return;
    const said = takeTable(reading.table, found.rows, (path) => whoSaid(who, vrf, path), settled);
    reading.version = found.version;
    for (const batch of said) tell(batch);
    const now = clock.monotonicMillis();
    reading.notBefore = now + (now - began) * SHARE;
  };

  const lookAt = async (reading: Reading): Promise<void> => {
    const { vrf, family } = reading.table;
    const size = sessions.summary()?.tables.get(`${vrf}|${family}`);
    // bgpd has no such table, as where no neighbour of it has the family.
    const { version, prefixes } = size ?? { version: 0, prefixes: 0 };
    const now = clock.monotonicMillis();
    if (prefixes > MOST_PREFIXES) {
      if (!reading.warned) {
        logger.warn({ vrf, family, prefixes, most: MOST_PREFIXES }, "a table too large to be read");
      }
      reading.warned = true;
      return;
    }
    reading.warned = false;
    const settled = reading.complete || unsettled(reading).length === 0;
    const isMoved = reading.version !== version;
    if (isMoved) reading.movedAt = now;
    const completes = settled && !reading.complete;
    if ((isMoved || completes) && (now >= reading.notBefore || completes))
      await read(reading, settled);
    if (!completes || daemon.state().type !== "up" || reading.version === undefined) return;
    reading.complete = true;
    tell({ type: "complete", vrf, family });
  };

  const askAgain = async (): Promise<void> => {
    const now = clock.monotonicMillis();
    if (now < againAt) return;
    againAt = now + AGAIN_MILLIS;
    const waiting = new Set(
      [...readings.values()].filter((one) => !one.complete).flatMap(unsettled),
    );
    for (const { intent } of waiting) {
      if (sessions.record(intent.key)?.state === "Established") await sessions.again(intent.key);
    }
  };

  return {
    vrfs(names) {
      const wanted = new Set(["", ...names]);
      for (const [key, { table }] of readings) if (!wanted.has(table.vrf)) readings.delete(key);
      for (const vrf of wanted) {
        for (const family of FAMILIES) {
          const key = `${vrf}|${family}`;
          if (!readings.has(key)) readings.set(key, newReading(createBestPathTable(vrf, family)));
        }
      }
    },
    listen(listener) {
      listeners.add(listener);
      for (const { table, complete } of readings.values()) {
        for (const batch of contentsOf(table)) listener(batch);
        if (complete) listener({ type: "complete", vrf: table.vrf, family: table.family });
      }
      return () => {
        listeners.delete(listener);
      };
    },
    async look() {
      if (listeners.size === 0 || sessions.summary() === undefined) return;
      await askAgain();
      for (const reading of readings.values()) await lookAt(reading);
    },
    forget() {
      startedAt = clock.monotonicMillis();
      for (const reading of readings.values()) {
        reading.version = undefined;
        reading.complete = false;
        reading.notBefore = 0;
      }
    },
  };
}

const newReading = (table: BestPathTable): Reading => ({
  table,
  version: undefined,
  movedAt: 0,
  notBefore: 0,
  complete: false,
  warned: false,
});
