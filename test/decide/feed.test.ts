/**
 * A feed's sets as decisions: what takes its place, what waits, what is left, and that nothing is deleted for being absent.
 */
import { describe, expect, test } from "vitest";
import { applying, deleting, peer, pool, service, together, world } from "../plan/world.ts";
import {
  addressesOn,
  bare,
  digestIn,
  fed,
  FLEET,
  host,
  key,
  made,
  OWNER,
  publisher,
  putsOf,
  types,
} from "../fleet/fleet.ts";

const one = pool("one", ["192.0.2.0/29"]);
const advertisement =
  "apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: all, namespace: metallb-system}";
const refused = { rule: "scope", reason: "not for this signer" };
const confirm = { type: "feed-confirm", fleet: FLEET } as const;

describe("a change set", () => {
  test("of pool, peer, advertisement and Service is one decision, its cause first", () => {
    const there = host();
    const decision = there.give(
      publisher().change(together(one, peer("p", "192.0.2.9"), advertisement, service("s"))),
    );
    expect(types(decision)).toEqual([
      "feed-advanced",
      "resource-applied",
      "resource-applied",
      "resource-applied",
      "resource-applied",
      "address-allocated",
    ]);
    const [advanced, ...rest] = decision.facts;
    expect(advanced?.event).toMatchObject({
      generation: 1,
      set: "change",
      verdict: { result: "applied" },
    });
    expect(rest.every(({ cause }) => cause[0] === advanced?.id)).toBe(true);
    expect(addressesOn(there.desired(), "s")).toEqual(["192.0.2.0"]);
  });
  test("that deletes has tombstones, and says nothing of what is not there", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(together(one, service("s"), service("t"))));
    const decision = there.give(from.change("", ["/Service/default/s"]));
    expect(types(decision)).toEqual(["feed-advanced", "resource-deleted"]);
    expect(fed(there.desired())).toEqual([
      "/Service/default/t",
      "metallb.io/IPAddressPool/metallb-system/one",
    ]);
    expect([...there.feed().tombstones.keys()]).toEqual(["/Service/default/s"]);
  });
  test("that is put again is no tombstone any more", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(service("s")));
    there.give(from.change("", ["/Service/default/s"]));
    there.give(from.change(service("s")));
    expect([...there.feed().tombstones.keys()]).toEqual([]);
  });
  test("that is refused changes nothing, and the next one takes its place all the same", () => {
    const [from, there] = [publisher(), host()];
    const [first, second] = [from.change(service("s")), from.change(service("t"))];
    expect(types(there.give(first, refused))).toEqual(["feed-advanced"]);
    expect(fed(there.desired())).toEqual([]);
    expect(there.feed()).toMatchObject({
      generation: 1,
      verdicts: [{ generation: 1, ...refused }],
    });
    there.give(second);
    expect(fed(there.desired())).toEqual(["/Service/default/t"]);
  });
  test("that comes again says nothing, also long after", () => {
    const [from, there] = [publisher(), host()];
    const sets = [service("s"), service("t"), service("u")].map((text) => from.change(text));
    for (const set of [...sets, ...sets, ...sets.toReversed()]) there.give(set);
    expect(there.facts).toHaveLength(3);
    expect(there.feed().diverged).toBeUndefined();
  });
  test("before its turn waits: nothing is recorded, nothing changes", () => {
    const [from, there] = [publisher(), host()];
    const [first, second] = [from.change(service("s")), from.change(service("t"))];
    expect(types(there.give(second))).toEqual([]);
    expect(there.desired().feeds).toBeUndefined();
    for (const set of [first, second]) there.give(set);
    expect(there.feed().generation).toBe(2);
  });
});

