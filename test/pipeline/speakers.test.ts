/**
 * Several speakers beside each other: one that fails holds up no other, and the kernel goes narrow when all were told.
 */
import { BehaviorSubject, NEVER } from "rxjs";
import { expect, test } from "vitest";
import { startKernel } from "../../agent/pipeline/kernel.ts";
import type { Planned } from "../../agent/pipeline/reconcile.ts";
import type { Recorder } from "../../agent/pipeline/recorder.ts";
import { startSpeakers } from "../../agent/pipeline/speakers.ts";
import { explained } from "../../agent/pipeline/upgrade.ts";
import { plan } from "../../agent/plan/plan.ts";
import { BackendError, type SpeakerBackend } from "../../backends/backend.ts";
import { deltaOf } from "../../backends/delta.ts";
import { type BackendName, NO_SPEAKER, type SpeakerIntent } from "../../backends/intent.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import type { Event } from "../../events/event.ts";
import type { EventId } from "../../events/ids.ts";
import { nothingRecorded } from "../../events/state.ts";
import { virtualClock } from "../virtual-clock.ts";
import { both, toNative } from "../plan/two-speakers.ts";
import {
  advertisement,
  after,
  deleting,
  peer,
  pool,
  service,
  together,
  world,
} from "../plan/world.ts";

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

function stage() {
  const heard: string[] = [];
  const away = new Set<BackendName>();
  const events: Event[] = [];
  const causes: EventId[] = [];
  const prefixesIn = ({ routers }: SpeakerIntent) =>
    routers.flatMap(({ neighbors, routes }) =>
      neighbors.map(({ name }) => `${name}:${[...routes.keys()].join()}`),
    );
  const backend = (name: BackendName) =>
    ({
      name,
      capabilities: both.capabilities,
      apply: async (intent: SpeakerIntent) => {
        if (away.has(name)) throw new BackendError("SPEAKER_UNREACHABLE", "away");
        heard.push(`${name} ${prefixesIn(intent).join(" ")}`);
        return { delta: deltaOf(NO_SPEAKER, intent) };
      },
      watch: () => () => undefined,
    }) as unknown as SpeakerBackend;
  const kernel = {
    apply: async ({ addresses }: KernelIntent) => {
      heard.push(
        `kernel ${[...addresses.values()]
          .map(({ address }) => address)
          .toSorted()
          .join()}`,
      );
      return { added: [], removed: [], failed: [] };
    },
    watch: () => () => undefined,
  } as unknown as Kernel;
  const recorder = {
    record(event: Event, _subject: string, cause: readonly EventId[] = []) {
      events.push(event);
      causes.push(...cause);
    },
  } as unknown as Recorder;
  const names = ["frr", "native"] as const;
  let state = world(
    { bindAddresses: "lo" },
    together(
      peer("fabric", "10.0.0.1"),
      peer("monitor", "10.0.0.9"),
      pool("one", ["192.0.2.0/24"]),
      advertisement("each"),
      service("a"),
      service("b"),
    ),
    toNative("monitor"),
  );
  const planned = (): Planned => ({ desired: state.desired, plan: plan(state.desired, both) });
  const planned$ = new BehaviorSubject(planned());
  let fresh: readonly EventId[] = ["cause-1" as EventId];
  const retries: (() => void)[] = [];
  const speakers = startSpeakers({
    backends: names.map(backend),
    kernel: startKernel({
      kernel,
      speakers: names,
      recorder,
      onHost: () => undefined,
      onUnusable: () => undefined,
    }),
    program: "test",
    planned$,
    changed$: NEVER,
    clock: virtualClock(),
    recorder,
    recorded: () => nothingRecorded,
    causes: () => {
      const taken = fresh;
      fresh = [];
      return taken;
    },
    held: () => explained,
    sha256: (text) => text,
    pause: () => new Promise((resolve) => void retries.push(resolve)),
    onBug: (error) => {
      throw error;
    },
  });
  return {
    speakers,
    away,
    events,
    causes,
    since: () => heard.splice(0).map((line) => line.trim()),
    planned: () => planned$.value,
    async change(...commands: Parameters<typeof after>[1][]) {
      state = after(state, ...commands);
      planned$.next(planned());
      await turns();
    },
    async back() {
      away.clear();
      for (const retry of retries.splice(0)) retry();
      await turns();
    },
  };
}

const [A, B] = ["192.0.2.0", "192.0.2.1"] as const;

test("an address is bound before anybody is told, and unbound when all have taken it back", async () => {
  const one = stage();
  await turns();
  expect(one.since()).toEqual([
    `kernel ${A},${B}`,
    `frr fabric:${A}/32,${B}/32`,
    `native monitor:${A}/32,${B}/32`,
  ]);
  expect(one.speakers.settled()).toBe(true);
  one.away.add("frr");
  await one.change(deleting("/Service/default/b"));
  const seen = one.since();
  expect(seen).toContain(`native monitor:${A}/32`);
  expect(seen.filter((line) => line.startsWith("kernel"))).not.toContain(`kernel ${A}`);
  expect(one.speakers.last()).toMatchObject({ failure: "frr: away", applied: true });
  expect(one.speakers.settled()).toBe(false);
  await one.back();
  expect(one.since().slice(-2)).toEqual([`frr fabric:${A}/32`, `kernel ${A}`]);
  expect(one.speakers.last()).toMatchObject({ failure: undefined, applied: true });
  one.speakers.stop();
});

test("a neighbour goes from one to the other, who waits for it and says so", async () => {
  const one = stage();
  await turns();
  one.since();
  one.away.add("native");
  await one.change(deleting("rutter/PeerBackend/metallb-system/to-native"));
  expect(one.since().filter((line) => line.includes("monitor"))).toEqual([]);
  expect([...one.speakers.waiting(one.planned())]).toEqual([
    ["|10.0.0.9|", "the native speaker has it still"],
  ]);
  expect(one.speakers.settled()).toBe(false);
  await one.back();
  const every = `${A}/32,${B}/32`;
  expect(one.since().filter((line) => !line.startsWith("kernel"))).toEqual([
    "native",
    `frr fabric:${every} monitor:${every}`,
  ]);
  expect(one.speakers.waiting(one.planned()).size).toBe(0);
  expect(one.speakers.settled()).toBe(true);
  one.speakers.stop();
});

test("what caused a change is told of each of them", async () => {
  const one = stage();
  await turns();
  expect(one.events.filter(({ type }) => type === "applied")).toHaveLength(2);
  expect(one.causes).toEqual(["cause-1", "cause-1"]);
  one.speakers.stop();
});
