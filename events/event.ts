/**
 * Everything that can be said in the log: one union, in the past tense.
 *
 * Sorts: desired (somebody wants it), decided (this host settled it), of a fleet's feed, observed (it was seen), effect (an
 * apply did it on the wire); and the book's own. Shapes are for ever: bump `versions`, add an upcaster (upcasts.ts) and a fixture of the
 * old row; never rename in place. Bodies are plain JSON: no bigint, no undefined, no secret value.
 * Reads next: feed-event.ts, envelope.ts (what surrounds an event), state.ts (the fold).
 */
import type { Address, Family } from "./address.ts";
import type { FeedEvent } from "./feed-event.ts";
import type { BfdKey, EventId, NeighborKey, ResourceKey, RunId, Seq } from "./ids.ts";
import type { Prefix } from "./prefix.ts";
import type { Resource } from "./resources/kinds.ts";
import type { Labels, Owner } from "./resources/resource.ts";
import type { SecretSpec } from "./resources/secret.ts";

export type DesiredEvent =
  /** One accepted command; the facts it led to name it as their cause. */
  | {
      readonly type: "change-accepted";
      readonly command: "apply" | "delete" | "sync" | "confirm";
      readonly owner: Owner;
      readonly applied: readonly ResourceKey[];
      readonly deleted: readonly ResourceKey[];
      readonly unchanged: number;
    }
  | {
      readonly type: "resource-applied";
      readonly resource: Resource;
      readonly owner: Owner;
      /** The owner it was taken over from, where another one had it. */
      readonly takenFrom?: Owner;
    }
  | { readonly type: "resource-deleted"; readonly key: ResourceKey; readonly owner: Owner };

export type AllocatedAddress = { readonly address: Address; readonly pool: ResourceKey };

export type DecidedEvent =
  | {
      readonly type: "address-allocated";
      readonly service: ResourceKey;
      /** Primary family first; at most one of each family. Replaces what the Service had. */
      readonly addresses: readonly AllocatedAddress[];
    }
  | { readonly type: "address-released"; readonly service: ResourceKey; readonly reason: string }
  /** The Service wants an address that no pool can give now; it is tried again when pools or other Services change. */
  | { readonly type: "address-awaited"; readonly service: ResourceKey; readonly reason: string }
  | {
      readonly type: "resource-quarantined";
      readonly key: ResourceKey;
      /** Stable id of the rule that it breaks. */
      readonly rule: string;
      readonly reason: string;
    }
  | { readonly type: "quarantine-lifted"; readonly key: ResourceKey }
  /** A change that would take away more than is plausible waits for `rutter confirm`. */
  | {
      readonly type: "source-suspected";
      readonly owner: Owner;
      readonly reason: string;
      readonly deletes: readonly ResourceKey[];
    }
  | { readonly type: "source-trusted"; readonly owner: Owner }
  /** The plan of this program version differs from what the last one put on the wire, and no event explains it. */
  | {
      readonly type: "plan-changed-by-version";
      readonly from: string;
      readonly to: string;
      readonly withdrawals: readonly string[];
      readonly resets: readonly NeighborKey[];
      /** Held changes wait for `rutter confirm`; until then the wire stays as it was. */
      readonly held: boolean;
    }
  | { readonly type: "plan-confirmed"; readonly version: string };

export type HostFacts = {
  readonly node: string;
  readonly hostname: string;
  /** From the agent's configuration; `rutter/v1` Node resources add to them. Always has kubernetes.io/hostname. */
  readonly labels: Labels;
  /** What a Service without an endpoint resource follows (design §5). */
  readonly defaultEndpoint: "listen" | "always" | "none";
  /** Networks that this host has an address in, loopback left out, sorted; absent in facts of before 0.2. */
  readonly networks?: readonly Prefix[];
  /** What no neighbour may send whatever a manifest says; absent: nothing is said about it. */
  readonly receive?: HostReceive;
  /** How long peers are asked to keep our routes over a restart, where graceful restart is enabled; absent in facts of before 0.2. */
  readonly restartTimeSeconds?: number;
  /** Device that virtual IPs are bound to; absent: they are not bound by us. */
  readonly bindAddresses?: string;
  /** Those of IPv4 as local routes; absent: as addresses. */
  readonly bindAs?: "routes";
  /** Secrets whose password systemd gave this run as a credential, by `namespace/name`; they go before applied ones. Absent: none. */
  readonly secrets?: Readonly<Record<string, SecretSpec>>;
};

export type HostReceive = {
  /** Never accepted, more specific ones included. */
  readonly alwaysBlock: readonly Prefix[];
  /** Of one neighbour and family, refused ones included (RFC 4486 §4). */
  readonly maximumPrefixes: Readonly<Partial<Record<Family, number>>>;
  readonly warnAtPercent?: number;
  readonly beyond: "warn" | "restart" | "idle";
  readonly restartAfterSeconds: number;
};

