/**
 * A fact of the log as messages of the audit stream, and back.
 *
 * The body of a message is what is stored: the header's octets, a newline, the body's octets (none where it was erased). What
 * surrounds it in the chain stands in NATS headers, so that a reader can verify each fact alone: the hash before it, its own,
 * its body's digest, and the host's signature. `Rutter-Lane-Previous` is the seq up to which the lane was told before, so that
 * a gap is seen; `Rutter-Confirmed` the one up to which the server had acknowledged it, which is what the outbox goes on from.
 * `Rutter-Newest` stands in a message that only fills a hole: the lane's end is still where that says.
 * A fact that is larger than a message travels in parts. Reads next: parts.ts (put together again), cursor.ts.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { bodyDigest, chainHash, GENESIS, type Row } from "../../events/log/chain.ts";
import { type Signer, verifySignature } from "../fleet/signing.ts";
import { token } from "../fleet/subjects.ts";
import type { Lane } from "./lanes.ts";

/** Whose facts these are, and where they go. */
export type Origin = { readonly fleet: string; readonly host: string; readonly lane: Lane };

/** What is told of one fact. */
export type Telling = {
  readonly row: Row;
  /** Hash of the row before; GENESIS before the first. */
  readonly previousHash: string;
  /** Up to here the lane was told before this fact. */
  readonly previous: number;
  /** Facts of the same subject that are left out, because this one is newer. */
  readonly standsFor: number;
  /** Tells a refill from what was told before: the server takes what was purged for a double for two minutes. */
  readonly refill: string;
};

export type Message = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** Where a message stands in its lane: what its headers say. */
export type Place = {
  readonly seq: number;
  readonly hash: string;
  readonly previous: number;
  readonly confirmed: number;
  /** It is the last part, or the only one. */
  readonly isWhole: boolean;
};

/** A fact as a reader has it. */
export type AuditFact = {
  readonly seq: number;
  readonly hash: string;
  readonly previousHash: string;
  readonly previous: number;
  readonly standsFor: number;
  readonly header: string;
  /** null: it was erased. */
  readonly body: string | null;
  /** `U…` of who signed it; undefined: nobody. */
  readonly signer: string | undefined;
};

const zip = promisify(gzip);
const unzip = promisify(gunzip);
/** Below it the octets that are saved are not worth the time. */
const ZIP_OCTETS = 32 * 1024;
/** A delta of a million routes takes some 60 million octets; the log itself takes no body of more than twice that. */
const FACT_OCTETS = 256 * 1024 * 1024;
/** Of the server's limit, for headers. */
const HEADERS_OCTETS = 4096;
const NEWLINE = 0x0a;

/** Also what the chain does not hold: that nothing is left out before it, and how many facts it stands for. */
const signed = (
  { fleet, host, lane }: Origin,
  { seq, hash, previous, standsFor }: Pick<AuditFact, "seq" | "hash" | "previous" | "standsFor">,
): Uint8Array =>
  new TextEncoder().encode(
    `rutter fact 1\n${JSON.stringify([fleet, host, lane, seq, hash, previous, standsFor])}`,
  );

/** The messages of one fact; `maxPayload`: octets that the server takes, headers included. `signer` undefined: not signed. */
export async function messagesOf(
  { row, previousHash, previous, standsFor, refill }: Telling,
  origin: Origin,
  signer: Signer | undefined,
  maxPayload: number,
): Promise<readonly Message[]> {
  const plain = Buffer.from(`${row.header}\n${row.body ?? ""}`);
  const isZipped = plain.length > ZIP_OCTETS;
  const octets = isZipped ? await zip(plain) : plain;
  const room = Math.max(1, maxPayload - HEADERS_OCTETS);
  const count = Math.ceil(octets.length / room);
  const headers: Record<string, string> = {
    "Rutter-Seq": `${row.seq}`,
    "Rutter-Hash": row.hash,
    "Rutter-Previous-Hash": previousHash,
    "Rutter-Body-Digest": row.bodyDigest,
    "Rutter-Lane-Previous": `${previous}`,
  };
  if (standsFor > 0) headers["Rutter-Stands-For"] = `${standsFor}`;
  if (isZipped) headers["Rutter-Encoding"] = "gzip";
  if (signer !== undefined) {
    headers["Rutter-Signer"] = signer.publicKey;
    const signature = signer.sign(
      signed(origin, { seq: row.seq, hash: row.hash, previous, standsFor }),
    );
    headers["Rutter-Signature"] = Buffer.from(signature).toString("base64url");
  }
  return Array.from({ length: count }, (_, index) => ({
    headers: {
      ...headers,
      "Rutter-Part": `${index + 1}/${count}`,
      // The server drops doubles of one id within two minutes. The hash is in it: another log's fact is no double.
      "Nats-Msg-Id": [
        `${token(origin.host)} ${origin.lane}`,
        `${row.seq} ${row.hash.slice(0, 16)} ${index + 1}${refill}`,
      ].join(" "),
    },
    body: octets.subarray(index * room, (index + 1) * room),
  }));
}

