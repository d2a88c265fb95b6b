/**
 * How long to wait before the next attempt to connect: longer each time, and never the same for two hosts.
 *
 * A thousand agents lose one server in the same moment; each draws its own time over the whole span ("full jitter"), so
 * that they come back spread out and not in waves.
 */
import type { Clock } from "../../../backends/clock.ts";

/** The span of the first attempt: a server that restarts, or another one of a cluster, is there at once. */
const FIRST_MILLIS = 250;
/** After some ten attempts. A server that was away for a day is found within this time. */
const LONGEST_MILLIS = 15_000;

/** `attempt` from 0; `random` in [0, 1). */
export const backoffMillis = (attempt: number, random: number): number =>
  Math.round(Math.min(LONGEST_MILLIS, FIRST_MILLIS * 2 ** Math.min(attempt, 30)) * random);

/** Resolves after that time, or at once where `signal` is aborted. */
export const pause = (clock: Clock, millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const cancel = clock.after(millis, () => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
    const abort = (): void => {
      cancel();
      resolve();
    };
    signal.addEventListener("abort", abort, { once: true });
  });
