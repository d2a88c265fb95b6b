/**
 * The gobgpd of this backend as a program: started and watched where that is asked, with an ear on what its peers send it.
 *
 * Reads next: io/daemon.ts (the child), io/capture.ts (the ear), daemon-watch.ts (what is told of it).
 */
import { createDaemonWatch, type DaemonWatch } from "./daemon-watch.ts";
import type { GobgpOptions } from "./gobgp-backend.ts";
import { openCapture } from "./io/capture.ts";
import { superviseGobgpd } from "./io/daemon.ts";

export type Gobgpd = DaemonWatch & {
  /** Why it does not run, where it is ours to start; undefined: it runs, or is not ours. */
  problem(): string | undefined;
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
};

/** RFC 4271 §8: where peers listen that no manifest gives another port. */
const BGP_PORT = 179;

export function openGobgpd(
  { supervise, gobgpd, listen, clock, logger }: GobgpOptions,
  onPeerDown: (address: string, reason: string) => void,
): Gobgpd {
  if (supervise === undefined) {
    const watch = createDaemonWatch({
      clock,
      problem: () => undefined,
      isChild: () => false,
      heard: () => "it is not started by this agent",
      isOurs: false,
    });
    return { ...watch, problem: () => undefined, stop: () => Promise.resolve() };
  }
  const capture = openCapture(new Set([BGP_PORT, ...listen.map(({ port }) => port)]));
  if (typeof capture === "string")
    logger.warn({ reason: capture }, "what peers send to gobgpd can't be heard");
  const child = superviseGobgpd({
    ...supervise,
    socketPath: gobgpd.address.replace(/^unix:/, ""),
    clock,
    logger,
    onPeerDown,
    onEnd: (reason, words) => watch.exited(reason, words),
  });
  const watch = createDaemonWatch({
    clock,
    problem: child.problem,
    isChild: child.isChild,
    heard: () => (typeof capture === "string" ? capture : capture.drain()),
    isOurs: true,
  });
  return {
    ...watch,
    problem: child.problem,
    async stop(signal) {
      if (typeof capture !== "string") capture.close();
      await child.stop(signal);
    },
  };
}
