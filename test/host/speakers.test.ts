/**
 * The speakers of a host, asked as one; and what a new program version holds of each.
 */
import { expect, test } from "vitest";
import { type AllSpeakers, speakersOf } from "../../agent/core/speakers.ts";
import { holdsAtStart } from "../../agent/core/upgrade-holds.ts";
import { appliedEvent } from "../../agent/pipeline/effects.ts";
import { nothingUnexplained } from "../../agent/pipeline/upgrade.ts";
import { plan } from "../../agent/plan/plan.ts";
import {
  BackendError,
  type Capability,
  type ShownRoute,
  type SpeakerBackend,
} from "../../backends/backend.ts";
import { deltaOf } from "../../backends/delta.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { Recorded } from "../../events/envelope.ts";
import type { Event } from "../../events/event.ts";
import { evolve } from "../../events/fold.ts";
import { seq } from "../../events/ids.ts";
import { nothingRecorded, type State } from "../../events/state.ts";
import { both, toNative } from "../plan/two-speakers.ts";
import { after, deleting, nextId, peer, together, world } from "../plan/world.ts";

function speaker(name: BackendName, has: readonly string[], more: Partial<SpeakerBackend> = {}) {
  const said: string[] = [];
  const made = {
    name,
    capabilities: { has: new Set<Capability>(), missing: new Map([["raw", `${name} has none`]]) },
    sessions: () => has.map((neighbor) => ({ neighbor, name: neighbor })),
    routes: (direction: string, neighbor?: string) =>
      has
        .filter((one) => neighbor === undefined || one === neighbor)
        .map((one) => ({ neighbor: one, prefix: `${direction} of ${name}` })),
    path: (neighbor: string) => void said.push(`path ${neighbor}`),
    close: async (mode: string) => void said.push(`close ${mode}`),
    ...more,
  } as unknown as SpeakerBackend;
  return { made, said };
}
const walked = async (routes: AsyncIterable<ShownRoute>): Promise<readonly string[]> => {
  const all: string[] = [];
  try {
    for await (const { neighbor, prefix } of routes) all.push(`${neighbor} ${prefix}`);
  } catch (error) {
    all.push(String(error));
  }
  return all;
};
const deaf = {
  routes: () => {
    throw new BackendError("SPEAKER_UNREACHABLE", "away");
  },
};

test("sessions and routes are those of all, in their order", async () => {
  const [one, two] = [speaker("frr", ["a", "b"]), speaker("native", ["c"])];
  const all: AllSpeakers = [one.made, two.made];
  const speakers = speakersOf(all);
  expect(speakers.sessions().map(({ neighbor }) => neighbor)).toEqual(["a", "b", "c"]);
  expect(await walked(speakers.routes("received"))).toEqual([
    "a received of frr",
    "b received of frr",
    "c received of native",
  ]);
  expect(await walked(speakers.routes("advertised", "c" as never))).toEqual([
    "c advertised of native",
  ]);
  expect([speakers.name, speakers.besides]).toEqual(["frr", ["native"]]);
});

test("one that does not answer keeps nobody else's routes back, and is told in the end", async () => {
  const speakers = speakersOf([speaker("frr", ["a"], deaf).made, speaker("native", ["c"]).made]);
  expect(await walked(speakers.routes("received"))).toEqual([
    "c received of native",
    "BackendError: away",
  ]);
  expect(await walked(speakers.routes("received", "c" as never))).toEqual(["c received of native"]);
});

test("a path is said to all, and each ends in its own way", async () => {
  const [one, two] = [speaker("frr", ["a"]), speaker("native", [])];
  const speakers = speakersOf([one.made, two.made]);
  speakers.path("a" as never, { type: "up" });
  await speakers.close((name) => (name === "frr" ? "graceful" : "final"));
  expect([one.said, two.said]).toEqual([
    ["path a", "close graceful"],
    ["path a", "close final"],
  ]);
});

test("what only one of them has is had of that one", async () => {
  const bfd = { all: () => [], watch: () => () => undefined, problems: () => ["bfdd is away"] };
  const frr = speaker("frr", [], { bfd, runningConfig: () => Promise.resolve("frr's") });
  const listening = speaker("native", [], { listenProblem: () => "in use" });
  const speakers = speakersOf([listening.made, frr.made]);
  expect(speakers.bfd?.problems()).toEqual(["bfdd is away"]);
  expect(await speakers.runningConfig?.()).toBe("frr's");
  expect(speakers.listenProblem()).toBe("in use");
  const plain = speakersOf([speaker("native", []).made]);
  expect([plain.bfd, plain.runningConfig, plain.listenProblem()]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("another version's resets are held of the speaker that they are of, and of no other", () => {
  const peers = world(
    {},
    together(peer("fabric", "10.0.0.1"), peer("monitor", "10.0.0.9")),
    toNative("monitor"),
  );
  // As an earlier version told it: the monitor's peer was the daemon's, too.
  const earlier = plan(
    after(peers, deleting("rutter/PeerBackend/metallb-system/to-native")).desired,
    both,
  );
  const now = plan(peers.desired, both);
  let state: State = { ...nothingRecorded, desired: peers.desired };
  const record = (name: BackendName, intent: (typeof now.speakers)["frr"]): void => {
    const event = appliedEvent(
      name,
      "rutter 1",
      "",
      intent!,
      deltaOf(undefined, intent!),
      undefined,
    );
    const at = { wall: 0n, monotonic: 0n, boot: "b" };
    const fact = {
      id: nextId(),
      at,
      event,
      seq: seq(state.seq + 1),
      hash: "",
      subject: name,
      cause: [],
    };
    state = evolve(state, fact as unknown as Recorded);
  };
  record("frr", earlier.speakers.frr);
  record("native", now.speakers.native);
  const events: Event[] = [];
  const holds = (onChangedPlan: "hold" | "apply", program = "rutter 2") =>
    holdsAtStart({
      speakers: ["frr", "native"],
      before: state,
      plan: (then) => plan(then, both),
      program,
      onChangedPlan,
      recorder: { record: (event) => void events.push(event) as never },
    });
  const held = holds("hold");
  expect(held.of("frr").resets).toEqual(["|10.0.0.9|"]);
  expect(nothingUnexplained(held.of("native"))).toBe(true);
  expect(held.all().resets).toEqual(["|10.0.0.9|"]);
  expect(events).toMatchObject([{ type: "plan-changed-by-version", from: "rutter 1", held: true }]);
  held.release();
  expect(nothingUnexplained(held.all())).toBe(true);
  expect(nothingUnexplained(holds("apply").all())).toBe(true);
  expect(events.at(-1)).toMatchObject({ held: false });
  expect(nothingUnexplained(holds("hold", "rutter 1").all())).toBe(true);
  expect(events).toHaveLength(2);
});
