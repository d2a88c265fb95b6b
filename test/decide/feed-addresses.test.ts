/**
 * Addresses of a fleet's Services: the publisher gives them, and no host ever chooses.
 */
import { describe, expect, test } from "vitest";
import { asideIn, pool, service, together, world } from "../plan/world.ts";
import {
  addressesOn,
  bare,
  host,
  key,
  type Made,
  made,
  publisher,
  putsOf,
} from "../fleet/fleet.ts";

const one = pool("one", ["192.0.2.0/29"]);

describe("addresses", () => {
  test("are the publisher's, whatever this host's own free ones are", () => {
    const from = publisher();
    const local = world({}, together(pool("mine", ["192.0.2.0/29"]), service("a"), service("b")));
    const [plain, busy] = [host(), host(local)];
    expect(addressesOn(busy.desired(), "a")).toEqual(["192.0.2.0"]);
    const sets = [together(one, service("s")), service("t"), service("u")].map((text) =>
      from.change(text),
    );
    for (const set of sets) for (const there of [plain, busy]) there.give(set);
    for (const name of ["s", "t", "u"]) {
      expect(addressesOn(busy.desired(), name)).toEqual(addressesOn(plain.desired(), name));
      expect(addressesOn(plain.desired(), name)).toEqual(addressesOn(from.state().desired, name));
    }
    expect(addressesOn(plain.desired(), "u")).toEqual(["192.0.2.2"]);
  });
  test("that the fleet gives away are taken from this host's own Services", () => {
    const local = world({}, together(pool("mine", ["192.0.2.0/30"]), service("a")));
    const [from, there] = [publisher(), host(local)];
    there.give(from.change(pool("other", ["192.0.2.0/32"])));
    expect(addressesOn(there.desired(), "a")).toEqual(["192.0.2.0"]);
    there.give(from.change(service("s")));
    expect(asideIn({ desired: there.desired(), decisions: [] })).toEqual({ other: "pool-overlap" });
    expect(addressesOn(there.desired(), "s")).toEqual(["192.0.2.0"]);
    expect(addressesOn(there.desired(), "a")).toEqual(["192.0.2.1"]);
  });
  test("are given by nobody here: a Service that the set gives none waits and says so", () => {
    const there = host(world({}, one));
    there.give(bare({ puts: putsOf(service("s")) }));
    expect(addressesOn(there.desired(), "s")).toEqual([]);
    expect(there.desired().awaiting.get(key("/Service/default/s"))?.reason).toContain("publisher");
  });
  test("are taken back by an empty list, and by a base that gives none", () => {
    const back = (last: (first: Made) => Made): readonly string[] => {
      const [from, there] = [publisher(), host()];
      const first = from.change(together(one, service("s")));
      for (const set of [first, last(first)]) there.give(set);
      return addressesOn(there.desired(), "s");
    };
    const allocations = [{ service: key("/Service/default/s"), addresses: [] }];
    expect(back((first) => bare({ generation: 2, previous: first.digest, allocations }))).toEqual(
      [],
    );
    expect(
      back((first) =>
        made({ ...first.set, type: "base", previous: first.digest, allocations: [] }),
      ),
    ).toEqual([]);
  });
  test("stay with a Service whose pool is gone only as the publisher says", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(together(one, service("s"))));
    const set = from.change("", ["metallb.io/IPAddressPool/metallb-system/one"]);
    expect(set.set.allocations).toEqual([{ service: "/Service/default/s", addresses: [] }]);
    there.give(set);
    expect(addressesOn(there.desired(), "s")).toEqual([]);
  });
  test("of a Service that another owner has here are not touched", () => {
    const local = world({}, together(pool("mine", ["198.51.100.0/24"]), service("s")));
    const there = host(local);
    there.give(publisher().change(together(one, service("s"))));
    expect(addressesOn(there.desired(), "s")).toEqual(["198.51.100.0"]);
  });
});
