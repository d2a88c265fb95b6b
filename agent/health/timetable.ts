/**
 * One timer for everything that health has to do later, and the shape of a check that runs.
 *
 * Knows what is due when and nothing of checks' outcomes. Nothing is ever taken out: what is no longer wanted does nothing
 * when it comes up. Reads next: due-queue.ts.
 */
import type { Clock } from "../../backends/clock.ts";
import { type DueQueue, dueQueue } from "../../backends/due-queue.ts";
import type { PlannedCheck } from "./plan-checks.ts";
import type { Trend, Verdict } from "./rise-fall.ts";

/** A check that runs. `live` is false once it was replaced or taken away: a late result counts nothing. */
export type Running = {
  readonly planned: PlannedCheck;
  trend: Trend;
  /** What was told last. */
  known: Verdict | undefined;
  live: boolean;
};

export type Due = (now: number) => void;

/** Times are the clock's monotonic milliseconds. */
export type Timetable = {
  at(time: number, due: Due): void;
  /** Sets the timer to the earliest entry; called once after a batch of at(). */
  arm(): void;
  stop(): void;
};

export function createTimetable(clock: Clock): Timetable {
  const queue: DueQueue<Due> = dueQueue();
  let armed: { readonly at: number; readonly cancel: () => void } | undefined;
  let stopped = false;
  const arm = (): void => {
    const next = queue.next();
    if (stopped || next === undefined || (armed !== undefined && armed.at <= next)) return;
    armed?.cancel();
    armed = { at: next, cancel: clock.after(Math.max(0, next - clock.monotonicMillis()), fire) };
  };
  const fire = (): void => {
    armed = undefined;
    const now = clock.monotonicMillis();
    for (let due = queue.take(now); due !== undefined; due = queue.take(now)) due(now);
    arm();
  };
  return {
    at: (time, due) => queue.add(time, due),
    arm,
    stop() {
      stopped = true;
      armed?.cancel();
      armed = undefined;
    },
  };
}
