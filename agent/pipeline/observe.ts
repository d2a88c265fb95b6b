/**
 * What the speaker sees → facts for the book.
 *
 * A session's ups and downs and each new reason are facts; the FSM's own steps are not, nor is the same failure for the
 * hundredth time. Keeps only the last thing said of each neighbour.
 */
import { filter, map, Observable, type OperatorFunction, pipe } from "rxjs";
import type {
  RouteBatch,
  SessionFact,
  SessionStatus,
  SpeakerBackend,
} from "../../backends/backend.ts";
import type { ObservedEvent } from "../../events/event.ts";
import type { NeighborKey } from "../../events/ids.ts";

export type Sighting = { readonly event: ObservedEvent; readonly subject: NeighborKey };

export const watching = (backend: SpeakerBackend): Observable<SessionFact | RouteBatch> =>
  new Observable((out) => backend.watch((fact) => out.next(fact)));

export function sightings(): OperatorFunction<SessionFact | RouteBatch, Sighting> {
  const said = new Map<NeighborKey, string>();
  return pipe(
    filter((fact) => {
      if (fact.type === "routes") return true;
      const { state, reason } = fact.status;
      // Below Established the state wanders through Connect and Active with every try; the reason is what is new.
      const now =
        state === "Established" ? `Established ${fact.status.sinceMillis}` : `down ${reason}`;
      if (said.get(fact.neighbor) === now || (state !== "Established" && reason === ""))
        return false;
      said.set(fact.neighbor, now);
      return true;
    }),
    map((fact) => ({ event: eventOf(fact), subject: fact.neighbor })),
  );
}

const eventOf = (fact: SessionFact | RouteBatch): ObservedEvent =>
  fact.type === "session"
    ? sessionEvent(fact.status)
    : {
        type: "routes-observed",
        neighbor: fact.neighbor,
        received: fact.received,
        announced: fact.announced,
        withdrawn: fact.withdrawn,
      };

function sessionEvent(status: SessionStatus): ObservedEvent {
  const { neighbor, name, state, reason } = status;
  const base = { type: "session-observed", neighbor, peer: name, state, reason } as const;
  if (state !== "Established") return base;
  const { holdTimeSeconds, keepaliveTimeSeconds, localAddress, remoteRouterId } = status;
  return {
    ...base,
    holdTimeSeconds,
    keepaliveTimeSeconds,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(remoteRouterId === undefined ? {} : { remoteRouterId }),
  };
}
