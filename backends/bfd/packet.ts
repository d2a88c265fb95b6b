/**
 * BFD Control packets (RFC 5880 §4.1) and our own Echo packets: octets ⇄ values. Total: no octets make it throw.
 *
 * Judges what can be judged without a session, in the order of §6.8.6; the rest is engine.ts. Authentication sections stay
 * octets here (authentication.ts).
 */
import type { BfdState } from "../../events/event.ts";

export type ControlPacket = {
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly poll: boolean;
  readonly final: boolean;
  /** C bit: the sender's BFD does not share fate with its control plane. */
  readonly controlPlaneIndependent: boolean;
  readonly authenticated: boolean;
  readonly demand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTxMicros: number;
  readonly requiredMinRxMicros: number;
  readonly requiredMinEchoRxMicros: number;
};

/** Why a packet was discarded before or after its session was found; the names are what counters are called. */
export type Discard =
  | "version"
  | "short"
  | "length"
  | "multiplier-zero"
  | "multipoint"
  | "my-discriminator-zero"
  | "your-discriminator-zero"
  | "no-session"
  | "wrong-source"
  | "hop-limit"
  | "authentication"
  | "echo";

export const CONTROL_OCTETS = 24;
const VERSION = 1;
const states: readonly BfdState[] = ["AdminDown", "Down", "Init", "Up"];
const POLL = 0x20;
const FINAL = 0x10;
const INDEPENDENT = 0x08;
const AUTHENTICATED = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

/** Length field and A bit must agree with each other and with the payload; what lies behind the length is ignored. */
export function decodeControl(octets: Uint8Array): ControlPacket | Discard {
  if (octets.length < CONTROL_OCTETS) return "short";
  const [first = 0, flags = 0, detectMultiplier = 0, length = 0] = octets;
  if (first >> 5 !== VERSION) return "version";
  const authenticated = (flags & AUTHENTICATED) !== 0;
  if (length < (authenticated ? CONTROL_OCTETS + 2 : CONTROL_OCTETS)) return "length";
  if (length > octets.length) return "length";
  if (detectMultiplier === 0) return "multiplier-zero";
  if ((flags & MULTIPOINT) !== 0) return "multipoint";
  const myDiscriminator = uint32(octets, 4);
  if (myDiscriminator === 0) return "my-discriminator-zero";
  const state = states[flags >> 6] ?? "Down";
  const yourDiscriminator = uint32(octets, 8);
  if (yourDiscriminator === 0 && (state === "Init" || state === "Up")) {
    return "your-discriminator-zero";
  }
  return {
    diagnostic: first & 0x1f,
    state,
    poll: (flags & POLL) !== 0,
    final: (flags & FINAL) !== 0,
    controlPlaneIndependent: (flags & INDEPENDENT) !== 0,
    authenticated,
    demand: (flags & DEMAND) !== 0,
    detectMultiplier,
    myDiscriminator,
    yourDiscriminator,
    desiredMinTxMicros: uint32(octets, 12),
    requiredMinRxMicros: uint32(octets, 16),
    requiredMinEchoRxMicros: uint32(octets, 20),
  };
}

/** Writes the mandatory section to the front of `out`; `length` is that of the whole packet, authentication included. */
export function encodeControl(packet: ControlPacket, out: Uint8Array, length: number): void {
  out[0] = (VERSION << 5) | packet.diagnostic;
  out[1] =
    (states.indexOf(packet.state) << 6) |
    (packet.poll ? POLL : 0) |
    (packet.final ? FINAL : 0) |
    (packet.controlPlaneIndependent ? INDEPENDENT : 0) |
    (packet.authenticated ? AUTHENTICATED : 0) |
    (packet.demand ? DEMAND : 0);
  out[2] = packet.detectMultiplier;
  out[3] = length;
  putUint32(out, 4, packet.myDiscriminator);
  putUint32(out, 8, packet.yourDiscriminator);
  putUint32(out, 12, packet.desiredMinTxMicros);
  putUint32(out, 16, packet.requiredMinRxMicros);
  putUint32(out, 20, packet.requiredMinEchoRxMicros);
}

/** RFC 5880 §6.8.8 leaves the form to us; the first octets say that it is ours. */
const ECHO_HEAD = [1, 24, 0x52, 0x75] as const;
export const ECHO_OCTETS = 24;

export function encodeEcho(discriminator: number, sequence: number, out: Uint8Array): void {
  out.set(ECHO_HEAD);
  putUint32(out, 4, discriminator);
  putUint32(out, 8, sequence >>> 0);
  out.fill(0, 12, ECHO_OCTETS);
}

/** The session that sent it; undefined where it is none of ours. */
export function decodeEcho(
  octets: Uint8Array,
): { readonly discriminator: number; readonly sequence: number } | undefined {
  if (octets.length < ECHO_OCTETS) return undefined;
  if (!ECHO_HEAD.every((octet, i) => octets[i] === octet)) return undefined;
  return { discriminator: uint32(octets, 4), sequence: uint32(octets, 8) };
}

export const uint32 = (octets: Uint8Array, at: number): number =>
  (((octets[at] ?? 0) << 24) |
    ((octets[at + 1] ?? 0) << 16) |
    ((octets[at + 2] ?? 0) << 8) |
    (octets[at + 3] ?? 0)) >>>
  0;

export function putUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}
