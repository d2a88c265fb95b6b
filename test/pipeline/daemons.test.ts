/**
 * What the book has of the speaker's daemons: which of their ends are facts, what is in them, and what the fold makes of it.
 */
import { expect, test } from "vitest";
import { recordedDaemons } from "../../agent/core/daemon-view.ts";
import { startDaemons } from "../../agent/pipeline/daemons.ts";
import type { Recorder } from "../../agent/pipeline/recorder.ts";
import type { DaemonFact } from "../../backends/daemons.ts";
import type { Event } from "../../events/event.ts";
import { foldAll } from "../../events/fold.ts";
import { snapshotText, stateFromSnapshot } from "../../events/snapshot.ts";
import { nothingRecorded, type State } from "../../events/state.ts";
import { address } from "../../events/address.ts";
import type { Recorded } from "../../events/envelope.ts";
import { factPen } from "../log/facts.ts";

const pen = factPen();
/** As it stands in the log. */
const fact = (event: Event): Recorded => ({ ...pen.fact(event), seq: 1 }) as unknown as Recorded;

type Daemons = Event & { readonly type: "speaker-daemon-observed" };

function stage(before: Pick<State, "daemons"> = nothingRecorded) {
  const events: Daemons[] = [];
  const record: Recorder["record"] = (event) => {
    if (event.type === "speaker-daemon-observed") events.push(event);
    return pen.fact(event);
  };
  let tell: (fact: DaemonFact) => void = () => expect.fail("nobody listens");
  let stopped = false;
  const stop = startDaemons({
    backend: {
      name: "gobgp",
      daemons: {
        all: () => [],
        watch(listener) {
          tell = listener;
          return () => {
            stopped = true;
          };
        },
      },
    },
    recorder: { record },
    before,
  });
  return { events, tell: (fact: DaemonFact) => tell(fact), stop, stopped: () => stopped };
}

const CRASH: DaemonFact = {
  daemon: "gobgpd",
  state: "ended",
  reason: "gobgpd ended with status 2: panic: index out of range",
  words: "panic: index out of range\npassword: k3y-of-both",
  message: { from: address("10.99.0.3"), octets: "ff".repeat(19), certain: true },
};
const UP: DaemonFact = { daemon: "gobgpd", state: "up", reason: "" };

test("a daemon that is there at the start is no news, and one that the log has as gone is", () => {
  const fresh = stage();
  fresh.tell(UP);
  expect(fresh.events).toEqual([]);
  fresh.stop();
  expect(fresh.stopped()).toBe(true);

  const known = stage(foldAll([fact({ ...event(CRASH), count: 1 })]));
  known.tell(UP);
  expect(known.events).toMatchObject([{ daemon: "gobgpd", state: "up", count: 1 }]);
});

test("a crash is recorded with the message of the peer and its words, without secrets", () => {
  const { events, tell } = stage();
  tell(CRASH);
  expect(events).toEqual([
    {
      type: "speaker-daemon-observed",
      backend: "gobgp",
      daemon: "gobgpd",
      state: "ended",
      reason: CRASH.reason,
      count: 1,
      words: "panic: index out of range\npassword: <redacted>",
      message: CRASH.message,
    },
  ]);
});

test("the same again and again is told in powers of two, each with the return from it", () => {
  const { events, tell } = stage();
  for (let crash = 0; crash < 9; crash += 1) {
    tell(CRASH);
    tell(UP);
  }
  expect(events.map(({ state, count }) => `${state} ${count}`)).toEqual([
    "ended 1",
    "up 1",
    "ended 2",
    "up 2",
    "ended 4",
    "up 3",
    "ended 8",
    "up 4",
  ]);
});

test("the fold keeps the last state of each, through a snapshot, and `at` shows it", () => {
  const state = foldAll([
    fact({ ...event(CRASH), count: 1 }),
    fact({ ...event({ daemon: "bgpd", state: "restarted", reason: "another process" }), count: 1 }),
  ]);
  const shown = [
    { name: "gobgpd", state: "ended", reason: CRASH.reason },
    { name: "bgpd", state: "up", reason: "another process" },
  ];
  expect(recordedDaemons(state)).toMatchObject(shown);
  expect(recordedDaemons(stateFromSnapshot(snapshotText(state)))).toEqual(recordedDaemons(state));
  expect(recordedDaemons(nothingRecorded)).toEqual([]);
});

const event = (fact: DaemonFact) =>
  ({ type: "speaker-daemon-observed", backend: "gobgp", ...fact }) as const;
