/**
 * metallb.io BFDProfile: how fast a silent peer is noticed. The same fields, with a name, are an item of FRRConfiguration.
 *
 * Milliseconds throughout. Never says what this host can hold: 10 ms is valid here, and whether the engine keeps it is the plan's to tell.
 */
import * as z from "zod";
import { flag, whole } from "./fields.ts";
import type { Typed } from "./resource.ts";

export type BfdProfile = Typed<"metallb.io/BFDProfile", BfdProfileSpec>;

export type BfdProfileSpec = {
  readonly receiveIntervalMillis: number;
  /** Before jitter (RFC 5880 §6.8.7). */
  readonly transmitIntervalMillis: number;
  readonly detectMultiplier: number;
  /** Never on multihop sessions (RFC 5883 §3). */
  readonly echoMode: boolean;
  readonly echoIntervalMillis: number;
  readonly passiveMode: boolean;
  /** Multihop only: the lowest TTL that a received packet may carry (RFC 5883 §5). */
  readonly minimumTtl: number;
};

/** Upstream's bounds; below 10 ms no Linux host without real-time scheduling keeps its word. */
const interval = whole(10, 60_000).optional();

export const bfdFields = {
  receiveInterval: interval,
  transmitInterval: interval,
  /** RFC 5880 §4.1: zero is invalid; one is refused, for a single lost packet would take the session down. */
  detectMultiplier: whole(2, 255).optional(),
  echoInterval: interval,
  echoMode: flag.optional(),
  passiveMode: flag.optional(),
  minimumTtl: whole(1, 254).optional(),
};
export const writtenBfdProfile = z.strictObject(bfdFields);

export function bfdProfileSpec(written: z.infer<typeof writtenBfdProfile>): BfdProfileSpec {
  return {
    receiveIntervalMillis: written.receiveInterval ?? 300,
    transmitIntervalMillis: written.transmitInterval ?? 300,
    detectMultiplier: written.detectMultiplier ?? 3,
    echoMode: written.echoMode ?? false,
    echoIntervalMillis: written.echoInterval ?? 50,
    passiveMode: written.passiveMode ?? false,
    minimumTtl: written.minimumTtl ?? 254,
  };
}
