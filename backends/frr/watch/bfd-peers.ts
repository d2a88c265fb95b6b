/**
 * `show bfd peers json` and `show bfd peers counters json` of bfdd, as sessions of the shape that our own engine's have.
 *
 * Pure. bfdd does not tell the peer's state: it counts as Up where the session is, as AdminDown where the diagnostic says so, and as
 * Down otherwise. Its intervals are milliseconds. Reads next: bfd-watch.ts, ../../bfd/parameters.ts.
 */
import { parseAddress } from "../../../events/address.ts";
import type { BfdState } from "../../../events/event.ts";
import type { BfdKey } from "../../../events/ids.ts";
import { type BfdStatus, type BfdTransition, diagnosticText } from "../../bfd/parameters.ts";
import { countAt, isObject, isTrueAt, type Json, readJson, textAt } from "./json.ts";
import { vrfFromFrr } from "./names.ts";

export type BfdPeer = {
  readonly vrf: string;
  readonly remote: string;
  readonly interface: string;
  readonly multihop: boolean;
  readonly status: Omit<BfdStatus, "key" | "sinceMicros" | "transitions">;
  /** Seconds in this state. */
  readonly ageSeconds: number;
  /** Times it came up and went down, since bfdd has it. */
  readonly ups: number;
  readonly downs: number;
};

const STATES: Readonly<Record<string, BfdState>> = {
  up: "Up",
  down: "Down",
  init: "Init",
  shutdown: "AdminDown",
};
const MICROS = 1000;
/** RFC 5880 §6.8.3: not faster while the session is not Up. */
const SLOW_MICROS = 1_000_000;
const DIAGNOSTICS = 9;

/** undefined: one of the two is no such answer. A peer without a state in it is left out. */
export function parseBfdPeers(peers: string, counters: string): readonly BfdPeer[] | undefined {
  const found = readJson(peers);
  const counted = readJson(counters);
  if (!Array.isArray(found) || !Array.isArray(counted)) return undefined;
  const byName = new Map(counted.filter(isObject).map((one) => [nameOf(one), one] as const));
  return found.filter(isObject).flatMap((one) => peerOf(one, byName.get(nameOf(one)) ?? {}) ?? []);
}

const nameOf = (one: Json): string =>
  ["peer", "local", "vrf", "interface"].map((key) => textAt(one, key) ?? "").join("|") +
  String(isTrueAt(one, "multihop"));

function peerOf(one: Json, counters: Json): BfdPeer | undefined {
  const remote = parseAddress(textAt(one, "peer") ?? "");
  const word = textAt(one, "status") ?? "";
  const state = Object.hasOwn(STATES, word) ? STATES[word] : undefined;
  if (remote === undefined || state === undefined) return undefined;
  const isUp = state === "Up";
  const remoteDiagnostic = diagnosticNumber(textAt(one, "remote-diagnostic"));
  const multiplier = countAt(one, "remote-detect-multiplier");
  const receive = countAt(one, "receive-interval") * MICROS;
  const transmit = countAt(one, "transmit-interval") * MICROS;
  const remoteTransmit = countAt(one, "remote-transmit-interval") * MICROS;
  const agreed = Math.max(transmit, countAt(one, "remote-receive-interval") * MICROS);
  const echoIn = countAt(counters, "echo-packet-input");
  const echoOut = countAt(counters, "echo-packet-output");
  return {
    vrf: vrfFromFrr(textAt(one, "vrf") ?? ""),
    remote,
    interface: textAt(one, "interface") ?? "",
    multihop: isTrueAt(one, "multihop"),
    status: {
      state,
      diagnostic: diagnosticNumber(textAt(one, "diagnostic")),
      remoteState: isUp ? "Up" : remoteDiagnostic === 7 ? "AdminDown" : "Down",
      remoteDiagnostic,
      localDiscriminator: countAt(one, "id"),
      remoteDiscriminator: countAt(one, "remote-id"),
      transmitIntervalMicros: isUp ? agreed : Math.max(agreed, SLOW_MICROS),
      receiveIntervalMicros: receive,
      remoteDetectMultiplier: multiplier,
      detectionTimeMicros: multiplier * Math.max(receive, remoteTransmit),
      remoteControlPlaneIndependent: false,
      echo:
        countAt(one, "echo-transmit-interval") === 0 ? "off" : echoIn > 0 ? "active" : "unanswered",
      counters: {
        sent: countAt(counters, "control-packet-output"),
        received: countAt(counters, "control-packet-input"),
        echoSent: echoOut,
        echoReceived: echoIn,
        discarded: 0,
      },
    },
    ageSeconds: countAt(one, isUp ? "uptime" : "downtime"),
    ups: countAt(counters, "session-up"),
    downs: countAt(counters, "session-down"),
  };
}

/** bfdd prints the RFC's words in small letters, and `ok` for none. */
function diagnosticNumber(text: string | undefined): number {
  for (let number = 0; number < DIAGNOSTICS; number += 1) {
    if (diagnosticText(number).toLowerCase() === text) return number;
  }
  return 0;
}

export type HeldBfd = { readonly status: BfdStatus; readonly ups: number; readonly downs: number };

export type BfdSight = { readonly held: HeldBfd; readonly transitions: readonly BfdTransition[] };

/** What a session is now, and how it came there; `held` undefined: seen for the first time, which is no transition. */
export function bfdSeen(
  held: HeldBfd | undefined,
  key: BfdKey,
  peer: BfdPeer,
  atMicros: number,
): BfdSight {
  const { ups, downs } = peer;
  const before = held?.status;
  const states = before === undefined ? [] : wayFrom(before.state, peer, held);
  const transitions = states.map(([from, to]) => transitionOf(key, peer, from, to, atMicros));
  const status: BfdStatus = {
    ...peer.status,
    key,
    sinceMicros:
      before === undefined
        ? atMicros - peer.ageSeconds * 1_000_000
        : transitions.length > 0
          ? atMicros
          : before.sinceMicros,
    transitions: (before?.transitions ?? 0) + transitions.length,
  };
  return { held: { status, ups, downs }, transitions };
}

/** A session that went down and came back between two looks did both; the counters know. */
function wayFrom(
  from: BfdState,
  { status: { state: to }, downs, ups }: BfdPeer,
  held: HeldBfd | undefined,
): readonly (readonly [BfdState, BfdState])[] {
  if (from !== to) return [[from, to]];
  const wasDown = from === "Up" && downs > (held?.downs ?? downs);
  const wasUp = from !== "Up" && ups > (held?.ups ?? ups);
  if (wasDown)
    return [
      [from, "Down"],
      ["Down", to],
    ];
  return wasUp
    ? [
        [from, "Up"],
        ["Up", to],
      ]
    : [];
}

const transitionOf = (
  key: BfdKey,
  { status }: BfdPeer,
  from: BfdState,
  to: BfdState,
  atMicros: number,
): BfdTransition => ({
  key,
  from,
  to,
  diagnostic: status.diagnostic,
  remoteState: to === "Up" ? "Up" : status.remoteState === "Up" ? "Down" : status.remoteState,
  remoteDiagnostic: status.remoteDiagnostic,
  atMicros,
  detectedAfterMicros: undefined,
  detectionTimeMicros: status.detectionTimeMicros,
  arrivalsMicros: [],
  departuresMicros: [],
  remoteControlPlaneIndependent: status.remoteControlPlaneIndependent,
});
