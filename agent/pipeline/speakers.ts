/**
 * The speakers of this host, each with a life of its own (speaker.ts): one that fails, hangs or waits holds up no other.
 *
 * What they share: the kernel (unbound is what nobody announces any more), the handover of a neighbour, and the causes of a change.
 */
import type { SpeakerBackend } from "../../backends/backend.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { EventId, NeighborKey } from "../../events/ids.ts";
import { CAUSES_MAX } from "./commands.ts";
import { createHandover } from "./handover.ts";
import { type Speaker, type SpeakerParts, startSpeaker } from "./speaker.ts";
import type { Planned } from "./reconcile.ts";
import { sumOf } from "./tally.ts";
import type { Unexplained } from "./upgrade.ts";

export type SpeakersParts = Omit<SpeakerParts, "backend" | "handover" | "held"> & {
  readonly backends: readonly SpeakerBackend[];
  /** What waits for `rutter confirm plan` of what one of them was told. */
  readonly held: (speaker: BackendName) => Unexplained;
};

export type RunningSpeakers = Speaker & {
  /** Neighbours that wait for another speaker to let go of them, with the reason. */
  waiting(planned: Planned): ReadonlyMap<NeighborKey, string>;
};

export function startSpeakers(parts: SpeakersParts): RunningSpeakers {
  const { backends, held } = parts;
  const names = backends.map(({ name }) => name);
  const handover = createHandover(names, parts.recorded().wires);
  const causes = shared(parts.causes, names);
  const all = backends.map((backend): readonly [BackendName, Speaker] => [
    backend.name,
    startSpeaker({
      ...parts,
      backend,
      handover,
      causes: () => causes(backend.name),
      held: () => held(backend.name),
    }),
  ]);
  return {
    settled: () => all.every(([, one]) => one.settled()),
    last() {
      const outcomes = all.map(([name, one]) => ({ name, ...one.last() }));
      const failed = outcomes.flatMap(({ name, failure }) =>
        failure === undefined ? [] : [names.length > 1 ? `${name}: ${failure}` : failure],
      );
      return {
        failure: failed.length === 0 ? undefined : failed.join("; "),
        applied: outcomes.every(({ applied }) => applied),
        durations: sumOf(outcomes.map(({ durations }) => durations)),
        failures: outcomes.reduce((sum, { failures }) => sum + failures, 0),
        pending: outcomes.some(({ pending }) => pending),
      };
    },
    waiting: ({ plan }) =>
      new Map(
        names.flatMap((name) => {
          const intent = plan.speakers[name];
          const waits = intent === undefined ? [] : [...handover.waits(name, intent)];
          return waits.map(([key, other]) => [key, `the ${other} speaker has it still`] as const);
        }),
      ),
    stop() {
      for (const [, one] of all) one.stop();
    },
  };
}

/** Each of them hears of every cause. */
function shared(
  take: () => readonly EventId[],
  names: readonly BackendName[],
): (name: BackendName) => readonly EventId[] {
  const untold = new Map<BackendName, readonly EventId[]>();
  return (name) => {
    const fresh = take();
    for (const one of names)
      untold.set(one, [...(untold.get(one) ?? []), ...fresh].slice(-CAUSES_MAX));
    const causes = untold.get(name) ?? [];
    untold.set(name, []);
    return causes;
  };
}
