/**
 * The seam between the agent and the kernel backend: what it is told, what it tells, how it is ended.
 *
 * Only types. What the kernel shall hold is intent.ts, learned paths are ../best-paths.ts. Reads next: kernel.ts.
 */
import type { Address, Family } from "../../events/address.ts";
import type { NeighborKey, ResourceKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { BestPaths } from "../best-paths.ts";
import type { HostAddress } from "../host-address.ts";
import type { HeldReason } from "./verdicts.ts";
import type { ExportRule, KernelIntent } from "./intent.ts";

export type KernelCapability =
  /** To change anything at all: CAP_NET_ADMIN. */
  "changes" | "vrf" | "nexthop-objects" | "nft" | "address-protocol" | "ipv4-via-ipv6";

/** Declared before the first apply; the plan refuses what is missing, with this reason. */
export type KernelCapabilities = {
  readonly has: ReadonlySet<KernelCapability>;
  readonly missing: ReadonlyMap<KernelCapability, string>;
};

/** What the log says is ours, for what the kernel itself does not mark: addresses before Linux 5.18. */
export type KernelLedger = {
  /** By the text of `own-changed`. */
  has(entry: string): boolean;
};

export type KernelFact =
  /** Since the last one; at most ten a second for each table, never one for a route. */
  | {
      readonly type: "installed";
      /** Names of the rules that fill this table at this metric. */
      readonly rules: readonly string[];
      readonly vrf: string;
      readonly table: number;
      readonly metric: number;
      readonly family: Family;
      readonly added: number;
      readonly replaced: number;
      readonly removed: number;
      /** Now in the kernel, and learned but held back. */
      readonly routes: number;
      readonly held: number;
    }
  | ({ readonly type: "own-changed" } & OwnChange)
  | ExportedFact
  /** Virtual IPs of the intent for which this host receives nothing now, each with the reason; told where they change. */
  | { readonly type: "unusable"; readonly addresses: ReadonlyMap<Address, string> }
  /** Somebody changed what is ours. */
  | {
      readonly type: "drift";
      readonly what: "route" | "nexthop" | "address" | "rule" | "own-route" | "nat";
      /** The entry, or one of `count`. */
      readonly entry: string;
      readonly count: number;
      readonly action: "repaired" | "reported";
    }
  /** The kernel was read anew: how many of our routes were missing, there beyond what we knew, or otherwise. */
  | {
      readonly type: "resynced";
      readonly reason: string;
      readonly missing: number;
      readonly extra: number;
      readonly changed: number;
      readonly millis: number;
    }
  /** Links, addresses or VRFs are not what they were: plans that name them may come out otherwise. */
  | {
      readonly type: "host";
      readonly links: boolean;
      readonly addresses: boolean;
      readonly vrfs: boolean;
    };

/** What the kernel offers an export rule; told within 30 ms of the change, and all that changed in them at once. */
export type ExportedFact = {
  readonly type: "exported";
  readonly rule: ResourceKey;
  /** `added` is all there is, whatever was told before. */
  readonly whole: boolean;
  readonly added: readonly Prefix[];
  readonly removed: readonly Prefix[];
};

export type OwnChange = {
  /** As `ip` would say it, such as `address 192.0.2.1/32 dev lo`. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly failed: readonly OwnProblem[];
};

export type OwnProblem = { readonly entry: string; readonly reason: string };

/** What an apply did at once; learned routes follow and are told by facts. */
export type KernelApplied = OwnChange;

export type RuleStatus = {
  readonly rule: string;
  readonly vrf: string;
  readonly family: Family;
  readonly installed: number;
  readonly held: readonly {
    readonly reason: HeldReason | "refused-by-kernel";
    readonly count: number;
    readonly example: Prefix;
  }[];
};

export type KernelStatus = {
  readonly rules: readonly RuleStatus[];
  /** Of each export rule: how many prefixes it tells, and how many are beyond its maximum. */
  readonly exports: readonly {
    readonly rule: ResourceKey;
    readonly told: number;
    readonly beyond: number;
    readonly example: Prefix | undefined;
  }[];
  /** Routes of ours, whatever rule they are from, leftovers of an earlier run included. */
  readonly routes: number;
  /** Times that something of ours was found changed by others since the start. */
  readonly drift: number;
  readonly resyncs: number;
  readonly problems: readonly OwnProblem[];
};

/** As `routes kernel` shows it. */
export type KernelRoute = {
  readonly prefix: Prefix;
  readonly table: number;
  readonly metric: number;
  /** Empty: of an earlier run, and not wanted by any rule (yet). */
  readonly rule: string;
  readonly neighbors: readonly NeighborKey[];
  readonly hops: readonly { readonly gateway: Address | undefined; readonly device: string }[];
  readonly preferredSource: Address | undefined;
};

export interface Kernel {
  readonly capabilities: KernelCapabilities;
  /** Reads the kernel and recognises what is ours; changes nothing. Before anything else. */
  start(ledger: KernelLedger): Promise<void>;
  /** Level-triggered; resolves when own entries are as wanted or refused. Never called while an earlier call runs. */
  apply(intent: KernelIntent): Promise<KernelApplied>;
  learned(event: BestPaths): void;
  /** What was learned in this VRF is learned no longer: another speaker tells of it from now on, or nobody. Resolves when judged so. */
  forget(vrf: string): Promise<void>;
  /** Tells at once what each rule takes, as apply() does: so that the first plan knows it. */
  export(rules: readonly ExportRule[]): void;
  /** What these rules would take, without taking effect: for plans that are only shown. */
  offers(rules: readonly ExportRule[]): readonly ExportedFact[];
  /** Networks that this host has an address in now, loopback and host prefixes left out; sorted, each once. */
  networks(): readonly Prefix[];
  /** Those of devices that are up; while everything is read anew, as they were before. */
  addresses(): Iterable<HostAddress>;
  watch(listener: (fact: KernelFact) => void): () => void;
  status(): KernelStatus;
  /** Walked lazily. */
  routes(): Iterable<KernelRoute>;
  /** Resolves once nothing is left to be sent to the kernel. */
  settled(): Promise<void>;
  /** `leave` keeps everything in place, as a kill would; `final` takes away what is ours. Idempotent. */
  close(mode: "leave" | "final"): Promise<void>;
}
