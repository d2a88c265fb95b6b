/**
 * The facts of one decision in the making, with everything that follows from them.
 *
 * Pure to its caller; mutates the list that it owns. Every decision ends in settleSince(), so that nothing that follows from
 * a change is forgotten. Reads next: decide.ts and feed.ts (who start one), ../plan/settle.ts.
 */
import { match } from "ts-pattern";
import type { DecidedEvent, Event } from "../../events/event.ts";
import { applyDesired } from "../../events/fold.ts";
import type { EventId } from "../../events/ids.ts";
import type { DesiredState } from "../../events/state.ts";
import { type Authority, settle } from "../plan/settle.ts";
import type { DraftFact } from "./decision.ts";
import { heldResource } from "./ownership.ts";

/** Facts in the making: each is folded in as it is added, so that the next one is decided on it. */
export type Draft = {
  readonly facts: DraftFact[];
  add(event: Event, subject: string, cause: readonly EventId[]): EventId;
  /** Hands freed keys to the feeds that wait for them, then settles what follows from all that was added. */
  settleSince(since: DesiredState, cause: readonly EventId[], authority?: Authority): void;
  after(): DesiredState;
};

export function startDraft(before: DesiredState, nextId: () => EventId): Draft {
  const facts: DraftFact[] = [];
  let desired = before;
  const add = (event: Event, subject: string, cause: readonly EventId[]): EventId => {
    const id = nextId();
    facts.push({ id, event, subject, cause });
    desired = applyDesired(desired, event, id);
    return id;
  };
  return {
    facts,
    add,
    settleSince: (since, cause, authority) => {
      for (const [event, subject] of handedBack(desired)) add(event, subject, cause);
      for (const event of settle(since, desired, authority)) {
        add(event, decidedSubject(event), cause);
      }
    },
    after: () => desired,
  };
}

const decidedSubject = (event: DecidedEvent): string =>
  match(event)
    .with(
      { type: "address-allocated" },
      { type: "address-released" },
      { type: "address-awaited" },
      (e) => e.service,
    )
    .with({ type: "resource-quarantined" }, { type: "quarantine-lifted" }, (e) => e.key)
    .with({ type: "source-suspected" }, { type: "source-trusted" }, (e) => e.owner)
    .with({ type: "plan-changed-by-version" }, { type: "plan-confirmed" }, () => "agent")
    .exhaustive();

/** What feeds were refused because another owner had it, and nobody has any more. */
function* handedBack(desired: DesiredState): Generator<readonly [Event, string]> {
  for (const [fleet, { left }] of desired.feeds ?? []) {
    for (const { key, resource, addresses } of left) {
      if (heldResource(desired, key) !== undefined) continue;
      yield [{ type: "resource-applied", resource, owner: `feed:${fleet}` }, key];
      if (addresses.length > 0) yield [{ type: "address-allocated", service: key, addresses }, key];
    }
  }
}
