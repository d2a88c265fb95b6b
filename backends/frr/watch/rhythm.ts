/**
 * When a daemon is looked at: one look after the other, soon where a look is cheap, and never in a tight loop.
 *
 * A look waits for its own end, so a slow daemon is asked less often by itself; paced() keeps what looking costs to a share of the
 * time. Reads next: watcher.ts.
 */
import type { Clock } from "../../clock.ts";

export type Rhythm = {
  /** Looks at once, or again as soon as the look that runs has ended. */
  soon(): void;
  close(): void;
};

/** `look` returns after how many milliseconds the next one is due; it must not reject. */
export function startRhythm(clock: Pick<Clock, "after">, look: () => Promise<number>): Rhythm {
  let cancel = (): void => undefined;
  let running = false;
  let again = false;
  let closed = false;

  const run = async (): Promise<void> => {
    running = true;
    again = false;
    const millis = await look();
    running = false;
    if (closed) return;
    cancel = clock.after(again ? 0 : millis, () => void run());
  };
  cancel = clock.after(0, () => void run());
  return {
    soon() {
      if (closed) return;
      if (running) {
        again = true;
        return;
      }
      cancel();
      cancel = clock.after(0, () => void run());
    },
    close() {
      closed = true;
      cancel();
    },
  };
}

/** Acts at once, and again at the end of `millis` where it was called in between: a storm of calls is a few acts. */
export function spaced(
  clock: Pick<Clock, "after">,
  millis: number,
  act: () => void,
): { readonly call: () => void; readonly close: () => void } {
  let wait: (() => void) | undefined;
  let again = false;
  const call = (): void => {
    if (wait !== undefined) {
      again = true;
      return;
    }
    again = false;
    wait = clock.after(millis, () => {
      wait = undefined;
      if (again) call();
    });
    act();
  };
  return { call, close: () => wait?.() };
}

/** Pause behind something that took `costMillis`, so that it takes at most one part in `share` of the time, within bounds. */
export const paced = (costMillis: number, share: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, costMillis * share));

/** Pause before a daemon that does not answer is asked again: long enough to cost nothing, short enough for 3 s. */
export const DOWN_MILLIS = 500;
/** How often a daemon of whom nothing is wanted is asked whether it is the same. */
export const IDLE_MILLIS = 1_000;
