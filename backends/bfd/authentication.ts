/**
 * Authentication sections of BFD Control packets (RFC 5880 §4.2–4.4, §6.7): made and verified.
 *
 * Pure but for node:crypto's digests. A session keeps its own AuthenticationMemory; keys come with each call.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { CONTROL_OCTETS, putUint32, uint32 } from "./packet.ts";

/** RFC 5880 §4.1 Auth Type 1 to 5. */
export type AuthenticationType =
  | "simple-password"
  | "keyed-md5"
  | "meticulous-keyed-md5"
  | "keyed-sha1"
  | "meticulous-keyed-sha1";

export type Authentication = {
  readonly type: AuthenticationType;
  /** Key ID, 0–255: both sides name the same key by it. */
  readonly keyId: number;
  readonly key: string;
};

/** RFC 5880 §6.8.1: bfd.XmitAuthSeq, bfd.RcvAuthSeq, bfd.AuthSeqKnown. */
export type AuthenticationMemory = {
  sendSequence: number;
  receivedSequence: number;
  known: boolean;
};

/** Longest key in octets: RFC 5880 §4.2 (password), §6.7.3, §6.7.4 (the digest's own length). */
export const LONGEST_KEY: Readonly<Record<AuthenticationType, number>> = {
  "simple-password": 16,
  "keyed-md5": 16,
  "meticulous-keyed-md5": 16,
  "keyed-sha1": 20,
  "meticulous-keyed-sha1": 20,
};

const KINDS: Readonly<
  Record<AuthenticationType, { readonly code: number; readonly digest: "md5" | "sha1" | undefined }>
> = {
  "simple-password": { code: 1, digest: undefined },
  "keyed-md5": { code: 2, digest: "md5" },
  "meticulous-keyed-md5": { code: 3, digest: "md5" },
  "keyed-sha1": { code: 4, digest: "sha1" },
  "meticulous-keyed-sha1": { code: 5, digest: "sha1" },
};
const DIGEST_OCTETS = { md5: 16, sha1: 20 } as const;
/** Type, length, key id, reserved, sequence number. */
const DIGEST_AT = 8;
const PASSWORD_AT = 3;

/** Octets of the section. */
export function sectionOctets({ type, key }: Authentication): number {
  const { digest } = KINDS[type];
  return digest === undefined
    ? PASSWORD_AT + new TextEncoder().encode(key).length
    : DIGEST_AT + DIGEST_OCTETS[digest];
}

/** Completes a packet whose mandatory section is written and whose length counts the section. */
export function sign(
  packet: Uint8Array,
  { type, keyId, key }: Authentication,
  memory: AuthenticationMemory,
): void {
  const { code, digest } = KINDS[type];
  const octets = new TextEncoder().encode(key);
  const section = packet.subarray(CONTROL_OCTETS);
  section[0] = code;
  section[1] = section.length;
  section[2] = keyId;
  if (digest === undefined) {
    section.set(octets, PASSWORD_AT);
    return;
  }
  section[3] = 0;
  memory.sendSequence = (memory.sendSequence + 1) >>> 0;
  putUint32(section, 4, memory.sendSequence);
  section.set(digestOf(digest, packet, octets), DIGEST_AT);
}

/** Whether a received packet is what it says; then the sequence number counts as seen. */
export function verify(
  packet: Uint8Array,
  { type, keyId, key }: Authentication,
  memory: AuthenticationMemory,
  detectMultiplier: number,
): boolean {
  const { code, digest } = KINDS[type];
  const octets = new TextEncoder().encode(key);
  const section = packet.subarray(CONTROL_OCTETS);
  if (section[0] !== code || section[1] !== section.length || section[2] !== keyId) return false;
  if (digest === undefined) return equal(section.subarray(PASSWORD_AT), octets);
  if (section.length !== DIGEST_AT + DIGEST_OCTETS[digest]) return false;
  const sequence = uint32(section, 4);
  if (memory.known) {
    // §6.7.3: a window of three Detection Multipliers, modulo 2^32; the meticulous types take each number once.
    const ahead = (sequence - memory.receivedSequence) >>> 0;
    const least = type.startsWith("meticulous") ? 1 : 0;
    if (ahead < least || ahead > 3 * detectMultiplier) return false;
  }
  if (!equal(section.subarray(DIGEST_AT), digestOf(digest, packet, octets))) return false;
  memory.receivedSequence = sequence;
  memory.known = true;
  return true;
}

/** §6.7.3, §6.7.4: over the whole packet, with the key, filled up with zeros, where the digest stands. */
function digestOf(digest: "md5" | "sha1", packet: Uint8Array, key: Uint8Array): Uint8Array {
  const copy = packet.slice();
  const field = copy.subarray(CONTROL_OCTETS + DIGEST_AT);
  field.fill(0);
  field.set(key.subarray(0, field.length));
  return createHash(digest).update(copy).digest();
}

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);
