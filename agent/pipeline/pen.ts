/**
 * Where facts are born: id, both clocks, actor and source are written on them here, once.
 *
 * A fact that is born need not be recorded yet; provenance and cause name it by its id from this moment on.
 */
import type { Actor, Fact, Instant, Source } from "../../events/envelope.ts";
import type { Event } from "../../events/event.ts";
import type { DraftFact } from "../decide/decision.ts";
import { eventId, type EventId, type RunId } from "../../events/ids.ts";

export type Pen = {
  readonly run: RunId;
  nextId(): EventId;
  /** The drafts of one accepted command as facts of the same instant; the source's position stands on the first only. */
  facts(drafts: readonly DraftFact[], actor: Actor, source: Source): readonly Fact[];
  /** A fact that the agent itself states. */
  own(event: Event, subject: string, cause?: readonly EventId[]): Fact;
};

const agentItself: Actor = { type: "agent" };
const agentSource: Source = { name: "agent" };

export function createPen(run: RunId, now: () => Instant): Pen {
  let counter = 0;
  const nextId = (): EventId => {
    counter += 1;
    return eventId(run, counter);
  };
  return {
    run,
    nextId,
    facts(drafts, actor, source) {
      const at = now();
      return drafts.map((draft, index) => ({
        ...draft,
        at,
        run,
        actor,
        source: index === 0 ? source : { name: source.name },
      }));
    },
    own: (event, subject, cause = []) => ({
      id: nextId(),
      event,
      subject,
      cause,
      at: now(),
      run,
      actor: agentItself,
      source: agentSource,
    }),
  };
}
