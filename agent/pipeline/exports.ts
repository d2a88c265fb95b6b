/**
 * What the kernel offers RouteExports → observed facts, which the plan reads.
 *
 * Started before the first plan, so that this one knows what the kernel has now and not only what the log says it had.
 * Reads next: ../decide/exports-seen.ts (what of it is news), ../plan/exports.ts.
 */
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { EventId } from "../../events/ids.ts";
import type { DesiredState } from "../../events/state.ts";
import { decide } from "../decide/decide.ts";
import { planExports } from "../plan/exports.ts";
import type { Commands } from "./commands.ts";

/** Returns what ends it. */
export function startExports(
  kernel: Pick<Kernel, "watch" | "export" | "capabilities">,
  commands: Pick<Commands, "observe" | "current">,
): () => void {
  const stop = kernel.watch((fact) => {
    if (fact.type === "exported") commands.observe({ ...fact, type: "observe-exports" });
  });
  kernel.export(planExports(commands.current(), kernel.capabilities));
  return stop;
}

/** A state that is only shown, with what the kernel would offer its RouteExports. */
export function withOffers(
  kernel: Pick<Kernel, "offers" | "capabilities"> | undefined,
  shown: DesiredState,
): DesiredState {
  let counter = 0;
  const nextId = (): EventId => {
    counter += 1;
    return `offer-${counter}` as EventId;
  };
  if (kernel === undefined) return shown;
  return kernel
    .offers(planExports(shown, kernel.capabilities))
    .reduce(
      (desired, fact) => decide(desired, { ...fact, type: "observe-exports" }, nextId).after,
      shown,
    );
}

/** Another boot's kernel that can't be read now offers nothing. */
export function forgetExports(commands: Pick<Commands, "observe" | "current">): void {
  for (const rule of commands.current().exports?.keys() ?? []) {
    commands.observe({ type: "observe-exports", rule, whole: true, added: [], removed: [] });
  }
}
