/**
 * JSON of a BFD session.
 *
 * Part of the contract (contract.ts), kept apart for its length.
 */
import * as z from "zod";

export const BfdJson = z.object({
  peer: z.string(),
  /** Empty for the default one. */
  vrf: z.string(),
  localAddress: z.string().nullable(),
  multihop: z.boolean(),
  state: z.enum(["AdminDown", "Down", "Init", "Up"]),
  diagnostic: z.string(),
  localDiscriminator: z.int(),
  remoteDiscriminator: z.int(),
  /** Microseconds, as on the wire (RFC 5880 §4.1). */
  transmitInterval: z.int(),
  receiveInterval: z.int(),
  detectMultiplier: z.int(),
  detectionTime: z.int(),
  /** `unanswered`: the peer sent none back yet, so control packets alone detect. */
  echo: z.enum(["off", "unanswered", "active"]),
  since: z.string().meta({ format: "date-time" }).nullable(),
  transitions: z.int(),
});
export type BfdJson = z.infer<typeof BfdJson>;
