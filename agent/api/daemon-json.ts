/**
 * JSON of a program beside the agent that speaks for it: whether it is there, and why not.
 *
 * Part of the contract (contract.ts), kept apart for its length.
 */
import * as z from "zod";

export const DaemonJson = z.object({
  name: z.string(),
  /** `in-the-way`: it runs, has what another one needs, and is not to. */
  state: z.enum(["up", "hung", "ended", "in-the-way"]),
  since: z.string().meta({ format: "date-time" }),
  /** Why it is not up, in words; of one that is up, why the one before it ended. Empty if there is nothing to say. */
  reason: z.string(),
});
export type DaemonJson = z.infer<typeof DaemonJson>;
