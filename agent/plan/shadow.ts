/**
 * What another speaker would be told on this host, beside what the one that runs is told.
 *
 * Pure, and made only when asked: a whole plan for each question. What is told now is the plan in force. Reads next:
 * preview.ts (what differs), ../core/shadow.ts (what is known of a speaker that is not opened).
 */
import { classify, neighborsOf } from "../../backends/delta.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { DesiredState } from "../../events/state.ts";
import type { PlanAnswer, ShadowAnswer } from "../api/contract.ts";
import type { PlanOptions } from "./options.ts";
import { compare } from "./order.ts";
import { type Plan, plan } from "./plan.ts";
import { preview } from "./preview.ts";

export type ShadowSpeaker = {
  readonly options: PlanOptions;
  /** What had to be assumed of it, in words. */
  readonly warnings: readonly string[];
};

type Shadow = Pick<PlanAnswer, "shadow"> & ReturnType<typeof preview>;

/** `desired` planned for that speaker, against `now` of the running one. Another speaker resets every session that it takes over. */
export function shadowOf(
  now: Plan,
  running: BackendName,
  desired: DesiredState,
  { options, warnings }: ShadowSpeaker,
): Shadow {
  const after = plan(desired, options);
  const { backend } = options;
  const told = now.speakers[running];
  // preview() sets like beside like: the intents are compared under one name, and `backend` of each neighbour stays what it is.
  const before = { ...now, speakers: told === undefined ? {} : { [backend]: told } };
  const foreseen = preview(before, after);
  return {
    ...foreseen,
    peers: foreseen.peers.filter(
      ({ add, change, remove }) => add.length + change.length + remove.length > 0,
    ),
    shadow: {
      backend,
      running,
      neighbors: [...differing(before, after, backend)].toSorted((a, b) => compare(a.peer, b.peer)),
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
function* differing(
  before: Pick<Plan, "speakers">,
  after: Plan,
  backend: BackendName,
): Generator<ShadowAnswer["neighbors"][number]> {
  const known = neighborsOf(before.speakers[backend]);
  for (const now of neighborsOf(after.speakers[backend]).values()) {
    const was = known.get(now.key);
    if (was === undefined) continue;
    const { effect, fields } = classify({ ...was, backend }, now);
    if (fields.length > 0) yield { peer: now.name, effect, fields: [...fields] };
  }
}
