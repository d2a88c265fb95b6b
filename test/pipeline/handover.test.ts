/**
 * A neighbour leaves one speaker before another one hears of it.
 * Method: intents of two plans go through the handover as a speaker's applies do; what each is told is read.
 */
import { expect, test } from "vitest";
import { createHandover } from "../../agent/pipeline/handover.ts";
import { plan } from "../../agent/plan/plan.ts";
import type { SpeakerIntent } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import type { Wire } from "../../events/state.ts";
import { both, toNative } from "../plan/two-speakers.ts";
import { peer, together, world } from "../plan/world.ts";

const peers = together(peer("fabric", "10.0.0.1"), peer("monitor", "10.0.0.9"));
const before = plan(world({}, peers).desired, both).speakers;
const after = plan(world({}, peers, toNative("monitor")).desired, both).speakers;
const names = ["frr", "native"] as const;
const toldIn = ({ routers }: SpeakerIntent): readonly string[] =>
  routers.flatMap(({ neighbors }) => neighbors.map(({ name }) => name));
const wireWith = (...keys: readonly string[]): Wire =>
  ({
    neighbors: PersistentMap.from(keys.map((key) => [key as NeighborKey, {}])),
  }) as unknown as Wire;

function released(of: ReturnType<typeof createHandover>): () => number {
  let count = 0;
  of.released$.subscribe(() => {
    count += 1;
  });
  return () => count;
}

test("the new one waits until the old one answered that it let go, and hears of that", () => {
  const made = createHandover(names, {});
  const emitted = released(made);
  made.told("frr", made.tell("frr", before.frr!));
  expect(toldIn(made.tell("native", after.native!))).toEqual([]);
  expect([...made.waits("native", after.native!)]).toEqual([["|10.0.0.9|", "frr"]]);
  const shrunk = made.tell("frr", after.frr!);
  // Told, but not answered: the old one may have it still.
  expect(made.waits("native", after.native!).size).toBe(1);
  expect(emitted()).toBe(1);
  made.told("frr", shrunk);
  expect(emitted()).toBe(2);
  expect(made.waits("native", after.native!).size).toBe(0);
  expect(toldIn(made.tell("native", after.native!))).toEqual(["monitor"]);
});

test("two that change places both arrive", () => {
  const swapped = plan(world({}, peers, toNative("fabric")).desired, both).speakers;
  const made = createHandover(names, {});
  for (const name of names) made.told(name, made.tell(name, after[name]!));
  const first = names.map((name) => made.tell(name, swapped[name]!));
  expect(first.map(toldIn)).toEqual([[], []]);
  for (const [i, name] of names.entries()) made.told(name, first[i]!);
  expect(names.map((name) => toldIn(made.tell(name, swapped[name]!)))).toEqual([
    ["monitor"],
    ["fabric"],
  ]);
});

test("what a daemon was told by an earlier run it has still, with whatever source address", () => {
  const made = createHandover(names, {
    frr: wireWith("|10.0.0.9|10.0.0.2"),
    gobgp: wireWith("|10.0.0.1|"),
  });
  expect(toldIn(made.tell("native", after.native!))).toEqual([]);
  made.told("frr", made.tell("frr", after.frr!));
  expect(toldIn(made.tell("native", after.native!))).toEqual(["monitor"]);
});

test("one that did not answer has what it had and what it was told", () => {
  const made = createHandover(names, {});
  made.told("native", made.tell("native", after.native!));
  made.tell("native", { routers: [], raw: [] });
  expect(toldIn(made.tell("frr", before.frr!))).toEqual(["fabric"]);
});

test("where there is one speaker it is told the very intent", () => {
  const made = createHandover(["frr"], { native: wireWith("|10.0.0.9|") });
  expect(made.tell("frr", before.frr!)).toBe(before.frr);
});
