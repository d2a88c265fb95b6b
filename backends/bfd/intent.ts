/**
 * What the BFD engine is asked to hold: whole, and the same for whichever speaker its sessions guard.
 *
 * Made by the plan beside the speakers' intents. Several BGP sessions between two hosts share one BFD session, so a session
 * names all that it guards. Never holds a secret. Reads next: parameters.ts (a session as the engine runs it).
 */
import type { Address } from "../../events/address.ts";
import type { BfdKey, NeighborKey } from "../../events/ids.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import type { Provenance } from "../intent.ts";
import type { AuthenticationType } from "./authentication.ts";

export type BfdIntent = {
  /** In order of key. */
  readonly sessions: readonly BfdSessionIntent[];
};

export type BfdSessionIntent = {
  readonly key: BfdKey;
  /** Linux VRF device; empty for the default one. */
  readonly vrf: string;
  readonly remote: Address;
  /** undefined: the kernel chooses by its route. Always given for multihop (RFC 5883 §3). */
  readonly local: Address | undefined;
  /** Device that the session is bound to; empty where the addresses alone decide. */
  readonly interface: string;
  readonly multihop: boolean;
  readonly timing: BfdTiming;
  readonly authentication:
    | { readonly type: AuthenticationType; readonly keyId: number; readonly secret: SecretRef }
    | undefined;
  /** The BGP sessions that it guards, sorted. */
  readonly guards: readonly NeighborKey[];
  readonly provenance: Provenance;
};

/** What may change while the session is Up, by a poll sequence where the RFC asks for one (RFC 5880 §6.8.3). */
export type BfdTiming = {
  /** bfd.DesiredMinTxInterval, before jitter. */
  readonly transmitIntervalMillis: number;
  /** bfd.RequiredMinRxInterval. */
  readonly receiveIntervalMillis: number;
  /** bfd.DetectMult. */
  readonly detectMultiplier: number;
  /** Echo function: what we send at, and what we take from the peer (RFC 5880 §6.8.9); undefined: neither. Single hop only. */
  readonly echoIntervalMillis: number | undefined;
  /** Speaks only when spoken to (RFC 5880 §6.1). */
  readonly passive: boolean;
  /** The lowest TTL or hop limit taken: 255 on a single hop (RFC 5881 §5), the operator's on multihop. */
  readonly minimumTimeToLive: number;
};
