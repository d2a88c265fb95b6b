/**
 * The part of `status` that says how this host is with its fleet; contract.ts takes it in.
 */
import * as z from "zod";

export const FleetJson = z.object({
  name: z.string(),
  /** What signs this host's checkpoints (U…), and what values are sealed to for it (X…); null where they can't be had, or not now. */
  hostKey: z.string().nullable(),
  sealTo: z.string().nullable(),
  /** To a NATS server of the fleet. What the fleet wants stays in force without one. */
  connected: z.boolean(),
  /** Of the last change of `connected`; null where that is not known (`at`). */
  since: z.string().meta({ format: "date-time" }).nullable(),
  /** The server; or why there is none, why nothing is read, or why something that was read is not in force. */
  reason: z.string(),
  /** Of the newest change set that is recorded here; 0 before the first. */
  generation: z.int().min(0),
  /** SHA-256 of that change set. */
  digest: z.string(),
  /** Equal on all hosts that hold the same of the fleet; empty before the first change set. */
  stateDigest: z.string(),
  /** Messages of the stream that are not handled yet; null where that is not known. */
  lag: z.int().min(0).nullable(),
  /** Change sets that were refused whole, the newest last. */
  verdicts: z.array(z.object({ generation: z.int(), rule: z.string(), reason: z.string() })),
  /** What the fleet wants and another owner on this host holds. */
  left: z.array(z.object({ resource: z.string(), reason: z.string() })),
  /** Null where this host follows the fleet; else what differs, and the resources that only this host has. */
  diverged: z.object({ reason: z.string(), resources: z.array(z.string()) }).nullable(),
});
export type FleetJson = z.infer<typeof FleetJson>;
