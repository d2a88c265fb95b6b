/**
 * Which speaker's learned routes reach the kernel, and what happens where another one takes a VRF over.
 */
import { BehaviorSubject } from "rxjs";
import { expect, test } from "vitest";
import { startFeeding } from "../../agent/pipeline/feeding.ts";
import type { Planned } from "../../agent/pipeline/reconcile.ts";
import type { BestPaths } from "../../backends/best-paths.ts";
import type { BackendName } from "../../backends/intent.ts";

const told = (vrf: string): BestPaths => ({ type: "complete", vrf, family: "ipv4" });

function speaker(name: BackendName, has: readonly string[] = []) {
  const listeners = new Set<(told: BestPaths) => void>();
  return {
    name,
    bestPaths(listener: (told: BestPaths) => void) {
      listeners.add(listener);
      for (const vrf of has) listener(told(vrf));
      return () => void listeners.delete(listener);
    },
    say: (vrf: string) => {
      for (const listener of listeners) listener(told(vrf));
    },
    listeners: () => listeners.size,
  };
}

function stage(has: readonly string[] = []) {
  const heard: string[] = [];
  const kernel = {
    learned: ({ vrf }: BestPaths) => void heard.push(`learned ${vrf}`),
    forget: async (vrf: string) => void heard.push(`forget ${vrf}`),
    settled: async () => void heard.push("settled"),
  };
  const planWith = (feeders: readonly (readonly [string, BackendName])[]): Planned =>
    ({ plan: { feeders: new Map(feeders) } }) as unknown as Planned;
  const planned$ = new BehaviorSubject(planWith([["red", "native"]]));
  const [frr, native] = [speaker("frr", has), speaker("native", has)];
  const onBug = (error: unknown): void => {
    throw error;
  };
  const feeding = startFeeding({ kernel, speakers: [frr, native], planned$, onBug });
  const since = (): readonly string[] => heard.splice(0);
  const move = (...feeders: readonly (readonly [string, BackendName])[]) =>
    planned$.next(planWith(feeders));
  return { frr, native, feeding, since, move };
}

test("a VRF is the first one's unless the plan gives it to another", () => {
  const { frr, native, since } = stage();
  for (const one of [frr, native]) for (const vrf of ["", "red", "blue"]) one.say(vrf);
  expect(since()).toEqual(["learned ", "learned blue", "learned red"]);
});

test("what was there before is heard of, too", () => {
  expect(stage(["", "red"]).since()).toEqual(["learned ", "learned red"]);
});

test("who takes a VRF over says all it has, after the kernel forgot the other's", () => {
  const { frr, native, since, move } = stage(["", "red"]);
  since();
  move();
  expect(since()).toEqual(["forget red", "learned ", "learned red"]);
  native.say("red");
  expect(since()).toEqual([]);
  expect([frr.listeners(), native.listeners()]).toEqual([1, 1]);
  move();
  expect(since()).toEqual([]);
  move(["red", "native"]);
  expect(since()).toEqual(["forget red", "learned red"]);
});

test("where one ends and the others work on, what it told goes", async () => {
  const { frr, feeding, since } = stage(["", "red"]);
  since();
  await feeding.stop(["native"]);
  expect(since()).toEqual(["forget red", "settled"]);
  frr.say("");
  expect(since()).toEqual([]);
});

test("where all work on nothing goes", async () => {
  const { feeding, since } = stage(["", "red"]);
  since();
  await feeding.stop([]);
  expect(since()).toEqual([]);
});