describe("another history", () => {
  const begun = () => {
    const [from, there] = [publisher(), host()];
    const sets = [service("s"), service("t")].map((text) => from.change(text));
    for (const set of sets) there.give(set);
    return { from, there, sets };
  };
  const reason = ({ there }: ReturnType<typeof begun>) => there.feed().diverged?.reason;

  test("of the same generation with another digest changes nothing and is told once", () => {
    const now = begun();
    const fork = bare({ ...now.sets[1]!.set, puts: putsOf(service("x")) });
    expect(types(now.there.give(fork))).toEqual(["feed-diverged"]);
    expect(types(now.there.give(fork))).toEqual([]);
    expect(reason(now)).toContain("another generation 2");
    expect(fed(now.there.desired())).toEqual(["/Service/default/s", "/Service/default/t"]);
  });
  test("of an older generation is told, too: a stream that was made anew begins at 1", () => {
    const now = begun();
    expect(types(now.there.give(publisher().change(service("x"))))).toEqual(["feed-diverged"]);
    expect(reason(now)).toContain("another generation 1");
  });
  test("that goes on from another set than ours changes nothing", () => {
    const now = begun();
    const fork = bare({ generation: 3, previous: "ef".repeat(32), puts: putsOf(service("x")) });
    expect(types(now.there.give(fork))).toEqual(["feed-diverged"]);
    expect(reason(now)).toContain("goes on from efefefefefef");
    expect(now.there.feed().generation).toBe(2);
  });
  test("of thousands of sets is told once", () => {
    const now = begun();
    const other = publisher();
    for (const name of ["x", "y"]) now.there.give(other.change(service(name)));
    now.there.give(bare({ generation: 3, previous: "ef".repeat(32) }));
    expect(now.there.facts.filter(([type]) => type === "feed-diverged")).toHaveLength(1);
  });
  test("while strays wait is told beside them, and they are still told when it is over", () => {
    const now = begun();
    const base = made({ ...now.from.base().set, generation: 3, puts: [] });
    now.there.give(base);
    now.there.give(bare({ generation: 4, previous: "ef".repeat(32) }));
    expect(now.there.feed().diverged).toMatchObject({ what: "history" });
    expect(now.there.feed().diverged?.strays).toHaveLength(2);
    now.there.give(bare({ generation: 4, previous: base.set.previous }));
    expect(now.there.feed().diverged).toMatchObject({ what: "strays" });
    expect(now.there.feed().diverged?.strays).toHaveLength(2);
  });
  test("is over with the next set of ours", () => {
    const now = begun();
    now.there.give(publisher().change(service("x")));
    const decision = now.there.give(now.from.change(service("u")));
    expect(types(decision)).toContain("feed-converged");
    expect(now.there.feed().diverged).toBeUndefined();
  });
  test("with a base of our generation changes nothing; with one of a later generation it is ours", () => {
    const now = begun();
    const other = publisher();
    const texts = ["s", "t", "x"].map((name) => service(name, { externalTrafficPolicy: "Local" }));
    other.change(texts[0]!);
    other.change(texts[1]!);
    expect(types(now.there.give(other.base()))).toEqual(["feed-diverged"]);
    expect(now.there.feed().digest).toBe(now.sets[1]!.digest);
    other.change(texts[2]!);
    expect(types(now.there.give(other.base()))).toContain("feed-converged");
    expect(digestIn(now.there.desired())).toBe(digestIn(other.state().desired));
  });
});

