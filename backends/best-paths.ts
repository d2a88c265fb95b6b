/**
 * Best paths on their way from a speaker to the kernel: packed batches, never an object for a route.
 *
 * One speaker feeds a VRF's import. What a batch says of a prefix replaces what any batch said of it before.
 * Reads next: backend.ts (bestPaths), kernel/intent.ts (import rules).
 */
import type { Address, Family } from "../events/address.ts";
import type { NeighborKey } from "../events/ids.ts";

export type BestPaths =
  | BestPathBatch
  /**
   * Told once for each VRF and family and start of the speaker: every neighbour that had routes to say has said them (End-of-RIB,
   * or its time for that is over). From now on what the kernel holds of an earlier run and nobody told again is a leftover.
   */
  | { readonly type: "complete"; readonly vrf: string; readonly family: Family };

export type BestPathBatch = {
  readonly type: "batch";
  /** Linux VRF device of the router; empty for the default one. */
  readonly vrf: string;
  readonly family: Family;
  readonly count: number;
  /** `length, octets` for each prefix, as in an UPDATE (RFC 4271 §4.3). */
  readonly nlri: Uint8Array;
  /** For each prefix, in the same order: index into `sets`, or NO_PATHS where none is left. */
  readonly chosen: Uint32Array;
  readonly sets: readonly PathSet[];
};

export const NO_PATHS = 0xffff_ffff;

/** Paths that are used together (ECMP). Equal sets are one object for as long as the speaker has a route with it. */
export type PathSet = {
  /** At least one; in order of neighbour. */
  readonly paths: readonly Path[];
};

export type Path = {
  readonly neighbor: NeighborKey;
  /** May be of the other family (RFC 8950). */
  readonly nextHop: Address;
  /** Device of a link-local next hop; empty otherwise. */
  readonly interface: string;
  /** Learned from another AS. */
  readonly external: boolean;
};
