/**
 * Everything that is seen of FRR's daemons: sessions, routes, best paths, BFD, and whether the daemons live.
 *
 * Asks, and never configures; its connections are its own, so that a long configuration never makes an answer late. A daemon that
 * died, hangs or prints nonsense is told within 3 s, and until it answers again no session of its is shown as Established. Everything
 * comes through the ports and the clock that it is given. Reads next: daemon.ts, session-watch.ts, best-path-watch.ts, shown.ts.
 */
import type { Address, Family } from "../../../events/address.ts";
import type { BfdKey, NeighborKey } from "../../../events/ids.ts";
import type {
  RouteBatch,
  SessionFact,
  SessionStatus,
  ShownRoute,
  SpeakerBfdFact,
} from "../../backend.ts";
import type { BestPaths } from "../../best-paths.ts";
import type { BfdStatus } from "../../bfd/parameters.ts";
import type { Clock, Logger } from "../../clock.ts";
import type { DaemonStatus, SpeakerDaemons } from "../../daemons.ts";
import { NO_SPEAKER, type SpeakerIntent } from "../../intent.ts";
import { createBestPathWatch } from "./best-path-watch.ts";
import { type BfdWatch, createBfdWatch } from "./bfd-watch.ts";
import {
  type Asks,
  createDaemon,
  type Daemon,
  type DaemonName,
  type DaemonNews,
} from "./daemon.ts";
import { daemonsSeen } from "./daemons-seen.ts";
import { type InstalledRoute, parseInstalled } from "./installed.ts";
import { vrfForFrr } from "./names.ts";
import { DOWN_MILLIS, IDLE_MILLIS, type Rhythm, spaced, startRhythm } from "./rhythm.ts";
import { createSessionWatch } from "./session-watch.ts";
import { shownRoutes } from "./shown.ts";

export type OnDaemon = (news: DaemonNews, reason: string, daemon: DaemonName) => void;

export interface Watcher {
  /** What is to be watched; what bgpd has besides is not shown. */
  neighbors(intent: SpeakerIntent): void;
  /** Session facts as the seam wants them; routes as counts, when they moved between two looks. */
  watch(listener: (fact: SessionFact | RouteBatch) => void): () => void;
  /** As the seam promises. Before a restarted bgpd is settled, nothing is taken back. */
  bestPaths(listener: (told: BestPaths) => void): () => void;
  /** In order of key; while bgpd does not answer, all Idle and since when. */
  sessions(): readonly SessionStatus[];
  /** Rejects with BackendError while it is walked. */
  routes(direction: "received" | "advertised", neighbor?: NeighborKey): AsyncIterable<ShownRoute>;
  /** Of neighbours whose BFD the speaker keeps; empty while bfdd does not answer. */
  bfd(): ReadonlyMap<BfdKey, BfdStatus>;
  onBfd(listener: (fact: SpeakerBfdFact) => void): () => void;
  /** What zebra made of bgpd's routes; undefined where there is no zebra, or no answer. */
  installed(vrf: string, family: Family): Promise<readonly InstalledRoute[] | undefined>;
  /** Told from then on; problems() says what stands. */
  onDaemon(listener: OnDaemon): () => void;
  /** `more`: those that are not watched here. */
  daemons(more: () => readonly DaemonStatus[]): SpeakerDaemons;
  /** One sentence for each daemon that does not answer. */
  problems(): readonly string[];
  /** A session of this address came or was lost, says somebody who need not be right: it is looked at once. */
  heard(news: { readonly address: Address; readonly reason: string }): void;
  /** Looks at once, as behind a change of configuration. */
  refreshSoon(): void;
  close(): void;
}

export type WatcherOptions = {
  readonly bgpd: Asks;
  readonly bfdd: Asks | undefined;
  readonly zebra: Asks | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
};

/** Between two looks that were asked for from outside: a whole one of 1,000 neighbours takes bgpd 11 ms. */
const NUDGE_MILLIS = 50;

