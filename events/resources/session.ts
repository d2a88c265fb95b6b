/**
 * What MetalLB's BGPPeer and frr-k8s' neighbour say alike about a session, read once: far end, AS, timers, key.
 *
 * Never fills in a backend's default: where a user said nothing about a timer, `timers` says so, and the plan pins the value.
 * Read from: bgp-peer.ts, frr-neighbor.ts.
 */
import * as z from "zod";
import { type Address, familyOf } from "../address.ts";
import { type Asn, asn } from "../ids.ts";
import { durationSeconds } from "./duration.ts";
import { quoted, text, unicastAt } from "./fields.ts";
import { type Path, type Reading, said } from "./reading.ts";
import type { SecretRef } from "./resource.ts";

export type RemoteAs =
  | { readonly type: "asn"; readonly asn: Asn }
  /** Taken from the OPEN; must equal the local AS. */
  | { readonly type: "internal" }
  /** Taken from the OPEN; must differ from the local AS. */
  | { readonly type: "external" };

/** Whom a session runs to. An interface means whoever answers on that link, for both families (RFC 8950). */
export type Remote =
  | { readonly type: "address"; readonly address: Address; readonly port: number }
  | { readonly type: "interface"; readonly interface: string; readonly port: number };

/** `default`: nothing was said. `given`: whole seconds, hold 0 or 3–65535, keepalive at most hold (RFC 4271 §4.2, §4.4). */
export type SessionTimers =
  | { readonly type: "default" }
  | {
      readonly type: "given";
      readonly holdTimeSeconds: number;
      readonly keepaliveTimeSeconds: number;
    };

/** TCP-MD5 (RFC 2385). A reference is looked up among Secrets of type kubernetes.io/basic-auth, in their entry `password`. */
export type Authentication =
  | { readonly type: "none" }
  | { readonly type: "inline"; readonly secret: SecretRef }
  | { readonly type: "reference"; readonly name: string; readonly namespace: string };

export const BGP_PORT = 179;
/** Linux takes keys of at most this many octets (TCP_MD5SIG_MAXKEYLEN). */
export const MAX_MD5_KEY_OCTETS = 80;
/** RFC 4271 §4.2: the Hold Time field has two octets. ConnectRetryTime is held to the same bound by upstream. */
const MAX_SECONDS = 65_535;
/** Linux: IFNAMSIZ is 16 with the final NUL. */
export const INTERFACE_NAME = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

export const writtenDynamicAsn = z.enum(["internal", "external", ""]);
export const writtenSecretReference = z.strictObject({
  name: text.optional(),
  namespace: text.optional(),
});
type SecretReference = z.infer<typeof writtenSecretReference>;

/** Exactly one of a number and `dynamicASN`; undefined where that is refused. */
export function remoteAsAt(
  reading: Reading,
  path: Path,
  number: number | undefined,
  dynamic: z.infer<typeof writtenDynamicAsn> | undefined,
  field: string,
): RemoteAs | undefined {
  const hasNumber = number !== undefined && number !== 0;
  if (hasNumber && said(dynamic)) {
    reading.refuse(
      [...path, "dynamicASN"],
      "exclusive-fields",
      `${field} and dynamicASN exclude each other: keep one`,
    );
    return undefined;
  }
  if (hasNumber) return { type: "asn", asn: asn(number) };
  if (dynamic !== undefined && dynamic !== "") return { type: dynamic };
  reading.refuse(
    [...path, field],
    "required",
    `the peer's AS is missing: write ${field} or dynamicASN`,
  );
  return undefined;
}

/** Exactly one of an address and an interface; undefined where that is refused. */
export function remoteAt(
  reading: Reading,
  path: Path,
  written: { readonly address: string | undefined; readonly interface: string | undefined },
  port: number,
  field: string,
): Remote | undefined {
  if (said(written.address) && said(written.interface)) {
    reading.refuse(
      [...path, "interface"],
      "exclusive-fields",
      `${field} and interface exclude each other: keep one`,
    );
    return undefined;
  }
  if (said(written.interface))
    return interfaceAt(reading, [...path, "interface"], written.interface, port);
  if (!said(written.address)) {
    reading.refuse(
      [...path, field],
      "required",
      `the peer is missing: write ${field} or interface`,
    );
  }
  const address = unicastAt(reading, [...path, field], written.address);
  return address === undefined ? undefined : { type: "address", address, port };
}

function interfaceAt(reading: Reading, path: Path, name: string, port: number): Remote | undefined {
  if (INTERFACE_NAME.test(name)) return { type: "interface", interface: name, port };
  reading.refuse(
    path,
    "bad-value",
    `${quoted(name)} is no interface name: at most 15 characters, no space, no /`,
  );
  return undefined;
}

export function refuseMixedFamilies(
  reading: Reading,
  path: Path,
  remote: Remote | undefined,
  source: Address | undefined,
): void {
  if (source === undefined || remote?.type !== "address") return;
  if (familyOf(source) === familyOf(remote.address)) return;
  reading.refuse(
    path,
    "family-mismatch",
    `${source} and the peer's ${remote.address} are of different families: a session runs over one`,
  );
}

/** `missing` says what one of the two alone means: the other is derived (hold = 3 × keepalive), or refused. */
export function timersAt(
  reading: Reading,
  path: Path,
  written: { readonly holdTime: string | undefined; readonly keepaliveTime: string | undefined },
  missing: "derived" | "refused",
): SessionTimers | undefined {
  const hold = holdTimeAt(reading, [...path, "holdTime"], written.holdTime);
  const keepalive = keepaliveAt(reading, [...path, "keepaliveTime"], written.keepaliveTime);
  if (hold === "refused" || keepalive === "refused") return undefined;
  if (hold === undefined && keepalive === undefined) return { type: "default" };
  if (missing === "refused" && (hold === undefined || keepalive === undefined)) {
    reading.refuse(
      [...path, hold === undefined ? "holdTime" : "keepaliveTime"],
      "required",
      "holdTime and keepaliveTime go together: write both or none",
    );
    return undefined;
  }
  return pairOf(reading, path, hold, keepalive);
}

