/**
 * Keys of a fleet: who signs, whether a signature is theirs, and values sealed to one host. The one door of nkeys.
 *
 * Keys are NATS' own (`U…` signs, `X…` is sealed to), so that one tool draws them all; Ed25519 itself is Node's, which
 * verifies in a tenth of a millisecond. A seed never stands in a message, an error or a log line.
 * Reads next: change-set.ts (what is signed), trust.ts (who may sign what).
 */
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { createCurve, createUser, fromCurveSeed, fromPublic, fromSeed } from "@nats-io/nkeys";

export type Signer = {
  /** `U…`. */
  readonly publicKey: string;
  /** Ed25519, 64 octets. */
  sign(octets: Uint8Array): Uint8Array;
};

/** Opens what was sealed to one curve key. */
export type Opener = {
  /** `X…`. */
  readonly publicKey: string;
  /** The value, where the box is for this key and was sealed for `context`; undefined otherwise. Never throws. */
  open(box: string, context: string): string | undefined;
};

export type SeedKind = "user" | "curve";

/** A text that should be a key and is none. */
export class KeyError extends Error {
  override readonly name = "KeyError";
  readonly code = "KEY_INVALID";
}

const SIGNING_KEY = /^U[A-Z2-7]{55}$/;
const CURVE_KEY = /^X[A-Z2-7]{55}$/;
/** A box holds a password, at most some hundred octets; a longer text is no box of ours. */
const MAX_BOX_CHARACTERS = 8192;

/** A new seed as text: `SU…` or `SX…`. Whoever has it is that signer or host. */
export function newSeed(kind: SeedKind): string {
  const pair = kind === "user" ? createUser() : createCurve();
  return new TextDecoder().decode(pair.getSeed());
}

/** `U…` or `X…` of a seed. Throws KeyError. */
export const publicKeyOf = (seed: string): string =>
  seed.trim().startsWith("SX") ? openerFromSeed(seed).publicKey : signerFromSeed(seed).publicKey;

/** True for a `U…` key whose checksum is right. */
export const isSigningKey = (text: string): boolean => SIGNING_KEY.test(text) && isKey(text);

/** True for an `X…` key whose checksum is right. */
export const isCurveKey = (text: string): boolean => CURVE_KEY.test(text) && isKey(text);

/** `seed` is `SU…`, spaces around it do not matter. Throws KeyError. */
export function signerFromSeed(seed: string): Signer {
  const text = seed.trim();
  const publicKey = attempt("a seed of a signing key (SU…)", () => {
    if (!text.startsWith("SU")) throw new KeyError("not SU…");
    return fromSeed(new TextEncoder().encode(text)).getPublicKey();
  });
  const key = createPrivateKey({
    key: { kty: "OKP", crv: "Ed25519", d: base64url(rawKey(text, 2)), x: xOf(publicKey) },
    format: "jwk",
  });
  return { publicKey, sign: (octets) => new Uint8Array(sign(null, octets, key)) };
}

/** RFC 8032 §5.1.7. False for whatever is no signing key, no signature, or not of these octets; never throws. */
export function verifySignature(
  publicKey: string,
  octets: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== 64 || !isSigningKey(publicKey)) return false;
  const key = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: xOf(publicKey) },
    format: "jwk",
  });
  return verify(null, octets, key, signature);
}

/**
 * Seals a value to one curve key: `<X… of a key drawn for this box>.<base64 of the box>`.
 *
 * The context is sealed in with it, so that a box does not open where somebody else put it. Throws KeyError for a recipient
 * that is no curve key.
 */
export function sealTo(recipient: string, context: string, value: string): string {
  if (!isCurveKey(recipient)) throw new KeyError("is no curve key (X…)");
  const once = createCurve();
  const box = once.seal(new TextEncoder().encode(JSON.stringify([context, value])), recipient);
  const text = `${once.getPublicKey()}.${Buffer.from(box).toString("base64")}`;
  once.clear();
  return text;
}

/** `seed` is `SX…`. Throws KeyError. */
export function openerFromSeed(seed: string): Opener {
  const octets = new TextEncoder().encode(seed.trim());
  const pair = attempt("a seed of a curve key (SX…)", () => fromCurveSeed(octets));
  return {
    publicKey: pair.getPublicKey(),
    open(box, context) {
      const dot = box.indexOf(".");
      const sender = box.slice(0, dot);
      if (dot < 0 || box.length > MAX_BOX_CHARACTERS || !isCurveKey(sender)) return undefined;
      const opened = orUndefined(() =>
        pair.open(new Uint8Array(Buffer.from(box.slice(dot + 1), "base64")), sender),
      );
      return opened ? valueFor(context, opened) : undefined;
    },
  };
}

function valueFor(context: string, octets: Uint8Array): string | undefined {
  const pair: unknown = orUndefined(() =>
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets)),
  );
  if (!Array.isArray(pair) || pair.length !== 2) return undefined;
  const [sealedFor, value] = pair as readonly unknown[];
  return sealedFor === context && typeof value === "string" ? value : undefined;
}

const isKey = (text: string): boolean =>
  orUndefined(() => fromPublic(text).getPublicKey()) !== undefined;

/** For outside octets that a package judges by throwing. */
function orUndefined<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** The cause is left out: it might name the seed. */
function attempt<T>(what: string, act: () => T): T {
  const made = orUndefined(act);
  if (made === undefined) throw new KeyError(`is not ${what}`);
  return made;
}

const base64url = (octets: Uint8Array): string => Buffer.from(octets).toString("base64url");
const xOf = (publicKey: string): string => base64url(rawKey(publicKey, 1));

const KEY_OCTETS = 32;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The 32 octets of a key after its prefix: RFC 4648 §6 without padding; nkeys has judged the text. */
function rawKey(text: string, prefixOctets: 1 | 2): Uint8Array {
  const octets: number[] = [];
  let bits = 0;
  let value = 0;
  for (const char of text) {
    value = ((value << 5) | BASE32.indexOf(char)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    octets.push((value >> bits) & 0xff);
  }
  return Uint8Array.from(octets.slice(prefixOctets, prefixOctets + KEY_OCTETS));
}
