/**
 * The log as JSON: one envelope an object, fields in lower camel case, times in RFC 3339 with nanoseconds.
 *
 * A contract with the outside: fields are added, never changed. 64-bit integers are decimal strings. The export holds each
 * body as it was stored, in the version in which it was written; envelopeJson() shows it as this program understands it.
 * Reads next: chain.ts (what is stored).
 */
import type { Erased, Recorded } from "../envelope.ts";
import { versions } from "../event.ts";
import { bodyOf } from "../upcasts.ts";
import { decodeHeader, type Row } from "./chain.ts";

const NANOS_A_MILLI = 1_000_000n;

/** RFC 3339 §5.6 in UTC, always nine digits of a second. `wall`: nanoseconds since 1970; years 0 to 9999, else RangeError. */
export function rfc3339(wall: bigint): string {
  const nanos = ((wall % NANOS_A_MILLI) + NANOS_A_MILLI) % NANOS_A_MILLI;
  const text = new Date(Number((wall - nanos) / NANOS_A_MILLI)).toISOString();
  return `${text.slice(0, -1)}${String(nanos).padStart(6, "0")}Z`;
}

/** A recorded fact for the API and the command line; `body` is null where it was erased. */
export function envelopeJson(fact: Recorded | Erased): Readonly<Record<string, unknown>> {
  const erased = fact.event === undefined;
  return {
    seq: fact.seq,
    id: fact.id,
    at: rfc3339(fact.at.wall),
    monotonic: `${fact.at.monotonic}`,
    boot: fact.at.boot,
    run: fact.run,
    type: erased ? fact.type : fact.event.type,
    version: erased ? fact.version : versions[fact.event.type],
    subject: fact.subject,
    actor: fact.actor,
    source: fact.source,
    cause: fact.cause,
    body: erased ? null : bodyOf(fact.event),
    hash: fact.hash,
  };
}

/** One stored row as a line without its newline; header fields as above, the body's octets as they are stored. */
export function exportLine(row: Row): string {
  const { at, seq, id, ...rest } = decodeHeader(row);
  const head = JSON.stringify({
    seq,
    id,
    at: rfc3339(BigInt(at.wall)),
    monotonic: at.monotonic,
    boot: at.boot,
    run: rest.run,
    type: rest.type,
    version: rest.version,
    subject: rest.subject,
    actor: rest.actor,
    source: rest.source,
    cause: rest.cause,
  });
  const tail = JSON.stringify({ bodyDigest: row.bodyDigest, hash: row.hash });
  return `${head.slice(0, -1)},"body":${row.body ?? "null"},${tail.slice(1)}`;
}

/** JSON Lines (one newline after each) from `from` on. */
export function* exportLog(
  log: { rows(from: number, to?: number): Iterable<Row> },
  from = 1,
): Iterable<string> {
  for (const row of log.rows(from)) yield `${exportLine(row)}\n`;
}
