/**
 * BFD sessions of a speaker's own daemon: what the book has of them, and what `bfd` and `peers` show.
 */
import { describe, expect, test } from "vitest";
import { speakerBfdOfNeighbors } from "../../agent/core/speaker-bfd-view.ts";
import { drawnDiscriminators, startSpeakerBfd } from "../../agent/pipeline/speaker-bfd.ts";
import type { Recorder } from "../../agent/pipeline/recorder.ts";
import { plan } from "../../agent/plan/plan.ts";
import type { SpeakerBfdFact } from "../../backends/backend.ts";
import type { BfdStatus, BfdTransition } from "../../backends/bfd/parameters.ts";
import type { Event } from "../../events/event.ts";
import { bfdKey, type BfdKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import type { RecordedBfd } from "../../events/state.ts";
import { options, peer, together, world } from "../plan/world.ts";

const key = (remote: string, hops = false, local = "", device = "", vrf = ""): BfdKey =>
  bfdKey(vrf, remote, local, device, hops);
const status = (of: BfdKey, state: BfdStatus["state"] = "Up"): BfdStatus => ({
  key: of,
  state,
  diagnostic: 0,
  remoteState: state,
  remoteDiagnostic: 0,
  localDiscriminator: 7,
  remoteDiscriminator: 8,
  transmitIntervalMicros: 300_000,
  receiveIntervalMicros: 300_000,
  remoteDetectMultiplier: 3,
  detectionTimeMicros: 900_000,
  remoteControlPlaneIndependent: false,
  echo: "off",
  sinceMicros: 5_000_000,
  transitions: 2,
  counters: { sent: 0, received: 0, echoSent: 0, echoReceived: 0, discarded: 0 },
});
const down = (of: BfdKey): BfdTransition => ({
  key: of,
  from: "Up",
  to: "Down",
  diagnostic: 1,
  remoteState: "Up",
  remoteDiagnostic: 0,
  atMicros: 9,
  detectedAfterMicros: undefined,
  detectionTimeMicros: 900_000,
  arrivalsMicros: [],
  departuresMicros: [],
  remoteControlPlaneIndependent: false,
});
const recorded = (...entries: readonly (readonly [BfdKey, discriminator: number])[]) => ({
  bfd: PersistentMap.from(
    entries.map(([of, discriminator]) => [of, { discriminator } as RecordedBfd] as const),
  ),
});

describe("the book", () => {
  const start = (before = recorded(), has: BfdStatus[] | "none" = []) => {
    const events: Event[] = [];
    let tell: (fact: SpeakerBfdFact) => void = () => undefined;
    startSpeakerBfd({
      sessions:
        has === "none"
          ? undefined
          : {
              all: () => has,
              problems: () => [],
              watch(listener) {
                tell = listener;
                return () => undefined;
              },
            },
      speaker: "frr",
      recorder: {
        record: (event) => {
          events.push(event);
          return {} as ReturnType<Recorder["record"]>;
        },
      },
      before,
    });
    return { events, has: has === "none" ? [] : has, tell: (fact: SpeakerBfdFact) => tell(fact) };
  };
  test("has each session when it is first seen, each change of it, and its end", () => {
    const { events, has, tell } = start();
    has.push(status(key("10.0.0.1")));
    tell({ type: "transition", transition: down(key("10.0.0.1")) });
    tell({ type: "sessions" });
    has.pop();
    tell({ type: "sessions" });
    expect(events).toMatchObject([
      { type: "bfd-applied", instance: "frr", added: [["|10.0.0.1|||single", 0]], removed: [] },
      { type: "bfd-observed", session: "|10.0.0.1|||single", from: "Up", to: "Down" },
      { type: "bfd-applied", added: [], removed: ["|10.0.0.1|||single"] },
    ]);
    expect(events[1]).toMatchObject({ diagnostic: "Control Detection Time Expired" });
  });
  test("says nothing anew of what an earlier run recorded", () => {
    const { events, has, tell } = start(recorded([key("10.0.0.1"), 0]));
    has.push(status(key("10.0.0.1")));
    tell({ type: "sessions" });
    expect(events).toEqual([]);
  });
  test("a speaker without such a daemon ends what it had; the engine's stay", () => {
    const before = recorded([key("10.0.0.1"), 0], [key("10.0.0.2"), 99]);
    const { events } = start(before, "none");
    expect(events).toMatchObject([{ type: "bfd-applied", removed: [key("10.0.0.1")] }]);
    expect([...drawnDiscriminators(before)]).toEqual([[key("10.0.0.2"), 99]]);
  });
});

describe("what is shown", () => {
  const profile =
    "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {detectMultiplier: 5}";
  const { speakers } = plan(
    world(
      {},
      together(
        profile,
        peer("p1", "10.0.0.1", { bfdProfile: "fast" }),
        peer("p2", "10.0.0.2", {
          bfdProfile: "fast",
          ebgpMultiHop: true,
          sourceAddress: "10.9.9.9",
        }),
        peer("p3", "10.0.0.3", { bfdProfile: "fast" }),
        peer("p4", "10.0.0.4"),
      ),
    ).desired,
    { ...options, backend: "frr", bfd: "speaker" },
  );
  const views = (...statuses: readonly BfdStatus[]) =>
    Object.fromEntries(
      [...speakerBfdOfNeighbors(speakers, { statuses, problems: [], wallOf: () => 0n })].map(
        ([neighbor, view]) => [neighbor.split("|")[1], view],
      ),
    );
  test("neighbours with a profile, each with the session to its far end", () => {
    const shown = views(
      status(key("10.0.0.1", false, "10.0.0.9", "eth0")),
      status(key("10.0.0.2", true, "10.9.9.9"), "Init"),
      status(key("10.0.0.3", true)),
      status(key("10.0.0.4")),
    );
    expect(shown).toMatchObject({
      "10.0.0.1": {
        state: "Up",
        localAddress: "10.0.0.9",
        detectMultiplier: 5,
        transmitInterval: 300_000,
        detectionTime: 900_000,
        since: "1970-01-01T00:00:00.000000000Z",
      },
      "10.0.0.2": { state: "Init", multihop: true },
      // Multihop is another session.
      "10.0.0.3": { state: "Down", diagnostic: "the speaker has no such session yet", since: null },
    });
    expect(Object.keys(shown)).toHaveLength(3);
  });
  test("a session from another address of ours, or of another VRF, is another one", () => {
    const shown = views(
      status(key("10.0.0.2", true, "10.0.0.8")),
      status(key("10.0.0.1", false, "", "", "red")),
    );
    expect([shown["10.0.0.1"]?.state, shown["10.0.0.2"]?.state]).toEqual(["Down", "Down"]);
  });
});
