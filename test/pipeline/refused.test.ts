/**
 * What a speaker refuses while it takes the rest: in the book once, and again when it is something else.
 */
import { Subject } from "rxjs";
import { expect, test } from "vitest";
import type { Recorder } from "../../agent/pipeline/recorder.ts";
import type { Planned } from "../../agent/pipeline/reconcile.ts";
import { startSpeaker } from "../../agent/pipeline/speaker.ts";
import { explained } from "../../agent/pipeline/upgrade.ts";
import { plan } from "../../agent/plan/plan.ts";
import type { Refused, SpeakerBackend } from "../../backends/backend.ts";
import { deltaOf } from "../../backends/delta.ts";
import { NO_SPEAKER } from "../../backends/intent.ts";
import type { Event } from "../../events/event.ts";
import { nothingRecorded } from "../../events/state.ts";
import { options, peer, together, world } from "../plan/world.ts";

test("is recorded with all reasons, but not with every apply", async () => {
  const answers: (readonly Refused[])[] = [];
  const backend = {
    name: "native",
    capabilities: options.capabilities,
    apply: () =>
      Promise.resolve({ delta: deltaOf(NO_SPEAKER, NO_SPEAKER), refused: answers.shift() ?? [] }),
    watch: () => () => undefined,
  } satisfies Pick<SpeakerBackend, "name" | "capabilities" | "apply" | "watch">;
  const events: Event[] = [];
  const planned$ = new Subject<Planned>();
  const speaker = startSpeaker({
    // Nothing else of it is asked.
    backend: backend as unknown as SpeakerBackend,
    kernel: undefined,
    program: "test",
    planned$,
    recorder: {
      record: (event: Event) => {
        events.push(event);
        return undefined;
      },
    } as unknown as Recorder,
    recorded: () => nothingRecorded,
    causes: () => [],
    held: () => explained,
    sha256: (text) => text,
    pause: () => Promise.resolve(),
    onBug: (error) => {
      throw error;
    },
  });
  const apply = async (at: number, ...refused: readonly string[]): Promise<void> => {
    answers.push(refused.map((reason) => ({ subject: undefined, reason })));
    const { desired } = world({}, together(peer("p", `10.0.0.${at}`)));
    planned$.next({ desired, plan: plan(desired, options) });
    await new Promise((resolve) => setImmediate(resolve));
  };
  await apply(1, "a", "b");
  await apply(2, "a", "b");
  await apply(3, "1", "2", "3", "4", "5", "6", "7");
  await apply(4);
  await apply(5, "a", "b");
  speaker.stop();
  expect(events.filter(({ type }) => type === "apply-failed")).toMatchObject([
    { code: "SPEAKER_REFUSED", reason: "a; b", attempt: 1 },
    { reason: "1; 2; 3; 4; 5; and 2 more" },
    { reason: "a; b" },
  ]);
});
