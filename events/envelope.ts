/**
 * The envelope of a fact: who says it, from where, because of what, and where it stands in the chain.
 *
 * A fact gets its id at birth and its seq and hash when the writer commits it; provenance and cause hold ids, because a
 * fact can be a cause before it has a seq. Header and body are hashed as the octets that are stored; nothing is ever
 * re-serialised to be verified (log/chain.ts). Envelope shapes are for ever: add fields, never change one.
 */
import type { Event } from "./event.ts";
import type { EventId, RunId, Seq } from "./ids.ts";

export type Actor =
  /** Peer credentials of the API's socket (SO_PEERCRED); `name` is what the host called that uid then. */
  | { readonly type: "user"; readonly uid: number; readonly name: string }
  /** An nkey that signed a change set. */
  | { readonly type: "signer"; readonly key: string }
  | { readonly type: "agent" };

/**
 * Where a fact came from: `cli`, `api`, `file:<path>`, `feed:<fleet>` or `agent`. With a position (idempotency key, digest
 * of a file, generation of a feed) the log holds at most one fact of that (name, position).
 */
export type Source = { readonly name: string; readonly position?: string };

/** Both clocks at birth: wall clock for people, monotonic for order inside one boot of the kernel (a jump becomes visible). */
export type Instant = {
  /** Nanoseconds since 1970-01-01T00:00:00Z. */
  readonly wall: bigint;
  /** CLOCK_MONOTONIC, nanoseconds; comparable only where `boot` is equal. */
  readonly monotonic: bigint;
  /** The kernel's boot id. */
  readonly boot: string;
};

export type Fact = {
  readonly id: EventId;
  readonly at: Instant;
  readonly run: RunId;
  /** What the fact is about: a ResourceKey, a NeighborKey, a prefix, `agent`, or `host`. */
  readonly subject: string;
  readonly actor: Actor;
  readonly source: Source;
  /** Ids of the facts that led to this one; empty for first causes. */
  readonly cause: readonly EventId[];
  readonly event: Event;
};

/** A fact that is durably in the log. */
export type Recorded = Fact & {
  readonly seq: Seq;
  /** SHA-256 of the chain up to here, hexadecimal. */
  readonly hash: string;
};

/** A recorded fact whose body was erased: its place, header and digest stay. */
export type Erased = Omit<Recorded, "event"> & {
  readonly event: undefined;
  readonly type: string;
  readonly version: number;
};
