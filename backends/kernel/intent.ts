/**
 * What the kernel is asked to hold for us: whole, neutral, in nobody's dialect.
 *
 * Made by the plan beside the speakers' intents. Holds own entries and rules for learned routes, never learned routes
 * themselves (../best-paths.ts). Everything names the facts that caused it.
 */
import type { Address } from "../../events/address.ts";
import type { NeighborKey, ResourceKey } from "../../events/ids.ts";
import type { PersistentMap } from "../../events/persistent-map.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { Provenance } from "../intent.ts";

export type KernelIntent = {
  readonly addresses: PersistentMap<KernelKey, OwnAddress>;
  readonly routes: PersistentMap<KernelKey, OwnKernelRoute>;
  readonly rules: PersistentMap<KernelKey, PolicyRule>;
  readonly sourceNats: PersistentMap<KernelKey, SourceNat>;
  /** The first that takes a path decides. */
  readonly imports: readonly ImportRule[];
  readonly exports: readonly ExportRule[];
};

/** What tells entries apart, as text: made by the plan, and a name in the log. */
export type KernelKey = string & { readonly __brand: "KernelKey" };

/** A virtual IP, bound with its full length. */
export type OwnAddress = {
  readonly address: Address;
  readonly device: string;
  /** On the device, or as a local route to it, of which the kernel takes any number (docs/decisions/011). */
  readonly as: "address" | "route";
  /** Prefixes that are announced for its sake: of no use to anybody while it is not bound. */
  readonly announcedAs: readonly Prefix[];
  readonly provenance: Provenance;
};

/** Keeps traffic for the unused part of an aggregate from looping. */
export type OwnKernelRoute = {
  readonly type: "blackhole" | "unreachable";
  readonly prefix: Prefix;
  /** Goes into the VRF's own table; empty: into main. */
  readonly vrf: string;
  readonly metric: number;
  readonly provenance: Provenance;
};

/** `ip rule`: lower priorities are asked first. */
export type PolicyRule = {
  readonly priority: number;
  readonly family: "ipv4" | "ipv6";
  readonly from: Prefix | undefined;
  readonly to: Prefix | undefined;
  /** Device that the packet came in by; empty: any. */
  readonly incoming: string;
  readonly mark: number | undefined;
  /** A table by its number, or that of a VRF. */
  readonly table: number | { readonly vrf: string };
  readonly provenance: Provenance;
};

/** What leaves from these sources gets this address (nftables). */
export type SourceNat = {
  readonly name: string;
  readonly sources: readonly Prefix[];
  /** `masquerade`: the address of the device that it leaves by. */
  readonly to: Address | "masquerade";
  /** Device that it leaves by, or a VRF for all of its ports; empty: any. */
  readonly outgoing: string;
  readonly provenance: Provenance;
};

/** Which learned routes go into which table (`rutter/v1` RouteImport, and what a receive rule implies). */
export type ImportRule = {
  readonly name: string;
  readonly vrf: string;
  /** Whose paths; undefined: everybody's. A set of paths is cut down to those that it takes. */
  readonly neighbors: readonly NeighborKey[] | undefined;
  /** Empty: every prefix. */
  readonly prefixes: readonly {
    readonly prefix: Prefix;
    readonly atLeast: number;
    readonly atMost: number;
  }[];
  /** undefined: the VRF's own table, or main (254) where there is none. A VRF (empty: main): it is leaked into that one. */
  readonly table: number | { readonly vrf: string } | undefined;
  /** Of the kernel: lower is better. */
  readonly metric: number;
  readonly preferredSource: Readonly<Partial<Record<"ipv4" | "ipv6", Address>>>;
  /** Routes after which no more are taken by this rule; what is held stays. */
  readonly maximum: number;
  /** A default route (0.0.0.0/0, ::/0) is taken only where this is set. */
  readonly acceptDefault: boolean;
  readonly provenance: Provenance;
};

/** Which prefixes of the kernel this agent wants to know of, to announce them (`rutter/v1` RouteExport). */
export type ExportRule = {
  readonly rule: ResourceKey;
  readonly vrf: string;
  readonly from:
    | {
        readonly type: "kernel-routes";
        /** undefined: the VRF's own table, or main. */
        readonly table: number | undefined;
        /** Empty: all but those of routing daemons, and only what leads somewhere. */
        readonly protocols: readonly number[];
        readonly interfaces: readonly string[];
      }
    /** Networks of addresses, or the addresses; no interface named: any. */
    | { readonly type: "connected" | "addresses"; readonly interfaces: readonly string[] };
  readonly prefixes: ImportRule["prefixes"];
  readonly maximum: number;
  readonly exportDefault: boolean;
  readonly provenance: Provenance;
};
