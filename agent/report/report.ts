/**
 * The host's back channel: its status, the audit stream, signed checkpoints and dead letters.
 *
 * Everything here may fail and be tried again for ever; nothing of it is waited for by routing, and without a server nothing
 * gathers: the log is the outbox. Reads next: outbox.ts (the audit stream), status.ts, checkpoint.ts, dead-letters.ts.
 */
import { createHash } from "node:crypto";
import type { Clock, Logger } from "../../backends/clock.ts";
import { rfc3339 } from "../../events/log/export.ts";
import type { EventLog } from "../../events/log/log.ts";
import { openReader } from "../../events/log/read.ts";
import { pause } from "../fleet/io/backoff.ts";
import { type FleetConnection, FleetError } from "../fleet/io/connection.ts";
import { readKeys } from "../fleet/io/to-end.ts";
import type { Signer } from "../fleet/signing.ts";
import { fleetNames, hostNames } from "../fleet/subjects.ts";
import { type Checkpoint, checkpointMessage, isDue, readCheckpoint } from "./checkpoint.ts";
import { beginningOf, letterbox } from "./dead-letters.ts";
import { type Lane, laneOf } from "./lanes.ts";
import { startOutbox } from "./outbox.ts";
import { type LaneSeqs, readPosition } from "./positions.ts";
import { counted, type HostStatus, type Look } from "./status.ts";

export type ReportSettings = {
  readonly heartbeatSeconds: number;
  /** Facts of sessions, BFD and drift a second, before they are coalesced. */
  readonly sessionsPerSecond: number;
  /** `counts`: how many routes were received and imported. */
  readonly routes: "none" | "counts";
};

export type ReportPlan = {
  readonly fleet: string;
  /** The node's name. */
  readonly host: string;
  readonly settings: ReportSettings;
  readonly connection: FleetConnection;
  readonly log: Pick<EventLog, "file" | "head" | "follow">;
  /** The host's key; undefined: nothing is signed, and no checkpoint is made. */
  readonly signer: Signer | undefined;
  readonly clock: Clock;
  /** Wall clock, nanoseconds since 1970. */
  readonly wallNanos: () => bigint;
  readonly logger: Pick<Logger, "info" | "warn">;
  /** Asked at each heartbeat, and once a second while facts come. */
  readonly look: () => Look;
};

export type ReportState = {
  /** Whether the audit stream is being told, and why not. */
  readonly telling: boolean;
  readonly reason: string;
  /** Facts of the log that were not looked through for the audit stream yet. */
  readonly behind: number;
  /** The stream tells of another log than this one. */
  readonly foreign: boolean;
  readonly checkpoint: { readonly seq: number } | undefined;
  /** Dead letters that were too many to be told. */
  readonly lettersLeftOut: number;
};

export type Report = {
  state(): ReportState;
  /**
   * Tells that something of the feed could not be taken. Never throws and may be called at any time; `what` is where it stood.
   * Of the octets a digest and a redacted beginning leave the host.
   */
  deadLetter(what: string, reason: string, octets: Uint8Array): void;
  /** Says that the host stops, where that takes no time, and ends. */
  stop(): Promise<void>;
};

const TICK_MILLIS = 1000;
const CHECKPOINT_MILLIS = 5 * 60_000;
const ROUTES_PER_SECOND = 2;
/** A stop does not wait for a server that does not answer. */
const FAREWELL_MILLIS = 500;

