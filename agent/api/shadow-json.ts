/**
 * The part of a plan's answer that is there when another speaker was asked for; contract.ts takes it in.
 */
import * as z from "zod";

/** What a hand-over from the speaker that runs to another one would bring, beside what PlanJson says. */
export const ShadowJson = z.object({
  backend: z.enum(["native", "frr", "gobgp"]),
  running: z.enum(["native", "frr", "gobgp"]),
  /** Neighbours that both would have, with the parameters that differ and what these cost a session. */
  neighbors: z.array(
    z.object({
      peer: z.string(),
      effect: z.enum(["hitless", "soft", "hard"]),
      fields: z.array(z.string()),
    }),
  ),
  /** Neighbours that it would not open. */
  notOpened: z.array(z.object({ peer: z.string(), reason: z.string() })),
  /** What had to be assumed of it. */
  warnings: z.array(z.string()),
});
