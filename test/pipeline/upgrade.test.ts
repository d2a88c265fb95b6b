/**
 * Another program version, another plan: what no event explains is found, named and held as it was told.
 * Method: a wire as the log has it is made by folding `applied` facts of one plan, and laid beside another plan.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { appliedEvent, intentDigester, withDepartures } from "../../agent/pipeline/effects.ts";
import {
  asRecorded,
  explained,
  holdBack,
  nothingUnexplained,
  unexplained,
} from "../../agent/pipeline/upgrade.ts";
import { preview } from "../../agent/plan/preview.ts";
import { deltaOf } from "../../backends/delta.ts";
import { NO_SPEAKER, type SpeakerIntent } from "../../backends/intent.ts";
import type { Recorded } from "../../events/envelope.ts";
import { evolve } from "../../events/fold.ts";
import { seq } from "../../events/ids.ts";
import { nothingRecorded, type Wire } from "../../events/state.ts";
import {
  advertisement,
  nextId,
  peer,
  planOf,
  pool,
  service,
  together,
  told,
  world,
} from "../plan/world.ts";

const digest = intentDigester((text) => createHash("sha256").update(text).digest("hex"));
const base = together(pool("one", ["192.0.2.0/24"]), peer("p1", "10.0.0.1"), advertisement("a"));
const intentOf = (text: string): SpeakerIntent => planOf(world({}, text)).speakers.native!;

function wireOf(...intents: readonly SpeakerIntent[]): Wire {
  let state = nothingRecorded;
  let before: SpeakerIntent | undefined;
  for (const [i, intent] of intents.entries()) {
    const event = appliedEvent(
      "native",
      "rutter 1",
      digest(intent),
      intent,
      deltaOf(before, intent),
      undefined,
    );
    const at = { wall: 0n, monotonic: 0n, boot: "b" };
    const fact = {
      id: nextId(),
      at,
      event,
      seq: seq(i + 1),
      hash: "",
      subject: "native",
      cause: [],
    };
    state = evolve(state, fact as unknown as Recorded);
    before = intent;
  }
  return state.wires["native"]!;
}
const lines = (intent: SpeakerIntent) =>
  told({ ...planOf(world({})), speakers: { native: intent } });

const two = intentOf(together(base, service("s"), service("t")));
const one = intentOf(together(base, service("s")));

describe("the same plan", () => {
  test("leaves nothing unexplained, whatever the way to it was", () => {
    expect(unexplained(two, wireOf(one, two))).toEqual(explained);
    expect(unexplained(one, wireOf(one, two, one))).toEqual(explained);
  });
  test("has the digest that was recorded", () => {
    expect(wireOf(one, two).intentDigest).toBe(digest(two));
    expect(digest(one)).not.toBe(digest(two));
  });
});

describe("a plan that withdraws", () => {
  const found = unexplained(one, wireOf(two));
  test("is named by router and prefix", () => {
    expect(found).toEqual({ withdrawals: ["|64512| 192.0.2.1/32"], resets: [] });
  });
  test("is held: the route stays as it was told", () => {
    expect(lines(holdBack(one, found, wireOf(two)))).toEqual(lines(two));
    expect(lines(one)).not.toEqual(lines(two));
  });
  test("is also one that tells fewer peers", () => {
    const both = together(base, peer("p2", "10.0.0.2"), service("s"));
    const fewer = together(
      pool("one", ["192.0.2.0/24"]),
      peer("p1", "10.0.0.1"),
      peer("p2", "10.0.0.2"),
      advertisement("a", { peers: ["p1"] }),
      service("s"),
    );
    const narrowed = unexplained(intentOf(fewer), wireOf(intentOf(both)));
    expect(narrowed.withdrawals).toEqual(["|64512| 192.0.2.0/32"]);
    expect(lines(holdBack(intentOf(fewer), narrowed, wireOf(intentOf(both))))).toEqual(
      lines(intentOf(both)),
    );
  });
});

describe("a plan that resets", () => {
  const slower = intentOf(base.replace("peerASN", 'holdTime":"30s","peerASN'));
  test("names the neighbour, and holding keeps its parameters", () => {
    const found = unexplained(slower, wireOf(intentOf(base)));
    expect(found.resets).toEqual(["|10.0.0.1|"]);
    const held = holdBack(slower, found, wireOf(intentOf(base)));
    expect(held.routers[0]?.neighbors[0]?.holdTimeSeconds).toBe(90);
  });
  test("names nobody where what differs resets nothing", () => {
    const [router] = two.routers;
    const [neighbor] = router!.neighbors;
    const renamed = { ...two, routers: [{ ...router!, neighbors: [{ ...neighbor!, name: "q" }] }] };
    expect(unexplained(renamed, wireOf(two))).toEqual(explained);
  });
  test("names a neighbour that is gone, and holding brings it back with its routes", () => {
    const none = NO_SPEAKER;
    const found = unexplained(none, wireOf(two));
    expect(found.resets).toEqual(["|10.0.0.1|"]);
    expect(lines(holdBack(none, found, wireOf(two)))).toEqual(lines(two));
  });
});

test("what only adds is held by nobody", () => {
  expect(nothingUnexplained(unexplained(two, wireOf(one)))).toBe(true);
});

test("after a restart only what the log does not have is recorded, with what went meanwhile", () => {
  const wire = wireOf(two);
  const fresh = withDepartures(one, wire, deltaOf(undefined, one));
  const event = appliedEvent("native", "rutter 1", digest(one), one, fresh, wire);
  expect(event.delta).toMatchObject({
    neighborsAdded: [],
    routes: [],
    routesRemoved: [["|64512|", "192.0.2.1/32"]],
  });
});

describe("a plan with what the log says of the wire", () => {
  const wanted = planOf(world({}, together(base, service("s"), service("t"))));
  const differsFrom = (wires: Readonly<Record<string, Wire>>) => {
    const { peers, resets } = preview(asRecorded(wanted, wires), wanted);
    return { peers, resets };
  };
  test("differs in nothing where all was told", () => {
    expect(differsFrom({ native: wireOf(two) })).toEqual({ peers: [], resets: [] });
  });
  test("lacks what was not told yet", () => {
    expect(differsFrom({ native: wireOf(one) }).peers).toEqual([
      { peer: "p1", add: ["192.0.2.1/32"], change: [], remove: [] },
    ]);
  });
  test("has nobody where nothing was ever told", () => {
    expect(differsFrom({}).peers).toEqual([
      { peer: "p1", add: ["192.0.2.0/32", "192.0.2.1/32"], change: [], remove: [] },
    ]);
  });
});