/** The header that says what was acknowledged; it is known only when the message leaves. */
export const confirming = (headers: Message["headers"], confirmed: number): Message["headers"] => ({
  ...headers,
  "Rutter-Confirmed": `${confirmed}`,
});

/** Of a message that fills a hole: the newest fact of the lane, which was told before it and stays the newest. */
export const filling = (
  headers: Message["headers"],
  newest: { readonly seq: number; readonly hash: string },
): Message["headers"] => ({
  ...confirming(headers, newest.seq),
  "Rutter-Newest": `${newest.seq} ${newest.hash}`,
});

const numberOf = (text: string | undefined): number =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
const isHash = (text: string | undefined): text is string =>
  text !== undefined && /^[0-9a-f]{64}$/.test(text);

export type Part = { readonly index: number; readonly count: number };

export function partOf(headers: Message["headers"]): Part | undefined {
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(headers["Rutter-Part"] ?? "") ?? [];
  const part = { index: Number(index), count: Number(count) };
  return part.index >= 1 && part.index <= part.count ? part : undefined;
}

/** undefined: these are not the headers of a fact. */
export function placeOf(headers: Message["headers"]): Place | undefined {
  const seq = numberOf(headers["Rutter-Seq"]);
  const previous = numberOf(headers["Rutter-Lane-Previous"]);
  const confirmed = numberOf(headers["Rutter-Confirmed"]);
  const hash = headers["Rutter-Hash"];
  const part = partOf(headers);
  const isPlace = seq >= 1 && previous >= 0 && confirmed >= 0;
  if (!isPlace || !isHash(hash) || part === undefined) return undefined;
  return { seq, hash, previous, confirmed, isWhole: part.index === part.count };
}

/** Where the lane ended when the message was sent: its own place, or that of the newest fact where it only fills a hole. */
export function endOf(headers: Message["headers"]): Place | undefined {
  const place = placeOf(headers);
  const newest = headers["Rutter-Newest"];
  if (place === undefined || newest === undefined) return place;
  const [number, hash] = newest.split(" ");
  const seq = numberOf(number);
  if (!isHash(hash) || !(seq >= 1)) return place;
  return { seq, hash, previous: seq, confirmed: seq, isWhole: true };
}

export type Read =
  | { readonly ok: true; readonly fact: AuditFact }
  | { readonly ok: false; readonly reason: string };

const wrong = (reason: string): Read => ({ ok: false, reason });

/** A whole fact (its parts' octets joined), verified by itself. Outside data: whatever is wrong is a reason, never thrown. */
export async function readFact(message: Message, origin: Origin): Promise<Read> {
  const { headers } = message;
  const place = placeOf(headers);
  const previousHash = headers["Rutter-Previous-Hash"];
  const digest = headers["Rutter-Body-Digest"];
  if (place === undefined || !isHash(previousHash) || !isHash(digest)) {
    return wrong("its headers are not those of a fact");
  }
  const octets = await plainOf(message);
  if (octets === undefined) return wrong("its octets cannot be unpacked");
  const end = octets.indexOf(NEWLINE);
  if (end < 0) return wrong("it has no header");
  const header = textOf(octets.subarray(0, end));
  const rest = textOf(octets.subarray(end + 1));
  if (header === undefined || rest === undefined) return wrong("it is not UTF-8");
  const body = rest === "" ? null : rest;
  const { seq, hash, previous } = place;
  if (!header.startsWith(`{"seq":${seq},`)) return wrong("its header belongs to another seq");
  if (seq === 1 && previousHash !== GENESIS) return wrong("something stands before its first fact");
  if (body !== null && bodyDigest(body) !== digest) return wrong("body does not match its digest");
  if (chainHash(previousHash, header, digest) !== hash)
    return wrong("hash does not match the fact");
  const standsFor = numberOf(headers["Rutter-Stands-For"]) || 0;
  const signer = headers["Rutter-Signer"];
  const fact = { seq, hash, previousHash, previous, standsFor, header, body, signer };
  if (signer !== undefined) {
    const signature = Buffer.from(headers["Rutter-Signature"] ?? "", "base64url");
    if (!verifySignature(signer, signed(origin, fact), signature)) {
      return wrong("its signature is not its signer's");
    }
  }
  return { ok: true, fact };
}

async function plainOf({ headers, body }: Message): Promise<Buffer | undefined> {
  const octets = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (headers["Rutter-Encoding"] === undefined) return octets;
  if (headers["Rutter-Encoding"] !== "gzip") return undefined;
  try {
    return await unzip(octets, { maxOutputLength: FACT_OCTETS });
  } catch {
    // Whatever zlib says of octets from outside.
    return undefined;
  }
}

function textOf(octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    return undefined;
  }
}
