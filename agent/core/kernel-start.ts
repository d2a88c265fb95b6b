/**
 * Opens the kernel for this agent and reads it, before anything is applied: what an earlier run left is known by then.
 *
 * An agent that may not speak to the kernel goes on without it, and says so.
 */
import type { Logger } from "../../backends/clock.ts";
import { systemClock } from "../../backends/clock.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import { createKernel } from "../../backends/kernel/kernel.ts";
import type { State } from "../../events/state.ts";
import type { AgentConfig } from "../config-schema.ts";
import { ledgerOf } from "../pipeline/kernel.ts";

export async function openKernel(
  { kernel: { protect, onForeignChange } }: AgentConfig,
  before: State,
  logger: Logger,
): Promise<Kernel | undefined> {
  try {
    const kernel = await createKernel({
      clock: systemClock,
      logger,
      protectedPrefixes: protect,
      drift: onForeignChange,
    });
    await kernel.start(ledgerOf(before));
    return kernel;
  } catch (error) {
    logger.error({ error: String(error) }, "the kernel's routing cannot be read or changed");
    return undefined;
  }
}
