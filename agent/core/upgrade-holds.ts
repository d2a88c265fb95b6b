/**
 * What another program version plans otherwise than it was told, of each speaker: recorded at the start, held until it is confirmed.
 *
 * Reads next: ../pipeline/upgrade.ts (what is unexplained), confirm.ts.
 */
import type { BackendName } from "../../backends/intent.ts";
import { NO_SPEAKER } from "../../backends/intent.ts";
import type { DesiredState, State } from "../../events/state.ts";
import {
  explained,
  nothingUnexplained,
  type Unexplained,
  unexplained,
} from "../pipeline/upgrade.ts";
import type { Recorder } from "../pipeline/recorder.ts";
import type { Plan } from "../plan/plan.ts";

export type HoldsParts = {
  readonly speakers: readonly BackendName[];
  readonly before: Pick<State, "wires" | "desiredAtApply">;
  /** By this program. */
  readonly plan: (desired: DesiredState) => Plan;
  readonly program: string;
  readonly onChangedPlan: "hold" | "apply";
  readonly recorder: Pick<Recorder, "record">;
};

export type Holds = {
  of(speaker: BackendName): Unexplained;
  /** Over all speakers. */
  all(): Unexplained;
  release(): void;
};

export function holdsAtStart(parts: HoldsParts): Holds {
  const { speakers, before, program, onChangedPlan, recorder } = parts;
  const held = new Map<BackendName, Unexplained>();
  for (const name of speakers) {
    const wire = before.wires[name];
    const then = before.desiredAtApply[name];
    if (wire === undefined || then === undefined || wire.program === program) continue;
    const found = unexplained(parts.plan(then).speakers[name] ?? NO_SPEAKER, wire);
    if (nothingUnexplained(found)) continue;
    const hold = onChangedPlan === "hold";
    if (hold) held.set(name, found);
    const { withdrawals, resets } = found;
    recorder.record(
      {
        type: "plan-changed-by-version",
        from: wire.program,
        to: program,
        withdrawals,
        resets,
        held: hold,
      },
      "agent",
    );
  }
  return {
    of: (speaker) => held.get(speaker) ?? explained,
    all: () => ({
      withdrawals: [...held.values()].flatMap((one) => one.withdrawals),
      resets: [...held.values()].flatMap((one) => one.resets),
    }),
    release: () => held.clear(),
  };
}
