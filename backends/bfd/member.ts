/**
 * A session as a member of the engine: its parameters, its keys' memory, its traces and counters; and who it listens to.
 *
 * Addresses are compared as octets, for this runs for each packet. Reads next: engine.ts.
 */
import type { Authentication, AuthenticationMemory } from "./authentication.ts";
import type { BfdParameters, BfdStatus } from "./parameters.ts";
import type { Datagram } from "./port.ts";
import { detectionTime, type Session, type SessionEffects, transmitInterval } from "./session.ts";

export type Member = {
  parameters: BfdParameters;
  readonly session: Session;
  readonly memory: AuthenticationMemory;
  /** Until then packets signed with the key before are taken, too. */
  former: { readonly authentication: Authentication; until: number } | undefined;
  readonly effects: SessionEffects;
  readonly remote: Uint8Array;
  readonly local: Uint8Array | undefined;
  /** Earliest entry in the queue; later ones are passed over. */
  queuedAt: number;
  /** Taken back: says AdminDown until then. */
  leavesAt: number;
  readonly arrivals: number[];
  readonly departures: number[];
  readonly counters: {
    sent: number;
    received: number;
    echoSent: number;
    echoReceived: number;
    discarded: number;
  };
};

/** Packet times told with a transition. */
const TRACE = 8;
/** RFC 5881 §5 (GTSM): only a neighbour on the link can send it. */
export const HOPS_ONE = 255;

export function isFrom({ parameters, remote, local }: Member, datagram: Datagram): boolean {
  return (
    parameters.multihop === (datagram.to === "multihop") &&
    parameters.vrf === datagram.vrf &&
    (parameters.interface === "" || parameters.interface === datagram.interface) &&
    sameOctets(remote, datagram.remote) &&
    (local === undefined || sameOctets(local, datagram.local))
  );
}

/** RFC 5881 §5; RFC 5883 §5. */
export const leastHops = ({ parameters: { multihop, timing } }: Member): number =>
  multihop ? timing.minimumTimeToLive : HOPS_ONE;

function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

export const addressName = (octets: Uint8Array): string => octets.join();

export function remember(times: number[], at: number): void {
  if (times.length === TRACE) times.shift();
  times.push(at);
}

export function statusOf({ parameters, session: s, counters }: Member): BfdStatus {
  return {
    key: parameters.key,
    state: s.state,
    diagnostic: s.diagnostic,
    remoteState: s.remoteState,
    remoteDiagnostic: s.remoteDiagnostic,
    localDiscriminator: parameters.localDiscriminator,
    remoteDiscriminator: s.remoteDiscriminator,
    transmitIntervalMicros: transmitInterval(s),
    receiveIntervalMicros: s.rxInUseMicros,
    remoteDetectMultiplier: s.remoteDetectMultiplier,
    detectionTimeMicros: detectionTime(s),
    remoteControlPlaneIndependent: s.remoteIndependent,
    echo: s.echoAt === Number.POSITIVE_INFINITY ? "off" : s.echoAnswered ? "active" : "unanswered",
    sinceMicros: s.sinceAt,
    transitions: s.transitions,
    counters: { ...counters },
  };
}
