/**
 * Commands: who may change what, what one change records, and when a source is not believed.
 */
import { describe, expect, test } from "vitest";
import type { Decision } from "../../agent/decide/decision.ts";
import type { Owner } from "../../events/resources/resource.ts";
import {
  after,
  applying,
  deleting,
  documentsIn,
  peer,
  pool,
  service,
  together,
  world,
} from "../plan/world.ts";

const types = ({ facts }: Decision): readonly string[] => facts.map(({ event }) => event.type);
const last = ({ decisions }: ReturnType<typeof world>): Decision => decisions.at(-1)!;
const one = pool("one", ["192.0.2.0/24"]);

describe("an apply", () => {
  test("records the change first, then each resource and what it settles, with the change as cause", () => {
    const decision = last(world({}, together(one, service("s"))));
    expect(types(decision)).toEqual([
      "change-accepted",
      "resource-applied",
      "resource-applied",
      "address-allocated",
    ]);
    const [change, ...rest] = decision.facts;
    expect(rest.every(({ cause }) => cause[0] === change?.id)).toBe(true);
  });
  test("of what is there already records nothing", () => {
    const text = together(one, service("s"));
    const decision = last(world({}, text, text));
    expect(types(decision)).toEqual([]);
    expect(decision.changes.map(({ result }) => result)).toEqual(["unchanged", "unchanged"]);
  });
  test("with one resource of another owner changes nothing at all", () => {
    const file = applying(one, { owner: "file:/etc/a.yaml" });
    const decision = last(world({}, file, together(pool("one", ["10.0.0.0/8"]), service("s"))));
    expect(decision.type).toBe("refused");
    expect(types(decision)).toEqual([]);
    expect(decision.refusals[0]).toMatchObject({
      rule: "owner",
      message: expect.stringContaining("file:/etc/a.yaml"),
    });
  });
  test("keeps going around it where that is asked, and takes it over where that is", () => {
    const file = applying(one, { owner: "file:/etc/a.yaml" });
    const text = together(pool("one", ["10.0.0.0/8"]), service("s"));
    expect(types(last(world({}, file, applying(text, { keepGoing: true }))))).toContain(
      "resource-applied",
    );
    const taken = last(world({}, file, applying(text, { takeOver: true })));
    expect(taken.facts.map(({ event }) => event)).toContainEqual(
      expect.objectContaining({ type: "resource-applied", takenFrom: "file:/etc/a.yaml" }),
    );
  });
  test("with prune deletes what its owner holds and the documents do not name", () => {
    const made = world(
      {},
      together(one, service("s"), service("t")),
      applying(together(one, service("s")), { prune: true }),
    );
    expect(last(made).changes).toContainEqual(
      expect.objectContaining({ key: "/Service/default/t", result: "deleted" }),
    );
  });
});

describe("a delete", () => {
  test("of what is not there is refused", () => {
    expect(last(world({}, deleting("/Service/default/none"))).refusals[0]?.rule).toBe("not-found");
  });
  test("of a BFDProfile that a peer uses is refused", () => {
    const profile =
      "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {}";
    const made = world(
      {},
      together(profile, peer("p", "10.0.0.1", { bfdProfile: "fast" })),
      deleting("metallb.io/BFDProfile/metallb-system/fast"),
    );
    expect(last(made).refusals[0]?.message).toContain("metallb-system/p uses it");
  });
});

describe("a directory of manifests", () => {
  const root = "file:/m" as const;
  const sync = (
    files: Readonly<Record<string, string>>,
    extra: { confirmed?: boolean; unreadable?: readonly Owner[] } = {},
  ) =>
    ({
      type: "sync",
      root,
      documents: Object.entries(files).flatMap(([name, text]) =>
        documentsIn(text, `${root}/${name}`, name),
      ),
      unreadable: extra.unreadable ?? [],
      confirmed: extra.confirmed ?? false,
    }) as const;
  const three = { "a.yaml": one, "b.yaml": service("b"), "c.yaml": service("c") };

  test("deletes what a removed file owned", () => {
    const made = world({}, sync(three), sync({ "a.yaml": one, "b.yaml": service("b") }));
    expect(last(made).changes).toContainEqual(
      expect.objectContaining({ key: "/Service/default/c", result: "deleted" }),
    );
  });
  test("is held when more than half of it would go, until that is confirmed", () => {
    const held = world({}, sync(three), sync({ "a.yaml": one }));
    expect(last(held).type).toBe("held");
    expect(types(last(held))).toEqual(["source-suspected"]);
    const confirmed = after(held, sync({ "a.yaml": one }, { confirmed: true }));
    expect(last(confirmed).changes.filter(({ result }) => result === "deleted")).toHaveLength(2);
  });
  test("moves a resource whose file was renamed", () => {
    const made = world(
      {},
      sync(three),
      sync({ "a.yaml": one, "z.yaml": together(service("b"), service("c")) }),
    );
    expect(last(made).changes.map(({ result }) => result)).not.toContain("deleted");
    expect(last(made).facts.filter(({ event }) => event.type === "resource-applied")).toHaveLength(
      2,
    );
  });
  test("keeps what a file owned that can't be read", () => {
    const made = world(
      {},
      sync(three),
      sync({ "a.yaml": one }, { unreadable: [`${root}/b.yaml`, `${root}/c.yaml`] }),
    );
    expect(last(made).facts).toEqual([]);
  });
  test("never takes what somebody else owns", () => {
    const made = world({}, service("b"), sync(three));
    expect(last(made).refusals).toMatchObject([{ key: "/Service/default/b", rule: "owner" }]);
    expect(last(made).changes).toContainEqual(
      expect.objectContaining({ key: "/Service/default/c", result: "created" }),
    );
  });
});