export function startReport(plan: ReportPlan): Report {
  const { fleet, host, settings, connection, log, signer, clock, wallNanos, logger, look } = plan;
  const { auditStream, statusBucket, readersBucket } = fleetNames(fleet);
  const names = hostNames(fleet, host);
  const ended = new AbortController();
  const { signal } = ended;
  const reader = openReader(log.file);
  const letters = letterbox();
  const since = rfc3339(wallNanos());
  const jittered = (millis: number): number => millis * (0.9 + 0.2 * clock.random());
  let made: { readonly atMillis: number; readonly seq: number } | undefined;
  let isBegun = false;
  let beatAt = 0;
  let lastLook = "";
  /** Something happened since the last look. */
  let isDirty = true;

  const lastCheckpoint = async (): Promise<Checkpoint | undefined> => {
    const last = await connection.lastOfSubject(auditStream, names.checkpoint);
    const read = last && readCheckpoint(last, { fleet, host });
    return read?.ok === true && read.checkpoint.key === signer?.publicKey
      ? read.checkpoint
      : undefined;
  };

  const lanes = new Map<Lane, number>([
    ["desired", Number.POSITIVE_INFINITY],
    ["sessions", settings.sessionsPerSecond],
  ]);
  if (settings.routes === "counts") lanes.set("routes", ROUTES_PER_SECOND);
  const outbox = startOutbox({
    fleet,
    host,
    lanes,
    connection,
    reader,
    signer,
    clock,
    logger,
    looked: lastCheckpoint,
    readers: () => readersOf(connection, readersBucket, names),
    onBegun: () => {
      isBegun = true;
      made = undefined;
    },
    // What the lanes lack is said soon.
    onHeld: () => {
      made = undefined;
    },
  });
  const unfollow = log.follow((committed) => {
    const isTold = committed.some(({ event }) => {
      const lane = laneOf(event.type);
      return lane !== "local" && lanes.has(lane);
    });
    if (!isTold) return;
    isDirty = true;
    outbox.wake();
  });

  // A server that comes back may have lost what it was told; whoever asks it then is to hear of this host soon.
  const unlisten = connection.onState(({ connected }) => {
    if (connected) beatAt = 0;
  });

  const statusOf = (now: Look, state: HostStatus["state"]): string => {
    const { seq, hash } = log.head();
    const status: HostStatus = {
      fleet,
      host,
      at: rfc3339(wallNanos()),
      since,
      state,
      heartbeatSeconds: settings.heartbeatSeconds,
      program: now.program,
      backend: now.backend,
      sessions: counted(now.sessions),
      bfd: counted(now.bfd),
      feed: now.feed,
      log: { seq, hash },
      key: signer?.publicKey ?? null,
    };
    return JSON.stringify(status);
  };

  async function beat(): Promise<void> {
    const nowMillis = clock.monotonicMillis();
    if (nowMillis < beatAt && !isDirty) return;
    isDirty = false;
    const now = look();
    const text = JSON.stringify(now);
    if (nowMillis < beatAt && text === lastLook) return;
    await connection.kvPut(statusBucket, names.statusKey, statusOf(now, "running"));
    beatAt = nowMillis + jittered(settings.heartbeatSeconds * 1000);
    lastLook = text;
  }

  let checkpointEvery = jittered(CHECKPOINT_MILLIS);
  async function nail(): Promise<void> {
    const { seq, hash } = log.head();
    const nowMillis = clock.monotonicMillis();
    // Before the outbox has begun it is not known what the stream has of this log.
    if (signer === undefined || !isBegun) return;
    if (!isDue({ made, nowMillis, seq, everyMillis: checkpointEvery })) return;
    const last = await lastCheckpoint();
    const before =
      last === undefined ? null : { seq: last.seq, hash: reader.hashAt(last.seq) ?? "" };
    if (last !== undefined && before?.hash !== last.hash) {
      logger.warn({ seq: last.seq }, "the last checkpoint that left this host is of another log");
    }
    const { feed } = look();
    const checkpoint: Checkpoint = {
      fleet,
      host,
      count: seq,
      seq,
      hash,
      at: rfc3339(wallNanos()),
      key: signer.publicKey,
      before,
      lanes: outbox.positions(),
      held: outbox.held(),
      feed: feed && { generation: feed.generation, digest: feed.digest },
    };
    const { headers, body } = checkpointMessage(checkpoint, signer);
    const subject = names.checkpoint;
    await connection.publish({ stream: auditStream, subject, headers, body });
    made = { atMillis: nowMillis, seq };
    checkpointEvery = jittered(CHECKPOINT_MILLIS);
  }

  async function post(): Promise<void> {
    for (;;) {
      const taken = letters.take(clock.monotonicMillis());
      if (taken === undefined) return;
      const { letter, leftOut } = taken;
      const body = JSON.stringify({ fleet, host, at: rfc3339(wallNanos()), ...letter, leftOut });
      try {
        await connection.publish({ stream: auditStream, subject: names.dead, body });
      } catch (error) {
        letters.back(taken);
        throw error;
      }
    }
  }

  /** Each by itself: one that fails, or waits for an answer that does not come, does not keep the others from their turn. */
  const running = Promise.all([beat, post, nail].map(repeat));

  async function repeat(act: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        if (connection.state().connected) await act();
      } catch (error) {
        if (!(error instanceof FleetError)) throw error;
      }
      await pause(clock, TICK_MILLIS, signal);
    }
  }

  return {
    state() {
      const { telling, reason, foreign } = outbox.state();
      const connected = connection.state();
      const looked = Object.values(outbox.positions()).map(({ to }) => to);
      return {
        telling: telling && connected.connected,
        reason: connected.connected ? reason : connected.reason,
        behind: log.head().seq - Math.min(...looked, log.head().seq),
        foreign,
        checkpoint: made && { seq: made.seq },
        lettersLeftOut: letters.leftOut(),
      };
    },
    deadLetter(what, reason, octets) {
      const letter = {
        what,
        reason,
        octets: octets.length,
        digest: createHash("sha256").update(octets).digest("hex"),
        beginning: beginningOf(octets),
      };
      letters.put(letter, clock.monotonicMillis());
    },
    async stop() {
      ended.abort();
      unfollow();
      unlisten();
      if (connection.state().connected) {
        const farewell = connection
          .kvPut(statusBucket, names.statusKey, statusOf(look(), "stopped"))
          .catch((error: unknown) => {
            if (!(error instanceof FleetError)) throw error;
          });
        await Promise.race([farewell, pause(clock, FAREWELL_MILLIS, new AbortController().signal)]);
      }
      await Promise.all([running, outbox.stop()]);
      reader.close();
    },
  };
}

/** What every reader of this host has; a bucket that is not there has no readers. */
async function readersOf(
  connection: FleetConnection,
  bucket: string,
  { statusKey, consumer }: { readonly statusKey: string; readonly consumer: string },
): Promise<readonly LaneSeqs[]> {
  try {
    const keys = await readKeys(connection, { bucket, consumer, filter: `*.${statusKey}` });
    return [...keys.values()].flatMap((value) => readPosition(value)?.lanes ?? []);
  } catch (error) {
    if (!(error instanceof FleetError) || error.code !== "FLEET_NO_STREAM") throw error;
    return [];
  }
}
