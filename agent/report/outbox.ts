/**
 * Tells the lanes of the audit stream what the log holds: a cursor in the log, never a copy of it.
 *
 * Begins at each connection with what the stream itself says (cursor.ts), reads the log's rows in small turns, and has a
 * bounded number of messages and octets on the way. Now and then it looks whether the stream still ends as it was left: an
 * acknowledgement is no durability. Whatever fails (no server, no stream, not allowed) is tried again for ever, and the log
 * waits. Reads next: lanes.ts, coalesce.ts, message.ts.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Clock, Logger } from "../../backends/clock.ts";
import { decodeHeader, GENESIS, type Row } from "../../events/log/chain.ts";
import { LogError } from "../../events/log/log.ts";
import type { LogReader } from "../../events/log/read.ts";
import { backoffMillis, pause } from "../fleet/io/backoff.ts";
import { type FleetConnection, FleetError } from "../fleet/io/connection.ts";
import type { Signer } from "../fleet/signing.ts";
import { fleetNames, hostNames } from "../fleet/subjects.ts";
import { type Coalescer, coalescer, type Told as ToldFact } from "./coalesce.ts";
import { type Resume, resume } from "./cursor.ts";
import { type Flight, flight } from "./flight.ts";
import { removedFrom } from "./holes.ts";
import { type Lane, laneOf } from "./lanes.ts";
import { confirming, endOf, filling, messagesOf, type Place, type Telling } from "./message.ts";
import { pace } from "./pace.ts";
import type { Held, Positions } from "./checkpoint.ts";
import type { LaneSeqs } from "./positions.ts";
import { type Again, refiller } from "./refill.ts";

export type OutboxPlan = {
  readonly fleet: string;
  readonly host: string;
  /** Lanes that are told, and how many facts a second one of them may have before they are coalesced. */
  readonly lanes: ReadonlyMap<Lane, number>;
  readonly connection: FleetConnection;
  readonly reader: Pick<LogReader, "rows" | "hashAt">;
  readonly signer: Signer | undefined;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info" | "warn">;
  /** What the newest checkpoint in the stream says of the lanes. */
  readonly looked: () => Promise<
    { readonly lanes: Positions; readonly held?: Held | undefined } | undefined
  >;
  /** Of each reader how far it has the lanes that it reads. */
  readonly readers: () => Promise<readonly LaneSeqs[]>;
  /** It begins, or begins again, to tell. */
  readonly onBegun: () => void;
  /** What the lanes lack is known anew. */
  readonly onHeld: () => void;
};

export type Outbox = {
  /** Of each lane that is told: what is acknowledged, and how far the log was looked through for it. */
  positions(): Positions;
  /** What was taken out of the stream and stays out; undefined: not known (yet). */
  held(): Held | undefined;
  state(): {
    readonly telling: boolean;
    /** Why nothing is told now; empty while it is. */
    readonly reason: string;
    /** The stream tells of another log than this one: it is told anew from its first fact. */
    readonly foreign: boolean;
  };
  /** There is something new in the log. */
  wake(): void;
  stop(): Promise<void>;
};

type Told = {
  readonly lane: Lane;
  readonly why: Resume["why"];
  readonly budget: number;
  readonly coalescing: Coalescer;
  /** The window that waits, and since when it has been seen here. */
  window?: { readonly opened: number; readonly sinceMillis: number };
  readonly readFrom: number;
  /** Part of its messages' ids; empty unless it is told anew. */
  readonly refill: string;
  /** Up to here the lane was told, acknowledged or not. */
  previous: number;
  /** Up to here it was acknowledged. */
  confirmed: number;
  /** Of the newest message that was acknowledged: its sequence in the stream. */
  sequence: number;
};

/** Rows looked at in one turn of the loop: some two milliseconds. */
const ROWS_A_TURN = 128;
/** On the way at a time. One message alone may be larger. */
const IN_FLIGHT = { messages: 64, octets: 4 * 1024 * 1024 };
/** A refill of 100,000 facts takes minutes, and leaves network and loop to others. */
const RATE = { messages: 1000, octets: 4 * 1024 * 1024 };
/** Facts of one change come together: a short wait makes them one reading. */
const GATHER_MILLIS = 20;
/** A stream that was wiped while nothing happens here is noticed within this time. */
const LOOK_MILLIS = 10_000;
/** A row that cannot be read stays so until somebody mends the log. */
const BROKEN_LOG_MILLIS = 60_000;

