/**
 * What is counted of applies, whether the agent is ready, and that a gap in the recording is tried again: on a virtual clock.
 */
import { Subject } from "rxjs";
import { describe, expect, test } from "vitest";
import { readiness } from "../../agent/core/figures.ts";
import { createHandover } from "../../agent/pipeline/handover.ts";
import { createPen } from "../../agent/pipeline/pen.ts";
import type { Planned } from "../../agent/pipeline/reconcile.ts";
import { createRecorder, type Recorder } from "../../agent/pipeline/recorder.ts";
import { startSpeaker } from "../../agent/pipeline/speaker.ts";
import { BOUNDS_SECONDS, emptyTally, tallied } from "../../agent/pipeline/tally.ts";
import { explained } from "../../agent/pipeline/upgrade.ts";
import { plan } from "../../agent/plan/plan.ts";
import { BackendError, type SpeakerBackend } from "../../backends/backend.ts";
import { deltaOf } from "../../backends/delta.ts";
import { NO_SPEAKER } from "../../backends/intent.ts";
import type { Fact } from "../../events/envelope.ts";
import type { RunId } from "../../events/ids.ts";
import { type EventLog, type Interruption, LogError } from "../../events/log/log.ts";
import { nothingRecorded } from "../../events/state.ts";
import { options, peer, together, world } from "../plan/world.ts";
import { virtualClock } from "../virtual-clock.ts";

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

function stage() {
  const clock = virtualClock();
  const planned$ = new Subject<Planned>();
  const changed$ = new Subject<void>();
  const waiting: { readonly end: (error?: Error) => void }[] = [];
  const backend = {
    name: "native",
    capabilities: options.capabilities,
    apply: () =>
      new Promise((resolve, reject) => {
        waiting.push({
          end: (error) =>
            error === undefined
              ? resolve({ delta: deltaOf(NO_SPEAKER, NO_SPEAKER) })
              : reject(error),
        });
      }),
    watch: () => () => undefined,
  };
  const speaker = startSpeaker({
    // Nothing else of either is asked.
    backend: backend as unknown as SpeakerBackend,
    recorder: { record: () => undefined } as unknown as Recorder,
    kernel: undefined,
    handover: createHandover(["native"], {}),
    program: "test",
    planned$,
    changed$,
    clock,
    recorded: () => nothingRecorded,
    causes: () => [],
    held: () => explained,
    sha256: (text) => text,
    pause: () => Promise.resolve(),
    onBug: (error) => {
      throw error;
    },
  });
  const planOf = (at: number): Planned => {
    const { desired } = world({}, together(peer("p", `10.0.0.${at}`)));
    return { desired, plan: plan(desired, options) };
  };
  return {
    clock,
    speaker,
    planned$,
    planOf,
    change(at: number): void {
      changed$.next();
      planned$.next(planOf(at));
    },
    async end(error?: Error): Promise<void> {
      await turn();
      waiting.shift()?.end(error);
      await turn();
    },
  };
}

describe("an apply", () => {
  test("is timed from the change until the speaker had it", async () => {
    const { clock, speaker, change, end } = stage();
    change(1);
    expect(speaker.last()).toMatchObject({ pending: true, durations: { count: 0 } });
    clock.advance(20);
    await end();
    expect(speaker.last()).toMatchObject({
      applied: true,
      pending: false,
      failures: 0,
      durations: { count: 1, sumSeconds: 0.02 },
    });
  });

  test("that failed counts as a failure, and its change goes on being timed", async () => {
    const { clock, speaker, change, end } = stage();
    change(1);
    clock.advance(1000);
    await end(new BackendError("SPEAKER_REFUSED", "no"));
    expect(speaker.last()).toMatchObject({ applied: false, pending: true, failures: 1 });
    clock.advance(500);
    await end();
    expect(speaker.last()).toMatchObject({
      pending: false,
      failures: 1,
      durations: { count: 1, sumSeconds: 1.5 },
    });
  });

  test("is timed by the first of the changes that went together", async () => {
    const { clock, speaker, planned$, planOf, change, end } = stage();
    change(1);
    await end();
    clock.advance(10);
    change(2);
    clock.advance(10);
    await end();
    expect(speaker.last().durations).toMatchObject({ count: 2, sumSeconds: 0.01 });
    // A plan again without a change is no change.
    planned$.next(planOf(3));
    clock.advance(10);
    await end();
    expect(speaker.last().durations.count).toBe(2);
  });
});

