/**
 * The seam between an intent and a running speaker.
 *
 * A backend is level-triggered: it is handed everything wanted and makes the speaker match, changing as little as it can;
 * handed the same again, it does nothing. It never reads the log and never decides policy. Who adds a backend reads this
 * file, intent.ts and delta.ts, and passes test/contract/.
 */
import type { Address, Family } from "../events/address.ts";
import type { AppliedDelta, SessionState } from "../events/event.ts";
import type { NeighborKey, ResourceKey } from "../events/ids.ts";
import type { Prefix } from "../events/prefix.ts";
import type { SecretRef } from "../events/resources/resource.ts";
import type { BestPaths } from "./best-paths.ts";
import type { BfdStatus, BfdTransition } from "./bfd/parameters.ts";
import type { SpeakerDaemons } from "./daemons.ts";
import type { BackendName, NeighborIntent, Provenance, SpeakerIntent } from "./intent.ts";

export type Capability =
  | "tcp-md5"
  | "graceful-restart"
  | "unnumbered"
  | "vrf"
  | "local-as"
  | "routers-per-vrf"
  | "vrf-import"
  | "bfd"
  | "evpn"
  | "raw"
  /** `localInterface`. */
  | "source-interface"
  /** Its own BFD daemon: `waitsForBfd`, and authentication of BFDOptions. */
  | "bfd-strict"
  | "bfd-authentication"
  /** What it learns it brings into the table of the router's VRF itself, at metric 20: the agent only looks whether it did. */
  | "installs-routes";

/** Declared before the first apply, probed where the kernel decides; the plan refuses what is missing, with this reason. */
export type Capabilities = {
  readonly has: ReadonlySet<Capability>;
  readonly missing: ReadonlyMap<Capability, string>;
};

export type Applied = {
  /** Of what was taken; what is refused is not in it. */
  readonly delta: AppliedDelta;
  /** What the speaker does not take, while all the rest is applied; tried again by the backend itself. Absent: nothing. */
  readonly refused?: readonly Refused[];
};

export type Refused = {
  /** Whose it is; undefined where it is nobody's alone. */
  readonly subject: NeighborKey | ResourceKey | undefined;
  readonly reason: string;
};

export type SessionFact = {
  readonly type: "session";
  readonly neighbor: NeighborKey;
  readonly status: SessionStatus;
};

/** How much moved since the last one; sent at most a few times a second for each neighbour, never one for a route. */
export type RouteBatch = {
  readonly type: "routes";
  readonly neighbor: NeighborKey;
  readonly received: number;
  readonly announced: number;
  readonly withdrawn: number;
};

export type RouteCounts = {
  /** Prefixes in Adj-RIB-Out, in Adj-RIB-In, and of the latter those past policy. */
  readonly sent: number;
  readonly received: number;
  readonly accepted: number;
};

const none: RouteCounts = { sent: 0, received: 0, accepted: 0 };
export const noRoutes: Readonly<Record<Family, RouteCounts>> = { ipv4: none, ipv6: none };

export type SessionStatus = RouteCounts & {
  readonly neighbor: NeighborKey;
  readonly name: string;
  readonly state: SessionState;
  /** Monotonic milliseconds since the state (or, below Established, its reason) began; the shell turns them into a time. */
  readonly sinceMillis: number;
  /** Why it is not Established, or why it was left last, in words an operator can act on; empty if there is nothing to say. */
  readonly reason: string;
  /** Agreed ones of an Established session, else what is offered. */
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly localAddress: Address | undefined;
  /** Who answers on the interface that the neighbour is known by; undefined: nobody did yet, or it is known by its address. */
  readonly found: { readonly interface: string; readonly address: Address } | undefined;
  readonly remoteAs: number | undefined;
  readonly remoteRouterId: Address | undefined;
  /** Names as in the IANA registry of BGP capability codes. */
  readonly capabilities: readonly string[];
  /** Families agreed on both sides. */
  readonly families: readonly Family[];
  /** What sent, received and accepted are the sums of. */
  readonly byFamily: Readonly<Record<Family, RouteCounts>>;
  /** Times an Established session went down since this speaker started. */
  readonly resets: number;
};

/** Of a neighbour of whom nothing is known yet, or no longer, for that reason. */
export const idleStatus = (
  neighbor: NeighborIntent,
  reason: string,
  sinceMillis: number,
): SessionStatus => ({
  neighbor: neighbor.key,
  name: neighbor.name,
  state: "Idle",
  sinceMillis,
  reason,
  holdTimeSeconds: neighbor.holdTimeSeconds,
  keepaliveTimeSeconds: neighbor.keepaliveTimeSeconds,
  localAddress: undefined,
  found: undefined,
  remoteAs: undefined,
  remoteRouterId: undefined,
  capabilities: [],
  families: [],
  ...none,
  byFamily: noRoutes,
  resets: 0,
});

/** A route as `routes received|advertised` shows it. */
export type ShownRoute = {
  readonly prefix: Prefix;
  readonly neighbor: NeighborKey;
  readonly pathId: number;
  readonly nextHop: Address;
  readonly asPath: string;
  readonly origin: "igp" | "egp" | "incomplete";
  readonly localPref: number | undefined;
  readonly med: number | undefined;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly accepted: boolean;
  /** Why it was not accepted, or that it is stale; empty otherwise. */
  readonly reason: string;
  readonly provenance: Provenance;
  readonly raw: readonly {
    readonly code: number;
    readonly flags: number;
    readonly hex: string;
  }[];
};

