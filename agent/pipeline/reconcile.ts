/**
 * Desired state → plan → speaker, newest wins, no debounce.
 *
 * The first change is planned and applied in the turn in which it was committed; what changes while an apply runs replaces
 * what waited, so a burst of a thousand changes costs two applies. A failed apply is a value in the stream and is tried
 * again with whatever is newest by then; only our own bugs end the stream.
 */
import { asapScheduler, auditTime, map, Observable, type OperatorFunction, pipe, scan } from "rxjs";
import { type Applied, BackendError, type SpeakerBackend } from "../../backends/backend.ts";
import type { SpeakerIntent } from "../../backends/intent.ts";
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

export type Outcome =
  | { readonly type: "applied"; readonly intent: SpeakerIntent; readonly applied: Applied }
  | { readonly type: "apply-failed"; readonly attempt: number; readonly error: BackendError };

/** Hands each newest intent to the backend; apply() never overlaps itself. */
export function applyNewest(
  backend: SpeakerBackend,
  pause: (attempt: number) => Promise<void>,
): OperatorFunction<SpeakerIntent, Outcome> {
  return (intent$) =>
    new Observable((out) => {
      const stop = new AbortController();
      let newest: SpeakerIntent | undefined;
      let running = false;

      const drain = async (): Promise<void> => {
        for (let attempt = 0; newest !== undefined && !stop.signal.aborted;) {
          const intent = newest;
          newest = undefined;
          try {
            const applied = await backend.apply(intent, stop.signal);
            out.next({ type: "applied", intent, applied });
            attempt = 0;
          } catch (error) {
            if (!(error instanceof BackendError)) throw error;
            attempt += 1;
            newest ??= intent;
            out.next({ type: "apply-failed", attempt, error });
            await pause(attempt);
          }
        }
        running = false;
      };

      const upstream = intent$.subscribe((intent) => {
        newest = intent;
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

const nobody: SpeakerIntent = { routers: [] };

/** What one backend is to be; the same object as long as its part of the plan is unchanged. */
export const intentFor = (backend: SpeakerBackend): OperatorFunction<Planned, SpeakerIntent> =>
  map(({ plan }) => plan.speakers[backend.name] ?? nobody);