describe("a base", () => {
  test("is all that a newcomer needs, and the next change goes on from it", () => {
    const [from, there, old] = [publisher(), host(), host()];
    for (const text of [together(one, service("s")), service("t")]) old.give(from.change(text));
    old.give(from.change("", ["/Service/default/s"]));
    there.give(from.base());
    expect(there.feed()).toMatchObject({ generation: 3, base: 3 });
    const next = from.change(service("u"));
    for (const each of [there, old]) each.give(next);
    expect(fed(there.desired())).toEqual(fed(old.desired()));
    expect(addressesOn(there.desired(), "t")).toEqual(["192.0.2.1"]);
    expect(digestIn(there.desired())).toBe(digestIn(old.desired()));
  });
  test("over a gap deletes what has a tombstone, for that was meant", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(together(service("s"), service("t"))));
    from.change("", ["/Service/default/s"]);
    const decision = there.give(from.base());
    expect(types(decision)).toEqual(["feed-advanced", "resource-deleted"]);
    expect(there.feed().diverged).toBeUndefined();
  });
  test("without a resource deletes nothing: it diverges, is told once, and what is confirmed goes", () => {
    const [from, there] = [publisher(), host()];
    const first = from.change(together(service("s"), service("t")));
    there.give(first);
    const without = { ...from.base().set, generation: 2, puts: putsOf(service("t")) };
    const decision = there.give(made(without));
    expect(types(decision)).toEqual(["feed-advanced", "feed-diverged"]);
    expect(there.feed().diverged).toMatchObject({
      strays: ["/Service/default/s"],
      reason: expect.stringContaining(`rutter confirm ${OWNER}`),
    });
    expect(types(there.give(made({ ...without, generation: 3 })))).toEqual(["feed-advanced"]);
    expect(fed(there.desired())).toEqual(["/Service/default/s", "/Service/default/t"]);
    expect(types(there.command(confirm))).toEqual(["feed-converged", "resource-deleted"]);
    expect(fed(there.desired())).toEqual(["/Service/default/t"]);
    expect(types(there.command(confirm))).toEqual([]);
  });
  test("a stray that somebody took over meanwhile is not deleted by the confirmation", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(service("s")));
    there.give(made({ ...from.base().set, generation: 2, puts: [] }));
    there.command(applying(service("s"), { takeOver: true }));
    expect(types(there.command(confirm))).toEqual(["feed-converged"]);
    expect([...(there.desired().resources["/Service"]?.keys() ?? [])]).toEqual([
      "/Service/default/s",
    ]);
  });
  test("a stray that a later set names or deletes is one no more", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(together(service("s"), service("t"))));
    const { set } = made({ ...from.base().set, generation: 2, puts: [] });
    there.give(made(set));
    expect(there.feed().diverged?.strays).toHaveLength(2);
    const next = bare({ generation: 3, previous: set.previous, puts: putsOf(service("s")) });
    expect(types(there.give(next))).toEqual(["feed-advanced", "feed-diverged"]);
    expect(there.feed().diverged?.strays).toEqual(["/Service/default/t"]);
    const last = bare({
      generation: 4,
      previous: next.digest,
      deletes: [key("/Service/default/t")],
    });
    expect(types(there.give(last))).toEqual([
      "feed-advanced",
      "resource-deleted",
      "feed-converged",
    ]);
  });
  test("older than ours says nothing; of where we are it mends what is not as it says", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(service("s")));
    const older = from.base();
    const second = from.change(service("t"));
    there.give(second);
    expect(types(there.give(older))).toEqual([]);
    expect(types(there.give(from.base()))).toEqual([]);
    there.command(Object.assign(deleting("/Service/default/s"), { takeOver: true }));
    expect(fed(there.desired())).toEqual(["/Service/default/t"]);
    there.give(from.base());
    expect(fed(there.desired())).toEqual(["/Service/default/s", "/Service/default/t"]);
    expect(there.feed()).toMatchObject({ generation: 2, base: 0 });
  });
  test("of where we are waits for what another owner made of its own meanwhile", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(service("s")));
    there.command(Object.assign(deleting("/Service/default/s"), { takeOver: true }));
    there.command(applying(service("s")));
    expect(there.feed().left).toEqual([]);
    expect(types(there.give(from.base()))).toEqual(["feed-advanced"]);
    expect(there.feed().left).toMatchObject([{ key: "/Service/default/s" }]);
    expect(types(there.give(from.base()))).toEqual([]);
  });
  test("that is refused is recorded and moves nothing", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(service("s")));
    from.change(service("t"));
    expect(types(there.give(from.base(), refused))).toEqual(["feed-refused"]);
    expect(there.feed().generation).toBe(1);
  });
  test("that skips what the log has is known by it: changes before it say nothing", () => {
    const [from, there] = [publisher(), host()];
    const sets = [service("s"), service("t"), service("u")].map((text) => from.change(text));
    there.give(from.base());
    for (const set of sets) there.give(set);
    expect(there.facts).toHaveLength(1);
    expect(there.feed().diverged).toBeUndefined();
  });
});

