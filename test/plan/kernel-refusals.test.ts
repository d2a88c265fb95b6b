/**
 * What this host's kernel can't do is said on the resource before anything is tried, and left out of the plan.
 */
import { describe, expect, test } from "vitest";
import { peerViews } from "../../agent/core/status-view.ts";
import { resourceViews } from "../../agent/core/resource-view.ts";
import type { KernelAbility } from "../../agent/plan/kernel-ability.ts";
import type { PlanOptions } from "../../agent/plan/options.ts";
import { type Plan, plan, replan } from "../../agent/plan/plan.ts";
import { preview } from "../../agent/plan/preview.ts";
import { why } from "../../agent/plan/why.ts";
import type { KernelCapability } from "../../backends/kernel/facts.ts";
import {
  advertisement,
  after,
  configuration,
  options,
  peer,
  pool,
  service,
  together,
  told,
  type World,
  world,
} from "./world.ts";

const lacking = (...missing: (readonly [KernelCapability, string])[]): KernelAbility => ({
  has: new Set(),
  missing: new Map(missing),
});
const NO_VRF = lacking(["vrf", "no VRF here"]);
const NO_NFT = lacking(["nft", "no nft here"]);
const MAY_NOTHING = lacking(["changes", "no CAP_NET_ADMIN"]);
const ABLE = lacking();
const CLOSED: KernelAbility = "another agent has it";

/** The speaker itself can bind to a VRF. */
const on = (kernel: KernelAbility): PlanOptions => ({
  ...options,
  capabilities: { has: new Set([...options.capabilities.has, "vrf"]), missing: new Map() },
  kernel,
});
const planOn = ({ desired }: World, kernel: KernelAbility): Plan => plan(desired, on(kernel));
const said = (made: World, kernel: KernelAbility): readonly string[] =>
  preview(undefined, planOn(made, kernel)).notCarried.map(
    ({ resource, field, reason }) => `${resource.split("/").at(-1)} ${field} ${reason}`,
  );
const entries = (made: World, kernel: KernelAbility): readonly string[] =>
  preview(undefined, planOn(made, kernel)).kernel.add;

const base = together(
  pool("one", ["192.0.2.0/24"]),
  advertisement("a"),
  peer("p1", "10.0.0.1"),
  service("s"),
);
const rutter = (kind: string, name: string, spec: object = {}): string =>
  `apiVersion: rutter/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: default}\nspec: ${JSON.stringify(spec)}`;
const egress = (spec: object): string =>
  `apiVersion: k8s.ovn.org/v1\nkind: EgressService\nmetadata: {name: s, namespace: default}\nspec: ${JSON.stringify(spec)}`;
const CONNECTED = { from: { type: "connected" } };
const endpoint = rutter("ServiceEndpoint", "s", {
  check: { type: "tcp", port: 80, address: "172.17.0.2" },
});
const elsewhere = { nodeSelectors: [{ matchLabels: { rack: "r2" } }] };

describe("a kernel without VRFs", () => {
  const red = { address: "10.0.0.9", asn: 64999 };
  const made = world(
    {},
    base,
    peer("red", "10.0.0.3", { vrf: "red" }),
    configuration("c", [{ asn: 64512, vrf: "blue", neighbors: [red] }]),
  );
  test("neighbours in one are refused with the reason, and others are told as ever", () => {
    expect(said(made, NO_VRF)).toEqual([
      "c spec.bgp.routers[0].neighbors[0] not carried on this host: VRF blue: no VRF here",
      "red spec.vrf not carried on this host: VRF red: no VRF here",
    ]);
    expect(told(planOn(made, NO_VRF))).toEqual({ p1: ["192.0.2.0/32"] });
    expect(said(made, ABLE)).toEqual([]);
    expect(Object.keys(told(planOn(made, ABLE)))).toEqual(["10.0.0.9-blue", "red", "p1"]);
  });
  test("they stay among the peers, and why says the same", () => {
    const made1 = planOn(made, NO_VRF);
    const views = peerViews(
      made1,
      { sessions: new Map(), bfd: new Map(), waiting: new Map() },
      () => 0n,
    );
    expect(views.map(({ name, state, reason }) => [name, state, reason])).toEqual([
      ["10.0.0.9-blue", "Refused", "VRF blue: no VRF here"],
      ["p1", "Idle", "not handed to the speaker yet"],
      ["red", "Refused", "VRF red: no VRF here"],
    ]);
    const { chain } = why({ subject: "red", peer: undefined }, made.desired, made1, new Map());
    expect(chain.at(-1)).toMatchObject({ verdict: "stopped", reason: "VRF red: no VRF here" });
  });
  test("RouteImports and RouteExports of one have no rule", () => {
    const rules = world(
      {},
      base,
      rutter("RouteImport", "in", { vrf: "red" }),
      rutter("RouteExport", "out", { ...CONNECTED, vrf: "red" }),
      rutter("RouteImport", "main"),
      rutter("RouteImport", "theirs", { vrf: "red", ...elsewhere }),
    );
    expect(said(rules, NO_VRF)).toEqual([
      "out spec.vrf not carried on this host: no VRF here",
      "in spec.vrf not carried on this host: no VRF here",
    ]);
    const { imports, exports } = planOn(rules, NO_VRF).kernel;
    expect([imports.map(({ name }) => name), exports]).toEqual([["default/main"], []]);
    expect(planOn(rules, ABLE).kernel.exports).toHaveLength(1);
  });
  test("egress by a VRF's name has no rule; by a table's number it has", () => {
    const named = world({}, base, egress({ network: "red" }));
    expect(said(named, NO_VRF)).toEqual(["s spec.network not carried on this host: no VRF here"]);
    expect(entries(named, NO_VRF)).toEqual([]);
    const numbered = world({}, base, egress({ network: "11" }));
    expect(said(numbered, NO_VRF)).toEqual([]);
    expect(entries(numbered, NO_VRF)).toEqual(["rule 5000 from 192.0.2.0/32 lookup 11"]);
  });
});

