/**
 * FRR behind the seam (backends/backend.ts): configured over its daemons' vty sockets, and watched over others.
 *
 * Level-triggered: what was applied last is kept, also by itself. A second after a change and once a minute it is compared with what
 * runs; a restarted daemon gets it again as soon as it answers. Never writes a file of FRR's, and never shuts a neighbour down, so that
 * what an agent leaves behind when it is killed works on by itself. Reads next: configurator.ts, watch/watcher.ts.
 */
import type { NeighborKey } from "../../events/ids.ts";
import {
  type Applied,
  BackendError,
  type Capabilities,
  type PathState,
  type Refused,
  type RevealSecret,
  type SpeakerBackend,
} from "../backend.ts";
import type { Clock, Logger } from "../clock.ts";
import { deltaOf, neighborsOf } from "../delta.ts";
import { NO_SPEAKER, type NeighborIntent, type SpeakerIntent } from "../intent.ts";
import type { TakeOver } from "./choice.ts";
import { clear } from "./config/clears.ts";
import { createConfigurator, type Made, removeAll } from "./configurator.ts";
import type { Vty } from "./io/vty.ts";
import { peerOf, routerLine } from "./render/names.ts";
import type { DaemonName } from "./watch/daemon.ts";

/** What the driver needs of a watcher (watch/watcher.ts). */
export type FrrWatcher = Pick<SpeakerBackend, "watch" | "bestPaths" | "sessions" | "routes"> & {
  neighbors(intent: SpeakerIntent): void;
  onDaemon(
    listener: (news: "up" | "down" | "restarted", reason: string, daemon: string) => void,
  ): () => void;
  refreshSoon(): void;
  close(): void;
};

export type FrrOptions = {
  /** A connection to a daemon's socket that is not shared; onLost as in io/vty.ts. */
  readonly open: (daemon: DaemonName, onLost?: () => void) => Vty;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reveal: RevealSecret;
  readonly capabilities: Capabilities;
  readonly watcher: FrrWatcher;
  /** Neighbours that an earlier run configured, from the log. */
  readonly ours: ReadonlySet<NeighborKey>;
  /** Which neighbours that somebody configured by hand become ours where the intent has them. */
  readonly takeOver: TakeOver;
  readonly hasZebra: boolean;
  readonly hasBfdd: boolean;
  /** Where bgpd is to tell of its sessions by BMP; asked only where it can. */
  readonly monitorPort?: (() => Promise<number | undefined>) | undefined;
};

/** Behind the last change, so that a burst is compared once. */
const QUIET_MILLIS = 1_000;
const CHECK_MILLIS = 60_000;
const FIRST_RETRY_MILLIS = 250;
const LAST_RETRY_MILLIS = 30_000;
/** Lines of a repair that the log shows. */
const SHOWN_LINES = 5;

