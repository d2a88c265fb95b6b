/**
 * What the agent counts and measures, as plain numbers: what `/metrics` shows (metrics.ts).
 *
 * Gathered when somebody asks (agent/core/figures.ts), so that a host that nobody scrapes pays nothing. Bounded by peers and
 * BFD sessions; nothing in it grows with prefixes or Services.
 */
import type { RouteCounts } from "../../backends/backend.ts";
import type { Family } from "../../events/address.ts";
import type { BfdJson } from "./bfd-json.ts";
import type { FleetJson } from "./fleet-json.ts";
import type { KernelJson, PeerJson, StatusJson } from "./contract.ts";

export type PeerFigures = Pick<PeerJson, "name" | "vrf" | "state" | "since" | "resets"> & {
  readonly families: Readonly<Record<Family, RouteCounts>>;
};

/** How long something took: `counts` of those up to each bound and beyond the one before. */
export type Durations = {
  readonly boundsSeconds: readonly number[];
  readonly counts: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
};

export type Figures = {
  readonly node: string;
  readonly backend: string;
  readonly program: string;
  readonly state: StatusJson["state"];
  readonly ready: boolean;
  readonly peers: readonly PeerFigures[];
  readonly bfd: readonly Pick<BfdJson, "peer" | "vrf" | "localAddress" | "state" | "transitions">[];
  /** Null where this agent leaves the kernel alone. */
  readonly kernel: KernelJson | null;
  /** Null where this host is in no fleet. */
  readonly fleet: Pick<
    FleetJson,
    "name" | "connected" | "generation" | "lag" | "verdicts" | "left" | "diverged"
  > | null;
  readonly services: { readonly all: number; readonly announced: number };
  readonly endpoints: { readonly healthy: number; readonly unhealthy: number };
  readonly quarantined: number;
  /** What waits for `rutter confirm`. */
  readonly held: number;
  /** Manifests that could not be read or taken. */
  readonly manifestProblems: number;
  readonly applies: {
    /** From the commit of a change until the speaker had it. */
    readonly durations: Durations;
    readonly failures: number;
    /** Something is planned that the speaker does not have yet. */
    readonly pending: boolean;
  };
  readonly log: {
    readonly head: number;
    /** Of the database and of what SQLite has beside it. */
    readonly octets: number;
    /** In this run. */
    readonly commits: number;
    readonly facts: number;
    readonly lost: number;
    readonly recording: boolean;
  };
};
