/**
 * BFD sessions that the speaker's own daemon keeps: which there are, and what becomes of them, is recorded.
 *
 * They are told by the same facts as the BFD engine's, with discriminator 0, for the log draws none of theirs: that tells them
 * apart. BGP hears of them from its own daemon, never through here. Reads next: bfd.ts, ../core/speaker-bfd-view.ts.
 */
import type { SpeakerBfdSessions } from "../../backends/backend.ts";
import type { BfdKey } from "../../events/ids.ts";
import type { State } from "../../events/state.ts";
import { transitionEvent } from "./bfd.ts";
import type { Recorder } from "./recorder.ts";

/** In place of a discriminator that we drew. */
export const DRAWN_BY_SPEAKER = 0;

export type SpeakerBfdParts = {
  /** undefined: the speaker has no such daemon; what one of an earlier run had is gone. */
  readonly sessions: SpeakerBfdSessions | undefined;
  /** Name of the speaker: whose daemon it is. */
  readonly speaker: string;
  readonly recorder: Pick<Recorder, "record">;
  /** Everything committed before this run, folded. */
  readonly before: Pick<State, "bfd">;
};

/** Returns what stops it. */
export function startSpeakerBfd(parts: SpeakerBfdParts): () => void {
  const { sessions, speaker, recorder } = parts;
  const known = new Set<BfdKey>(
    [...(parts.before.bfd ?? [])].flatMap(([key, { discriminator }]) =>
      discriminator === DRAWN_BY_SPEAKER ? [key] : [],
    ),
  );
  const look = (): void => {
    const now = new Set(sessions?.all().map(({ key }) => key));
    const added = [...now].filter((key) => !known.has(key));
    const removed = [...known].filter((key) => !now.has(key));
    if (added.length + removed.length === 0) return;
    for (const key of added) known.add(key);
    for (const key of removed) known.delete(key);
    recorder.record(
      {
        type: "bfd-applied",
        instance: speaker,
        added: added.map((key) => [key, DRAWN_BY_SPEAKER] as const),
        changed: [],
        removed,
        unwanted: [],
      },
      "bfd",
    );
  };
  if (sessions === undefined) {
    look();
    return () => undefined;
  }
  return sessions.watch((fact) => {
    look();
    if (fact.type === "transition") {
      recorder.record(transitionEvent(fact.transition), fact.transition.key);
    }
  });
}

/** The discriminators that we drew, for the BFD engine to go on with. */
export const drawnDiscriminators = ({ bfd }: Pick<State, "bfd">): ReadonlyMap<BfdKey, number> =>
  new Map(
    [...(bfd ?? [])].flatMap(([key, { discriminator }]) =>
      discriminator === DRAWN_BY_SPEAKER ? [] : [[key, discriminator] as const],
    ),
  );
