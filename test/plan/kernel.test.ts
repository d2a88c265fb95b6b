/**
 * What the kernel is to hold for what is announced: virtual IPs, aggregates' remainders, egress, import rules.
 */
import { describe, expect, test } from "vitest";
import { preview } from "../../agent/plan/preview.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import {
  advertisement,
  after,
  configuration,
  deleting,
  peer,
  planOf,
  pool,
  service,
  together,
  world,
} from "./world.ts";

const BOUND = { bindAddresses: "lo" };
const one = pool("one", ["192.0.2.0/24"]);
const p1 = peer("p1", "10.0.0.1");
const kernelOf = (made: ReturnType<typeof world>): KernelIntent => planOf(made).kernel;
const entriesOf = (made: ReturnType<typeof world>): readonly string[] => {
  const { addresses, routes, rules, sourceNats } = kernelOf(made);
  return [addresses, routes, rules, sourceNats].flatMap((part) => [...part.keys()]).toSorted();
};
const routeImport = (name: string, spec: object = {}): string =>
  `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;
const egress = (name: string, spec: object): string =>
  `apiVersion: k8s.ovn.org/v1\nkind: EgressService\nmetadata: {name: ${name}, namespace: default}\nspec: ${JSON.stringify(spec)}`;

describe("virtual IPs", () => {
  test("are bound while they are announced, and only where this host binds any", () => {
    const made = world(BOUND, together(one, p1, advertisement("a"), service("s")));
    expect(entriesOf(made)).toEqual(["address 192.0.2.0 dev lo"]);
    expect(entriesOf(after(made, deleting("/Service/default/s")))).toEqual([]);
    expect(entriesOf(world({}, together(one, p1, advertisement("a"), service("s"))))).toEqual([]);
  });
  test("as local routes where the host says so, those of IPv6 as addresses all the same", () => {
    const six = pool("six", ["2001:db8::/120"]);
    const made = world(
      { ...BOUND, bindAs: "routes" },
      together(one, six, p1, advertisement("a"), service("s")),
      service("t", { loadBalancerIP: "2001:db8::7" }),
    );
    expect(entriesOf(made)).toEqual(["address 2001:db8::7 dev lo", "local 192.0.2.0 dev lo"]);
  });
  test("one that is not announced is not bound", () => {
    expect(entriesOf(world(BOUND, together(one, p1, service("s"))))).toEqual([]);
  });
  test("one that a check asks whether it lives is bound before, or it never would", () => {
    const endpoint = (check: object) =>
      `apiVersion: rutter/v1\nkind: ServiceEndpoint\nmetadata: {name: s, namespace: default}\nspec: ${JSON.stringify({ check })}`;
    const base = together(one, p1, advertisement("a"), service("s"));
    const made = world(BOUND, base, endpoint({ type: "tcp", port: 80 }));
    expect(planOf(made).verdicts.get("/Service/default/s" as never)).toMatchObject({
      announced: false,
    });
    expect(entriesOf(made)).toEqual(["address 192.0.2.0 dev lo"]);
    const elsewhere = endpoint({ type: "tcp", port: 80, address: "127.0.0.1" });
    expect(entriesOf(world(BOUND, base, elsewhere))).toEqual([]);
  });
  test("the rest of an aggregate ends here", () => {
    const wide = advertisement("a", { aggregationLength: 24 });
    const made = world(BOUND, together(one, p1, wide, service("s")));
    expect(entriesOf(made)).toEqual(["address 192.0.2.0 dev lo", "blackhole 192.0.2.0/24"]);
  });
});

test("a plan's preview names what would be bound and unbound", () => {
  const before = world(BOUND, together(one, p1, advertisement("a"), service("s")));
  const later = after(
    before,
    deleting("/Service/default/s"),
    service("t", { loadBalancerIP: "192.0.2.9" }),
  );
  expect(preview(planOf(before), planOf(later)).kernel).toEqual({
    add: ["address 192.0.2.9 dev lo"],
    remove: ["address 192.0.2.0 dev lo"],
  });
});

describe("EgressService", () => {
  const base = together(one, p1, advertisement("a"), service("s"));
  test("Network: the Service's own traffic takes the table, with the device's address", () => {
    const made = world(BOUND, base, egress("s", { sourceIPBy: "Network", network: "11" }));
    expect(entriesOf(made)).toEqual([
      "address 192.0.2.0 dev lo",
      "nat default/s ipv4",
      "rule 5000 from 192.0.2.0/32 lookup 11",
    ]);
    expect([...kernelOf(made).sourceNats.values()]).toMatchObject([
      { sources: ["192.0.2.0/32"], to: "masquerade" },
    ]);
  });
  test("LoadBalancerIP: what the endpoint sends leaves as the VIP", () => {
    const endpoint = `apiVersion: rutter/v1\nkind: ServiceEndpoint\nmetadata: {name: s, namespace: default}\nspec: {check: {type: tcp, port: 80, address: 172.17.0.2}}`;
    const made = world(
      BOUND,
      together(base, egress("s", { sourceIPBy: "LoadBalancerIP", network: "red" })),
    );
    expect([...kernelOf(made).sourceNats.values()]).toEqual([]);
    const served = after(made, endpoint, {
      type: "observe-endpoint",
      service: "/Service/default/s" as never,
      healthy: true,
      reason: "",
    });
    expect([...kernelOf(served).sourceNats.values()]).toMatchObject([
      { sources: ["172.17.0.2/32"], to: "192.0.2.0", outgoing: "red" },
    ]);
    expect([...kernelOf(served).rules.values()]).toMatchObject([
      { from: "192.0.2.0/32", table: { vrf: "red" } },
      { from: "172.17.0.2/32", table: { vrf: "red" } },
    ]);
  });
  test("of a Service that is not announced here there is nothing", () => {
    const made = world(BOUND, egress("s", { sourceIPBy: "Network", network: "11" }));
    expect(entriesOf(made)).toEqual([]);
  });
});

describe("imports", () => {
  const open = (filter: object) =>
    configuration("opens", [
      {
        asn: 64512,
        neighbors: [{ asn: 64999, address: "10.0.0.1", toReceive: { allowed: filter } }],
      },
    ]);
  const rulesOf = (made: ReturnType<typeof world>) => kernelOf(made).imports;
  test("what a receive rule lets in is installed, but for the default route", () => {
    expect(rulesOf(world({}, together(p1, open({ mode: "all" }))))).toMatchObject([
      { name: "toReceive", neighbors: ["|10.0.0.1|"], metric: 20, acceptDefault: false },
    ]);
  });
  test("a default route that is named is taken", () => {
    const filter = { prefixes: [{ prefix: "0.0.0.0/0" }] };
    expect(rulesOf(world({}, together(p1, open(filter))))).toMatchObject([
      { name: "toReceive-default", acceptDefault: true, prefixes: [{ prefix: "0.0.0.0/0" }, {}] },
      { name: "toReceive", acceptDefault: false },
    ]);
  });
  test("nobody who may send nothing has a rule", () => {
    expect(rulesOf(world({}, p1))).toEqual([]);
  });
  test("a RouteImport opens its peers, and goes before what is implied", () => {
    const made = world(
      {},
      together(
        p1,
        peer("p2", "10.0.0.2"),
        routeImport("lab", {
          peers: ["p2"],
          prefixes: [{ prefix: "10.8.0.0/16", le: 24 }],
          table: 100,
          metric: 7,
        }),
      ),
    );
    const neighbors = planOf(made).speakers.native?.routers[0]?.neighbors;
    expect(neighbors?.map(({ receive }) => receive)).toEqual([
      { type: "nothing" },
      { type: "prefixes", prefixes: [{ prefix: "10.8.0.0/16", atLeast: 16, atMost: 24 }] },
    ]);
    expect(rulesOf(made)).toMatchObject([
      { name: "metallb-system/lab", neighbors: ["|10.0.0.2|"], table: 100, metric: 7 },
    ]);
  });
  test("what the host never accepts goes with every neighbour", () => {
    const receive = {
      alwaysBlock: [],
      maximumPrefixes: { ipv4: 7 },
      beyond: "restart",
      restartAfterSeconds: 9,
    } as const;
    const made = planOf(world({ receive }, together(p1, peer("p2", "10.0.0.2"))));
    const guards = made.speakers.native?.routers[0]?.neighbors.map((one) => one.receiveGuard);
    expect(guards?.[0]).toMatchObject({
      maximumPrefixes: { ipv4: { count: 7, beyond: { type: "restart", afterSeconds: 9 } } },
    });
    expect(guards?.[1]).toBe(guards?.[0]);
  });
  test("one of another host does nothing here", () => {
    const elsewhere = { nodeSelectors: [{ matchLabels: { rack: "r2" } }] };
    expect(rulesOf(world({}, together(p1, routeImport("lab", elsewhere))))).toEqual([]);
  });
});
