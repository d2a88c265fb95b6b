/**
 * `rutter fleet log`: the books of a fleet's hosts as they arrive, each fact verified, and what does not add up said aloud.
 *
 * A fact is printed once, however often it was told. What a host's log was is remembered in a file (known-heads.ts) and how
 * far a reader of a name has read in the fleet's bucket, because hosts refill a stream that was lost from what readers lack.
 * Reads next: ../report/audit-reader.ts (the judgement).
 */
import { setTimeout as pause } from "node:timers/promises";
import { rfc3339 } from "../../events/log/export.ts";
import { EnvelopeJson } from "../api/contract.ts";
import { FleetError, type ReadMessage } from "../fleet/io/connection.ts";
import { readKeys, readUpToEnd } from "../fleet/io/to-end.ts";
import { fleetNames, keyToken, readerKey, token, untoken } from "../fleet/subjects.ts";
import {
  auditReader,
  type AuditReader,
  missingText,
  type NewFact,
  type Word,
} from "../report/audit-reader.ts";
import { isLane } from "../report/lanes.ts";
import type { LaneGap } from "../report/reading.ts";
import { positionText, readPosition, type ReaderPosition } from "../report/positions.ts";
import { factHeading, factLine } from "./fact-lines.ts";
import { Failure } from "./failure.ts";
import type { Joined } from "./fleet-access.ts";
import type { Context } from "./io.ts";
import { type KnownHeads, openKnownHeads } from "./known-heads.ts";
import { screenOf } from "./read.ts";
import { ago, safe, safeJson, table } from "./terminal.ts";
import { yaml } from "./yaml.ts";

export type FleetLogFlags = {
  readonly host?: string;
  readonly lane?: string;
  readonly follow?: boolean;
  readonly verify?: boolean;
  /** Name under which the position is kept. */
  readonly reader?: string;
  /** Host whose log is taken as it is now. */
  readonly accept?: string;
  /** File of known heads. */
  readonly heads: string;
};

/** Where a reader of all hosts is in the stream is kept under this name, which no host has. */
const ALL_HOSTS = "";
const HOST_WIDTH = 16;
/** Between two writings of how far it is. */
const SAVE_MILLIS = 1000;
const RETRY_MILLIS = 1000;

type Place = { created: string; sequence: number };

export async function fleetLog(
  context: Context,
  joined: Joined,
  flags: FleetLogFlags,
): Promise<void> {
  const { io, output } = context;
  const { connection, fleet, name, pins } = joined;
  const { host, lane } = flags;
  if (lane !== undefined && !isLane(lane)) {
    throw new Failure("USAGE", `--lane: "${lane}" is not desired, sessions or routes`);
  }
  const { auditStream: stream } = fleetNames(fleet);
  const { created, isLimited } = await connection.streamInfo(stream);
  const heads = openKnownHeads(flags.heads, fleet);
  const before = await positionsOf(joined, flags);
  const there = before.get(host ?? ALL_HOSTS);
  const place: Place = { created, sequence: there?.created === created ? there.sequence : 0 };
  const reader = auditReader({
    fleet,
    lane,
    known: heads.of,
    accept: flags.accept,
    pins,
    positions: (one) => before.get(one)?.lanes ?? {},
  });
  const facts = new Map<string, number>();
  const faults = new Set<string>();
  const say = ({ host: of, text, weight }: Word): void => {
    if (weight === "fault") faults.add(of);
    if (weight === "passing" && flags.follow !== true) return;
    io.err(`rutter: ${safe(of)}: ${safe(text)}\n`);
  };
  const save = saver(joined, flags, reader, heads, place);
  const onMessage = async (message: ReadMessage): Promise<void> => {
    const { fact, words } = await reader.take(message, place.created);
    for (const word of words) say(word);
    if (fact !== undefined) {
      facts.set(fact.host, (facts.get(fact.host) ?? 0) + 1);
      if (flags.verify !== true) await io.out(factText(fact, output));
    }
    place.sequence = message.sequence;
    await save("due", io.nowMillis());
  };

  if (flags.verify !== true && output === "table") {
    await io.out(`${"HOST".padEnd(HOST_WIDTH)} ${factHeading()}`);
  }
  const filter = `rutter.${token(fleet)}.host.${host === undefined ? ">" : `${token(host)}.>`}`;
  const reading = { stream, consumer: `${keyToken(name)}-log-${process.pid}`, filter, onMessage };
  if (flags.follow === true) {
    // Ends with the process alone.
    for (;;) await followOnce(joined, reading, place);
  }
  await readUpToEnd(connection, { ...reading, from: place.sequence + 1 });
  await save("now", io.nowMillis());
  for (const [of, one] of reader.hosts) {
    const text = (gap: LaneGap): string => missingText(one, gap, isLimited);
    for (const gap of one.gaps()) say({ host: of, text: text(gap), weight: "fault" });
    const other = one.key() === "another" ? one.known()?.other : undefined;
    if (other !== undefined && !faults.has(of)) {
      const word = `ANOTHER KEY: it signs with ${other.key} since ${other.at}`;
      say({ host: of, text: word, weight: "fault" });
    }
    for (const gap of one.behind()) say({ host: of, text: text(gap), weight: "note" });
  }
  if (flags.verify === true) await io.out(verdict(reader, facts, context));
  if (faults.size > 0) {
    const text = `not everything adds up: ${[...faults].map(safe).join(", ")}`;
    throw new Failure("REFUSED", text);
  }
}