describe("a resource that another owner has here", () => {
  const taken = () => {
    const [from, there] = [publisher(), host(world({}, one))];
    const set = from.change(together(pool("one", ["198.51.100.0/24"]), service("s")));
    there.give(set);
    return { from, there };
  };
  const poolKey = "metallb.io/IPAddressPool/metallb-system/one";
  const addressesOf = ({ there }: ReturnType<typeof taken>) => {
    const held = there.desired().resources["metallb.io/IPAddressPool"]?.get(key(poolKey));
    return { owner: held?.owner, spec: JSON.stringify(held?.resource.spec) };
  };

  test("is left to it with the reason, and all others are applied", () => {
    const now = taken();
    expect(addressesOf(now)).toMatchObject({ owner: "cli" });
    expect(now.there.feed().left).toMatchObject([
      { key: poolKey, reason: "belongs to cli on this host" },
    ]);
    expect(fed(now.there.desired())).toEqual(["/Service/default/s"]);
  });
  test("is the feed's in the very decision that frees it", () => {
    const now = taken();
    const decision = now.there.command(deleting(poolKey));
    expect(types(decision)).toEqual(["change-accepted", "resource-deleted", "resource-applied"]);
    expect(addressesOf(now)).toMatchObject({
      owner: OWNER,
      spec: expect.stringContaining("198.51.100.0"),
    });
    expect(now.there.feed().left).toEqual([]);
    expect(digestIn(now.there.desired())).toBe(digestIn(now.from.state().desired));
  });
  test("follows the feed while it waits", () => {
    const now = taken();
    now.there.give(now.from.change(pool("one", ["203.0.113.0/24"])));
    now.there.command(deleting(poolKey));
    expect(addressesOf(now).spec).toContain("203.0.113.0");
  });
  test("is no longer waited for when the feed deletes it", () => {
    const now = taken();
    now.there.give(now.from.change("", [poolKey]));
    expect(addressesOf(now).owner).toBe("cli");
    now.there.command(deleting(poolKey));
    expect(addressesOf(now).owner).toBeUndefined();
  });
  test("that was taken from the feed waits for it, and comes back with its address", () => {
    const [from, there] = [publisher(), host()];
    there.give(from.change(together(one, service("s"), service("t"))));
    const mine = applying(service("t", { loadBalancerIP: "192.0.2.1" }), { takeOver: true });
    there.command(mine);
    expect(there.feed().left).toMatchObject([
      { key: "/Service/default/t", reason: "was taken over by cli" },
    ]);
    there.command(deleting("/Service/default/t"));
    expect(fed(there.desired())).toContain("/Service/default/t");
    expect(addressesOn(there.desired(), "t")).toEqual(["192.0.2.1"]);
    expect(digestIn(there.desired())).toBe(digestIn(from.state().desired));
  });
  test("gets the address that was given while it waited", () => {
    const [from, there] = [publisher(), host(world({}, service("s")))];
    there.give(from.change(together(one, service("s"))));
    there.give(from.change(service("t", { loadBalancerIP: "192.0.2.5" })));
    const changed = from.change(service("s", {}, { app: "web" }));
    expect(changed.set.allocations).toEqual([]);
    there.give(changed);
    there.command(deleting("/Service/default/s"));
    expect(addressesOn(there.desired(), "s")).toEqual(["192.0.2.0"]);
  });
  test("gets the address that a set without it gave while it waited", () => {
    const [from, there] = [publisher(), host(world({}, service("s")))];
    there.give(from.change(together(one, service("s"))));
    const moved = from.change(pool("one", ["192.0.2.6/31"]));
    expect(moved.set.puts).toHaveLength(1);
    there.give(moved);
    there.command(deleting("/Service/default/s"));
    expect(addressesOn(there.desired(), "s")).toEqual(["192.0.2.6"]);
  });
});