describe("a host without nft", () => {
  test("egress keeps its way and loses its source address, with the reason", () => {
    const made = world({}, base, egress({ sourceIPBy: "Network", network: "11" }));
    expect(said(made, NO_NFT)).toEqual(["s spec.sourceIPBy not carried on this host: no nft here"]);
    expect(entries(made, NO_NFT)).toEqual(["rule 5000 from 192.0.2.0/32 lookup 11"]);
    expect(entries(made, ABLE)).toContain("nat default/s ipv4");
  });
  test("LoadBalancerIP lacks it only where something but the VIP sends", () => {
    const made = world({}, base, egress({ sourceIPBy: "LoadBalancerIP" }));
    expect(said(made, NO_NFT)).toEqual([]);
    expect(said(after(made, endpoint), NO_NFT)).toEqual([
      "s spec.sourceIPBy not carried on this host: no nft here",
    ]);
    const other = egress({
      sourceIPBy: "LoadBalancerIP",
      nodeSelector: { matchLabels: { rack: "r2" } },
    });
    expect(said(after(made, endpoint, other), NO_NFT)).toEqual([]);
  });
  test("what is planned anew after a Service has come says and leaves out the same", () => {
    const before = world({}, base, egress({ sourceIPBy: "Network", network: "11" }));
    const later = after(before, service("t"));
    const made = planOn(before, NO_NFT);
    const next = replan({ desired: before.desired, plan: made }, later.desired, on(NO_NFT));
    expect(preview(undefined, next)).toEqual(preview(undefined, planOn(later, NO_NFT)));
    expect([...next.kernel.sourceNats]).toEqual([]);
  });
});

describe("a kernel that may not be changed or was not opened", () => {
  const made = world(
    { bindAddresses: "lo" },
    base,
    peer("red", "10.0.0.3", { vrf: "red" }),
    rutter("RouteImport", "in"),
    rutter("RouteExport", "out", CONNECTED),
    egress({ sourceIPBy: "Network", network: "11" }),
  );
  test("what needs it says so; what is announced and peers in VRFs do without", () => {
    expect(said(made, MAY_NOTHING)).toEqual([
      "s spec.network not carried on this host: no CAP_NET_ADMIN",
      "s spec.sourceIPBy not carried on this host: no CAP_NET_ADMIN",
      "in spec not carried on this host: no CAP_NET_ADMIN",
    ]);
    expect(said(made, CLOSED)).toEqual([
      "s spec.network not carried on this host: another agent has it",
      "s spec.sourceIPBy not carried on this host: another agent has it",
      "out spec not carried on this host: another agent has it",
      "in spec not carried on this host: another agent has it",
    ]);
    expect(told(planOn(made, CLOSED))).toEqual({ p1: ["192.0.2.0/32"], red: ["192.0.2.0/32"] });
    expect(planOn(made, CLOSED).kernel).toMatchObject({ imports: [], exports: [] });
    expect(entries(made, CLOSED)).toEqual(["address 192.0.2.0 dev lo"]);
  });
  test("get says it of now, and nothing of a moment of the past", () => {
    const selection = { types: ["rutter/RouteImport"], namespace: undefined, name: "in" } as const;
    const view = (of: PlanOptions | undefined) =>
      resourceViews(made.desired, selection, () => null, of)[0]?.status.notCarried;
    expect(view(on(CLOSED))).toMatchObject([
      { field: "spec", reason: "not carried on this host: another agent has it" },
    ]);
    expect(view(undefined)).toEqual([]);
  });
});
