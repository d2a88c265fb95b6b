/**
 * The octets of a change set ⇄ the messages that carry them, and the octets' own words on who signed them.
 *
 * A set that is larger than the server's largest payload goes in parts, one after another in the stream. Joining is total and
 * bounded: parts may come twice, in any order, or never, and another set's between them. Nothing here is believed:
 * whether the signature is right is asked of verifySigned(), who may sign of trust.ts.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { digestOf, MAX_SET_OCTETS, type Refused, signedOctets } from "./change-set.ts";
import { type Signer, verifySignature } from "./signing.ts";

export type PartMessage = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** Octets with a digest that is theirs, and a signature that nobody has looked at yet. */
export type SignedOctets = {
  readonly octets: Uint8Array;
  readonly digest: string;
  readonly signer: string;
  readonly signature: Uint8Array;
};

export type Joined =
  | { readonly type: "more" }
  | ({ readonly type: "set" } & SignedOctets)
  | { readonly type: "refused"; readonly rule: Refused["rule"]; readonly reason: string };

export type PartJoiner = {
  /** `header` gives a message's header by name, empty where it has none; `sequence` is its place in the stream. */
  push(header: (name: string) => string, body: Uint8Array, sequence: number): Joined;
};

export const HEADERS = {
  signer: "Rutter-Signer",
  signature: "Rutter-Signature",
  digest: "Rutter-Digest",
  part: "Rutter-Part",
  /** Where the first part stands; added by whoever publishes and knows it. Absent in a set of one part. */
  first: "Rutter-First-Sequence",
} as const;

/** Of a message, for headers and what the server adds to them: ours take some 400 octets. */
const HEADER_ROOM = 1024;
/** A set of the largest size, compressed by nothing, over a server of 64 KiB payloads has 1,041. */
const MAX_PARTS = 4096;
/** Sets that are being joined at a time; the oldest is given up: a publisher that lost a race leaves a torso in the stream. */
const MAX_OPEN = 4;

/** The messages of a set, in order. `maxPayload` is the server's, in octets. */
export function splitSet(
  octets: Uint8Array,
  signer: Signer,
  maxPayload: number,
): readonly PartMessage[] {
  const digest = digestOf(octets);
  const signature = Buffer.from(signer.sign(signedOctets(digest))).toString("base64url");
  const packed = gzipSync(octets);
  const room = maxPayload - HEADER_ROOM;
  const count = Math.ceil(packed.length / room);
  if (room <= 0 || count > MAX_PARTS) {
    throw new RangeError(`a payload of ${maxPayload} octets is too small for this change set`);
  }
  return Array.from({ length: count }, (_, i) => ({
    headers: {
      [HEADERS.signer]: signer.publicKey,
      [HEADERS.signature]: signature,
      [HEADERS.digest]: digest,
      [HEADERS.part]: `${i + 1}/${count}`,
    },
    body: new Uint8Array(packed.subarray(i * room, (i + 1) * room)),
  }));
}

type Place = {
  readonly signer: string;
  readonly signature: Uint8Array;
  readonly digest: string;
  readonly part: number;
  readonly count: number;
  /** What tells the parts of one set from another's. */
  readonly id: string;
};

/** A joiner for one stream. */
export function joinParts(): PartJoiner {
  const open = new Map<string, Map<number, Uint8Array>>();

  return {
    push(header, body, sequence) {
      const place = placeOf(header, sequence);
      if (place === undefined) {
        return refused("headers", "has not the headers of a change set");
      }
      const parts = open.get(place.id) ?? new Map<number, Uint8Array>();
      if (!parts.has(place.part)) parts.set(place.part, body);
      if (parts.size < place.count) {
        open.set(place.id, parts);
        return bounded(open, parts, place);
      }
      open.delete(place.id);
      return whole(parts, place);
    },
  };
}

function bounded(
  open: Map<string, Map<number, Uint8Array>>,
  parts: ReadonlyMap<number, Uint8Array>,
  { id }: Place,
): Joined {
  if (sizeOf(parts) > MAX_SET_OCTETS) {
    open.delete(id);
    return refused("too-large", `its parts have more than ${MAX_SET_OCTETS} octets`);
  }
  for (const [oldest] of open) {
    const total = [...open.values()].reduce((sum, one) => sum + sizeOf(one), 0);
    if (oldest === id || (open.size <= MAX_OPEN && total <= MAX_SET_OCTETS)) break;
    open.delete(oldest);
  }
  return { type: "more" };
}

function whole(parts: ReadonlyMap<number, Uint8Array>, place: Place): Joined {
  const { signer, signature, digest, count } = place;
  const packed = Buffer.concat(
    Array.from({ length: count }, (_, i) => parts.get(i + 1) ?? new Uint8Array()),
  );
  const octets = inflated(packed);
  if (!(octets instanceof Uint8Array)) return octets;
  if (digestOf(octets) !== digest) {
    return refused("digest", "its digest is not the one that its headers name");
  }
  return { type: "set", octets, digest, signer, signature };
}

function inflated(packed: Uint8Array): Uint8Array | Joined {
  try {
    return new Uint8Array(gunzipSync(packed, { maxOutputLength: MAX_SET_OCTETS }));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ERR_BUFFER_TOO_LARGE") {
      return refused("too-large", `it unpacks to more than ${MAX_SET_OCTETS} octets`);
    }
    if (code.startsWith("Z_") || code === "ERR_TRAILING_JUNK_AFTER_STREAM_END") {
      return refused("gzip", "is not gzip, or is cut short");
    }
    throw error;
  }
}

const SIGNER = /^U[A-Z2-7]{55}$/;
/** 64 octets in base64url. */
const SIGNATURE = /^[A-Za-z0-9_-]{86}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const PART = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/;

function placeOf(header: (name: string) => string, sequence: number): Place | undefined {
  const [signer, signature, digest] = [
    header(HEADERS.signer),
    header(HEADERS.signature),
    header(HEADERS.digest),
  ];
  const [, partText, countText] = PART.exec(header(HEADERS.part)) ?? [];
  const [part, count] = [Number(partText), Number(countText)];
  const isFitting =
    SIGNER.test(signer) &&
    SIGNATURE.test(signature) &&
    DIGEST.test(digest) &&
    part <= count &&
    count <= MAX_PARTS;
  if (!isFitting) return undefined;
  const first = header(HEADERS.first) || String(sequence - part + 1);
  return {
    signer,
    signature: new Uint8Array(Buffer.from(signature, "base64url")),
    digest,
    part,
    count,
    id: `${signer} ${digest} ${count} ${first}`,
  };
}

/** True where the signature is the named signer's, of this digest as one of a change set. */
export const verifySigned = ({ digest, signer, signature }: SignedOctets): boolean =>
  verifySignature(signer, signedOctets(digest), signature);

const sizeOf = (parts: ReadonlyMap<number, Uint8Array>): number =>
  [...parts.values()].reduce((sum, { length }) => sum + length, 0);

const refused = (rule: Refused["rule"], reason: string): Joined => ({
  type: "refused",
  rule,
  reason,
});
