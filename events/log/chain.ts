/**
 * Facts ⇄ the octets that are stored and hashed, and the hash that chains them.
 *
 *     hash = SHA-256( TAG ‖ hash of the row before ‖ header octets ‖ SHA-256(body octets) )
 *
 * The header is compact JSON of the whole envelope without body and hash; it begins with the seq, so that a row cannot be
 * moved. Nothing is ever re-serialised to be verified: header and body are hashed as stored (UTF-8). 64-bit integers are
 * decimal strings in JSON. Never opens a file. The format is for ever: another one needs another tag.
 * Reads next: store.ts (writes rows), read.ts (reads them), verify.ts.
 */
import { hash as digestOnce } from "node:crypto";
import type { Actor, Erased, Fact, Recorded, Source } from "../envelope.ts";
import { versions } from "../event.ts";
import { type EventId, type RunId, seq } from "../ids.ts";
import { bodyOf, upcast } from "../upcasts.ts";
import { LogError } from "./log.ts";

/** Octets; a later format of the chain has another number. */
const TAG = "rutter-log-1\0";
export const DIGEST_OCTETS = 32;
/** UTF-8 takes at most three octets for one UTF-16 code unit. */
const OCTETS_A_UNIT = 3;

/** What stands in the place of the hash before the first row: 32 zero octets. */
export const GENESIS = "00".repeat(DIGEST_OCTETS);

/** A fact as it goes to the writer: everything but its seq. */
export type Encoded = {
  /** Header without its first member: `"id":…}`. The writer puts `{"seq":N,` before it. */
  readonly header: string;
  readonly body: string;
  readonly key: readonly [source: string, position: string] | undefined;
  /** The seq whose body this fact erases. */
  readonly erases: number | undefined;
};

/** A row as it is stored; digests in hexadecimal. */
export type Row = {
  readonly seq: number;
  readonly id: string;
  readonly header: string;
  readonly body: string | null;
  readonly bodyDigest: string;
  readonly hash: string;
  readonly source: string | null;
  readonly position: string | null;
  readonly erases: number | null;
};

export type Header = {
  readonly seq: number;
  readonly id: EventId;
  readonly at: { readonly wall: string; readonly monotonic: string; readonly boot: string };
  readonly type: string;
  readonly version: number;
  readonly run: RunId;
  readonly subject: string;
  readonly actor: Actor;
  readonly source: Source;
  readonly cause: readonly EventId[];
};

export function encodeFact(fact: Fact): Encoded {
  const { event, source } = fact;
  const header = JSON.stringify({
    id: fact.id,
    at: { wall: `${fact.at.wall}`, monotonic: `${fact.at.monotonic}`, boot: fact.at.boot },
    type: event.type,
    version: versions[event.type],
    run: fact.run,
    subject: fact.subject,
    actor: fact.actor,
    source,
    cause: fact.cause,
  });
  return {
    header: header.slice(1),
    body: JSON.stringify(bodyOf(event)),
    key: source.position === undefined ? undefined : [source.name, source.position],
    erases: event.type === "erased" ? event.seq : undefined,
  };
}

/** The id with which an encoded header begins. Ids are our own and have nothing to escape. */
export const idOf = (header: string): string => header.slice(ID_AT, header.indexOf('"', ID_AT));
const ID_AT = '"id":"'.length;

/** What the header of row `seq` begins with; its id follows. */
export const headerStart = (place: number): string => `{"seq":${place},`;

export const bodyDigest = (body: string): string => digestOnce("sha256", body, "hex");

/** What is hashed for a row: TAG, the hash before it, its header, the digest of its body. Kept, because a new one for each row costs more. */
let scratch = Buffer.alloc(64 * 1024);
scratch.write(TAG, "latin1");
const PREVIOUS_AT = TAG.length;
const HEADER_AT = PREVIOUS_AT + DIGEST_OCTETS;

