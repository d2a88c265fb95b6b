/**
 * Plays one scenario on a stage: each step's actions, then looks until what is seen is what is wanted or patience ends.
 *
 * It gives what was seen last; the test compares. Afterwards everything that the scenario applied is taken away again, so that
 * the next one begins as this one did.
 * Read next: contract.ts.
 */
import { isDeepStrictEqual } from "node:util";
import { until } from "../live/until.ts";
import {
  type HeldBy,
  heldWanted,
  type Seen,
  type SessionHeld,
  sessionWanted,
  wantedOf,
} from "./expected.ts";
import type { Manifest } from "./manifests.ts";
import type { Group, Scenario, Step } from "./scenario.ts";
import { inTurn, PATIENCE_MS, type Stage } from "./stage.ts";
import { FAR_NAMES } from "./world.ts";

export type Played = {
  readonly steps: readonly Seen[];
  readonly sessions: readonly SessionHeld[];
  /** Sessions that ended and were not to. */
  readonly ended: readonly string[];
  /** What routers still held after all was deleted again, if not what they held before. */
  readonly leftBehind: HeldBy | undefined;
};

/** At the end of the scenario. */
const sessionsWanted = ({ sessions = [], steps }: Scenario): readonly SessionHeld[] =>
  sessions.map((session) => sessionWanted(session, steps.at(-1)?.told ?? []));

export const wantedPlay = (group: Group, scenario: Scenario): Played => ({
  steps: scenario.steps.map((step) => wantedOf(group.sessions, step)),
  sessions: sessionsWanted(scenario),
  ended: [],
  leftBehind: undefined,
});

/** Looks until it is as wanted; what it gives in the end is the last look, whatever that was. */
async function settled<T>(look: () => Promise<T>, wanted: T): Promise<T> {
  let last = await look();
  const isWanted = async () => isDeepStrictEqual((last = await look()), wanted);
  await until(isWanted, { what: "it", timeoutMs: PATIENCE_MS, everyMs: 50 }).catch(() => undefined);
  return last;
}

/** Counts the looks that miss a prefix, until it is told to end. */
function watchFor(stage: Stage, { at, prefixes }: NonNullable<Step["neverMissed"]>) {
  const watch = new AbortController();
  let missed = 0;
  const looking = (async () => {
    while (!watch.signal.aborted) {
      for (const far of at) {
        const there = await stage.prefixesAt(far);
        if (!prefixes.every((one) => there.has(one))) missed += 1;
      }
    }
  })();
  return async (): Promise<number> => {
    watch.abort();
    await looking;
    return missed;
  };
}

async function playStep(stage: Stage, step: Step): Promise<Seen> {
  const wanted = wantedOf(stage.group.sessions, step);
  const ended = step.neverMissed === undefined ? undefined : watchFor(stage, step.neverMissed);
  for (const action of step.does) await stage.act(action);
  const asked = FAR_NAMES.filter((far) => step.accepted?.[far] !== undefined);
  const look = async (): Promise<Seen> => ({
    after: step.after,
    held: await stage.held(),
    missed: 0,
    accepted: asked.length === 0 ? {} : await stage.accepted(asked),
    installed: step.installed === undefined ? [] : await stage.installed(),
  });
  const seen = await settled(look, wanted);
  return { ...seen, missed: (await ended?.()) ?? 0 };
}

/** What was applied and is not deleted, newest first. */
function leftBy(steps: readonly Step[]): readonly Manifest[] {
  const left = new Map<string, Manifest>();
  for (const action of steps.flatMap(({ does }) => does)) {
    if (action.type !== "apply" && action.type !== "delete") continue;
    for (const manifest of action.manifests) {
      const { kind, metadata } = manifest;
      const key = `${kind}/${metadata.namespace}/${metadata.name}`;
      if (action.type === "apply") left.set(key, manifest);
      else left.delete(key);
    }
  }
  return [...left.values()].toReversed();
}

/** As it was before the scenario; gives what did not go. */
async function tidyUp(stage: Stage, { steps }: Scenario): Promise<HeldBy | undefined> {
  const manifests = leftBy(steps);
  if (manifests.length > 0) await stage.act({ type: "delete", manifests });
  const nothing = heldWanted(stage.group.sessions, stage.group.always);
  const left = await settled(stage.held, nothing);
  return isDeepStrictEqual(left, nothing) ? undefined : left;
}

export async function play(stage: Stage, scenario: Scenario): Promise<Played> {
  const before = await stage.ends();
  const steps: Seen[] = [];
  for (const step of scenario.steps) {
    const seen = await playStep(stage, step);
    steps.push(seen);
    // What comes after a step that failed says nothing, and would be waited for.
    if (!isDeepStrictEqual(seen, wantedOf(stage.group.sessions, step))) break;
  }
  const sessions = await settled(
    () => inTurn(scenario.sessions ?? [], stage.session),
    sessionsWanted(scenario),
  );
  const leftBehind = await tidyUp(stage, scenario);
  const after = await stage.ends();
  const ended = Object.keys(after).filter((name) => after[name] !== before[name]);
  return { steps, sessions, ended: scenario.sessionsMay === "end" ? [] : ended, leftBehind };
}
