/**
 * The host's end of the feed: reads the fleet's stream in order, and hands each change set to the core.
 *
 * Never judges and never deletes: a stream that is gone, empty, cut off or made anew says nothing about what is wanted. The
 * position is a hint. Where it fits no more, or a generation is missing, the newest base is taken, and where that does not
 * help the whole stream is read; what is known already does nothing. A set that the disk refuses is tried until it is
 * recorded, and the next one waits for it. Reads next: ../core/feed-intake.ts (who judges), ../fleet/io/bases.ts.
 */
import type { Clock, Logger } from "../../backends/clock.ts";
import type { FeedPosition } from "../../events/feed-event.ts";
import { LogError } from "../../events/log/log.ts";
import { backoffMillis, pause } from "../fleet/io/backoff.ts";
import { type FeedItem, feedJoiner, newestBase } from "../fleet/io/bases.ts";
import { type FleetConnection, FleetError, type StreamInfo } from "../fleet/io/connection.ts";
import type { SignedOctets } from "../fleet/parts.ts";
import type { FleetNames } from "../fleet/subjects.ts";

/** What became of a set. */
export type Taken = {
  readonly type:
    | "advanced"
    | "known" /* of our generation or an older one: nothing happened */
    | "gap" /* a generation between is missing: nothing happened */
    | "diverged" /* of another history than ours: nothing was applied */
    | "refused" /* recorded; at most the generation moved */;
  readonly reason?: string;
  /** Stable id of what a refused one breaks. */
  readonly rule?: string;
  /** Of this host afterwards. */
  readonly generation: number;
};

/** Who judges and records (core/feed-intake.ts). Both resolve after the commit, and reject with LogError where the disk refuses. */
export type FeedIntake = {
  take(signed: SignedOctets, position: FeedPosition): Promise<Taken>;
  /** What could not even be joined. */
  refuse(
    found: Pick<Extract<FeedItem, { type: "unreadable" }>, "rule" | "reason" | "signer" | "digest">,
    position: FeedPosition,
  ): Promise<unknown>;
};

