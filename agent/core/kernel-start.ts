/**
 * Opens the kernel for this agent while the log is opened, and reads it before anything is applied: what an earlier run left
 * is known by then.
 *
 * One agent in a network namespace has the kernel, for entries carry one mark: a second one would sweep what the first one holds.
 * An agent that may not have it goes on without, and says so.
 */
import { createServer, type Server } from "node:net";
import { type Logger, systemClock } from "../../backends/clock.ts";
import type { Kernel, KernelCapabilities } from "../../backends/kernel/facts.ts";
import { createKernel } from "../../backends/kernel/kernel.ts";
import type { State } from "../../events/state.ts";
import type { AgentConfig } from "../config-schema.ts";
import { ledgerOf } from "../pipeline/kernel.ts";

/** `ability`: what plans may count on. */
export type OpenedKernel =
  | {
      readonly kernel: Kernel;
      readonly problem: undefined;
      readonly ability: KernelCapabilities;
    }
  | { readonly kernel: undefined; readonly problem: string; readonly ability: string };

export type KernelOpening = {
  /** Reads it: what of it is ours says the log. Never rejects. */
  read(before: State): Promise<OpenedKernel>;
};

/** An abstract address: it belongs to the network namespace, and goes with the process that holds it. */
const CLAIM = "\0rutter-kernel";

const CLAIM_ATTEMPTS = 10;
const CLAIM_PAUSE_MILLIS = 100;

/** Begins at once with what needs no log: the claim, and what this kernel can. Never rejects. */
export function openKernel(
  { kernel: { protect, onForeignChange } }: AgentConfig,
  logger: Logger,
): KernelOpening {
  let claim: Server | undefined;
  const without = (error: unknown): OpenedKernel => {
    claim?.close();
    const problem = isTaken(error)
      ? "another agent has the kernel's routing in this network namespace: stop it, or give this one a namespace of its own"
      : `the kernel's routing cannot be read or changed (${String(error)}): give the agent CAP_NET_ADMIN`;
    logger.error({ problem }, "nothing is installed or bound");
    return { kernel: undefined, problem, ability: problem };
  };
  const opening = (async (): Promise<OpenedKernel> => {
    try {
      claim = await patiently(claimed);
      const kernel = await createKernel({
        clock: systemClock,
        logger,
        protectedPrefixes: protect,
        drift: onForeignChange,
      });
      return { kernel, problem: undefined, ability: kernel.capabilities };
    } catch (error) {
      return without(error);
    }
  })();
  return {
    async read(before) {
      const opened = await opening;
      try {
        await opened.kernel?.start(ledgerOf(before));
        return opened;
      } catch (error) {
        // Its sockets would keep the process when it is told to stop.
        await opened.kernel?.close("leave");
        return without(error);
      }
    },
  };
}

/** The agent before this one may still be on its way out. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isTaken(error) || attempt === CLAIM_ATTEMPTS) throw error;
      await new Promise<void>((resolve) => {
        systemClock.after(CLAIM_PAUSE_MILLIS, resolve);
      });
    }
  }
}

/** Held until the process ends, but keeps it from nothing. */
const claimed = (): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(CLAIM, () => resolve(server.unref()));
  });

const isTaken = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EADDRINUSE";
