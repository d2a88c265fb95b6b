/**
 * Finds what somebody took out of the audit stream, and tells it again.
 *
 * That something was taken shows in three numbers of the stream (holes.ts), so a look costs one request. Only then this
 * host's own messages are read, their headers alone, and held against what was told. What a reader lacks is told again
 * behind the lane's end, at the outbox's pace and between its turns; what stays a hole is known, for the next checkpoint
 * says it. Reads next: outbox.ts, ../cli/fleet-log.ts (who shows it).
 */
import type { Clock, Logger } from "../../backends/clock.ts";
import { decodeHeader, type Row } from "../../events/log/chain.ts";
import { LogError } from "../../events/log/log.ts";
import type { LogReader } from "../../events/log/read.ts";
import { type FleetConnection, FleetError, type StreamInfo } from "../fleet/io/connection.ts";
import { readUpToEnd } from "../fleet/io/to-end.ts";
import type { FleetNames, HostNames } from "../fleet/subjects.ts";
import type { Held } from "./checkpoint.ts";
import { type Coalescer, coalescer, type Told } from "./coalesce.ts";
import { coverage, isLackedBy, judgeHoles, type Missing, removedFrom, type Span } from "./holes.ts";
import { type Lane, laneOf } from "./lanes.ts";
import { placeOf } from "./message.ts";
import { assembler } from "./parts.ts";
import type { LaneSeqs } from "./positions.ts";

/** A lane as the outbox has it. */
export type HeldLane = {
  readonly lane: Lane;
  /** Facts a second, beyond which they are coalesced. */
  readonly budget: number;
  /** Up to here it was told and acknowledged. */
  readonly confirmed: number;
};

/** One fact that was told before; `previous`: up to here the lane is told without it. */
export type Again = {
  readonly lane: Lane;
  readonly seq: number;
  /** A row that is at hand, of this seq or another. */
  readonly row: Row | undefined;
  readonly previous: number;
  readonly standsFor: number;
  /** Tells its messages from the first telling's. */
  readonly refill: string;
};

/** Resolves when it is on its way. */
export type Tell = (again: Again) => Promise<void>;

export type RefillPlan = {
  readonly connection: FleetConnection;
  readonly stream: FleetNames["auditStream"];
  readonly names: HostNames;
  readonly reader: Pick<LogReader, "rows" | "hashAt">;
  readonly readers: () => Promise<readonly LaneSeqs[]>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info" | "warn">;
  /** The lanes are known to be whole again, or what they lack. */
  readonly onHeld: () => void;
};

export type Refill = {
  /** What an earlier run found of the stream; what was looked for already is not looked for again. */
  remember(held: Held | undefined): void;
  /** Looks whether anything was taken; nothing may be on its way. */
  look(lanes: readonly HeldLane[]): Promise<void>;
  /** Has some of what was taken told; false: there is nothing to tell. Nothing else may be on its way. */
  fillOn(tell: Tell): Promise<boolean>;
  held(): Held | undefined;
};

type Filling = Span & {
  readonly lane: Lane;
  readonly refill: string;
  readonly coalescing: Coalescer;
  next: number;
  previous: number;
};

const ROWS_A_TURN = 128;
/** Somebody may have come who lacks what all readers had. */
const READERS_MILLIS = 60_000;
/** A stream whose rules let messages go changes all the time. */
const LIMITED_MILLIS = 10 * 60_000;
/** Of a checkpoint; more of them are looked for anew after a restart. */
const MISSING_LIMIT = 100;

