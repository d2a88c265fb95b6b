/**
 * Addresses of Services: MetalLB's rules (reference/rules.md §2.2.5, manifests.md §1.3 and §1.7), and that they never change.
 */
import { describe, expect, test } from "vitest";
import { address, addressToBigInt } from "../../events/address.ts";
import { blockAt } from "../../events/fold.ts";
import {
  addressesOf,
  after,
  annotated,
  deleting,
  pool,
  service,
  together,
  world,
} from "./world.ts";

const small = pool("small", ["192.0.2.1-192.0.2.3"]);

describe("a Service gets", () => {
  test("the first free address of a pool", () => {
    const made = world({}, together(small, service("a"), service("b")));
    expect([addressesOf(made, "a"), addressesOf(made, "b")]).toEqual([
      ["192.0.2.1"],
      ["192.0.2.2"],
    ]);
  });

  test("an address that counts for the block by which the search passes full ones", () => {
    const [four, six] = [pool("four", ["192.0.2.7/32"]), pool("six", ["2001:db8::1:7/128"])];
    const made = world(
      {},
      together(four, six, service("a"), service("b", { loadBalancerIP: "2001:db8::1:7" })),
    );
    const counted = [...made.desired.addressesInBlock].toSorted();
    expect(counted).toEqual([
      [blockAt(addressToBigInt(address("192.0.2.7")), "ipv4"), 1],
      [blockAt(addressToBigInt(address("2001:db8::1:7")), "ipv6"), 1],
    ]);
  });

  test("the address that it asks for, before a pool's choice", () => {
    const made = world({}, together(small, service("a", { loadBalancerIP: "192.0.2.3" })));
    expect(addressesOf(made, "a")).toEqual(["192.0.2.3"]);
  });

  test("an address of the pool that it names, also one that gives none by itself", () => {
    const named = pool("named", ["198.51.100.0/24"], { autoAssign: false });
    const made = world(
      {},
      together(small, named, annotated("a", { "metallb.io/address-pool": "named" })),
    );
    expect(addressesOf(made, "a")).toEqual(["198.51.100.0"]);
  });

  test("nothing of a pool without autoAssign unless it asks", () => {
    const made = world(
      {},
      together(pool("p", ["192.0.2.0/24"], { autoAssign: false }), service("a")),
    );
    expect(addressesOf(made, "a")).toEqual([]);
    expect([...made.desired.awaiting.values()][0]?.reason).toContain("no IPAddressPool");
  });

  test("an address of a pinned pool first, by priority, 0 last", () => {
    const pins = (priority: number) => ({
      serviceAllocation: { priority, namespaces: ["default"] },
    });
    const made = world(
      {},
      together(
        small,
        pool("zero", ["10.0.0.0/32"], pins(0)),
        pool("two", ["10.0.2.0/32"], pins(2)),
        pool("one", ["10.0.1.0/32"], pins(1)),
        ...["a", "b", "c", "d"].map((name) => service(name)),
      ),
    );
    expect(["a", "b", "c", "d"].map((name) => addressesOf(made, name)[0])).toEqual([
      "10.0.1.0",
      "10.0.2.0",
      "10.0.0.0",
      "192.0.2.1",
    ]);
  });

  test("nothing of a pool that is pinned to another namespace or to other labels", () => {
    const elsewhere = pool("p", ["192.0.2.0/24"], { serviceAllocation: { namespaces: ["other"] } });
    const labelled = pool("q", ["198.51.100.0/24"], {
      serviceAllocation: { serviceSelectors: [{ matchLabels: { tier: "gold" } }] },
    });
    const made = world(
      {},
      together(elsewhere, labelled, service("a"), service("b", {}, { tier: "gold" })),
    );
    expect(addressesOf(made, "a")).toEqual([]);
    expect(addressesOf(made, "b")).toEqual(["198.51.100.0"]);
  });

  test("no .0 and no .255 where the pool avoids them", () => {
    const buggy = pool("p", ["192.0.2.255-192.0.3.1"], { avoidBuggyIPs: true });
    expect(addressesOf(world({}, together(buggy, service("a"))), "a")).toEqual(["192.0.3.1"]);
  });

  test("one of each family of one pool where it requires both, in its order", () => {
    const dual = pool("dual", ["192.0.2.0/30", "2001:db8::/126"]);
    const spec = { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] };
    expect(addressesOf(world({}, together(dual, service("a", spec))), "a")).toEqual([
      "2001:db8::",
      "192.0.2.0",
    ]);
    expect(addressesOf(world({}, together(small, service("a", spec))), "a")).toEqual([]);
  });

  test("a single family where it only prefers both and the pool has one", () => {
    const spec = { ipFamilyPolicy: "PreferDualStack" };
    expect(addressesOf(world({}, together(small, service("a", spec))), "a")).toEqual(["192.0.2.1"]);
  });

  test("nothing where another load balancer's class is named", () => {
    expect(
      addressesOf(world({}, together(small, service("a", { loadBalancerClass: "x/y" }))), "a"),
    ).toEqual([]);
  });
});

