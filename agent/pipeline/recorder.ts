/**
 * Facts that nobody waits for: observed ones and effects. They are recorded when the disk allows, and counted when not.
 *
 * After a failure the next fact that gets through is followed by `recording-interrupted`, so that a gap never stays silent.
 */
import type { Actor, Fact } from "../../events/envelope.ts";
import type { Event } from "../../events/event.ts";
import type { EventId } from "../../events/ids.ts";
import { type EventLog, type Interruption, LogError } from "../../events/log/log.ts";
import type { Pen } from "./pen.ts";

export type Recorder = {
  /** Returns the fact at once; the disk comes later. */
  record(event: Event, subject: string, cause?: readonly EventId[]): Fact;
  /** As record(), for facts that were born elsewhere. */
  keep(facts: readonly Fact[]): void;
  /** Resolves after the commit; rejects with LogError. For what somebody waits for. */
  recordNow(event: Event, subject: string, actor: Actor): Promise<void>;
  /** Resolves when nothing waits for the disk any more. */
  idle(): Promise<void>;
  /** undefined where every fact is recorded. */
  notRecording(): Interruption | undefined;
  /** The disk refused somebody else's facts: tried again after a while, so that it is known when there is room again. */
  tryLater(): void;
};

/**
 * `later` calls back after a while; absent: never. Where recording was interrupted, it is tried then whether it goes again, so that
 * it is known also on a host on which nothing else happens.
 */
export function createRecorder(
  log: EventLog,
  pen: Pen,
  later?: (act: () => void) => void,
): Recorder {
  let last: Promise<unknown> = Promise.resolve();
  let telling = false;
  let waiting = false;

  const append = (facts: readonly Fact[]): void => {
    last = log.append(facts).then(tellOfGap, notRecorded);
  };
  /** Not counted where it is refused: it is nothing that happened. */
  const tellOfGap = (): void => {
    const interruption = log.interruption();
    if (interruption === undefined || telling) return;
    telling = true;
    const { lost, reason } = interruption;
    const fact = pen.own({ type: "recording-interrupted", lost, reason }, "agent");
    last = log
      .append([fact], "answered")
      .then(() => undefined, notRecorded)
      .finally(() => {
        telling = false;
      });
  };

  /** The log counts what it refuses (interruption()); everything but a refusal is our own bug. */
  const notRecorded = (error: unknown): void => {
    if (!(error instanceof LogError)) throw error;
    if (error.code !== "LOG_CLOSED") tryLater();
  };
  const tryLater = (): void => {
    if (waiting || later === undefined) return;
    waiting = true;
    later(() => {
      waiting = false;
      tellOfGap();
    });
  };

  return {
    record(event, subject, cause) {
      const fact = pen.own(event, subject, cause);
      append([fact]);
      return fact;
    },
    keep: append,
    async recordNow(event, subject, actor) {
      const fact = pen.own(event, subject);
      const source = { name: actor.type === "user" ? "api" : "agent" };
      try {
        await log.append([{ ...fact, actor, source }], "answered");
      } catch (error) {
        notRecorded(error);
        throw error;
      }
    },
    idle: async () => void (await last),
    notRecording: log.interruption,
    tryLater,
  };
}
