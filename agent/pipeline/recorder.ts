/**
 * Facts that nobody waits for: observed ones and effects. They are recorded when the disk allows, and counted when not.
 *
 * After a failure the next fact that gets through is followed by `recording-interrupted`, so that a gap never stays silent.
 */
import type { Actor, Fact, Instant } from "../../events/envelope.ts";
import type { Event } from "../../events/event.ts";
import type { EventId } from "../../events/ids.ts";
import { type EventLog, LogError } from "../../events/log/log.ts";
import type { Pen } from "./pen.ts";

export type NotRecording = {
  readonly since: Instant;
  readonly reason: string;
  readonly lost: number;
};

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
  notRecording(): NotRecording | undefined;
};

export function createRecorder(log: EventLog, pen: Pen): Recorder {
  let since: Instant | undefined;

  let last: Promise<unknown> = Promise.resolve();

  const append = (facts: readonly Fact[]): void => {
    last = log.append(facts).then(
      () => tellOfGap(),
      (error: unknown) => {
        if (!(error instanceof LogError)) throw error;
        if (error.code !== "LOG_CLOSED") since ??= facts[0]?.at;
      },
    );
  };
  const tellOfGap = (): void => {
    const interruption = log.interruption();
    if (interruption === undefined) return;
    since = undefined;
    const { lost, reason } = interruption;
    append([pen.own({ type: "recording-interrupted", lost, reason }, "agent")]);
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
      await log.append([
        { ...fact, actor, source: { name: actor.type === "user" ? "api" : "agent" } },
      ]);
    },
    idle: async () => void (await last),
    notRecording() {
      const interruption = log.interruption();
      if (interruption === undefined || since === undefined) return undefined;
      return { since, ...interruption };
    },
  };
}
