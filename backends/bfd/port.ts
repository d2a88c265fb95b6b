/**
 * What the engine asks of the world: to send, and to be told of what arrived.
 *
 * The engine holds no socket and no clock; io/ does. Reads next: engine.ts.
 */
import type { BfdKey } from "../../events/ids.ts";
import type { BfdTransition } from "./parameters.ts";

export type EnginePort = {
  /** Sends a Control packet on the session's own socket. `octets` may be used again as soon as it returns. */
  sendControl(key: BfdKey, octets: Uint8Array): void;
  /** Sends an Echo packet (RFC 5881 §4) so that the peer's forwarding plane returns it, hop limit 255. */
  sendEcho(key: BfdKey, octets: Uint8Array): void;
  /** Sends the peer's echo back to where it came from, with hop limit 254. Only while the datagram is being received. */
  returnEcho(): void;
  changed(transition: BfdTransition): void;
  /** Uniform in [0, 1): jitter (RFC 5880 §6.8.7). */
  random(): number;
};

/** One received datagram; views are valid during the call only. */
export type Datagram = {
  /** By the port it came to: 3784, 4784, 3785. */
  readonly to: "single-hop" | "multihop" | "echo";
  /** VRF device that the socket is bound to; empty for the default one. */
  readonly vrf: string;
  /** 4 or 16 octets. */
  readonly remote: Uint8Array;
  readonly local: Uint8Array;
  /** Name of the device it came in by; empty if unknown. */
  readonly interface: string;
  readonly timeToLive: number;
  readonly octets: Uint8Array;
  /** Kernel's time stamp, on the monotonic clock. */
  readonly arrivedMicros: number;
};
