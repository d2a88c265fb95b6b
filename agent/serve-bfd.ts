/**
 * `rutter bfd serve`: the BFD process of this host, with as little in it as can be.
 *
 * Reads next: ../backends/bfd/process.ts.
 */
import { serveBfd } from "../backends/bfd/process.ts";
import { returnFreed, unmapProgram } from "../backends/os/memory.ts";
import { programVersion } from "./identity.ts";
import { createLogger } from "./logger.ts";
import { thisService } from "./service-manager.ts";
import { stopSignal } from "./stop-signal.ts";

export type BfdFlags = {
  readonly socket: string;
  /** Seconds. */
  readonly keep: number;
  /** Ends by itself once it holds nothing and no agent is connected. */
  readonly untilIdle?: boolean;
};

/**
 * What only the start needed, before the first session is there: once and never again, for nothing may hold the loop up that
 * paces them. No collection: V8 makes two more of its own some 8 seconds later, and would pause the loop for 3 to 8 ms.
 */
function giveBack(): void {
  returnFreed();
  unmapProgram();
}

/** Runs until SIGTERM or SIGINT; then every peer is told AdminDown. Rejects with BfdServeError. */
export async function runBfd({ socket, keep, untilIdle = false }: BfdFlags): Promise<void> {
  const logger = createLogger("info");
  const manager = thisService(logger);
  const stop = stopSignal();
  void stop.then(manager.stopping);
  await serveBfd({
    socketPath: socket,
    program: programVersion(),
    keepSeconds: keep,
    untilIdle,
    logger,
    stop,
    onReady() {
      giveBack();
      process.stdout.write(`ready ${socket}\n`);
      manager.ready(`serving on ${socket}`);
    },
  });
}