export function startOutbox(plan: OutboxPlan): Outbox {
  const { connection, reader, clock, logger, signer, fleet, host } = plan;
  const { auditStream } = fleetNames(fleet);
  const names = hostNames(fleet, host);
  const ended = new AbortController();
  const { signal } = ended;
  const spend = pace(RATE).spend;
  const refill = refiller({
    connection,
    stream: auditStream,
    names,
    reader,
    readers: plan.readers,
    clock,
    logger,
    onHeld: plan.onHeld,
  });
  let lanes: readonly Told[] = [];
  let next = 1;
  let state = { telling: false, reason: "not connected yet", foreign: false };
  let news = Promise.withResolvers<void>();
  const wake = (): void => news.resolve();

  const placeIn = async (lane: Lane): Promise<(Place & { sequence: number }) | undefined> => {
    const last = await connection.lastOfSubject(auditStream, names.audit(lane));
    const place = last && endOf(last.headers);
    return place && { ...place, sequence: last.sequence };
  };

  async function begin(): Promise<void> {
    const looked = await plan.looked();
    const lasts = new Map<Lane, Awaited<ReturnType<typeof placeIn>>>();
    for (const lane of plan.lanes.keys()) lasts.set(lane, await placeIn(lane));
    const isLost = [...lasts.values()].includes(undefined);
    const readers = isLost ? await plan.readers() : [];
    const info = await connection.streamInfo(auditStream);
    // What was taken out and is told again within two minutes is no double; what merely lost its acknowledgement may be two.
    const mark = removedFrom(info) > 0 ? ` behind ${info.lastSequence}` : "";
    lanes = [...plan.lanes].map(([lane, budget]) => {
      const last = lasts.get(lane);
      const { upTo, readFrom, why } = resume(
        { last, looked: looked?.lanes[lane], readers: readers.flatMap((one) => one[lane] ?? []) },
        reader.hashAt,
      );
      if (why !== "goes-on") {
        logger.info({ lane, why, from: readFrom }, "the audit stream is told from here");
      }
      const sequence = last?.sequence ?? 0;
      return {
        lane,
        why,
        budget,
        coalescing: coalescer(budget),
        readFrom,
        refill: why === "goes-on" ? mark : ` behind ${info.lastSequence}`,
        previous: upTo,
        confirmed: upTo,
        sequence,
      };
    });
    next = Math.min(...lanes.map(({ readFrom }) => readFrom));
    refill.remember(looked?.held);
    const foreign = lanes.some(({ why }) => why === "foreign");
    if (foreign) logger.warn({ fleet }, "the audit stream tells of another log than this one has");
    state = { telling: true, reason: "", foreign };
    plan.onBegun();
  }

  /** `isOld`: it fills a hole, and the lane's end stays where it is; nothing newer may be on its way. */
  async function tell(lane: Told, telling: Telling, way: Flight, isOld: boolean) {
    const newest = { seq: lane.confirmed, hash: reader.hashAt(lane.confirmed) ?? "" };
    const origin = { fleet, host, lane: lane.lane };
    const messages = await messagesOf(telling, origin, signer, connection.maxPayload());
    // Of parts the last one alone says that all are there: each waits for the one before.
    if (messages.length > 1) await way.landed();
    for (const { headers, body } of messages) {
      await way.room(body.length);
      const wait = spend(body.length, clock.monotonicMillis());
      if (wait > 0) await pause(clock, wait, signal);
      signal.throwIfAborted();
      way.send(lane, isOld ? newest.seq : telling.row.seq, body.length, () =>
        connection.publish({
          stream: auditStream,
          subject: names.audit(lane.lane),
          headers: isOld ? filling(headers, newest) : confirming(headers, lane.confirmed),
          body,
        }),
      );
      if (messages.length > 1) await way.landed();
    }
    if (!isOld) lane.previous = telling.row.seq;
  }

  async function tellRow(
    lane: Told,
    {
      seq,
      row: at,
      isOld = false,
      ...rest
    }: Omit<Telling, "row" | "previousHash"> &
      Pick<Again, "seq" | "row"> & { readonly isOld?: boolean },
    way: Flight,
  ): Promise<void> {
    const [row] = at?.seq === seq ? [at] : reader.rows(seq, seq);
    const previousHash = seq === 1 ? GENESIS : reader.hashAt(seq - 1);
    if (row === undefined || previousHash === undefined) {
      throw new LogError("LOG_CORRUPT", `seq ${seq} is missing`);
    }
    await tell(lane, { ...rest, row, previousHash }, way, isOld);
  }
  const tellNext = (lane: Told, { seq, standsFor }: ToldFact, row: Row | undefined, way: Flight) =>
    tellRow(lane, { seq, row, standsFor, previous: lane.previous, refill: lane.refill }, way);

  /** Looks at the rows that follow; false: there are none. */
  async function lookOn(way: Flight): Promise<boolean> {
    const rows = [...reader.rows(next, next + ROWS_A_TURN - 1)];
    for (const row of rows) {
      const { type, subject, at } = decodeHeader(row);
      const lane = lanes.find((one) => one.lane === laneOf(type));
      if (lane !== undefined && row.seq >= lane.readFrom) {
        const millis = Number(BigInt(at.monotonic) / 1_000_000n);
        const told = lane.coalescing.push({ seq: row.seq, subject, millis, boot: at.boot });
        for (const one of told) await tellNext(lane, one, row, way);
      }
      next = row.seq + 1;
    }
    return rows.length > 0;
  }

  /** Ends the windows whose time is over, and gives when the next one's is; a lane without new facts has only this clock. */
  async function closeWindows(way: Flight): Promise<number> {
    let soonest = Number.POSITIVE_INFINITY;
    for (const lane of lanes) {
      const waiting = lane.coalescing.waiting();
      if (waiting === undefined) continue;
      const now = clock.monotonicMillis();
      if (lane.window?.opened !== waiting.opened) {
        lane.window = { opened: waiting.opened, sinceMillis: now };
      }
      const end = lane.window.sinceMillis + waiting.spanMillis;
      if (end > now) soonest = Math.min(soonest, end);
      else {
        for (const one of lane.coalescing.close()) await tellNext(lane, one, undefined, way);
      }
    }
    return soonest;
  }

  /** An acknowledged message that is gone, or another one in its place: the stream was wiped, made anew or set back. */
  async function isAsLeft(): Promise<boolean> {
    for (const { lane, sequence } of lanes) {
      if (((await placeIn(lane))?.sequence ?? 0) !== sequence) return false;
    }
    return true;
  }

  /** Tells some of what was taken out of the stream; false: nothing is missing. */
  async function fillOn(way: Flight): Promise<boolean> {
    // What is told before and behind it says where the lane ends.
    await way.landed();
    const isMore = await refill.fillOn(async ({ lane: name, ...again }) => {
      const lane = lanes.find((one) => one.lane === name);
      if (lane !== undefined) await tellRow(lane, { ...again, isOld: true }, way);
    });
    await way.landed();
    return isMore;
  }

  /** Until the stream is found to be another one; rejects with what the world did. */
  async function goOn(way: Flight): Promise<void> {
    const nextLook = (): number =>
      clock.monotonicMillis() + LOOK_MILLIS * (0.9 + 0.2 * clock.random());
    await refill.look(lanes);
    for (let look = nextLook(); !signal.aborted;) {
      news = Promise.withResolvers();
      // Others have their turn before each look, whatever there is to do.
      do await turn(undefined, { signal });
      while ((await lookOn(way)) || (await fillOn(way)));
      const windowEnd = await closeWindows(way);
      await way.landed();
      await sleep(Math.min(look, windowEnd) - clock.monotonicMillis());
      if (clock.monotonicMillis() < look) continue;
      if (!(await isAsLeft())) return;
      await refill.look(lanes);
      look = nextLook();
    }
  }

  /** Until the time is over or there is news, with what comes together with it. */
  async function sleep(millis: number): Promise<void> {
    if (millis <= 0) return;
    const timer = new AbortController();
    const either = AbortSignal.any([signal, timer.signal]);
    const isNews = await Promise.race([
      pause(clock, millis, either).then(() => false),
      news.promise.then(() => true),
    ]);
    timer.abort();
    if (isNews) await pause(clock, GATHER_MILLIS, signal);
  }

  /** One connection's time; gives how long to wait before the next attempt, milliseconds. */
  async function attemptOnce(attempt: number): Promise<number> {
    const way = flight(IN_FLIGHT);
    try {
      await connection.connected(signal);
      await begin();
      await goOn(way);
      const text = "the audit stream does not end as it was left: it is looked at anew";
      if (!signal.aborted) logger.warn({ fleet }, text);
    } catch (error) {
      if (signal.aborted) return 0;
      if (!(error instanceof FleetError) && !(error instanceof LogError)) throw error;
      state = { ...state, telling: false, reason: error.message };
      if (error instanceof LogError) {
        logger.warn({ code: error.code, reason: error.message }, "the log cannot be told on");
        return BROKEN_LOG_MILLIS;
      }
    }
    // Nothing of this attempt may land after the next one has looked where the stream ends.
    if (!signal.aborted) await way.over();
    return backoffMillis(way.hasLanded() ? 0 : attempt, clock.random());
  }

  async function run(): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const millis = await attemptOnce(attempt);
      await pause(clock, millis, signal);
    }
  }
  const running = run();

  return {
    positions: () =>
      Object.fromEntries(
        lanes.map((lane) => {
          const isAll = lane.confirmed === lane.previous && lane.coalescing.waiting() === undefined;
          const to = isAll ? Math.max(lane.confirmed, next - 1) : lane.confirmed;
          return [lane.lane, { last: lane.confirmed, to }];
        }),
      ),
    held: refill.held,
    state: () => state,
    wake,
    async stop() {
      ended.abort();
      wake();
      await running;
    },
  };
}
