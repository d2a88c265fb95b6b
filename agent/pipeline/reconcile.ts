/**
 * Desired state → plan → speaker, newest wins, no debounce.
 *
 * The first change is planned and applied in the turn in which it was committed; what changes while an apply runs replaces
 * what waited, so a burst of a thousand changes costs two applies. A failed apply is a value in the stream and is tried
 * again with whatever is newest by then; only our own bugs end the stream.
 */
import { asapScheduler, auditTime, map, Observable, type OperatorFunction, pipe, scan } from "rxjs";
import { type Applied, BackendError, type SpeakerBackend } from "../../backends/backend.ts";
import { NO_SPEAKER, type SpeakerIntent } from "../../backends/intent.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import type { DesiredState } from "../../events/state.ts";
import type { Plan } from "../plan/plan.ts";

export type Planned = { readonly desired: DesiredState; readonly plan: Plan };

/** Plans each newest state on top of the plan before. States that arrive in one turn of the event loop are planned once. */
export function planning(
  first: Planned,
  replan: (before: Planned, desired: DesiredState) => Plan,
): OperatorFunction<DesiredState, Planned> {
  return pipe(
    auditTime(0, asapScheduler),
    scan(
      (before, desired) =>
        before.desired === desired ? before : { desired, plan: replan(before, desired) },
      first,
    ),
  );
}

/** What one plan asks of a speaker and of the kernel. */
export type Wanted = {
  readonly speaker: SpeakerIntent;
  readonly kernel: KernelIntent;
  /** Monotonic milliseconds at which the change behind it took effect; undefined: it is no change. */
  readonly changedMillis?: number | undefined;
};

/** What the speaker was told in fact, and what that changed. */
export type Done = { readonly told: SpeakerIntent; readonly applied: Applied };

export type Outcome =
  | ({ readonly type: "applied"; readonly wanted: Wanted } & Done)
  | { readonly type: "apply-failed"; readonly attempt: number; readonly error: BackendError };

/** Hands on each newest; apply() never overlaps itself, and rejects with BackendError alone. */
export function applyNewest(
  apply: (wanted: Wanted, signal: AbortSignal) => Promise<Done>,
  pause: (attempt: number) => Promise<void>,
): OperatorFunction<Wanted, Outcome> {
  return (wanted$) =>
    new Observable((out) => {
      const stop = new AbortController();
      let newest: Wanted | undefined;
      let running = false;

      const drain = async (): Promise<void> => {
        for (let attempt = 0; newest !== undefined && !stop.signal.aborted;) {
          const wanted = newest;
          newest = undefined;
          try {
            const done = await apply(wanted, stop.signal);
            out.next({ type: "applied", wanted, ...done });
            attempt = 0;
          } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            attempt += 1;
            newest ??= wanted;
            out.next({ type: "apply-failed", attempt, error });
            await pause(attempt);
          }
        }
        running = false;
      };

      const upstream = wanted$.subscribe((wanted) => {
        newest = wanted;
        if (running) return;
        running = true;
        drain().catch((bug: unknown) => {
          out.error(bug);
        });
      });
      return () => {
        stop.abort();
        upstream.unsubscribe();
      };
    });
}

/** What one backend and the kernel are to be; its parts are the same objects as long as theirs of the plan are unchanged. */
export const wantedOf = (backend: SpeakerBackend): OperatorFunction<Planned, Wanted> =>
  map(({ plan }) => ({ speaker: plan.speakers[backend.name] ?? NO_SPEAKER, kernel: plan.kernel }));