export type FleetFeedParts = {
  readonly names: Pick<FleetNames, "feedStream" | "bases">;
  /** The one consumer that this host may make. */
  readonly consumer: string;
  readonly connection: FleetConnection;
  readonly intake: FeedIntake;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  /** Of the newest set that is recorded; undefined: nothing was ever received. */
  readonly position: () => FeedPosition | undefined;
  /** Tells the fleet what was refused. Must not throw. */
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

/** How a reading begins: behind the position, behind the newest base, or with the stream's first message. */
type Beginning = "position" | "base" | "whole";

/** The log's disk is looked at so often while it refuses: a second is nothing to who waits for a full disk to be cleared. */
const LONGEST_RETRY_MILLIS = 2000;
/** A reading that went on for so long was a good one: the next pause is a first one. */
const GOOD_MILLIS = 10_000;

const missing = (generation: number): string =>
  `generation ${generation} is not in the stream: a base of it or a later one is waited for`;

export function startFleetFeed(parts: FleetFeedParts): FleetFeed {
  const { connection, intake, clock, logger, names, consumer } = parts;
  const ended = new AbortController();
  let beginning: Beginning = "position";
  /** What was handled last, whether it was recorded or not: what is known or refused need not be read again. */
  let handled: FeedPosition | undefined;
  /** Why nothing is read now. */
  let broken: string | undefined;
  /** Why something that was read is not in force. */
  let doubt: string | undefined;
  let lag: number | undefined;

  /** Until the disk takes it. Rejects where the feed is stopped meanwhile. */
  const recorded = async <T>(act: () => Promise<T>): Promise<T> => {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const done = await act();
        if (attempt > 0) doubt = undefined;
        return done;
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        if (attempt === 0)
          logger.warn({ reason: error.message }, "a change set waits for the disk");
        doubt = `a change set waits for the disk: ${error.message}`;
        const millis = Math.min(LONGEST_RETRY_MILLIS, backoffMillis(attempt, clock.random()));
        await pause(clock, millis, ended.signal);
        if (ended.signal.aborted) throw new FleetError("FLEET_READING_ENDED", "stopped");
      }
    }
  };

  const take = async (item: FeedItem, created: string): Promise<Taken["type"]> => {
    const position = { stream: names.feedStream, created, sequence: item.sequence };
    const taken = await takeAt(item, position);
    if (taken !== "gap") handled = position;
    return taken;
  };
  const takeAt = async (item: FeedItem, position: FeedPosition): Promise<Taken["type"]> => {
    if (item.type === "unreadable") {
      const { rule, reason, signer, digest, body } = item;
      await recorded(() => intake.refuse({ rule, reason, signer, digest }, position));
      parts.deadLetter(rule, reason, body);
      return "refused";
    }
    const {
      type,
      generation,
      reason = missing(generation + 1),
    } = await recorded(() => intake.take(item.signed, position));
    if (type === "refused") parts.deadLetter(type, reason, item.signed.octets);
    if (type === "advanced") doubt = undefined;
    if (type === "gap" || type === "diverged") {
      if (doubt !== reason) logger.warn({ sequence: item.sequence }, reason);
      doubt = reason;
    }
    return type;
  };

  const newestPosition = ({ created, lastSequence }: StreamInfo): FeedPosition | undefined =>
    [parts.position(), handled]
      .filter((one) => one !== undefined)
      .filter(
        (one) =>
          one.stream === names.feedStream &&
          one.created === created &&
          one.sequence <= lastSequence,
      )
      .toSorted((a, b) => b.sequence - a.sequence)[0];

  /** The sequence to read from. */
  const begin = async (info: StreamInfo): Promise<number> => {
    const position = newestPosition(info);
    if (beginning === "position" && position !== undefined) return position.sequence + 1;
    if (beginning !== "whole") {
      const base = await newestBase(connection, names);
      if (base?.type === "set" && (await take(base, info.created)) !== "refused") {
        beginning = "base";
        return base.sequence + 1;
      }
    }
    beginning = "whole";
    return 1;
  };

  /** Until the reading breaks, or has to begin elsewhere. */
  const followOnce = async (): Promise<void> => {
    const info = await connection.streamInfo(names.feedStream);
    const from = await begin(info);
    const join = feedJoiner();
    const elsewhere = new AbortController();
    await connection.read(
      {
        stream: names.feedStream,
        consumer,
        from,
        onStart: (pending) => {
          lag = pending;
          broken = undefined;
        },
        onMessage: async (message) => {
          lag = message.pending + 1;
          const item = join(message);
          const taken = item === undefined ? undefined : await take(item, info.created);
          lag = message.pending;
          // Of the whole stream nothing more can be had: what is missing comes with the next base, if at all.
          if (taken !== "gap" || beginning === "whole") return;
          beginning = beginning === "position" ? "base" : "whole";
          elsewhere.abort();
        },
      },
      AbortSignal.any([elsewhere.signal, ended.signal]),
    );
  };

  const follow = async (): Promise<void> => {
    for (let attempt = 0; !ended.signal.aborted; attempt += 1) {
      const began = clock.monotonicMillis();
      try {
        await connection.connected(ended.signal);
        await followOnce();
      } catch (error) {
        if (!(error instanceof FleetError)) throw error;
        const reason = `the feed cannot be read: ${error.message}`;
        if (reason !== broken && connection.state().connected) logger.warn({}, reason);
        broken = reason;
        lag = undefined;
        beginning = "position";
      }
      if (clock.monotonicMillis() - began > GOOD_MILLIS) attempt = 0;
      await pause(clock, backoffMillis(attempt, clock.random()), ended.signal);
    }
  };
  const running = follow();

  return {
    state: () => {
      const { connected, sinceMillis, reason } = connection.state();
      return {
        connected,
        sinceMillis,
        reason: connected ? (broken ?? doubt ?? reason) : reason,
        lag: connected ? lag : undefined,
      };
    },
    async stop() {
      ended.abort();
      await running;
    },
  };
}