test("durations are counted up to each bound, and beyond the last", () => {
  const all = [0.0005, 0.0006, 10, 31, 32].reduce(tallied, emptyTally);
  expect(all.count).toBe(5);
  expect(all.sumSeconds).toBeCloseTo(73.0011, 6);
  const counted = Object.fromEntries(BOUNDS_SECONDS.map((bound, i) => [bound, all.counts[i]]));
  expect(counted).toMatchObject({ 0.0005: 1, 0.001: 1, 10: 1, 30: 0 });
});

describe("ready", () => {
  const now = (state: "running" | "stopping" | "held") => () => ({ state });
  const last = (applied: boolean, failure?: string) => () => ({
    applied,
    failure,
    durations: emptyTally,
    failures: 0,
    pending: !applied,
  });
  test.each([
    ["once the first plan was applied", last(true), now("running"), true, ""],
    ["also while something waits for a confirmation", last(true), now("held"), true, ""],
    ["also where a later apply failed", last(true, "no"), now("running"), true, ""],
    ["not before", last(false), now("running"), false, "the first plan is not applied yet"],
    [
      "not while the speaker refuses, in its words",
      last(false, "bgpd does not answer"),
      now("running"),
      false,
      "the first plan is not applied: bgpd does not answer",
    ],
    ["not while it stops", last(true), now("stopping"), false, "the agent is stopping"],
  ])("%s", (_when, lastApply, state, ok, reason) => {
    expect(readiness({ lastApply, now: state })).toEqual({ ok, reason });
  });
});

describe("a gap in the recording", () => {
  function book() {
    const clock = virtualClock();
    let refuses = true;
    let lost: Interruption | undefined;
    const written: string[] = [];
    const append = (facts: readonly Fact[], refused = "lost") => {
      if (!refuses) {
        written.push(...facts.map(({ event }) => event.type));
        lost = undefined;
        return Promise.resolve({ type: "recorded", positions: [] });
      }
      const count = (lost?.lost ?? 0) + (refused === "lost" ? facts.length : 0);
      lost = { lost: count, reason: "full", since: { wall: 0n, monotonic: 0n, boot: "b" } };
      return Promise.reject(new LogError("NOT_RECORDED", "full"));
    };
    const log = { append, interruption: () => lost } as unknown as EventLog;
    const pen = createPen("0123456789ab" as RunId, () => ({ wall: 0n, monotonic: 0n, boot: "b" }));
    const later = (act: () => void): void => void clock.after(2000, act);
    const recorder = createRecorder(log, pen, later);
    return { clock, recorder, written, mend: () => (refuses = false) };
  }

  test("is tried again until the disk takes it, and not after that", async () => {
    const { clock, recorder, written, mend } = book();
    recorder.record({ type: "agent-stopped", mode: "final" }, "agent");
    await turn();
    expect([recorder.notRecording()?.lost, clock.pending()]).toEqual([1, 1]);
    clock.advance(2000);
    await turn();
    expect([written, clock.pending()]).toEqual([[], 1]);
    mend();
    clock.advance(2000);
    await turn();
    expect([written, clock.pending()]).toEqual([["recording-interrupted"], 0]);
    expect(recorder.notRecording()).toBe(undefined);
  });

  test("that a command met is tried again, too", async () => {
    const { clock, recorder, written, mend } = book();
    const event = { type: "agent-stopped", mode: "final" } as const;
    await expect(recorder.recordNow(event, "agent", { type: "agent" })).rejects.toThrow("full");
    mend();
    clock.advance(2000);
    await turn();
    expect(written).toEqual(["recording-interrupted"]);
  });

  test("costs nothing where there is none", async () => {
    const { clock, recorder, mend } = book();
    mend();
    recorder.record({ type: "agent-stopped", mode: "final" }, "agent");
    await turn();
    expect(clock.pending()).toBe(0);
  });
});
