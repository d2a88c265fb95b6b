/**
 * Programs beside the agent that speak for it: which there are, whether they answer, and over what one of them ended.
 *
 * Only types, of the seam (backend.ts). A speaker inside of the agent has none.
 */
import type { Address } from "../events/address.ts";

/** `hung`: it runs and does not answer. `ended`: nobody is there. `in-the-way`: it runs, has what ours needs, and is not to. */
export type DaemonState = "up" | "hung" | "ended" | "in-the-way";

export type DaemonStatus = {
  /** As its program is called: `gobgpd`, `bgpd`, `bfdd`, `zebra`. */
  readonly daemon: string;
  readonly state: DaemonState;
  /** Monotonic milliseconds since the state began. */
  readonly sinceMillis: number;
  /** Why it is not up, in words; of one that is up, why the one before it ended in this run. Empty if there is nothing to say. */
  readonly reason: string;
  /** What mends it; empty where it is up. */
  readonly fix: string;
};

/** A message of a peer, as it came. */
export type PeerMessage = {
  readonly from: Address;
  /** With its header (RFC 4271 §4.1), in hexadecimal digits. */
  readonly octets: string;
  /** The crash names a message of just this length, and no other one of it was heard; else it is the likeliest. */
  readonly certain: boolean;
};

export type DaemonFact = {
  readonly daemon: string;
  /** `restarted`: it answers, and is another process than before. */
  readonly state: "up" | "restarted" | "hung" | "ended";
  readonly reason: string;
  /** Of one that crashed: the head of its last words. */
  readonly words?: string;
  readonly message?: PeerMessage;
};

export type SpeakerDaemons = {
  /** All of them, in order of name. */
  all(): readonly DaemonStatus[];
  /** Calls back for each change; the returned function stops it. */
  watch(listener: (fact: DaemonFact) => void): () => void;
};
