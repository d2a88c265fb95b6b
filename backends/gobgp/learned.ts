/**
 * Keeps the kernel's best paths in step with gobgpd's table: what its events name is looked up, all of it after a start.
 *
 * Lookups are coalesced while one runs. Routes of peers with graceful restart outlast a gobgpd that died until those peers
 * have said all again or their restart time is over; others' go when it is back without them, or did not come back.
 * Reads next: best-paths.ts (what is told).
 */
import { type Address, type Family } from "../../events/address.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import { BackendError } from "../backend.ts";
import type { BestPaths, PathSet } from "../best-paths.ts";
import type { Clock } from "../clock.ts";
import type { NeighborIntent } from "../intent.ts";
import {
  type Destination,
  familyMessage,
  familyOfMessage,
  TABLE,
  type WatchEvent,
} from "./api/messages.ts";
import { createBestPathTable, type Source } from "./best-paths.ts";
import type { GobgpClient } from "./io/client.ts";
import { watchedPrefix } from "./read/nlri.ts";
import { prefixOfPath } from "./read/paths.ts";
import type { Tracked } from "./read/sessions.ts";

export type LearnedOptions = {
  readonly client: GobgpClient;
  readonly clock: Clock;
  readonly sourceOf: (address: Address) => Source | undefined;
  readonly neighbors: () => readonly {
    readonly neighbor: NeighborIntent;
    readonly tracked: Tracked | undefined;
  }[];
  /** Until then nobody knows whose the paths are, nor who has yet to say something: all of it is nothing but early. */
  readonly isPlanned: () => boolean;
  readonly onFailure: (error: BackendError) => void;
};

export type Learned = {
  moved(paths: NonNullable<WatchEvent["table"]>["paths"]): void;
  /** gobgpd is there, perhaps another one: all of its table is read. */
  resync(): void;
  away(): void;
  /** Looks whether all has been said, or the time of what is kept is over. */
  check(): void;
  listen(listener: (told: BestPaths) => void): () => void;
  close(): void;
};

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];
/** Prefixes in one lookup, and destinations told at once. */
const PORTION = 1000;
/** As the native speaker's (native/inbound.ts): a peer that is down, one that never says End-of-RIB, one that may. */
const DOWN_MILLIS = 120_000;
const QUIET_MILLIS = 10_000;
const END_OF_RIB_MILLIS = 360_000;
/** Routes of peers without graceful restart, while gobgpd is away: as long as its start takes. */
const AWAY_MILLIS = 3000;