export function createWatcher(options: WatcherOptions): Watcher {
  const { clock, logger } = options;
  const listeners = new Set<(fact: SessionFact | RouteBatch) => void>();
  const bfdListeners = new Set<(fact: SpeakerBfdFact) => void>();
  const daemonListeners = new Set<OnDaemon>();
  let intent: SpeakerIntent = NO_SPEAKER;

  const daemon = (
    name: DaemonName,
    vty: Asks | undefined,
    heard: (news: DaemonNews) => void,
  ): Daemon | undefined =>
    vty === undefined
      ? undefined
      : createDaemon({
          name,
          vty,
          clock,
          tell(news, reason) {
            const level = news === "up" ? "info" : "warn";
            logger[level]({ daemon: name, reason }, `${name} is ${news}`);
            heard(news);
            for (const listener of daemonListeners) listener(news, reason, name);
          },
        });

  const bgpd = createDaemon({
    name: "bgpd",
    vty: options.bgpd,
    clock,
    tell(news, reason) {
      logger[news === "up" ? "info" : "warn"]({ daemon: "bgpd", reason }, `bgpd is ${news}`);
      sessions.forget(news === "restarted" ? "restarted" : "away");
      if (news === "restarted") paths.forget();
      if (news === "down") sessions.tellAll();
      for (const listener of daemonListeners) listener(news, reason, "bgpd");
    },
  });
  const sessions = createSessionWatch({
    daemon: bgpd,
    clock,
    tell(fact) {
      for (const listener of listeners) listener(fact);
    },
  });
  const paths = createBestPathWatch({ daemon: bgpd, clock, logger, sessions });
  const bfdd = daemon("bfdd", options.bfdd, () => bfd?.forget());
  const bfd: BfdWatch | undefined =
    bfdd &&
    createBfdWatch({
      daemon: bfdd,
      clock,
      watched: () => sessions.watched().values(),
      tell(fact) {
        for (const listener of bfdListeners) listener(fact);
      },
    });
  const zebra = daemon("zebra", options.zebra, () => undefined);

  const looks = startRhythm(
    clock,
    checkedFirst(bgpd, clock, async () => {
      const next = await sessions.look();
      await paths.look();
      return next;
    }),
  );
  const nudge = spaced(clock, NUDGE_MILLIS, () => {
    sessions.hurry();
    looks.soon();
  });
  const rhythms: readonly Rhythm[] = [
    looks,
    ...(bfdd === undefined || bfd === undefined
      ? []
      : [startRhythm(clock, checkedFirst(bfdd, clock, bfd.look))]),
    ...(zebra === undefined
      ? []
      : [
          startRhythm(
            clock,
            checkedFirst(zebra, clock, () => Promise.resolve(IDLE_MILLIS)),
          ),
        ]),
  ];

  const onDaemon = (listener: OnDaemon) => added(daemonListeners, listener);
  return {
    neighbors(next) {
      intent = next;
      sessions.neighbors(next);
      paths.vrfs(next.routers.map(({ vrf }) => vrf));
      for (const rhythm of rhythms) rhythm.soon();
    },
    watch: (listener) => added(listeners, listener),
    bestPaths: paths.listen,
    sessions: sessions.statuses,
    routes: (direction, neighbor) =>
      shownRoutes({ daemon: bgpd, sessions, intent: () => intent }, direction, neighbor),
    bfd: () => bfd?.statuses() ?? new Map<BfdKey, BfdStatus>(),
    onBfd: (listener) => added(bfdListeners, listener),
    async installed(vrf, family) {
      const words = family === "ipv4" ? "ip" : "ipv6";
      return zebra?.ask(`show ${words} route vrf ${vrfForFrr(vrf)} bgp json`, parseInstalled);
    },
    onDaemon,
    daemons: (more) =>
      daemonsSeen(
        [bgpd, bfdd, zebra].filter((one) => one !== undefined),
        onDaemon,
        more,
      ),
    problems: () =>
      [bgpd, bfdd, zebra].map((one) => one?.problem() ?? "").filter((problem) => problem !== ""),
    heard({ address, reason }) {
      if (reason !== "") sessions.heard(address, reason);
      nudge.call();
    },
    refreshSoon() {
      sessions.hurry();
      for (const rhythm of rhythms) rhythm.soon();
    },
    close() {
      nudge.close();
      for (const rhythm of rhythms) rhythm.close();
      listeners.clear();
      bfdListeners.clear();
      daemonListeners.clear();
    },
  };
}

function added<T>(set: Set<T>, listener: T): () => void {
  set.add(listener);
  return () => {
    set.delete(listener);
  };
}

/** Whether it is the same process is asked once a second, and first wherever it is not known to answer. */
function checkedFirst(
  daemon: Daemon,
  clock: Pick<Clock, "monotonicMillis">,
  look: () => Promise<number>,
): () => Promise<number> {
  let checkAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.monotonicMillis();
    if (daemon.state().type !== "up" || now >= checkAt) {
      checkAt = now + IDLE_MILLIS;
      if (!(await daemon.check())) return DOWN_MILLIS;
    }
    return look();
  };
}
