/**
 * Waits for what is on its way: the first apply of a start, sessions that come up at once, a change that reaches the wire.
 *
 * None of them waits for ever: whoever waits goes on, and `status` tells what is not there yet.
 */
import { systemClock } from "../../backends/clock.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { Speaker } from "../pipeline/speaker.ts";
import type { Speakers } from "./speakers.ts";

/** Of 10,000 virtual IPs that are bound already; a host that has more to do tells of it meanwhile. */
const FIRST_APPLY_MILLIS = 1000;
/** Peers that answer at once have answered by then. */
const SESSIONS_UP_MILLIS = 200;
/** Longer than an apply takes on a busy host; a speaker that needs more has trouble that `status` tells. */
const WIRE_TIMEOUT_MILLIS = 10_000;

/** Until a start's first plan was taken, or failed. */
export const firstApply = ({ last }: Pick<Speaker, "last">): Promise<boolean> =>
  until(FIRST_APPLY_MILLIS, 2, () => {
    const { applied, failure, pending } = last();
    return applied || failure !== undefined || !pending;
  });

/** Until all of these neighbours are Established. */
export function sessionsUp(
  speakers: Pick<Speakers, "sessions">,
  neighbors: Iterable<NeighborKey>,
): Promise<boolean> {
  const awaited = new Set(neighbors);
  return until(SESSIONS_UP_MILLIS, 2, () => {
    for (const { neighbor, state } of speakers.sessions()) {
      if (state === "Established") awaited.delete(neighbor);
    }
    return awaited.size === 0;
  });
}

/** Until the speakers have everything that is planned. */
export const onTheWire = (settled: () => boolean): Promise<boolean> =>
  until(WIRE_TIMEOUT_MILLIS, 1, settled);

/** Whether it came to be in time. Asked after each turn of the loop at first, for most things take one. */
async function until(millis: number, pauseMillis: number, isDone: () => boolean): Promise<boolean> {
  const end = systemClock.monotonicMillis() + millis;
  while (systemClock.monotonicMillis() < end) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    if (isDone()) return true;
    await new Promise<void>((resolve) => {
      systemClock.after(pauseMillis, resolve);
    });
  }
  return false;
}
