/**
 * What a speaker is asked to be: whole, neutral, in nobody's dialect.
 *
 * Made by the plan (agent/plan/), handed to one backend at a time with that backend's own neighbours only. It holds own
 * routes and rules, never learned routes, and never a secret. An intent is immutable; two versions share what is equal,
 * so diff() of their route maps costs what changed. Everything in it names the facts that caused it.
 * Reads next: backend.ts (who takes it), delta.ts (what differs between two of them).
 */
import type { Address, Family } from "../events/address.ts";
import type { Asn, EventId, NeighborKey, ResourceKey } from "../events/ids.ts";
import type { PersistentMap } from "../events/persistent-map.ts";
import type { Prefix } from "../events/prefix.ts";
import type { FrrEvpn } from "../events/resources/frr-evpn.ts";
import type { RawText } from "../events/resources/raw.ts";
import type { SecretRef } from "../events/resources/resource.ts";
import type { BfdTiming } from "./bfd/intent.ts";

export type BackendName = "native" | "frr" | "gobgp";

/** Ids of the facts that made something what it is, most specific first. */
export type Provenance = readonly EventId[];

export type SpeakerIntent = {
  /** In order of key. */
  readonly routers: readonly RouterIntent[];
  /** In the order in which they take effect: later ones win. Empty unless the speaker has the capability `raw`. */
  readonly raw: readonly RawSnippet[];
};

/** Nobody to speak to. */
export const NO_SPEAKER: SpeakerIntent = { routers: [], raw: [] };

/** Lines that a user wrote in the speaker's own language; opaque, and applied behind everything else. */
export type RawSnippet = {
  readonly owner: ResourceKey;
  readonly raw: RawText;
  readonly provenance: Provenance;
};

export type RouterIntent = {
  /** `vrf|localAs|routerId`; empty parts where they are the default or chosen by the backend. */
  readonly key: string;
  /** Linux VRF device; empty for the default one. */
  readonly vrf: string;
  readonly localAs: Asn;
  /** RFC 4271 §4.2; undefined: the backend takes the highest-ranking address it speaks from (design: native). */
  readonly routerId: Address | undefined;
  /** In order of key. */
  readonly neighbors: readonly NeighborIntent[];
  /** Own routes, held once however many neighbours are told. */
  readonly routes: PersistentMap<Prefix, OwnRoute>;
  /** VRFs (empty: the default one) whose routes are leaked into this one. Empty unless the speaker has `vrf-import`. */
  readonly imports: readonly string[];
  /** undefined unless the speaker has `evpn`. */
  readonly evpn: FrrEvpn | undefined;
};

export type NeighborIntent = {
  readonly key: NeighborKey;
  /** The resource's name, for people. */
  readonly name: string;
  readonly backend: BackendName;
  readonly remoteAs:
    | { readonly type: "asn"; readonly asn: Asn }
    /** Taken from the OPEN; must equal (internal) or differ from (external) the local AS. */
    | { readonly type: "internal" }
    | { readonly type: "external" };
  readonly remote:
    | { readonly type: "address"; readonly address: Address; readonly port: number }
    | { readonly type: "interface"; readonly interface: string };
  /** Where to speak from; undefined: the kernel chooses. */
  readonly localAddress: Address | undefined;
  /** Device whose address is spoken from; absent: `localAddress` says it. Only where the speaker has `source-interface`. */
  readonly localInterface?: string;
  /** What we are to this peer instead of the router's AS (RFC 7705 local-as, no-prepend replace-as). */
  readonly localAsOverride: Asn | undefined;
  /** RFC 4271 §4.2: 0 (no keepalives) or 3–65535. */
  readonly holdTimeSeconds: number;
  /** RFC 4271 §4.4; at most the hold time; the negotiated hold time / 3 bounds it from above. */
  readonly keepaliveTimeSeconds: number;
  /** RFC 4271 §8 ConnectRetryTime, 1–65535. */
  readonly connectRetrySeconds: number;
  /** Hop limit of what we send: 1 for a neighbour on the link, 255 where it may be hops away. */
  readonly timeToLive: number;
  /** TCP-MD5 (RFC 2385). The value is fetched by the backend from where secrets are kept. */
  readonly authentication: { readonly type: "tcp-md5"; readonly secret: SecretRef } | undefined;
  readonly families: readonly Family[];
  /** Carries EVPN routes, too (RFC 7432); such a session may have no other family. */
  readonly carriesEvpn: boolean;
  /**
   * Both sides of RFC 4724: the peer is asked to keep our routes so long, and its routes stay while it restarts, as long as it asks
   * for. undefined: the capability is not offered, and nothing is kept.
   */
  readonly gracefulRestart: { readonly restartTimeSeconds: number } | undefined;
  /** BGP waits for BFD to be Up (strict mode): no session is opened or taken before. */
  readonly waitsForBfd: boolean;
  /** Kept by the speaker's own BFD daemon; undefined: nobody asked for BFD, or the BFD engine keeps it (bfd/intent.ts). */
  readonly speakerBfd: SpeakerBfd | undefined;
  /** What may come in; learned routes themselves are not the plan's business. */
  readonly receive: ReceiveRule;
  /** What holds whatever `receive` says; absent: nothing is blocked, no maximum but the speaker's own, first AS checked. */
  readonly receiveGuard: ReceiveGuard | undefined;
  readonly provenance: Provenance;
};

