/**
 * One state, told by one speaker and planned for another: what a hand-over would change, and what the other one can't do.
 */
import { expect, test } from "vitest";
import { shadowOf } from "../../agent/plan/shadow.ts";
import { capabilities as gobgp } from "../../backends/gobgp/capabilities.ts";
import { frr, planned } from "./frr-speaker.ts";
import { after, configuration, options, peer, planOf, world } from "./world.ts";

const router = (prefixes: readonly string[], neighbor: object) =>
  configuration("one", [{ asn: 64512, prefixes, neighbors: [{ asn: 64999, ...neighbor }] }]);
const all = { toAdvertise: { allowed: { mode: "all" } } };
const near = { address: "10.0.0.1", ...all };
const known = world({}, router(["192.0.2.0/24", "198.51.100.0/24"], near));
const asGobgp = {
  options: { ...options, backend: "gobgp", capabilities: gobgp } as const,
  warnings: [],
};

test("the same is told: every session resets, and nothing else differs", () => {
  const made = shadowOf(planOf(known), "native", known.desired, {
    options: frr(),
    warnings: ["x"],
  });
  expect(made.peers).toEqual([]);
  expect(made.resets).toHaveLength(1);
  expect(made.shadow).toEqual({
    backend: "frr",
    running: "native",
    neighbors: [],
    notOpened: [],
    warnings: ["x"],
  });
});

test("of the speaker that runs nothing differs and nothing resets", () => {
  const made = shadowOf(planOf(known), "native", known.desired, { options, warnings: [] });
  expect(made.resets).toEqual([]);
  expect(made.shadow?.neighbors).toEqual([]);
});

test("routes and parameters that manifests change on the way are named", () => {
  const next = after(
    known,
    router(["192.0.2.0/24", "203.0.113.0/24"], { ...near, holdTime: "30s", keepaliveTime: "10s" }),
  );
  const made = shadowOf(planOf(known), "native", next.desired, asGobgp);
  expect(made.peers).toMatchObject([
    { add: ["203.0.113.0/24"], change: [], remove: ["198.51.100.0/24"] },
  ]);
  expect(made.shadow?.neighbors).toMatchObject([
    { effect: "hard", fields: ["holdTimeSeconds", "keepaliveTimeSeconds"] },
  ]);
});

test("a neighbour that it can't open is named with its reason, and loses its routes", () => {
  const unnumbered = world({}, router(["192.0.2.0/24"], { interface: "eth0", ...all }));
  const made = shadowOf(planned(unnumbered), "frr", unnumbered.desired, asGobgp);
  expect(made.shadow?.notOpened).toHaveLength(1);
  expect(made.shadow?.notOpened[0]?.reason).toContain("gobgp speaker has no unnumbered");
  expect(made.peers).toMatchObject([{ add: [], change: [], remove: ["192.0.2.0/24"] }]);
  expect(made.notCarried.map(({ reason }) => reason).join()).toContain("not opened: ");
});

test("a BGPPeer that it can't open is named, too", () => {
  const made = world({}, peer("far", "10.0.0.9", { vrf: "red" }));
  const shadow = shadowOf(planned(made), "frr", made.desired, asGobgp);
  expect(shadow.shadow?.notOpened.map((one) => one.peer)).toHaveLength(1);
});