export function refiller(plan: RefillPlan): Refill {
  const { connection, stream, names, reader, clock, logger } = plan;
  let held: Held | undefined;
  /** What `held` becomes when all of `queue` is told and has landed. */
  let found: Held | undefined;
  let queue: Filling[] = [];
  /** Neither the readers nor a limited stream are looked at before. */
  let notBefore = 0;
  let refused = "";

  const settle = (): void => {
    held = found;
    found = undefined;
    plan.onHeld();
  };
  const isKnown = ({ created }: StreamInfo, removed: number): boolean =>
    held?.created === created && held.removed === removed;

  async function look(lanes: readonly HeldLane[]): Promise<void> {
    const info = await connection.streamInfo(stream);
    const removed = removedFrom(info);
    const { created, isLimited } = info;
    queue = [];
    found = undefined;
    if (removed === 0 && !isKnown(info, 0)) {
      found = { created, removed, missing: [] };
      settle();
    }
    const now = clock.monotonicMillis();
    if (removed === 0 || refused === `${created} ${removed}`) return;
    if (isKnown(info, removed)) {
      if (now < notBefore) return;
      notBefore = now + READERS_MILLIS;
      await askReaders(lanes, info);
      return;
    }
    if (isLimited && held !== undefined && now < notBefore) return;
    notBefore = now + (isLimited ? LIMITED_MILLIS : READERS_MILLIS);
    const holes = await holesOf(lanes, info);
    if (holes === undefined) return;
    const isHole = [...holes.values()].some((spans) => spans.length > 0);
    const readers = isHole ? await plan.readers() : [];
    found = { created, removed, missing: [] };
    for (const one of lanes) {
      const judged = judgeHoles(one.lane, holes.get(one.lane) ?? [], {
        readers: readers.flatMap((has) => has[one.lane] ?? []),
        isLimited,
      });
      take(one, judged.fill, info);
      found.missing.push(...judged.missing);
    }
    found.missing.splice(MISSING_LIMIT);
    if (queue.length === 0) settle();
  }

  function take({ lane, budget }: HeldLane, fill: readonly Span[], info: StreamInfo): void {
    if (fill.length === 0) return;
    const [first] = fill;
    logger.info(
      { lane, holes: fill.length, from: (first?.from ?? 0) + 1 },
      "the audit stream has holes: they are filled",
    );
    const refill = ` fills behind ${info.lastSequence}`;
    queue.push(
      ...fill.map((span) => ({
        ...span,
        lane,
        refill,
        coalescing: coalescer(budget),
        next: span.from + 1,
        previous: span.from,
      })),
    );
  }

  /** A reader that came since, or began anew, may lack what was left out. */
  async function askReaders(lanes: readonly HeldLane[], info: StreamInfo): Promise<void> {
    const left = held?.missing.filter(({ why }) => why === "read") ?? [];
    if (held === undefined || left.length === 0) return;
    const readers = await plan.readers();
    const lacked = new Set<Missing>();
    for (const one of lanes) {
      const has = readers.flatMap((seqs) => seqs[one.lane] ?? []);
      const fill = left.filter((hole) => hole.lane === one.lane && isLackedBy(has, hole));
      for (const hole of fill) lacked.add(hole);
      take(one, fill, info);
    }
    if (lacked.size === 0) return;
    found = { ...held, missing: held.missing.filter((hole) => !lacked.has(hole)) };
  }

  /** Reads what the stream has of this log; undefined: it may not be read. */
  async function holesOf(
    lanes: readonly HeldLane[],
    info: StreamInfo,
  ): Promise<ReadonlyMap<Lane, readonly Span[]> | undefined> {
    const told = new Map(lanes.map(({ lane }) => [lane, coverage()] as const));
    const parts = assembler();
    try {
      for (const [lane, one] of told) {
        await readUpToEnd(connection, {
          stream,
          consumer: names.consumer,
          filter: names.audit(lane),
          from: 1,
          headersOnly: true,
          onMessage(message) {
            const whole = parts.push(lane, message);
            const place = whole && placeOf(whole.headers);
            if (place === undefined || reader.hashAt(place.seq) !== place.hash) return;
            one.add(Math.min(place.previous, place.seq - 1), place.seq);
          },
        });
      }
    } catch (error) {
      if (!(error instanceof FleetError) || error.code !== "FLEET_FORBIDDEN") throw error;
      const removed = removedFrom(info);
      refused = `${info.created} ${removed}`;
      const text =
        "messages were taken out of the audit stream, and this host may not look which: the server needs the permissions of `rutter fleet auth`";
      logger.warn({ removed, reason: error.message }, text);
      return undefined;
    }
    return new Map(
      lanes.map(({ lane, confirmed }) => [lane, told.get(lane)?.holes(confirmed) ?? []]),
    );
  }

  async function fillOn(tell: Tell): Promise<boolean> {
    const [hole] = queue;
    if (hole === undefined) {
      // What was told last has landed by now.
      if (found !== undefined) settle();
      return false;
    }
    try {
      const end = Math.min(hole.next + ROWS_A_TURN - 1, hole.to);
      const rows = [...reader.rows(hole.next, end)];
      for (const row of rows) await fillWith(hole, row, tell);
      hole.next = end + 1;
      if (hole.next <= hole.to) return true;
      for (const told of hole.coalescing.close()) await again(hole, told, undefined, tell);
    } catch (error) {
      // One row that cannot be read does not keep the others from being told.
      if (!(error instanceof LogError)) throw error;
      logger.warn({ code: error.code, reason: error.message }, "a hole cannot be filled");
    }
    const { lane, previous: from, to } = hole;
    if (from < to) found?.missing.push({ lane, from, to, why: "log" });
    queue.shift();
    return true;
  }

  async function fillWith(hole: Filling, row: Row, tell: Tell): Promise<void> {
    const { type, subject, at } = decodeHeader(row);
    if (laneOf(type) !== hole.lane) return;
    const millis = Number(BigInt(at.monotonic) / 1_000_000n);
    const told = hole.coalescing.push({ seq: row.seq, subject, millis, boot: at.boot });
    for (const one of told) await again(hole, one, row, tell);
  }

  async function again(
    hole: Filling,
    { seq, standsFor }: Told,
    row: Row | undefined,
    tell: Tell,
  ): Promise<void> {
    const { lane, previous, refill } = hole;
    await tell({ lane, seq, row, previous, standsFor, refill });
    hole.previous = seq;
  }

  return {
    remember(before) {
      held ??= before;
    },
    look,
    fillOn,
    held: () => (found === undefined ? held : undefined),
  };
}