/** Writes the header to its place and gives the octet behind it, where the body's digest belongs. */
function placeHeader(header: string): number {
  const most = HEADER_AT + header.length * OCTETS_A_UNIT + DIGEST_OCTETS;
  if (scratch.length < most) {
    const larger = Buffer.alloc(2 * most);
    scratch.copy(larger, 0, 0, HEADER_AT);
    scratch = larger;
  }
  return HEADER_AT + scratch.write(header, HEADER_AT, "utf8");
}

/** The hash of a row, all digests in hexadecimal. */
export function chainHash(previous: string, header: string, digest: string): string {
  scratch.write(previous, PREVIOUS_AT, DIGEST_OCTETS, "hex");
  const end = placeHeader(header);
  scratch.write(digest, end, DIGEST_OCTETS, "hex");
  return digestOnce("sha256", scratch.subarray(0, end + DIGEST_OCTETS), "hex");
}

/**
 * The same for rows one behind the other: the body's digest goes to `digests` and the hash, which the next row follows, to
 * `hashes`, both at octet `at`. `previous` is the hash before the first row, hexadecimal; from there on octets go as binary
 * strings, because hexadecimal costs half a microsecond a row [measured].
 */
export function chainFrom(
  previous: string,
): (header: string, body: string, digests: Buffer, hashes: Buffer, at: number) => void {
  let linked = Buffer.from(previous, "hex").toString("latin1");
  return (header, body, digests, hashes, at) => {
    const digest = digestOnce("sha256", body, "binary");
    scratch.write(linked, PREVIOUS_AT, "latin1");
    const end = placeHeader(header);
    scratch.write(digest, end, "latin1");
    linked = digestOnce("sha256", scratch.subarray(0, end + DIGEST_OCTETS), "binary");
    digests.write(digest, at, "latin1");
    hashes.write(linked, at, "latin1");
  };
}

export type Checked = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const wrong = (reason: string): Checked => ({ ok: false, reason });

/** Whether the row belongs at seq `place` behind a row whose hash is `previous`. */
export function checkRow(row: Row, place: number, previous: string): Checked {
  if (row.seq !== place) return wrong(`row is missing; the next one is ${row.seq}`);
  if (!row.header.startsWith(`${headerStart(place)}"id":"${row.id}",`)) {
    return wrong("header belongs to another seq or id");
  }
  if (row.body !== null && bodyDigest(row.body) !== row.bodyDigest) {
    return wrong("body does not match its digest");
  }
  if (chainHash(previous, row.header, row.bodyDigest) !== row.hash) {
    return wrong(
      place === 1
        ? "hash does not match the row"
        : `hash does not follow from seq ${place - 1}: this row or the hash before it was changed`,
    );
  }
  return { ok: true };
}

/** Throws LOG_CORRUPT where the header is no JSON. */
export function decodeHeader(row: Pick<Row, "seq" | "header">): Header {
  try {
    const header: Header = JSON.parse(row.header);
    return header;
  } catch (error) {
    throw new LogError("LOG_CORRUPT", `seq ${row.seq}: the header is not JSON`, { cause: error });
  }
}

/** The fact of a row, its body lifted to today's version. Throws LOG_CORRUPT (no JSON) or LOG_NEWER (unknown type or version). */
export function decodeRow(row: Row): Recorded | Erased {
  const { type, version, at, seq: stored, ...rest } = decodeHeader(row);
  const fact = {
    ...rest,
    at: { wall: BigInt(at.wall), monotonic: BigInt(at.monotonic), boot: at.boot },
    seq: seq(stored),
    hash: row.hash,
  };
  if (row.body === null) return { ...fact, event: undefined, type, version };
  const lifted = upcast(type, version, decodeBody(row.seq, row.body));
  if (!lifted.ok) throw new LogError("LOG_NEWER", `seq ${row.seq}: ${lifted.reason}`);
  return { ...fact, event: lifted.event };
}

function decodeBody(place: number, body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: Readonly<Record<string, unknown>> = JSON.parse(body);
    return parsed;
  } catch (error) {
    throw new LogError("LOG_CORRUPT", `seq ${place}: the body is not JSON`, { cause: error });
  }
}
