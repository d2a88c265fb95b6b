/**
 * The BFD part of each newest plan is held by the BFD process; what it does and sees is recorded, and BGP hears of it.
 *
 * A session that goes Down tears down what it guards at once (RFC 5882 §4.2). AdminDown of the peer does not (§4.2.1), nor does
 * the loss of our own BFD process: nobody said that the path is gone. Reads next: ../../backends/bfd/client.ts.
 */
import { distinctUntilChanged, map, type Observable, type Subscription } from "rxjs";
import type { SpeakerBackend } from "../../backends/backend.ts";
import type { BfdClient, BfdFact } from "../../backends/bfd/client.ts";
import { type BfdTransition, diagnosticText } from "../../backends/bfd/parameters.ts";
import type { EffectEvent, ObservedEvent } from "../../events/event.ts";
import type { Planned } from "./reconcile.ts";
import type { Recorder } from "./recorder.ts";

export type BfdParts = {
  readonly client: BfdClient;
  readonly backend: Pick<SpeakerBackend, "path">;
  readonly planned$: Observable<Planned>;
  readonly recorder: Recorder;
};

/** Returns what stops it; the client is closed by whoever made it. */
export function startBfd({ client, backend, planned$, recorder }: BfdParts): () => void {
  const unwatch = client.watch((fact) => {
    if (fact.type === "path") backend.path(fact.neighbor, fact.state);
    const said = eventOf(fact);
    if (said !== undefined) recorder.record(said.event, said.subject);
  });
  const subscription: Subscription = planned$
    .pipe(
      map(({ plan }) => plan.bfd),
      distinctUntilChanged(),
    )
    .subscribe((intent) => client.apply(intent));
  return () => {
    unwatch();
    subscription.unsubscribe();
  };
}

type Said = { readonly event: ObservedEvent | EffectEvent; readonly subject: string };

function eventOf(fact: BfdFact): Said | undefined {
  if (fact.type === "path") return undefined;
  if (fact.type === "process") {
    const { connected, instance, reason } = fact;
    return { event: { type: "bfd-process-observed", connected, instance, reason }, subject: "bfd" };
  }
  if (fact.type === "held") {
    const { type: _type, ...held } = fact;
    const isNothing =
      held.added.length + held.changed.length + held.removed.length + held.unwanted.length === 0;
    return isNothing ? undefined : { event: { type: "bfd-applied", ...held }, subject: "bfd" };
  }
  return { event: transitionEvent(fact.transition), subject: fact.transition.key };
}

export function transitionEvent(transition: BfdTransition): ObservedEvent {
  const { key, from, to, remoteState, atMicros, detectedAfterMicros } = transition;
  const before = (times: readonly number[]): readonly number[] =>
    times.map((at) => Math.round(atMicros - at));
  return {
    type: "bfd-observed",
    session: key,
    from,
    to,
    diagnostic: diagnosticText(transition.diagnostic),
    remoteState,
    remoteDiagnostic: diagnosticText(transition.remoteDiagnostic),
    ...(detectedAfterMicros === undefined
      ? {}
      : { detectedAfterMicros: Math.round(detectedAfterMicros) }),
    detectionTimeMicros: Math.round(transition.detectionTimeMicros),
    arrivedMicrosBefore: before(transition.arrivalsMicros),
    sentMicrosBefore: before(transition.departuresMicros),
  };
}
