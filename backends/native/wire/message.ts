/**
 * What a BGP message says, once its octets are read (RFC 4271 §4): the words that codec, FSM and RIBs share.
 *
 * Types only. `Open` and `Notification` are plain data that a session can record; an `Update` is a view into the buffer it
 * was read from and is good only until that buffer is used again: the path of a full table makes no object per route.
 * Reads next: notification.ts (every error we send), framing.ts (octets to messages), decode.ts, update.ts.
 */
import type { Address, Family } from "../../../events/address.ts";
import type { Asn } from "../../../events/ids.ts";
import type { AfiSafi } from "./afi-safi.ts";

export type Message =
  | { readonly type: "open"; readonly open: Open }
  | { readonly type: "update"; readonly update: Update }
  | { readonly type: "notification"; readonly notification: Notification }
  | { readonly type: "keepalive" }
  | { readonly type: "route-refresh"; readonly refresh: RouteRefresh };

/** A peer's octets, read: its fault is the NOTIFICATION to answer with, never an exception. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: Notification };

/** RFC 4271 §4.2. */
export type Open = {
  /** Four octets: of the capability where there is one, else "My Autonomous System" (RFC 6793 §4.1). */
  readonly asn: Asn;
  /** 0 or 3–65535 (RFC 4271 §4.2). */
  readonly holdTimeSeconds: number;
  /** BGP Identifier, an IPv4 address in form only (RFC 6286 §2.1). */
  readonly routerId: Address;
  /** In the order of the message; see lastCapability() of capability.ts where one type may stand twice. */
  readonly capabilities: readonly Capability[];
};

export type Capability =
  /** RFC 4760 §8 */
  | { readonly type: "multiprotocol"; readonly family: AfiSafi }
  /** RFC 2918 §2 */
  | { readonly type: "route-refresh" }
  /** RFC 7313 §3.1 */
  | { readonly type: "enhanced-route-refresh" }
  /** RFC 6793 §3 */
  | { readonly type: "four-octet-asn"; readonly asn: number }
  | GracefulRestart
  /** RFC 7911 §4; 1 may receive, 2 may send, 3 both. */
  | {
      readonly type: "add-path";
      readonly families: readonly { readonly family: AfiSafi; readonly direction: number }[];
    }
  /** RFC 8950 §4: NLRI of `family` may have a next hop of `nextHopAfi`. */
  | {
      readonly type: "extended-next-hop";
      readonly families: readonly { readonly family: AfiSafi; readonly nextHopAfi: number }[];
    }
  /** RFC 8654 §3 */
  | { readonly type: "extended-message" }
  /** RFC 5492 §3: one that we do not know is no error. */
  | { readonly type: "unknown"; readonly code: number; readonly hex: string };

/** RFC 4724 §3, RFC 8538 §2. */
export type GracefulRestart = {
  readonly type: "graceful-restart";
  /** R: the speaker has restarted. */
  readonly restartState: boolean;
  /** N: NOTIFICATION and hold time expiry restart gracefully too (RFC 8538 §2). */
  readonly notification: boolean;
  /** 0–4095. */
  readonly restartTimeSeconds: number;
  /** F: forwarding state of the family was kept. */
  readonly families: readonly { readonly family: AfiSafi; readonly forwarding: boolean }[];
};

/** RFC 4271 §4.5. `data` is a copy, at most 4075 octets (65514 with RFC 8654). */
export type Notification = {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
};

/** RFC 2918 §3; the subtype is of RFC 7313 §3.2: 0 request, 1 begin, 2 end, others are to be ignored. */
export type RouteRefresh = { readonly family: AfiSafi; readonly subtype: number };

/** What was agreed in the OPENs, as far as reading and writing of messages depends on it. */
export type SessionOptions = {
  /** AS numbers in AS_PATH and AGGREGATOR have four octets (RFC 6793 §4.1: both sides said so). */
  readonly as4: boolean;
  /** The peer is in another AS: LOCAL_PREF and the reflector's attributes mean nothing from it (RFC 7606 §7.5). */
  readonly external: boolean;
  /** Agreed families; NLRI of others is skipped, not judged (RFC 4760 §6). */
  readonly families: readonly Family[];
  /** Families in which the peer sends path identifiers (RFC 7911 §5). */
  readonly addPath: readonly Family[];
  /** RFC 8654: messages may have 65535 octets instead of 4096, in both directions. */
  readonly extendedMessage: boolean;
  /** RFC 8950: IPv4 NLRI may have an IPv6 next hop. */
  readonly extendedNextHop: boolean;
};

/** Half-open range of octets in `Update.bytes`; empty where start equals end. */
export type Range = { readonly start: number; readonly end: number };

/** NLRI of one family; each entry is `[path identifier of 4 octets,] length in bits, octets` (RFC 4271 §4.3, RFC 7911 §3). */
export type NlriRange = Range & { readonly family: Family; readonly addPath: boolean };

/** One UPDATE (RFC 4271 §4.3), checked by RFC 7606; a view, see the head of this file. */
export type Update = {
  readonly bytes: Uint8Array;
  /** To be taken out first (RFC 4271 §4.3: a prefix in both is announced). Of treat-as-withdraw, all NLRI stands here. */
  readonly withdrawn: readonly NlriRange[];
  /** To be put in with `attributes`. */
  readonly announced: readonly NlriRange[];
  /**
   * The attributes as kept: four-octet AS numbers, AS4_PATH merged, discarded ones left out, MP_REACH_NLRI without its NLRI,
   * no MP_UNREACH_NLRI. Often a view into `bytes`. Read by decodeAttributes() of route-attributes.ts.
   */
  readonly attributes: Uint8Array;
  readonly outcome: "ok" | "attribute-discard" | "treat-as-withdraw";
  /** What was wrong with single attributes, in order; empty when all is well. */
  readonly faults: readonly AttributeFault[];
  /** RFC 4724 §2: this message is the End-of-RIB marker of the family. */
  readonly endOfRib: Family | undefined;
};

export type AttributeFault = {
  readonly attribute: number;
  readonly action: "attribute-discard" | "treat-as-withdraw";
  /** The rule that was applied, e.g. `RFC 7606 §7.1`. */
  readonly clause: string;
  readonly reason: string;
};

/** What we say of a route. One object for all routes with equal attributes; key with attributesKey() of encode-attributes.ts. */
export type OutAttributes = {
  readonly origin: "igp" | "egp" | "incomplete";
  /** AS_SEQUENCE, nearest first; empty to an internal peer for own routes (RFC 4271 §5.1.2). */
  readonly asPath: readonly Asn[];
  readonly nextHop: Address;
  /** Beside a global IPv6 next hop where the peer is on the link (RFC 2545 §3). */
  readonly linkLocal?: Address | undefined;
  readonly med?: number | undefined;
  /** To internal peers only (RFC 4271 §5.1.5). */
  readonly localPref?: number | undefined;
  /** RFC 1997, `high << 16 | low` as an unsigned number. */
  readonly communities: readonly number[];
  /** RFC 8092 §5, canonical `global:local1:local2`. */
  readonly largeCommunities: readonly string[];
};
