/**
 * Checks that ask one by one (tcp, http, exec): each at its pace, a limited number at a time.
 *
 * Never two of one check at once, and never more than RUNNING at all: what is due and finds no room waits its turn. The
 * first result comes at once, later ones with some jitter, so that a thousand checks do not beat in one rhythm.
 */
import type { Clock } from "../../backends/clock.ts";
import type { Probe } from "./probes.ts";
import type { Result } from "./rise-fall.ts";
import type { Running, Timetable } from "./timetable.ts";

export type ProbeChecks = { add(check: Running): void; remove(check: Running): void };

/** Well below the 256 descriptors that a tight service limit leaves; 64 answers of a millisecond are 64,000 checks a second. */
const RUNNING = 64;
/** The interval varies by this part up and down. */
const JITTER = 0.1;

export function probeChecks(options: {
  readonly clock: Clock;
  readonly probe: Probe;
  readonly timetable: Timetable;
  readonly take: (check: Running, result: Result) => void;
}): ProbeChecks {
  const { clock, probe, timetable, take } = options;
  /** In order of arrival; a Set, so that one can leave without a search. */
  const waiting = new Set<Running>();
  const aborts = new Map<Running, AbortController>();

  const want = (check: Running): void => {
    if (!check.live) return;
    waiting.add(check);
    fill();
  };
  const fill = (): void => {
    for (const check of waiting) {
      if (aborts.size >= RUNNING) return;
      waiting.delete(check);
      void run(check);
    }
  };
  const run = async (check: Running): Promise<void> => {
    const abort = new AbortController();
    aborts.set(check, abort);
    const started = clock.monotonicMillis();
    const result = await probe(check.planned, abort.signal);
    aborts.delete(check);
    if (check.live) {
      take(check, result);
      const spread = 1 - JITTER + 2 * JITTER * clock.random();
      const next = started + check.planned.intervalSeconds * 1000 * spread;
      timetable.at(next, () => want(check));
      timetable.arm();
    }
    fill();
  };
  return {
    add: want,
    remove(check) {
      waiting.delete(check);
      aborts.get(check)?.abort();
    },
  };
}
