/**
 * What the log says: desired, decided, observed and applied state of this host, as one immutable value.
 *
 * Types and the empty value only; fold.ts makes one from facts, and snapshot.ts writes it down. Two states share what is
 * equal, so the state at any past seq can be kept beside today's.
 */
import type { Address } from "./address.ts";
import type { Instant } from "./envelope.ts";
import type { AllocatedAddress, BfdState, HostFacts, SessionState } from "./event.ts";
import type { FeedPosition, LeftOut } from "./feed-event.ts";
import type { BfdKey, EventId, NeighborKey, ResourceKey, RunId, Seq } from "./ids.ts";
import { PersistentMap } from "./persistent-map.ts";
import type { Prefix } from "./prefix.ts";
import type { Resource } from "./resources/kinds.ts";
import type { Owner } from "./resources/resource.ts";

/** A resource as it was last applied, by whom, and by which fact. */
export type Held<R extends Resource = Resource> = {
  readonly key: ResourceKey;
  readonly resource: R;
  readonly owner: Owner;
  readonly fact: EventId;
};

export type Allocation = {
  readonly addresses: readonly AllocatedAddress[];
  readonly fact: EventId;
};

export type Quarantine = { readonly rule: string; readonly reason: string; readonly fact: EventId };

export type Awaited = { readonly reason: string; readonly fact: EventId };

export type Endpoint = {
  readonly healthy: boolean;
  readonly reason: string;
  readonly fact: EventId;
};

/** How far this host is with the feed of one fleet, and in what it does not follow it. */
export type FeedState = {
  /** Of the newest change set or base that took its place; 0 before the first. */
  readonly generation: number;
  /** Of the change set of that generation; empty before the first. */
  readonly digest: string;
  readonly signer: string;
  /** Generations up to this one were skipped by a base; each later one took its place here. */
  readonly base: number;
  /** Change sets that were refused since that base, newest last, at most MAX_VERDICTS. */
  readonly verdicts: readonly {
    readonly generation: number;
    readonly rule: string;
    readonly reason: string;
  }[];
  readonly left: readonly LeftOut[];
  /** Keys that the fleet deleted, with the generation that did; at most MAX_TOMBSTONES, the newest. */
  readonly tombstones: PersistentMap<ResourceKey, number>;
  readonly position: FeedPosition | undefined;
  readonly diverged:
    | {
        readonly what: "history" | "strays";
        readonly reason: string;
        readonly strays: readonly ResourceKey[];
        readonly fact: EventId;
      }
    | undefined;
  /** The last one that said something of it. */
  readonly fact: EventId;
};

/** Who answered last on the interface that a neighbour is known by. */
export type FoundNeighbor = {
  readonly interface: string;
  readonly address: Address;
  readonly fact: EventId;
};

export type ObservedSession = {
  readonly peer: string;
  readonly state: SessionState;
  readonly reason: string;
  readonly since: Instant;
  readonly resets: number;
  readonly fact: EventId;
};

/** What the last apply of a backend left on the wire. */
export type Wire = {
  readonly program: string;
  readonly intentDigest: string;
  readonly fact: EventId;
  readonly seq: Seq;
  readonly neighbors: PersistentMap<
    NeighborKey,
    { readonly router: string; readonly parameters: string }
  >;
  /** `router prefix` → text of the export set (backends/delta.ts); equal texts are one string. */
  readonly routes: PersistentMap<WireKey, string>;
};
export type WireKey = `${string} ${Prefix}`;
export const wireKey = (router: string, prefix: Prefix): WireKey => `${router} ${prefix}`;

export type ResourceType = Resource["type"];
export type ResourceOf<T extends ResourceType> = Extract<Resource, { readonly type: T }>;