export type PathState =
  | { readonly type: "up" }
  | {
      readonly type: "down";
      readonly reason: string;
      /**
       * The peer's C bit: its BFD does not share fate with its control plane, so that this is a failure of forwarding. Where it is
       * clear, this may be the peer's restart (RFC 5882 §4.3).
       */
      readonly remoteControlPlaneIndependent: boolean;
    }
  /** No session, none that was ever Up, or one that somebody shut down on purpose (RFC 5882 §4.2.1). */
  | { readonly type: "unknown" };

export type SpeakerBfdFact =
  /** Where nothing is known of arrivals and departures, or of how long detection took, that is empty or undefined. */
  | { readonly type: "transition"; readonly transition: BfdTransition }
  | { readonly type: "sessions" };

/** Sessions of a BFD daemon that belongs to the speaker, in the terms of the BFD engine. Its own end of them is never steered from here. */
export type SpeakerBfdSessions = {
  /** All that there are, also those that are down; the key says VRF, addresses, device and hops (bfdKey()). */
  all(): readonly BfdStatus[];
  /** Calls back for each change of state, and where a session came or went; the returned function stops it. */
  watch(listener: (fact: SpeakerBfdFact) => void): () => void;
  /** What keeps sessions from working, in words to act on; empty where nothing does. */
  problems(): readonly string[];
};

export interface SpeakerBackend {
  readonly name: BackendName;
  readonly capabilities: Capabilities;

  /** Absent: the speaker has no BFD daemon, and `speakerBfd` of a neighbour is always undefined. */
  readonly bfd?: SpeakerBfdSessions;

  /** Why connections of peers can't be taken; undefined where they can. Absent: the speaker listens nowhere, or does not say. */
  readonly listenProblem?: () => string | undefined;

  /** Absent: nothing beside the agent speaks for it. */
  readonly daemons?: SpeakerDaemons;

  /** What the speaker runs with, in its own language; secrets in it. Absent: it has no such text. Rejects with BackendError. */
  readonly runningConfig?: () => Promise<string>;

  /**
   * Resolves when the speaker accepted the intent, and says what it changed; rejects with BackendError. What waits for a
   * peer (a session that is not up yet) does not hold it. Never called while an earlier call runs.
   */
  apply(intent: SpeakerIntent, signal: AbortSignal): Promise<Applied>;

  /** Calls back for what is seen on the wire; the returned function stops it. */
  watch(listener: (fact: SessionFact | RouteBatch) => void): () => void;

  /**
   * Calls back with what learned routes lead to, for the kernel (best-paths.ts); the returned function stops it. All that
   * there is comes first, then every change: within the turn that brought it where little changes, in batches of some thousand
   * prefixes and over many turns where much does. Own routes are never among them. The listener does not wait for anything.
   */
  bestPaths(listener: (told: BestPaths) => void): () => void;

  /**
   * What BFD says of the path to a neighbour; remembered for neighbours that come later. On `down` an Established session ends at
   * once (RFC 5882 §4.2; Cease / BFD Down, RFC 9384) and is tried anew as after any other end, or when the path is `up` again
   * where the neighbour waits for BFD; its routes go, also those that are held for it while it restarts. Only where the peer can
   * restart gracefully and its C bit is clear, this may be such a restart (RFC 5882 §4.3): the session ends without a NOTIFICATION,
   * and its routes stay as they do then. `unknown` ends nothing.
   */
  path(neighbor: NeighborKey, state: PathState): void;

  /** All neighbours of the intent, also those that are down, in order of key. */
  sessions(): readonly SessionStatus[];

  /**
   * Adj-RIB-In or Adj-RIB-Out, of one neighbour or of all; walked lazily, so that a full table is never one array. Asynchronous
   * where the speaker is another process, which is asked as the walk goes on; such a walk rejects with BackendError.
   */
  routes(
    direction: "received" | "advertised",
    neighbor?: NeighborKey,
  ): Iterable<ShownRoute> | AsyncIterable<ShownRoute>;

  /**
   * `final` ends sessions with Cease / Administrative Shutdown (RFC 4486 §4). `graceful` says nothing, so that a peer with
   * graceful restart keeps the routes (RFC 4724 §4). Idempotent.
   */
  close(mode: "graceful" | "final"): Promise<void>;
}

/** What a restarted speaker is told of the run before (RFC 4724 §4.1; design §7 "restart"). */
export type RestartContext = {
  /** True within the restart time after the start of an agent whose last run had sessions: sets the R bit. */
  readonly restarting: boolean;
  /** True where forwarding went on: the kernel's boot id is the one before, and bound addresses were read back. Sets the F bits. */
  readonly forwardingPreserved: boolean;
};

/** Resolves a secret, or says why it can't: a session without its secret is refused, never opened without it. */
export type RevealSecret = (ref: SecretRef) => string | undefined;

export type BackendErrorCode = "SPEAKER_UNREACHABLE" | "SPEAKER_REFUSED" | "SPEAKER_TIMEOUT";

export class BackendError extends Error {
  override readonly name = "BackendError";
  readonly code: BackendErrorCode;
  constructor(code: BackendErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