/** RFC 4271 §8.2.2 states; `Refused` is ours: it was not even tried, and the reason says what is missing. */
export type SessionState =
  | "Idle"
  | "Connect"
  | "Active"
  | "OpenSent"
  | "OpenConfirm"
  | "Established"
  | "Refused";

/** RFC 5880 §4.1. */
export type BfdState = "AdminDown" | "Down" | "Init" | "Up";

export type ObservedEvent =
  | { readonly type: "host-observed"; readonly facts: HostFacts }
  | {
      readonly type: "endpoint-observed";
      readonly service: ResourceKey;
      readonly healthy: boolean;
      readonly reason: string;
    }
  /** What the kernel offers a RouteExport changed; one fact for all that changed together. */
  | {
      readonly type: "exports-observed";
      readonly rule: ResourceKey;
      readonly added: readonly Prefix[];
      readonly removed: readonly Prefix[];
    }
  /** Another one than before answers on the interface that a neighbour is known by (RFC 4861). */
  | {
      readonly type: "neighbor-found";
      readonly neighbor: NeighborKey;
      readonly peer: string;
      readonly interface: string;
      /** Its link-local one. */
      readonly address: Address;
    }
  /** A session came up, went down, or fails for another reason than before; the FSM's own steps are not facts of the book. */
  | {
      readonly type: "session-observed";
      readonly neighbor: NeighborKey;
      readonly peer: string;
      readonly state: SessionState;
      readonly reason: string;
      /** In an Established session: what was agreed. */
      readonly holdTimeSeconds?: number;
      readonly keepaliveTimeSeconds?: number;
      readonly localAddress?: Address;
      readonly remoteRouterId?: Address;
      /** True where this session went on with the routes of the one before (RFC 4724 §4.2). */
      readonly restarted?: boolean;
    }
  /** A BFD session changed its state. */
  | {
      readonly type: "bfd-observed";
      readonly session: BfdKey;
      readonly from: BfdState;
      readonly to: BfdState;
      /** Names of RFC 5880 §4.1. */
      readonly diagnostic: string;
      readonly remoteState: BfdState;
      readonly remoteDiagnostic: string;
      /** Where silence was detected: from the last packet to now, microseconds. */
      readonly detectedAfterMicros?: number;
      readonly detectionTimeMicros: number;
      /** The last packets, oldest first: how long before the change they arrived and were sent, microseconds. */
      readonly arrivedMicrosBefore: readonly number[];
      readonly sentMicrosBefore: readonly number[];
    }
  /** The BFD process came or went, or is away for another reason than before. */
  | {
      readonly type: "bfd-process-observed";
      readonly connected: boolean;
      readonly instance: string;
      readonly reason: string;
    }
  /**
   * A daemon that speaks for the agent answers, hangs, ended, or is another process than before (`restarted`). Of an end that comes
   * again and again the first, second, fourth, eighth … of a run is recorded.
   */
  | {
      readonly type: "speaker-daemon-observed";
      readonly backend: string;
      readonly daemon: string;
      readonly state: "up" | "restarted" | "hung" | "ended";
      readonly reason: string;
      /** Times that this run of the agent saw just this. */
      readonly count: number;
      /** The head of what it said when it crashed, without secrets. */
      readonly words?: string;
      /** What a peer sent and it ended over; `certain`: it is the only one heard that has the length which the crash names. */
      readonly message?: {
        readonly from: Address;
        /** Hexadecimal, with the header of RFC 4271 §4.1. */
        readonly octets: string;
        readonly certain: boolean;
      };
    }
  /** Somebody else changed what is ours in the kernel: `entry` is one of `count`. */
  | {
      readonly type: "kernel-drifted";
      readonly what: "route" | "nexthop" | "address" | "rule" | "own-route" | "nat";
      readonly entry: string;
      readonly count: number;
      readonly action: "repaired" | "reported";
    }
  /** The kernel was read anew, because what it told us of its changes had gaps; what differed was put right. */
  | {
      readonly type: "kernel-read";
      readonly reason: string;
      readonly missing: number;
      readonly extra: number;
      readonly changed: number;
    }
  /** How many routes a neighbour's Adj-RIB-In held after a burst; the routes themselves stay local (design §4). */
  | {
      readonly type: "routes-observed";
      readonly neighbor: NeighborKey;
      readonly received: number;
      readonly announced: number;
      readonly withdrawn: number;
    };

/**
 * What an apply changed, compact: `sets` are the distinct ways in which routes are told (text made by
 * backends/delta.ts), `routes` name one by its index.
 */