describe("an address is shared", () => {
  const sharing = (name: string, key: string, port: number, spec: object = {}) =>
    annotated(
      name,
      { "metallb.io/allow-shared-ip": key, "metallb.io/loadBalancerIPs": "192.0.2.1" },
      {
        ports: [{ port }],
        ...spec,
      },
    );

  test("by Services with one key and other ports", () => {
    const made = world({}, together(small, sharing("a", "k", 80), sharing("b", "k", 443)));
    expect([addressesOf(made, "a"), addressesOf(made, "b")]).toEqual([
      ["192.0.2.1"],
      ["192.0.2.1"],
    ]);
  });

  test.for([
    ["another key", sharing("b", "other", 443)],
    ["the same port", sharing("b", "k", 80)],
    [
      "another backend under Local",
      sharing("b", "k", 443, { externalTrafficPolicy: "Local", selector: { app: "b" } }),
    ],
  ] as const)("but not with %s", ([, second]) => {
    const made = world({}, together(small, sharing("a", "k", 80), second));
    expect(addressesOf(made, "b")).toEqual([]);
    expect([...made.desired.awaiting.values()][0]?.reason).toContain("taken by Service default/a");
  });
});

describe("an address stays", () => {
  test("whatever other Services and pools come", () => {
    const first = world({}, together(small, service("b")));
    const later = after(
      first,
      service("a"),
      pool("aaa", ["10.0.0.0/24"]),
      service("b", { ports: [{ port: 81 }] }),
    );
    expect(addressesOf(later, "b")).toEqual(["192.0.2.1"]);
  });

  test("until its pool no longer holds it; then the Service gets another", () => {
    const first = world({}, together(small, service("a")));
    const later = after(first, pool("small", ["192.0.2.2-192.0.2.3"]));
    expect(addressesOf(later, "a")).toEqual(["192.0.2.2"]);
  });

  test("free for who waits once its holder is gone", () => {
    const one = pool("one", ["192.0.2.9/32"]);
    const first = world({}, together(one, service("a")), service("b"));
    expect(addressesOf(first, "b")).toEqual([]);
    const later = after(first, deleting("/Service/default/a"));
    expect(addressesOf(later, "b")).toEqual(["192.0.2.9"]);
    expect(later.desired.awaiting.size).toBe(0);
  });

  test("no longer with a Service that is no LoadBalancer any more", () => {
    const later = after(
      world({}, together(small, service("a"))),
      service("a", { type: "ClusterIP" }),
      service("b"),
    );
    expect(addressesOf(later, "a")).toEqual([]);
    expect(addressesOf(later, "b")).toEqual(["192.0.2.1"]);
  });
});

test("a search among full blocks finds the one free address", () => {
  const names = Array.from({ length: 513 }, (_, i) => `s${String(i).padStart(4, "0")}`);
  const large = pool("large", ["10.0.0.0/23"]);
  const full = world({}, together(large, ...names.map((name) => service(name))));
  expect(addressesOf(full, "s0511")).toEqual(["10.0.1.255"]);
  expect(addressesOf(full, "s0512")).toEqual([]);
  const later = after(full, deleting("/Service/default/s0300"));
  expect(addressesOf(later, "s0512")).toEqual(["10.0.1.44"]);
});
