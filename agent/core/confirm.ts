/**
 * `rutter confirm`: lets go what is held, and records who said so.
 */
import type { Actor } from "../../events/envelope.ts";
import type { EventLog } from "../../events/log/log.ts";
import { fleetOf } from "../../events/feeds.ts";
import type { State } from "../../events/state.ts";
import type { Owner } from "../../events/resources/resource.ts";
import { CoreError } from "../api/core.ts";
import type { Commands } from "../pipeline/commands.ts";
import type { Recorder } from "../pipeline/recorder.ts";
import type { ManifestSources } from "./manifest-source.ts";

type Parts = {
  readonly recorder: Recorder;
  readonly log: EventLog;
  readonly state: () => State;
  readonly sources: ManifestSources;
  readonly commands: Pick<Commands, "submit">;
  /** The held part of the plan goes on. */
  readonly release: () => void;
};

export type Confirm = (
  what: string | undefined,
  actor: Actor,
) => Promise<{ readonly confirmed: readonly string[]; readonly seq: number | null }>;

export const confirmer =
  ({ recorder, log, state, sources, commands, release }: Parts): Confirm =>
  async (what, actor) => {
    const { heldPlan, suspected } = state();
    const waiting = [...(heldPlan === undefined ? [] : ["plan"]), ...Object.keys(suspected)];
    const confirmed = what === undefined ? waiting : waiting.filter((one) => one === what);
    if (what !== undefined && confirmed.length === 0 && waiting.length > 0) {
      throw new CoreError("NOT_FOUND", `${what} is not held; what is: ${waiting.join(", ")}`);
    }
    for (const one of confirmed) {
      if (one === "plan" && heldPlan !== undefined) {
        await recorder.recordNow({ type: "plan-confirmed", version: heldPlan.to }, "agent", actor);
        release();
      } else if (fleetOf(one) !== undefined) {
        // One command: that it may go, and that it goes, is one transaction.
        const fleet = fleetOf(one) ?? "";
        await commands.submit({ type: "feed-confirm", fleet }, actor, { name: "api" });
      } else {
        await recorder.recordNow({ type: "source-trusted", owner: one as Owner }, one, actor);
        await sources.confirm(one as Owner);
      }
    }
    return { confirmed, seq: confirmed.length === 0 ? null : log.head().seq };
  };