function pairOf(
  reading: Reading,
  path: Path,
  hold: number | undefined,
  keepalive: number | undefined,
): SessionTimers | undefined {
  const holdTimeSeconds = hold ?? 3 * (keepalive ?? 0);
  if (holdTimeSeconds > MAX_SECONDS) {
    reading.refuse(
      [...path, "keepaliveTime"],
      "out-of-range",
      `the hold time is three times ${keepalive} s, and at most ${MAX_SECONDS} s fit (RFC 4271 §4.2)`,
    );
    return undefined;
  }
  // RFC 4271 §4.4: without keepalives a running hold timer would end the session.
  const derives = keepalive === undefined || (keepalive === 0 && holdTimeSeconds > 0);
  const keepaliveTimeSeconds = derives ? Math.floor(holdTimeSeconds / 3) : keepalive;
  if (derives && keepalive === 0) {
    reading.warn(
      [...path, "keepaliveTime"],
      "ignored",
      `no keepalives and a hold time of ${holdTimeSeconds} s cannot be: ${keepaliveTimeSeconds} s is used`,
    );
  }
  if (keepaliveTimeSeconds <= holdTimeSeconds) {
    return { type: "given", holdTimeSeconds, keepaliveTimeSeconds };
  }
  reading.refuse(
    [...path, "keepaliveTime"],
    "out-of-range",
    `keepaliveTime ${keepaliveTimeSeconds} s is above holdTime ${holdTimeSeconds} s: a third of it is usual`,
  );
  return undefined;
}

/** RFC 4271 §4.2: zero or at least three seconds; fractions are cut off, as upstream does. */
function holdTimeAt(
  reading: Reading,
  path: Path,
  written: string | undefined,
): number | "refused" | undefined {
  const seconds = secondsAt(reading, path, written);
  if (seconds === undefined || seconds === "refused") return seconds;
  const cut = Math.trunc(seconds);
  if (cut === 0 || (cut >= 3 && cut <= MAX_SECONDS)) return cut;
  reading.refuse(
    path,
    "out-of-range",
    `holdTime is 0 or 3 s to ${MAX_SECONDS} s (RFC 4271 §4.2), not ${quoted(written ?? "")}`,
  );
  return "refused";
}

function keepaliveAt(
  reading: Reading,
  path: Path,
  written: string | undefined,
): number | "refused" | undefined {
  const seconds = secondsAt(reading, path, written);
  if (seconds === undefined || seconds === "refused" || seconds === 0) return seconds;
  if (seconds >= 1 && seconds <= MAX_SECONDS) return Math.trunc(seconds);
  reading.refuse(
    path,
    "out-of-range",
    `keepaliveTime is 0 or 1 s to ${MAX_SECONDS} s (RFC 4271 §4.4), not ${quoted(written ?? "")}`,
  );
  return "refused";
}

/** 1–65535 s without a fraction; undefined where nothing was said or it was refused. */
export function connectTimeAt(
  reading: Reading,
  path: Path,
  written: string | undefined,
): number | undefined {
  const seconds = secondsAt(reading, path, written);
  if (seconds === undefined || seconds === "refused") return undefined;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_SECONDS) return seconds;
  reading.refuse(
    path,
    "out-of-range",
    `connectTime is 1 s to ${MAX_SECONDS} s in whole seconds, not ${quoted(written ?? "")}`,
  );
  return undefined;
}

function secondsAt(
  reading: Reading,
  path: Path,
  written: string | undefined,
): number | "refused" | undefined {
  if (!said(written)) return undefined;
  const seconds = durationSeconds(written);
  if (seconds !== undefined) return seconds;
  reading.refuse(
    path,
    "bad-value",
    `${quoted(written)} is no duration: write it like 90s or 1m30s`,
  );
  return "refused";
}

export function checkPassword(
  reading: Reading,
  path: Path,
  password: string | undefined,
  reference: SecretReference | undefined,
): void {
  if (said(password) && said(reference?.name)) {
    reading.refuse(
      [...path, "password"],
      "exclusive-fields",
      "password and passwordSecret exclude each other: keep passwordSecret",
    );
  }
  if (!said(reference?.name) && said(reference?.namespace)) {
    reading.refuse([...path, "passwordSecret", "name"], "required", "the Secret's name is missing");
  }
  if (said(password) && !isMd5Key(password)) {
    reading.refuse(
      [...path, "password"],
      "out-of-range",
      `a TCP-MD5 key has 1 to ${MAX_MD5_KEY_OCTETS} octets and no NUL`,
    );
  }
}

export const isMd5Key = (key: string): boolean =>
  !key.includes("\0") && new TextEncoder().encode(key).length <= MAX_MD5_KEY_OCTETS;

/** Call once nothing is refused any more: an inline password is sealed here. `namespace` is where a reference looks by default. */
export function authenticationOf(
  reading: Reading,
  field: string,
  password: string | undefined,
  reference: SecretReference | undefined,
  namespace: string,
): Authentication {
  if (said(password)) return { type: "inline", secret: reading.seal(field, password) };
  if (!said(reference?.name)) return { type: "none" };
  return {
    type: "reference",
    name: reference.name,
    namespace: said(reference.namespace) ? reference.namespace : namespace,
  };
}
