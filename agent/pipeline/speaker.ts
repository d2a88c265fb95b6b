/**
 * One backend's life: each newest plan is applied, what changed is recorded, what is seen is recorded.
 *
 * Holds back what a new program version would withdraw or reset (upgrade.ts) until it is confirmed. Never decides policy;
 * the clock's pauses and the digest function are handed in.
 */
import {
  combineLatest,
  distinctUntilChanged,
  map,
  type Observable,
  type Subscription,
  tap,
} from "rxjs";
import type { Applied, Refused, SpeakerBackend } from "../../backends/backend.ts";
import type { SpeakerIntent } from "../../backends/intent.ts";
import type { Clock } from "../../backends/clock.ts";
import type { Sha256 } from "../../events/digest.ts";
import type { EventId } from "../../events/ids.ts";
import type { State, Wire } from "../../events/state.ts";
import { appliedEvent, intentDigester, isNothing, withDepartures } from "./effects.ts";
import { startDaemons } from "./daemons.ts";
import type { Handover } from "./handover.ts";
import { sightings, watching } from "./observe.ts";
import type { KernelDriver } from "./kernel.ts";
import {
  applyNewest,
  type Done,
  type Outcome,
  type Planned,
  type Wanted,
  wantedOf,
} from "./reconcile.ts";
import type { Recorder } from "./recorder.ts";
import { holdBack, nothingUnexplained, type Unexplained } from "./upgrade.ts";
import { emptyTally, type Tally, tallied } from "./tally.ts";
import { allUsable, type Unusable, withhold } from "./withhold.ts";

export type SpeakerParts = {
  readonly backend: SpeakerBackend;
  /** undefined: this agent leaves the kernel alone. */
  readonly kernel: KernelDriver | undefined;
  /** Between the speakers of this host. */
  readonly handover: Handover;
  readonly program: string;
  readonly planned$: Observable<Planned>;
  /** Emits in the turn in which a change took effect: from there an apply is timed. */
  readonly changed$: Observable<unknown>;
  readonly clock: Pick<Clock, "monotonicMillis">;
  readonly recorder: Recorder;
  /** Committed facts, folded: what the log says is on the wire. */
  readonly recorded: () => State;
  /** Ids of the facts that desired state took in since this was last called. */
  readonly causes: () => readonly EventId[];
  /** What waits for `rutter confirm plan`; empty where nothing does. */
  readonly held: () => Unexplained;
  readonly sha256: Sha256;
  readonly pause: (attempt: number) => Promise<void>;
  readonly onBug: (error: unknown) => void;
};

/** Of this run. */
export type Applies = {
  /** From the moment that a change took effect until the speaker had it; of changes that went together, the first one's. */
  readonly durations: Tally;
  readonly failures: number;
  /** Something is planned that the speaker does not have yet. */
  readonly pending: boolean;
};

export type Speaker = {
  /** Whether the backend has taken everything that is planned. */
  readonly settled: () => boolean;
  /** What became of the newest apply that ended; `applied`: whether any was taken in this run. */
  readonly last: () => Applies & {
    readonly failure: string | undefined;
    readonly applied: boolean;
  };
  stop(): void;
};

const DIGEST_TURN_MILLIS = 3;

/** Reasons that one fact shows; the program's own log has them all. */
const SHOWN_REFUSALS = 5;

