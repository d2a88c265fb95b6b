/**
 * The host's end of the feed: reads the fleet's stream in order, and hands each change set to the core.
 *
 * Never judges and never deletes: a stream that is gone, empty, cut off or made anew says nothing about what is wanted. The
 * position is a hint. Where it fits no more, or a generation is missing, the newest base is taken, and where that does not
 * help the whole stream is read; what is known already does nothing. A set that the disk refuses is tried until it is
 * recorded, and the next one waits for it. Reads next: ../core/feed-intake.ts (who judges), ../fleet/io/bases.ts.
 */
import type { Clock, Logger } from "../../backends/clock.ts";
import type { FeedPosition, FeedState } from "../../events/state.ts";
import { LogError } from "../../events/log/log.ts";
import { backoffMillis, pause } from "../fleet/io/backoff.ts";
import { type FeedItem, feedJoiner, newestBase, readToEnd } from "../fleet/io/bases.ts";
import { type FleetConnection, FleetError, type StreamInfo } from "../fleet/io/connection.ts";
import type { SignedOctets } from "../fleet/parts.ts";
import type { FleetNames } from "../fleet/subjects.ts";

export type FleetFeedParts = {
  readonly names: Pick<FleetNames, "feedStream" | "bases">;
  /** The one consumer that this host may make. */
  readonly consumer: string;
  readonly connection: FleetConnection;
  readonly intake: FeedIntake;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  /** The feed as it is recorded; undefined: nothing was ever received. */
  readonly state: () => FeedState | undefined;
  /** Tells the fleet what was rejected. Must not throw. */
  readonly deadLetter: (what: string, reason: string, octets: Uint8Array) => void;
};

export type FleetFeedState = {
  readonly connected: boolean;
  /** Monotonic milliseconds of the last change of `connected`. */
  readonly sinceMillis: number;
  /** The server, or what is wrong. */
  readonly reason: string;
  /** Messages of the stream that were not handled yet; undefined: not known now. */
  readonly lag: number | undefined;
};

export type FleetFeed = {
  state(): FleetFeedState;
  stop(): Promise<void>;
};

/** How a reading begins: behind the recorded position, behind the newest base, or with the stream's first message. */
type Beginning = "position" | "base" | "whole";

/** The log's disk is looked at so often while it refuses: a second is nothing to who waits for a full disk to be cleared. */
const LONGEST_RETRY_MILLIS = 2000;

export function startFleetFeed(parts: FleetFeedParts): FleetFeed {
  const { connection, intake, clock, logger, names, consumer } = parts;
  const ended = new AbortController();
  let current = new AbortController();
  let beginning: Beginning = "position";
  let trouble: string | undefined;
  let lag: number | undefined;

  /** Until the disk takes it. Rejects only where the feed is stopped meanwhile. */
  const recorded = async <T>(act: () => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const done = await act();
        if (attempt > 0) trouble = undefined;
        return done;
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        if (attempt === 0)
          logger.warn({ reason: error.message }, "a change set waits for the disk");
        trouble = `a change set waits for the disk: ${error.message}`;
        const millis = Math.min(LONGEST_RETRY_MILLIS, backoffMillis(attempt, clock.random()));
        await pause(clock, millis, ended.signal);
        if (ended.signal.aborted) throw new FleetError("FLEET_READING_ENDED", "stopped");
      }
    }
  };

  const take = async (item: FeedItem, created: string): Promise<Received["verdict"]> => {
    const position = { stream: names.feedStream, created, sequence: item.sequence };
    if (item.type === "unreadable") {
      await recorded(() => intake.unreadable(item, position));
      parts.deadLetter(item.rule, item.reason, item.body);
      return "rejected";
    }
    const { verdict, reason } = await recorded(() => intake.receive(item.signed, position));
    if (verdict === "rejected") parts.deadLetter(verdict, reason, item.signed.octets);
    if (verdict === "gap" || verdict === "diverged") {
      if (trouble !== reason) logger.warn({ sequence: item.sequence }, reason);
      trouble = reason;
    } else if (verdict === "applied") trouble = undefined;
    return verdict;
  };

  /** The sequence to read from. */
  const begin = async (info: StreamInfo): Promise<number> => {
    const position = parts.state()?.position;
    const fits =
      position?.stream === names.feedStream &&
      position.created === info.created &&
      position.sequence <= info.lastSequence;
    if (beginning === "position" && fits) return position.sequence + 1;
    if (beginning === "whole") return 1;
    const base = await newestBase(connection, names);
    if (base === undefined || base.type === "unreadable") return begins("whole");
    const verdict = await take(base, info.created);
    return verdict === "rejected" ? begins("whole") : (begins("base"), base.sequence + 1);
  };
  const begins = (how: Beginning): number => {
    beginning = how;
    return 1;
  };

  const followOnce = async (): Promise<void> => {
    const info = await connection.streamInfo(names.feedStream);
    const from = await begin(info);
    const join = feedJoiner();
    current = new AbortController();
    const { signal } = current;
    await connection.read(
      {
        stream: names.feedStream,
        consumer,
        from,
        onStart: (pending) => {
          lag = pending;
          if (beginning !== "whole") trouble = undefined;
        },
        onMessage: async (message) => {
          lag = message.pending + 1;
          const item = join(message);
          const verdict = item === undefined ? undefined : await take(item, info.created);
          lag = message.pending;
          if (verdict !== "gap" || beginning === "whole") return;
          beginning = beginning === "position" ? "base" : "whole";
          current.abort();
        },
      },
      signal,
    );
  };

  const follow = async (): Promise<void> => {
    for (let attempt = 0; !ended.signal.aborted; attempt += 1) {
      try {
        await connection.connected(ended.signal);
        const began = clock.monotonicMillis();
        await followOnce();
        // It was ended on purpose: to begin elsewhere, or to look again.
        attempt = -1;
        if (clock.monotonicMillis() - began < SHORT_MILLIS) await rest(0);
      } catch (error) {
        if (!(error instanceof FleetError)) throw error;
        if (error.code !== "FLEET_NOT_CONNECTED") trouble = error.message;
        lag = undefined;
        if (beginning !== "position") beginning = "position";
        await rest(attempt);
      }
    }
  };
  const rest = (attempt: number): Promise<void> =>
    pause(clock, backoffMillis(Math.max(0, attempt), clock.random()), ended.signal);
  const SHORT_MILLIS = 1000;
  const running = follow();

  return {
    state: () => {
      const { connected, sinceMillis, reason } = connection.state();
      return {
        connected,
        sinceMillis,
        reason: connected ? (trouble ?? reason) : reason,
        lag: connected ? lag : undefined,
      };
    },
    async stop() {
      ended.abort();
      current.abort();
      await running;
    },
  };
}