/** Inputs of the plan: desired and decided state and recorded host facts; of what was seen on the wire, only who was found. */
export type DesiredState = {
  /** By type, because pools are few and Services are many. A type that was never seen is absent. */
  readonly resources: Readonly<Partial<Record<ResourceType, PersistentMap<ResourceKey, Held>>>>;
  readonly allocations: PersistentMap<ResourceKey, Allocation>;
  /** The Services that hold an address (more than one where they share it). */
  readonly addressHolders: PersistentMap<Address, readonly ResourceKey[]>;
  /** Allocated addresses in each IPv4 /24 or IPv6 /120, so that a search can step over what is full. */
  readonly addressesInBlock: PersistentMap<Prefix, number>;
  readonly awaiting: PersistentMap<ResourceKey, Awaited>;
  readonly quarantined: PersistentMap<ResourceKey, Quarantine>;
  readonly endpoints: PersistentMap<ResourceKey, Endpoint>;
  /** By RouteExport: what the kernel offers it, and the facts that said so; undefined until it offered something. */
  readonly exports: PersistentMap<ResourceKey, PersistentMap<Prefix, EventId>> | undefined;
  /** By neighbour that is known by its interface; undefined until one was found. */
  readonly found: PersistentMap<NeighborKey, FoundNeighbor> | undefined;
  /** By fleet; undefined until one fed this host. */
  readonly feeds: PersistentMap<string, FeedState> | undefined;
  readonly host: { readonly facts: HostFacts; readonly fact: EventId } | undefined;
};

export type RecordedBfd = {
  readonly discriminator: number;
  readonly state: BfdState;
  readonly diagnostic: string;
  readonly since: Instant;
  readonly transitions: number;
  readonly fact: EventId;
};

export type State = {
  /** Newest folded fact; 0 before the first. */
  readonly seq: Seq;
  readonly at: Instant | undefined;
  readonly desired: DesiredState;
  readonly sessions: PersistentMap<NeighborKey, ObservedSession>;
  /** Sessions that the BFD process holds; undefined until there was one. */
  readonly bfd: PersistentMap<BfdKey, RecordedBfd> | undefined;
  /** Own entries in the kernel and the facts that put them there; undefined until there was one. */
  readonly kernel: PersistentMap<string, EventId> | undefined;
  /** By backend name. */
  readonly wires: Readonly<Record<string, Wire>>;
  /** Desired state as it was at each backend's last apply: what a new program version is compared on. */
  readonly desiredAtApply: Readonly<Record<string, DesiredState>>;
  /** Sources whose deletions wait for confirmation. */
  readonly suspected: Readonly<
    Record<
      string,
      {
        readonly reason: string;
        readonly deletes: readonly ResourceKey[];
        readonly fact: EventId;
      }
    >
  >;
  readonly heldPlan:
    | { readonly from: string; readonly to: string; readonly fact: EventId }
    | undefined;
  readonly run:
    | {
        readonly run: RunId;
        readonly program: string;
        readonly boot: string;
        readonly startedAt: Instant;
        /** False where the run before ended without saying so (kill -9, power loss). */
        readonly stopped: boolean;
      }
    | undefined;
  readonly logId: string;
};

export const nothingDesired: DesiredState = {
  resources: {},
  allocations: PersistentMap.empty(),
  addressHolders: PersistentMap.empty(),
  addressesInBlock: PersistentMap.empty(),
  awaiting: PersistentMap.empty(),
  quarantined: PersistentMap.empty(),
  endpoints: PersistentMap.empty(),
  exports: undefined,
  found: undefined,
  feeds: undefined,
  host: undefined,
};

export const nothingRecorded: State = {
  seq: 0 as Seq,
  at: undefined,
  desired: nothingDesired,
  sessions: PersistentMap.empty(),
  bfd: undefined,
  kernel: undefined,
  wires: {},
  desiredAtApply: {},
  suspected: {},
  heldPlan: undefined,
  run: undefined,
  logId: "",
};

/** The resources of one type; empty where there is none. */
export function resourcesOf<T extends ResourceType>(
  desired: DesiredState,
  type: T,
): PersistentMap<ResourceKey, Held<ResourceOf<T>>> {
  return (desired.resources[type] ?? PersistentMap.empty()) as PersistentMap<
    ResourceKey,
    Held<ResourceOf<T>>
  >;
}
