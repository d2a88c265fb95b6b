/**
 * What becomes of the speaker's daemons → facts for the book, with the message of a peer that one of them ended over.
 *
 * An end that comes again and again is recorded in powers of two, so that a peer that kills a speaker at each try fills no log.
 * Texts of daemons are freed of secrets before they are recorded. Reads next: ../../backends/daemons.ts.
 */
import type { SpeakerBackend } from "../../backends/backend.ts";
import type { DaemonFact } from "../../backends/daemons.ts";
import type { State } from "../../events/state.ts";
import { redact } from "../secrets/redact.ts";
import type { Recorder } from "./recorder.ts";

export type DaemonParts = {
  readonly backend: Pick<SpeakerBackend, "name" | "daemons">;
  readonly recorder: Pick<Recorder, "record">;
  /** Everything committed before this run, folded. */
  readonly before: Pick<State, "daemons">;
};

/** A peer that makes each crash another one fills no memory, either. */
const MOST_TEXTS = 1000;

/** Returns what stops it. */
export function startDaemons({ backend, recorder, before }: DaemonParts): () => void {
  const seen = new Map<string, number>();
  /** Daemons that the log has as they are: up, unless it says something else. */
  const recorded = new Map<string, DaemonFact["state"]>(
    Object.entries(before.daemons ?? {}).map(([daemon, { state }]) => [daemon, state]),
  );
  const record = (fact: DaemonFact): void => {
    const { daemon, state, reason, words, message } = fact;
    const wasUp = (recorded.get(daemon) ?? "up") === "up";
    const isBack = state === "up" || state === "restarted";
    if (state === "up" && wasUp) return;
    const text = `${daemon} ${state} ${reason}`;
    if (seen.size > MOST_TEXTS) seen.clear();
    const count = (seen.get(text) ?? 0) + 1;
    seen.set(text, count);
    // Where the log has it as gone, it is told that it is back, however often that was.
    if ((wasUp || !isBack) && (count & (count - 1)) !== 0) return;
    recorded.set(daemon, isBack ? "up" : state);
    recorder.record(
      {
        type: "speaker-daemon-observed",
        backend: backend.name,
        daemon,
        state,
        reason: redact(reason),
        count,
        ...(words === undefined ? {} : { words: redact(words) }),
        ...(message === undefined ? {} : { message }),
      },
      daemon,
    );
  };
  return backend.daemons?.watch(record) ?? (() => undefined);
}