export function createFrrBackend(options: FrrOptions): SpeakerBackend {
  const { clock, logger, watcher } = options;
  const paths = new Map<NeighborKey, PathState>();
  let told: SpeakerIntent | undefined;
  let wanted: SpeakerIntent | undefined;
  let lastRefused: readonly Refused[] = [];
  let isClosed = false;
  let cancelCheck = (): void => {};
  let failures = 0;

  const checkIn = (millis: number): void => {
    cancelCheck();
    if (!isClosed && wanted !== undefined) cancelCheck = clock.after(millis, check);
  };
  /** A daemon whose connection ends was restarted, or will be: it has nothing of ours then. */
  const soon = (): void => {
    if (failures === 0) checkIn(FIRST_RETRY_MILLIS);
  };
  const bgpd = options.open("bgpd", soon);
  const bfdd = options.hasBfdd ? options.open("bfdd", soon) : undefined;
  const zebra = options.hasZebra ? options.open("zebra") : undefined;
  // Its own connection: a session must end at once, whatever else is being said.
  const urgent = options.open("bgpd");
  const configurator = createConfigurator({ ...options, bgpd, bfdd, zebra });
  const inTurn = turns();

  const finished = (refused: readonly Refused[]): void => {
    failures = 0;
    const news = refused.filter(({ reason }) => !lastRefused.some((one) => one.reason === reason));
    for (const { subject, reason } of news)
      logger.warn({ subject, reason }, "FRR does not take it");
    lastRefused = refused;
  };
  const repaired = ({ refused, sent, isTidying }: Made): void => {
    const known = new Set(lastRefused.map(({ reason }) => reason));
    const isNews =
      sent.length > 0 && !(refused.length > 0 && refused.every(({ reason }) => known.has(reason)));
    finished(refused);
    if (!isNews || isTidying) return;
    logger.warn(
      { lines: sent.slice(0, SHOWN_LINES), count: sent.length },
      "FRR's configuration was not what was applied, and is again",
    );
    watcher.refreshSoon();
  };

  function check(): void {
    inTurn(async () => {
      if (isClosed || wanted === undefined) return;
      try {
        repaired(await configurator.whole(wanted));
        checkIn(CHECK_MILLIS);
      } catch (error) {
        if (!(error instanceof BackendError)) throw error;
        failures += 1;
        if ((failures & (failures - 1)) === 0)
          logger.warn(
            { code: error.code, reason: error.message, failures },
            "FRR can't be checked",
          );
        checkIn(Math.min(FIRST_RETRY_MILLIS * 2 ** failures, LAST_RETRY_MILLIS));
      }
    }).catch((bug: unknown) => {
      // Ours: it must end the process, as everywhere (style, rule 5).
      setImmediate(() => {
        throw bug;
      });
    });
  }

  const bring = async (intent: SpeakerIntent): Promise<Applied> => {
    wanted = intent;
    watcher.neighbors(intent);
    if (intent === told && lastRefused.length === 0) return { delta: deltaOf(intent, intent) };
    if (!(await configurator.quick(intent))) finished((await configurator.whole(intent)).refused);
    const taken = without(intent, lastRefused);
    const delta = deltaOf(told, taken);
    told = lastRefused.length === 0 ? intent : taken;
    watcher.refreshSoon();
    return lastRefused.length === 0 ? { delta } : { delta, refused: lastRefused };
  };

  const placeOf = (
    key: NeighborKey,
  ): { readonly router: string; readonly one: NeighborIntent } | undefined => {
    for (const { localAs, vrf, neighbors } of (told ?? NO_SPEAKER).routers) {
      const one = neighbors.find((neighbor) => neighbor.key === key);
      if (one !== undefined) return { router: routerLine(localAs, vrf), one };
    }
    return undefined;
  };
  const end = (key: NeighborKey, reason: string): void => {
    const place = placeOf(key);
    if (place === undefined) return;
    logger.info({ neighbor: key, reason }, "BFD is down: the session is ended");
    urgent.show(clear(place.router, peerOf(place.one))).catch((error: unknown) => {
      logger.warn({ neighbor: key, reason: String(error) }, "the session could not be ended");
    });
  };

  const stops = [
    watcher.onDaemon((news) => {
      if (news === "down") return;
      // It answers: there is no reason to wait for the end of a long pause.
      failures = 0;
      soon();
    }),
    watcher.watch((fact) => {
      if (fact.type !== "session" || fact.status.state !== "Established") return;
      const state = paths.get(fact.neighbor);
      // FRR itself can't wait for another one's BFD: a session that opens over a path that is down is ended again.
      if (state?.type === "down" && placeOf(fact.neighbor)?.one.waitsForBfd === true)
        end(fact.neighbor, state.reason);
    }),
  ];

  return {
    name: "frr",
    capabilities: options.capabilities,
    apply: (intent, signal) =>
      inTurn(async () => {
        if (signal.aborted || isClosed)
          throw new BackendError("SPEAKER_UNREACHABLE", "the agent stops");
        try {
          return await bring(intent);
        } finally {
          checkIn(QUIET_MILLIS);
        }
      }),
    watch: watcher.watch,
    bestPaths: watcher.bestPaths,
    sessions: watcher.sessions,
    routes: watcher.routes,
    path(key, state) {
      const before = paths.get(key);
      if (state.type === "unknown") paths.delete(key);
      else paths.set(key, state);
      if (state.type !== "down" || before?.type === "down") return;
      // RFC 5882 §4.3: it may be the peer's restart, and FRR's clear is a NOTIFICATION, behind which no route is kept. bgpd sees for
      // itself that the peer restarts; its routes stay as they would here.
      const restarts = placeOf(key)?.one.gracefulRestart !== undefined;
      if (restarts && !state.remoteControlPlaneIndependent) return;
      end(key, state.reason);
    },
    async close(mode) {
      if (isClosed) return;
      isClosed = true;
      cancelCheck();
      await inTurn(async () => {
        for (const stop of stops) stop();
        watcher.close();
        if (mode !== "final") return;
        try {
          finished((await removeAll(configurator)).refused);
        } catch (error) {
          if (!(error instanceof BackendError)) throw error;
          logger.warn({ reason: error.message }, "FRR keeps what it was told: it can't be reached");
        }
      });
      for (const one of [bgpd, bfdd, zebra, urgent]) one?.close();
    },
  };
}

/** What the speaker took: neighbours that it was not given are not in it. */
function without(intent: SpeakerIntent, refused: readonly Refused[]): SpeakerIntent {
  const known = neighborsOf(intent);
  const out = new Set(
    refused.flatMap(({ subject }) => (subject === undefined ? [] : [subject as string])),
  );
  if (![...known.keys()].some((key) => out.has(key))) return intent;
  return {
    ...intent,
    routers: intent.routers.map((router) => ({
      ...router,
      neighbors: router.neighbors.filter(({ key }) => !out.has(key)),
    })),
  };
}

/** One at a time, in the order of asking. */
function turns(): <T>(act: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = tail.then(act);
    tail = turn.catch(() => undefined);
    return turn;
  };
}
