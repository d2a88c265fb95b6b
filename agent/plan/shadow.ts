/**
 * What another speaker would be told on this host, beside what the one that runs is told.
 *
 * Pure, and made only when asked: a whole plan for each question. What is told now is what the log says of the wire. Reads next:
 * preview.ts (what differs), ../core/shadow.ts (what is known of a speaker that is not opened).
 */
import { classify } from "../../backends/delta.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { DesiredState } from "../../events/state.ts";
import type { PlanAnswer, ShadowAnswer } from "../api/contract.ts";
import type { PlanOptions } from "./options.ts";
import { compare } from "./order.ts";
import { type Plan, plan } from "./plan.ts";
import { neighborsOfAll, preview } from "./preview.ts";

export type ShadowSpeaker = {
  readonly options: PlanOptions;
  /** What had to be assumed of it, in words. */
  readonly warnings: readonly string[];
};

type Shadow = Pick<PlanAnswer, "shadow"> & ReturnType<typeof preview>;

/**
 * `now`: the plan with what is on the wire. `desired` is planned with that speaker in place of `running`, the first one; what runs
 * beside it stays beside. Another speaker resets every session that it takes over.
 */
export function shadowOf(
  now: Plan,
  running: BackendName,
  desired: DesiredState,
  { options, warnings }: ShadowSpeaker,
): Shadow {
  const after = plan(desired, options);
  const { backend } = options;
  const foreseen = preview(now, after);
  return {
    ...foreseen,
    shadow: {
      backend,
      running,
      neighbors: [...differing(now, after)].toSorted((a, b) => compare(a.peer, b.peer)),
      notOpened: [...after.neighbors.values()]
        .flatMap(({ neighbor, verdict }) =>
          verdict.type === "opened" ? [] : [{ peer: neighbor.name, reason: verdict.reason }],
        )
        .toSorted((a, b) => compare(a.peer, b.peer)),
      warnings: [...warnings],
    },
  };
}

/** That the speaker is another one is no parameter. */
function* differing(before: Plan, after: Plan): Generator<ShadowAnswer["neighbors"][number]> {
  const known = neighborsOfAll(before.speakers);
  for (const now of neighborsOfAll(after.speakers).values()) {
    const was = known.get(now.key);
    if (was === undefined) continue;
    const { effect, fields } = classify({ ...was, backend: now.backend }, now);
    if (fields.length > 0) yield { peer: now.name, effect, fields: [...fields] };
  }
}