export type SpeakerBfd = {
  /** Name of the BFDProfile; neighbours with the same name have the same timing. */
  readonly profile: string;
  readonly multihop: boolean;
  /** The profile's own: its echo interval takes effect on a single hop only, its minimum TTL on multihop only. */
  readonly timing: BfdTiming;
};

/** RFC 8212 §3: nothing is accepted unless somebody asked for it. */
export type ReceiveRule =
  | { readonly type: "nothing" }
  | { readonly type: "everything" }
  | {
      readonly type: "prefixes";
      readonly prefixes: readonly {
        readonly prefix: Prefix;
        readonly atLeast: number;
        readonly atMost: number;
      }[];
    };

export type ReceiveGuard = {
  /** Routes to these prefixes and to more specific ones are never accepted, from anybody. One array for all neighbours. */
  readonly alwaysBlock: readonly Prefix[];
  /** Absent for a family: the speaker's own bound, which protects its memory. */
  readonly maximumPrefixes: Readonly<Partial<Record<Family, MaximumPrefixes>>>;
  /** RFC 4271 §6.3: an external neighbour's AS comes first in AS_PATH; false for the peers of a route server (RFC 7947 §2.2.2). */
  readonly checkFirstAs: boolean;
};

/** Of a family, as received: refused ones count too, for they are what a leak consists of (RFC 4486 §4). */
export type MaximumPrefixes = {
  readonly count: number;
  /** Share of the count, in percent, from which on a warning is given; undefined: none before the count. */
  readonly warnAtPercent: number | undefined;
  readonly beyond:
    /** All are held and judged as before; the warning stands with the session. */
    | { readonly type: "warn" }
    /** Cease / Maximum Number of Prefixes Reached; tried again after so long. */
    | { readonly type: "restart"; readonly afterSeconds: number }
    /** The same, and down until something in the neighbour's intent changes. */
    | { readonly type: "idle" };
};

export type OwnRoute = {
  readonly prefix: Prefix;
  /** Each neighbour at most once over all exports; one that is in none is not told. */
  readonly exports: readonly Export[];
  readonly provenance: Provenance;
};

export type Export = {
  /** Sorted; one array for all routes that are told to the same neighbours. */
  readonly to: readonly NeighborKey[];
  /** One object for all routes with equal attributes. */
  readonly attributes: ExportAttributes;
};

export type ExportAttributes = {
  /** Sent to iBGP neighbours only (RFC 4271 §5.1.5); undefined: 100. */
  readonly localPref: number | undefined;
  readonly med: number | undefined;
  /** RFC 1997, each `high << 16 | low` as an unsigned number, ascending. */
  readonly communities: readonly number[];
  /** RFC 8092 in canonical text `global:local1:local2`, ascending by value. */
  readonly largeCommunities: readonly string[];
  /** undefined: the session's local address of that family. */
  readonly nextHop: Address | undefined;
};
