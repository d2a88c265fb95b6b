/**
 * A BFD session as the engine runs it, and what it tells: the border between the engine and whoever drives it.
 *
 * Plain data, so that it crosses the control socket unchanged (protocol.ts). All times are microseconds of the monotonic
 * clock. Reads next: session.ts (the state machine), engine.ts (all sessions of a process).
 */
import type { Address } from "../../events/address.ts";
import type { BfdState } from "../../events/event.ts";
import type { BfdKey } from "../../events/ids.ts";
import type { AuthenticationType } from "./authentication.ts";
import type { BfdTiming } from "./intent.ts";

export type BfdParameters = {
  readonly key: BfdKey;
  readonly vrf: string;
  readonly remote: Address;
  readonly local: Address | undefined;
  readonly interface: string;
  readonly multihop: boolean;
  /** bfd.LocalDiscr: nonzero, unique in the engine, hard to guess (RFC 5880 §6.8.1). */
  readonly localDiscriminator: number;
  readonly timing: BfdTiming;
  readonly authentication:
    | { readonly type: AuthenticationType; readonly keyId: number; readonly key: string }
    | undefined;
};

/** RFC 5880 §4.1 Diag, by the RFC's numbers. */
const diagnostics = [
  "No Diagnostic",
  "Control Detection Time Expired",
  "Echo Function Failed",
  "Neighbor Signaled Session Down",
  "Forwarding Plane Reset",
  "Path Down",
  "Concatenated Path Down",
  "Administratively Down",
  "Reverse Concatenated Path Down",
] as const;

export const diagnosticText = (diagnostic: number): string =>
  diagnostics[diagnostic] ?? `diagnostic ${diagnostic}`;

/** A session as it is now; what `rutter bfd` shows and what a returning agent adopts. */
export type BfdStatus = {
  readonly key: BfdKey;
  readonly state: BfdState;
  /** RFC 5880 §4.1 Diag of the last change. */
  readonly diagnostic: number;
  readonly remoteState: BfdState;
  readonly remoteDiagnostic: number;
  readonly localDiscriminator: number;
  /** 0 while unknown. */
  readonly remoteDiscriminator: number;
  /** In force now: after negotiation, the slow rate and pending polls (RFC 5880 §6.8.3, §6.8.7), before jitter. */
  readonly transmitIntervalMicros: number;
  /** What the peer was last told that we require (bfd.RequiredMinRxInterval in force). */
  readonly receiveIntervalMicros: number;
  /** The peer's multiplier; 0 while unknown. */
  readonly remoteDetectMultiplier: number;
  /** RFC 5880 §6.8.4; 0 while nothing is known of the peer. */
  readonly detectionTimeMicros: number;
  /** C bit of the peer: its BFD does not share fate with its control plane (RFC 5882 §4.3). */
  readonly remoteControlPlaneIndependent: boolean;
  /** `unanswered`: none came back yet, so Control packets alone detect. */
  readonly echo: "off" | "unanswered" | "active";
  readonly sinceMicros: number;
  /** Changes of state since the engine took the session. */
  readonly transitions: number;
  readonly counters: BfdCounters;
};

export type BfdCounters = {
  readonly sent: number;
  readonly received: number;
  readonly echoSent: number;
  readonly echoReceived: number;
  /** Packets that named this session and were discarded. */
  readonly discarded: number;
};

export type BfdTransition = {
  readonly key: BfdKey;
  readonly from: BfdState;
  readonly to: BfdState;
  readonly diagnostic: number;
  readonly remoteState: BfdState;
  readonly remoteDiagnostic: number;
  readonly atMicros: number;
  /** From the last packet that counted to this change; undefined where the change was no detection. */
  readonly detectedAfterMicros: number | undefined;
  /** Detection time that was in force, microseconds. */
  readonly detectionTimeMicros: number;
  /** Arrivals (kernel's time stamps) and departures of the last packets before the change, oldest first, at most 8 each. */
  readonly arrivalsMicros: readonly number[];
  readonly departuresMicros: readonly number[];
  readonly remoteControlPlaneIndependent: boolean;
};