type Following = Omit<Parameters<Joined["connection"]["read"]>[0], "from">;

/** Until the connection breaks. Another stream of the name is read from its beginning: what was read before is not new in it. */
async function followOnce({ connection }: Joined, reading: Following, place: Place): Promise<void> {
  const never = new AbortController().signal;
  try {
    await connection.connected(never);
    const { created } = await connection.streamInfo(reading.stream);
    if (created !== place.created) Object.assign(place, { created, sequence: 0 });
    await connection.read({ ...reading, from: place.sequence + 1 }, never);
  } catch (error) {
    if (!(error instanceof FleetError)) throw error;
    await pause(RETRY_MILLIS);
  }
}

/** What this reader noted before, by host; nothing where it has no name. */
async function positionsOf(
  { connection, fleet, name }: Joined,
  { reader }: FleetLogFlags,
): Promise<ReadonlyMap<string, ReaderPosition>> {
  if (reader === undefined) return new Map();
  const { readersBucket: bucket } = fleetNames(fleet);
  const consumer = `${keyToken(name)}-place-${process.pid}`;
  const filter = `${keyToken(reader)}.*`;
  const keys = await readKeys(connection, { bucket, consumer, filter });
  const found = [...keys].flatMap(([key, value]) => {
    const host = untoken(key.slice(key.indexOf(".") + 1));
    const position = readPosition(value);
    return host === undefined || position === undefined ? [] : [[host, position] as const];
  });
  return new Map(found);
}

/** Writes what is known of the hosts, and how far a reader of a name is: now, or where the last time is long ago. */
function saver(
  { connection, fleet }: Joined,
  { reader: name, host: only }: FleetLogFlags,
  reader: AuditReader,
  heads: KnownHeads,
  place: Place,
): (when: "due" | "now", nowMillis: number) => Promise<void> {
  const { readersBucket } = fleetNames(fleet);
  const written = new Map<string, string>();
  let savedAt = 0;
  return async (when, nowMillis) => {
    if (when === "due" && nowMillis - savedAt < SAVE_MILLIS) return;
    savedAt = nowMillis;
    const known = [...reader.hosts].flatMap(([host, one]) => {
      const what = one.known();
      return what === undefined ? [] : [[host, what] as const];
    });
    heads.save(new Map(known));
    if (name === undefined) return;
    const places = [...reader.hosts].map(([host, one]) => [host, one.positions()] as const);
    const all = only === undefined ? [...places, [ALL_HOSTS, {}] as const] : places;
    for (const [host, lanes] of all) {
      const text = positionText({ lanes, ...place });
      // Of a thousand hosts those that said nothing need no writing; where to go on stands in one key.
      const news = host === ALL_HOSTS || host === only ? text : JSON.stringify(lanes);
      if (written.get(host) === news) continue;
      await connection.kvPut(readersBucket, readerKey(name, host), text);
      written.set(host, news);
    }
  };
}

function factText({ host, lane, fact }: NewFact, output: Context["output"]): string {
  const { standsFor } = fact;
  const envelope = envelopeOf(fact);
  if (output !== "table") {
    const shown = { host, lane, standsFor, ...envelope };
    return output === "json"
      ? `${safeJson(JSON.stringify(shown))}\n`
      : `---\n${safeJson(yaml(shown))}`;
  }
  const line = envelope === undefined ? `seq ${fact.seq} cannot be shown\n` : factLine(envelope);
  const count = standsFor === 0 ? "" : ` (and ${standsFor} before it)`;
  return `${safe(host).padEnd(HOST_WIDTH)} ${line.trimEnd()}${count}\n`;
}

/** The fact as the API shows it, its body in the version in which it was written. undefined: a host wrote what is no envelope. */
function envelopeOf({ header, body, hash }: NewFact["fact"]): EnvelopeJson | undefined {
  try {
    const { at, ...rest }: { at: { wall: string; monotonic: string; boot: string } } =
      JSON.parse(header);
    const parsed = EnvelopeJson.safeParse({
      ...rest,
      at: rfc3339(BigInt(at.wall)),
      monotonic: at.monotonic,
      boot: at.boot,
      body: body === null ? null : JSON.parse(body),
      hash,
    });
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Octets from outside: no JSON, no number, a time beyond all calendars.
    return undefined;
  }
}

function verdict(
  reader: AuditReader,
  facts: ReadonlyMap<string, number>,
  context: Context,
): string {
  const { width, nowMillis } = screenOf(context.io);
  const rows = [...reader.hosts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, one]) => {
      const checkpoint = one.newest();
      const gaps = one.gaps().map(({ lane, from, to }) => `${lane} ${from + 1}-${to}`);
      const begins = one.behind().map(({ lane, to }) => `${lane} ${to + 1}`);
      return [
        host,
        String(facts.get(host) ?? 0),
        checkpoint === undefined ? "" : String(checkpoint.seq),
        checkpoint === undefined ? "" : `${ago(checkpoint.at, nowMillis)} ago`,
        one.key(),
        one.isRewritten()
          ? "WRITTEN ANEW"
          : gaps.length > 0
            ? `missing ${gaps.join(", ")}`
            : begins.length > 0
              ? `whole from ${begins.join(", ")} on`
              : "whole",
      ];
    });
  if (rows.length === 0) return "nothing in the audit stream\n";
  return table(["HOST", "NEW FACTS", "CHECKPOINT", "MADE", "KEY", "VERDICT"], rows, width);
}
