/**
 * A clock that a test turns: timers run when the test says so, in their order, and never by themselves.
 */
import type { Clock } from "../backends/clock.ts";

export type VirtualClock = Clock & { advance(millis: number): void; pending(): number };

export function virtualClock(): VirtualClock {
  let now = 0;
  const timers = new Set<{ at: number; act: () => void }>();
  return {
    monotonicMillis: () => now,
    random: () => 0.5,
    after(millis, act) {
      const timer = { at: now + millis, act };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(millis) {
      const end = now + millis;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        now = next.at;
        next.act();
      }
      now = end;
    },
    pending: () => timers.size,
  };
}