export function startSpeaker(parts: SpeakerParts): Speaker {
  const { backend, recorder } = parts;
  const digest = intentDigester(parts.sha256);
  let planned: Wanted | undefined;
  let taken: Wanted | undefined;
  let failure: string | undefined;
  /** What the log says of the wire, before this run's first apply; afterwards the speaker's own deltas are exact. */
  let inherited = parts.recorded().wires[backend.name];
  let recordedDigest = inherited?.program === parts.program ? inherited.intentDigest : undefined;

  let durations = emptyTally;
  let failures = 0;
  /** Of the oldest change that is not planned yet. */
  let changed: number | undefined;
  /** undefined: nothing changed, and the plan is applied again for another reason (a hold was let go, an address is usable). */
  const takeChanged = (): number | undefined => {
    const taken = changed;
    changed = undefined;
    return taken;
  };

  const wireNow = (): Wire | undefined => parts.recorded().wires[backend.name];

  const recordApplied = (intent: SpeakerIntent, { delta }: Applied): void => {
    const told = digest(intent);
    const whole = withDepartures(intent, inherited, delta);
    const event = appliedEvent(backend.name, parts.program, told, intent, whole, inherited);
    inherited = undefined;
    const causes = parts.causes();
    if (isNothing(event.delta) && told === recordedDigest) return;
    recordedDigest = told;
    recorder.record(event, backend.name, causes);
  };

  let refusedBefore = "";
  /** Said once, and again when something else is refused: the backend tries again by itself. */
  const recordRefused = (refused: readonly Refused[]): void => {
    const reasons = refused.map(({ reason }) => reason);
    const text = reasons.join("\n");
    if (text === refusedBefore) return;
    refusedBefore = text;
    if (text === "") return;
    const more = reasons.length - SHOWN_REFUSALS;
    const shown = reasons.slice(0, SHOWN_REFUSALS).join("; ");
    recorder.record(
      {
        type: "apply-failed",
        backend: backend.name,
        code: "SPEAKER_REFUSED",
        reason: more > 0 ? `${shown}; and ${more} more` : shown,
        attempt: 1,
      },
      backend.name,
    );
  };

  const waits = (intent: SpeakerIntent): ReturnType<Handover["waits"]> =>
    parts.handover.waits(backend.name, intent);
  const unusable = (): Unusable => parts.kernel?.unusable() ?? allUsable;

  /** Of 10,000 routes it takes a start's tenth of a second, in which sessions would not come up. */
  const digestInTurns = async (intent: SpeakerIntent): Promise<void> => {
    let end = parts.clock.monotonicMillis() + DIGEST_TURN_MILLIS;
    const pieces = digest.pieces(intent)[Symbol.iterator]();
    while (pieces.next().done !== true) {
      if (parts.clock.monotonicMillis() < end) continue;
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
      end = parts.clock.monotonicMillis() + DIGEST_TURN_MILLIS;
    }
  };
  const apply = async ({ speaker, kernel }: Wanted, signal: AbortSignal): Promise<Done> => {
    await parts.kernel?.widen(kernel);
    const usable = withhold(speaker, kernel.addresses, unusable());
    const told = parts.handover.tell(backend.name, usable);
    const applied = await backend.apply(told, signal);
    parts.handover.told(backend.name, told);
    // What is still announced because it waits for a confirmation stays reachable.
    if (nothingUnexplained(parts.held())) await parts.kernel?.narrow(kernel, backend.name);
    await digestInTurns(told);
    return { told, applied };
  };

  const onOutcome = (outcome: Outcome): void => {
    failure = outcome.type === "applied" ? undefined : outcome.error.message;
    if (outcome.type === "applied") {
      taken = outcome.wanted;
      const { changedMillis } = outcome.wanted;
      if (changedMillis !== undefined) {
        const tookMillis = parts.clock.monotonicMillis() - changedMillis;
        durations = tallied(durations, tookMillis / 1000);
      }
      recordApplied(outcome.told, outcome.applied);
      recordRefused(outcome.applied.refused ?? []);
      return;
    }
    failures += 1;
    const { attempt, error } = outcome;
    // The first failure is news; after that the powers of two, so that a dead speaker fills no log.
    if ((attempt & (attempt - 1)) !== 0) return;
    recorder.record(
      {
        type: "apply-failed",
        backend: backend.name,
        code: error.code,
        reason: error.message,
        attempt,
      },
      backend.name,
    );
  };

  const stopDaemons = startDaemons({ backend, recorder, before: parts.recorded() });
  const subscriptions: Subscription[] = [
    parts.changed$.subscribe(() => {
      changed ??= parts.clock.monotonicMillis();
    }),
    watching(backend)
      .pipe(sightings())
      .subscribe(({ event, subject }) => void recorder.record(event, subject)),
    combineLatest([parts.planned$, parts.handover.released$])
      .pipe(
        map(([one]) => one),
        wantedOf(backend),
        map(({ speaker, kernel }) => {
          const held = parts.held();
          const wire = wireNow();
          return nothingUnexplained(held) || wire === undefined
            ? { speaker, kernel }
            : { speaker: holdBack(speaker, held, wire), kernel };
        }),
        map((wanted) => ({
          ...wanted,
          unusable: unusable(),
          waits: [...waits(wanted.speaker).keys()].join(),
          changedMillis: takeChanged(),
        })),
        distinctUntilChanged(
          (a, b) =>
            a.speaker === b.speaker &&
            a.kernel === b.kernel &&
            a.unusable === b.unusable &&
            a.waits === b.waits,
        ),
        tap((wanted) => {
          planned = wanted;
        }),
        applyNewest(apply, parts.pause),
      )
      .subscribe({ next: onOutcome, error: parts.onBug }),
  ];
  return {
    settled: () =>
      planned === taken && (planned === undefined || waits(planned.speaker).size === 0),
    last: () => ({
      failure,
      applied: taken !== undefined,
      durations,
      failures,
      pending: planned !== taken,
    }),
    stop: () => {
      stopDaemons();
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}