export function createLearned({
  client,
  clock,
  sourceOf,
  neighbors,
  isPlanned,
  onFailure,
}: LearnedOptions): Learned {
  const table = createBestPathTable(sourceOf);
  const started = clock.monotonicMillis();
  let waiting = new Set<Prefix>();
  let whole = false;
  let running = false;
  let closed = false;
  let isAway = true;
  let awaySince = started;
  /** Set from a death of gobgpd until everything kept was said again or its time is over. */
  let keepsSince: number | undefined;
  let lastMove = started;
  /** What gobgpd's table has, as far as it was read. */
  let seen: Readonly<Record<Family, Set<Prefix>>> = { ipv4: new Set(), ipv6: new Set() };

  const hasWork = (): boolean => (whole || waiting.size > 0) && !isAway && !closed;
  const run = async (): Promise<void> => {
    if (running || closed) return;
    running = true;
    try {
      while (hasWork()) await (whole ? readAll() : readWaiting());
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      onFailure(error);
    } finally {
      running = false;
    }
  };

  const ask = (family: Family, prefixes: readonly { prefix: string; type: number }[]) =>
    client.walk("ListPath", {
      table_type: TABLE.global,
      name: "",
      family: familyMessage(family),
      prefixes,
      enable_filtered: false,
      enable_only_binary: true,
    });

  const readWaiting = async (): Promise<void> => {
    const { first } = await client.dialect();
    const portion = [...waiting].slice(0, PORTION);
    for (const prefix of portion) waiting.delete(prefix);
    for (const family of FAMILIES) {
      const own = portion.filter((prefix) => prefixFamily(prefix) === family);
      if (own.length === 0) continue;
      const found = new Map<Prefix, Destination | undefined>(
        own.map((prefix) => [prefix, undefined]),
      );
      for await (const { destination } of ask(
        family,
        own.map((prefix) => ({ prefix, type: first })),
      )) {
        const prefix = prefixIn(destination);
        if (destination !== null && prefix !== undefined) found.set(prefix, destination);
      }
      for (const [prefix, destination] of found) {
        if (destination === undefined) seen[family].delete(prefix);
        else seen[family].add(prefix);
      }
      if (!closed) table.take(found);
    }
  };

  const readAll = async (): Promise<void> => {
    whole = false;
    const present = { ipv4: new Set<Prefix>(), ipv6: new Set<Prefix>() };
    for (const family of FAMILIES) {
      let portion = new Map<Prefix, Destination | undefined>();
      for await (const { destination } of ask(family, [])) {
        const prefix = prefixIn(destination);
        if (destination === null || prefix === undefined) continue;
        present[family].add(prefix);
        portion.set(prefix, destination);
        if (portion.size < PORTION) continue;
        if (!closed) table.take(portion);
        portion = new Map();
      }
      if (!closed) table.take(portion);
    }
    seen = present;
    sweep();
    check();
  };

  /** What gobgpd does not have (any more) goes, but for what is kept. */
  const sweep = (): void => {
    if (closed) return;
    const now = clock.monotonicMillis();
    const patience = new Map(
      neighbors().map(({ neighbor }) => [
        neighbor.key,
        1000 * (neighbor.gracefulRestart?.restartTimeSeconds ?? 0),
      ]),
    );
    const isKept = ({ paths }: PathSet): boolean => {
      const since = keepsSince;
      return (
        since !== undefined &&
        paths.every(
          ({ neighbor }) =>
            now - since < Math.max(patience.get(neighbor) ?? 0, isAway ? AWAY_MILLIS : 0),
        )
      );
    };
    for (const family of FAMILIES) {
      const isOver = keepsSince !== undefined && !isAway && isSettled(family);
      table.sweep(isAway ? NOTHING : seen[family], family, isOver ? () => false : isKept);
    }
  };

  const isSettled = (family: Family): boolean => {
    const now = clock.monotonicMillis();
    return neighbors()
      .filter(({ neighbor }) => neighbor.families.includes(family))
      .every(({ neighbor, tracked }) => {
        if (tracked?.status.state !== "Established") {
          const patience = neighbor.gracefulRestart?.restartTimeSeconds;
          return now - started >= (patience === undefined ? DOWN_MILLIS : 1000 * patience);
        }
        if (tracked.complete.has(family) || !tracked.status.families.includes(family)) return true;
        const agreed =
          neighbor.gracefulRestart !== undefined &&
          tracked.status.capabilities.includes("Graceful Restart");
        const quiet = Math.min(now - lastMove, now - tracked.status.sinceMillis);
        return agreed
          ? now - tracked.status.sinceMillis >= END_OF_RIB_MILLIS
          : quiet >= QUIET_MILLIS;
      });
  };

  const check = (): void => {
    if (!isPlanned()) return;
    if (keepsSince !== undefined) {
      // What the peers said meanwhile is in gobgpd's table, so that must be read before anything goes.
      if (!isAway && FAMILIES.every(isSettled)) {
        keepsSince = undefined;
        whole = true;
        void run();
        return;
      }
      sweep();
      if (table.size() === 0) keepsSince = undefined;
    }
    if (isAway || whole || running || waiting.size > 0) return;
    for (const family of FAMILIES) if (isSettled(family)) table.complete(family);
  };
  let cancel = (): void => undefined;
  const checking = (): void => {
    cancel = clock.after(1000, () => {
      check();
      checking();
    });
  };
  checking();

  return {
    moved(paths) {
      lastMove = clock.monotonicMillis();
      void client.dialect().then(
        (dialect) => {
          for (const path of paths) {
            if (path.family === null || familyOfMessage(path.family) === undefined) continue;
            const prefix = watchedPrefix(path.nlri, dialect);
            if (prefix !== undefined) waiting.add(prefix);
          }
          void run();
        },
        // It is gone; who watches the link says so.
        () => undefined,
      );
    },
    resync() {
      isAway = false;
      whole = true;
      waiting = new Set();
      lastMove = clock.monotonicMillis();
      void run();
    },
    away() {
      if (isAway) return;
      isAway = true;
      awaySince = clock.monotonicMillis();
      keepsSince = awaySince;
    },
    check,
    listen: table.listen,
    close() {
      closed = true;
      cancel();
    },
  };
}

const NOTHING: ReadonlySet<Prefix> = new Set();

const prefixIn = (destination: Destination | null): Prefix | undefined => {
  const [path] = destination?.paths ?? [];
  return path && prefixOfPath(path);
};
