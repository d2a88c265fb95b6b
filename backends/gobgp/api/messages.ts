/**
 * Messages of GoBGP's API as plain objects: what gobgp.proto says, for the compiler.
 *
 * Pure data. Fields that are absent in what we send are gobgpd's defaults; in what is read every field is there.
 * Reads next: gobgp.proto, ../io/client.ts.
 */
import type { Family } from "../../../events/address.ts";

/** RFC 4760 §3: address family and subsequent address family. */
export type FamilyMessage = { readonly afi: number; readonly safi: number };

const UNICAST = 1;
export const familyMessage = (family: Family): FamilyMessage => ({
  afi: family === "ipv4" ? 1 : 2,
  safi: UNICAST,
});
export const familyOfMessage = (message: FamilyMessage | null): Family | undefined =>
  message?.safi !== UNICAST
    ? undefined
    : message.afi === 1
      ? "ipv4"
      : message.afi === 2
        ? "ipv6"
        : undefined;

export type Global = {
  readonly asn: number;
  readonly router_id: string;
  /** -1: nowhere. */
  readonly listen_port: number;
  readonly listen_addresses: readonly string[];
  readonly use_multiple_paths: boolean;
};

/** Of session_state. */
export const ESTABLISHED = 6;
export const ADMIN_STATE = { up: 0, down: 1, prefixLimit: 2 } as const;

/** What we say of a neighbour; complete, because UpdatePeer takes what is absent for a change (docs/decisions/013). */
export type PeerMessage = {
  readonly conf: {
    readonly auth_password: string;
    readonly description: string;
    readonly local_asn: number;
    readonly neighbor_address: string;
    readonly peer_asn: number;
    /** 0 internal, 1 external. */
    readonly type: number;
    readonly admin_down: boolean;
  };
  readonly ebgp_multihop: { readonly enabled: boolean; readonly multihop_ttl: number };
  readonly timers: {
    readonly config: {
      readonly connect_retry: number;
      readonly hold_time: number;
      readonly keepalive_interval: number;
    };
  };
  readonly transport: { readonly local_address: string; readonly remote_port: number };
  readonly graceful_restart: {
    readonly enabled: boolean;
    readonly restart_time: number;
    readonly deferral_time: number;
    readonly local_restarting: boolean;
  };
  readonly afi_safis: readonly {
    readonly config: { readonly family: FamilyMessage; readonly enabled: boolean };
    readonly mp_graceful_restart: { readonly config: { readonly enabled: boolean } };
    readonly prefix_limits?: {
      readonly family: FamilyMessage;
      readonly max_prefixes: number;
      readonly shutdown_threshold_pct: number;
    };
  }[];
};

/** A neighbour as gobgpd lists it; null where a part is absent. */
export type ListedPeer = {
  readonly conf: PeerMessage["conf"] | null;
  readonly state: {
    readonly messages: {
      readonly received: { readonly notification: number; readonly update: number } | null;
      readonly sent: { readonly notification: number; readonly update: number } | null;
    } | null;
    readonly neighbor_address: string;
    readonly peer_asn: number;
    /** 1 Idle to 6 Established, in the order of RFC 4271 §8.2.2. */
    readonly session_state: number;
    readonly admin_state: number;
    /** A capability each: an Any in 3.x, a message with one member in 4.x. */
    readonly remote_cap: readonly Uint8Array[];
    readonly local_cap: readonly Uint8Array[];
    readonly router_id: string;
  } | null;
  readonly timers: {
    readonly config: PeerMessage["timers"]["config"] | null;
    readonly state: {
      readonly keepalive_interval: number;
      readonly negotiated_hold_time: number;
    } | null;
  } | null;
  readonly transport: PeerMessage["transport"] | null;
  readonly afi_safis: readonly {
    readonly config: { readonly family: FamilyMessage | null; readonly enabled: boolean } | null;
    readonly mp_graceful_restart: {
      readonly config: { readonly enabled: boolean } | null;
      readonly state: { readonly received: boolean; readonly end_of_rib_received: boolean } | null;
    } | null;
    readonly state: {
      readonly received: number;
      readonly accepted: number;
      readonly advertised: number;
    } | null;
    readonly prefix_limits: {
      readonly max_prefixes: number;
      readonly shutdown_threshold_pct: number;
    } | null;
  }[];
};

/** What we say of an own route: octets as on the wire, which every version takes alike. */
export type OwnPath = {
  readonly is_withdraw: boolean;
  readonly family: FamilyMessage;
  readonly identifier: number;
  readonly nlri_binary: Uint8Array;
  readonly pattrs_binary: readonly Uint8Array[];
};

export type ListedPath = OwnPath & {
  readonly source_asn: number;
  readonly source_id: string;
  readonly filtered: boolean;
  readonly stale: boolean;
  readonly is_from_external: boolean;
  /** `<nil>` or empty where the path is gobgpd's own. */
  readonly neighbor_ip: string;
};

export type Destination = { readonly prefix: string; readonly paths: readonly ListedPath[] };

export const TABLE = { global: 0, adjIn: 2, adjOut: 3 } as const;

export const SET_TYPE = { prefix: 0, neighbor: 1, asPath: 3, largeCommunity: 6 } as const;

export type DefinedSet = {
  readonly defined_type: number;
  readonly name: string;
  readonly list: readonly string[];
  readonly prefixes: readonly {
    readonly ip_prefix: string;
    readonly mask_length_min: number;
    readonly mask_length_max: number;
  }[];
};

export const MATCH = { any: 0, invert: 2 } as const;
export const ROUTE_ACTION = { accept: 1, reject: 2 } as const;
export const DIRECTION = { import: 1, export: 2 } as const;

export type MatchSet = { readonly type: number; readonly name: string };
export type Statement = {
  readonly name: string;
  readonly conditions: {
    readonly prefix_set?: MatchSet;
    readonly neighbor_set?: MatchSet;
    readonly as_path_set?: MatchSet;
    readonly large_community_set?: MatchSet;
    readonly afi_safi_in?: readonly FamilyMessage[];
  };
  readonly actions: {
    readonly route_action: number;
    readonly community?: { readonly type: number; readonly communities: readonly string[] };
    readonly large_community?: { readonly type: number; readonly communities: readonly string[] };
    readonly med?: { readonly type: number; readonly value: number };
    readonly nexthop?: { readonly address?: string; readonly self?: boolean };
    readonly local_pref?: { readonly value: number };
  };
};
export type Policy = { readonly name: string; readonly statements: readonly Statement[] };
export type PolicyAssignment = {
  readonly name: string;
  readonly direction: number;
  readonly policies: readonly { readonly name: string }[];
};

export type WatchEvent = {
  readonly peer?: { readonly type: number };
  readonly table?: {
    readonly paths: readonly {
      readonly nlri: Uint8Array;
      readonly family: FamilyMessage | null;
      readonly neighbor_ip: string;
    }[];
  };
};

/** The version's ways: where 4.x differs from 3.x in what a message means. */
export type Dialect = {
  readonly version: 3 | 4;
  readonly service: string;
  /** First value of the enumerations that 4.x counts from 1: add, replace of MED, soft reset in, best, exact. */
  readonly first: 0 | 1;
};
export const DIALECTS: readonly [Dialect, Dialect] = [
  { version: 3, service: "apipb.GobgpApi", first: 0 },
  { version: 4, service: "api.GoBgpService", first: 1 },
];
