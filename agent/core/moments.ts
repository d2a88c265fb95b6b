/**
 * The log as of a moment: a pure fold up to it, in the running agent and on a copied file alike.
 *
 * Reads what was recorded and never plans anew. Reads next: resource-view.ts, status-view.ts.
 */
import type { Erased, Recorded } from "../../events/envelope.ts";
import { evolve } from "../../events/fold.ts";
import type { EventId } from "../../events/ids.ts";
import type { ReadFilter } from "../../events/log/log.ts";
import { nothingRecorded, type State } from "../../events/state.ts";
import type { Moment } from "../api/core.ts";
import type { SeqOf } from "./resource-view.ts";

export type AtMoment = { readonly state: State; readonly seqOf: SeqOf };

/** undefined where the log has nothing at or before that moment, or does not reach that seq. */
export function stateAt(
  read: (filter: ReadFilter) => Iterable<Recorded | Erased>,
  moment: Moment,
): AtMoment | undefined {
  const filter: ReadFilter = moment.type === "seq" ? { to: moment.seq } : {};
  const seqs = new Map<EventId, number>();
  let state = nothingRecorded;
  for (const fact of read(filter)) {
    // Order is by seq, not by clock: a clock that jumped back must not cut the fold short before later facts.
    if (moment.type === "time" && fact.at.wall > moment.wall) continue;
    state = evolve(state, fact);
    seqs.set(fact.id, fact.seq);
  }
  const reached = moment.type === "seq" ? state.seq === moment.seq : state.seq > 0;
  return reached ? { state, seqOf: (fact) => seqs.get(fact) ?? null } : undefined;
}