export type AppliedDelta = {
  readonly neighborsAdded: readonly NeighborKey[];
  readonly neighborsChanged: readonly {
    readonly neighbor: NeighborKey;
    readonly effect: "hitless" | "soft" | "hard";
    readonly fields: readonly string[];
  }[];
  readonly neighborsRemoved: readonly NeighborKey[];
  readonly sets: readonly string[];
  readonly routes: readonly (readonly [router: string, prefix: Prefix, set: number])[];
  readonly routesRemoved: readonly (readonly [router: string, prefix: Prefix])[];
};

export type EffectEvent =
  | BfdAppliedEvent
  | KernelAppliedEvent
  /** A batch of learned routes in the kernel; which they were is told by its rules and sessions (design §2, provenance). */
  | {
      readonly type: "routes-imported";
      readonly rules: readonly string[];
      readonly vrf: string;
      readonly table: number;
      readonly metric: number;
      readonly family: Family;
      readonly added: number;
      readonly replaced: number;
      readonly removed: number;
      /** Afterwards: in the kernel, and learned but held back. */
      readonly routes: number;
      readonly held: number;
    }
  | {
      readonly type: "applied";
      readonly backend: string;
      readonly program: string;
      readonly intentDigest: string;
      /** Of each neighbour added or changed: its router, and its parameters as JSON (never a secret), for a later version to compare. */
      readonly neighbors: readonly (readonly [NeighborKey, router: string, parameters: string])[];
      readonly delta: AppliedDelta;
    }
  | {
      readonly type: "apply-failed";
      readonly backend: string;
      readonly code: string;
      readonly reason: string;
      readonly attempt: number;
    };

export type BfdAppliedEvent = {
  readonly type: "bfd-applied";
  /** The run of the BFD process that holds them. */
  readonly instance: string;
  /** Local discriminators are drawn once: a session is the same one after any restart. */
  readonly added: readonly (readonly [BfdKey, discriminator: number])[];
  readonly changed: readonly BfdKey[];
  readonly removed: readonly BfdKey[];
  /** Read back afterwards: sessions that are held and that nobody wants. Empty unless something is broken. */
  readonly unwanted: readonly BfdKey[];
};

/** Own entries of the kernel, each by the plan's name for it, such as `address 192.0.2.1 dev lo`. */
export type KernelAppliedEvent = {
  readonly type: "kernel-applied";
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly failed: readonly { readonly entry: string; readonly reason: string }[];
};

export type BookEvent =
  | { readonly type: "log-created"; readonly logId: string; readonly host: string }
  /** The log before could not be read on; it was moved aside, and this one begins where it ended. */
  | {
      readonly type: "log-recovered";
      readonly lastSeq: number;
      readonly lastHash: string;
      readonly movedTo: string;
      readonly reason: string;
    }
  | {
      readonly type: "agent-started";
      readonly run: RunId;
      readonly program: string;
      readonly pid: number;
      readonly backend: string;
      readonly boot: string;
    }
  | { readonly type: "agent-stopped"; readonly mode: "graceful" | "final" }
  /** Facts that could not be recorded (disk full) are gone; this says how many and why. */
  | {
      readonly type: "recording-interrupted";
      readonly lost: number;
      readonly reason: string;
    }
  | { readonly type: "erased"; readonly seq: Seq; readonly fact: EventId; readonly reason: string };

export type Event =
  | DesiredEvent
  | DecidedEvent
  | FeedEvent
  | ObservedEvent
  | EffectEvent
  | BookEvent;
export type EventType = Event["type"];

/** Body version written today; an older one is lifted by upcasts.ts, a newer one is refused. */
export const versions: Readonly<Record<EventType, number>> = {
  "change-accepted": 1,
  "resource-applied": 1,
  "resource-deleted": 1,
  "address-allocated": 1,
  "address-released": 1,
  "address-awaited": 1,
  "resource-quarantined": 1,
  "quarantine-lifted": 1,
  "source-suspected": 1,
  "source-trusted": 1,
  "plan-changed-by-version": 1,
  "plan-confirmed": 1,
  "feed-advanced": 1,
  "feed-refused": 1,
  "feed-diverged": 1,
  "feed-converged": 1,
  "host-observed": 1,
  "endpoint-observed": 1,
  "exports-observed": 1,
  "neighbor-found": 1,
  "session-observed": 1,
  "bfd-observed": 1,
  "bfd-process-observed": 1,
  "speaker-daemon-observed": 1,
  "kernel-drifted": 1,
  "kernel-read": 1,
  "routes-observed": 1,
  applied: 1,
  "apply-failed": 1,
  "bfd-applied": 1,
  "kernel-applied": 1,
  "routes-imported": 1,
  "log-created": 1,
  "log-recovered": 1,
  "agent-started": 1,
  "agent-stopped": 1,
  "recording-interrupted": 1,
  erased: 1,
};
