/**
 * Loc-RIB: whatever happened, in whatever order and portions, it holds what a new one would, and has told exactly that.
 *
 * Method: routers that announce, withdraw, go down and are judged by other policies, while decisions and walks are in the
 * middle of their work; then the same routes from scratch, in another order.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  acceptedRoute,
  type AdjRibIn,
  applyUpdate,
  endRib,
  type Policy,
  rejudge,
  setPolicy,
} from "../../backends/native/rib/adj-rib-in.ts";
import {
  addSource,
  contentBatch,
  createLocRib,
  type LocRib,
  removeSource,
  takeBatch,
  touch,
  waitingCount,
} from "../../backends/native/rib/loc-rib.ts";
import { createPathStore } from "../../backends/native/rib/path-store.ts";
import { ageRoutes } from "../../backends/native/rib/stale-routes.ts";
import {
  type VisitPrefix,
  type TableWalk,
  walkTable,
} from "../../backends/native/rib/table-walk.ts";
import { VERDICT } from "../../backends/native/rib/verdict.ts";
import { announcer, encodeAll, withdrawer } from "../../backends/native/wire/encode-updates.ts";
import type { OutAttributes, SessionOptions } from "../../backends/native/wire/message.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";
import { address, type Family } from "../../events/address.ts";
import { asn, type NeighborKey } from "../../events/ids.ts";
import { type Prefix, prefix } from "../../events/prefix.ts";
import { external, internal } from "../wire/session-options.ts";
import { ordinaryPeer, ribOf, sweepAll } from "./ribs.ts";
import { createTold, linesOf, type Told } from "./told.ts";

/** What a router says of a prefix; the numbers choose among few values, so that ties are common. */
type Route = {
  readonly localPref: number;
  readonly hops: number;
  readonly med: number;
  readonly via: number;
};
/** Lengths that are accepted. */
type Rule = "all" | "even" | "none";
type Router = {
  readonly index: number;
  rib: AdjRibIn | undefined;
  rule: Rule;
  readonly said: Map<Prefix, Route>;
};
type Walk = { readonly walk: TableWalk; readonly visit: VisitPrefix };

const ROUTERS = 5;
const FAMILY = { ipv4: "192.0.2", ipv6: "2001:db8:" } as const;

const isExternal = (index: number): boolean => index % 3 !== 2;
const sessionOf = (index: number): SessionOptions => (isExternal(index) ? external : internal);
const policyOf = (rule: Rule): Policy => ({
  judge: (_family, length) =>
    rule === "all" || (rule === "even" && length % 2 === 0) ? VERDICT.accepted : VERDICT.notListed,
  checkFirstAs: true,
});

class World {
  readonly loc: LocRib;
  readonly told: Told = createTold();
  readonly walks: Walk[] = [];
  readonly routers: readonly Router[];
  readonly family: Family;

  constructor(family: Family, maximumPaths: number) {
    this.family = family;
    this.loc = createLocRib("", family, createPathStore(), 5, { maximumPaths, costOf: () => 0 });
    this.routers = Array.from({ length: ROUTERS }, (_, index) => ({
      index,
      rib: undefined,
      rule: "all" as const,
      said: new Map<Prefix, Route>(),
    }));
  }

  up(router: Router): void {
    if (router.rib !== undefined) return;
    const { index } = router;
    router.rib = ribOf({
      policy: policyOf(router.rule),
      peer: {
        ...ordinaryPeer,
        neighbor: `|r${index}|` as NeighborKey,
        external: isExternal(index),
        remoteAs: isExternal(index) ? 65_001 + (index % 2) : 64_512,
        remoteAddress: address(`192.0.2.${index + 1}`),
        remoteRouterId: 1 + (index % 2),
      },
      paths: this.loc.paths,
      changed: (_family, ...route) => touch(this.loc, ...route),
    });
    addSource(this.loc, router.rib);
  }

  down(router: Router): void {
    const { rib } = router;
    if (rib === undefined) return;
    router.rib = undefined;
    router.said.clear();
    endRib(rib);
    removeSource(this.loc, rib);
    this.walks.push({
      walk: walkTable(rib.tables[this.family], false),
      visit: (family, ...route) => {
        if (acceptedRoute(rib, family, ...route) >= 0) touch(this.loc, ...route);
      },
    });
  }

  judge(router: Router, rule: Rule): void {
    router.rule = rule;
    const { rib } = router;
    if (rib === undefined) return;
    setPolicy(rib, { policy: policyOf(rule), limits: rib.options.limits });
    this.walks.push({
      walk: walkTable(rib.tables[this.family], true),
      visit: (...route) => {
        if (router.rib === rib) rejudge(rib, ...route);
      },
    });
  }

  say(router: Router, prefixes: readonly Prefix[], route: Route | undefined): void {
    const { rib, index, said } = router;
    if (rib === undefined) return;
    const session = sessionOf(index);
    const writer =
      route === undefined
        ? withdrawer(this.family)
        : announcer(this.family, attributesOf(router, route, this.family), session);
    if (typeof writer === "string") throw new Error(writer);
    for (const bytes of encodeAll(writer, prefixes)) {
      const read = parseUpdate(bytes, 19, bytes.length, session);
      if (!read.ok) throw new Error("reset");
      applyUpdate(rib, read.value);
    }
    for (const one of prefixes)
      if (route === undefined) said.delete(one);
      else said.set(one, route);
  }

  /** Some prefixes of the first walk and of what waits. */
  work(count: number): void {
    const [first] = this.walks;
    if (first !== undefined && !first.walk.some(count, first.visit)) this.walks.shift();
    const batch = takeBatch(this.loc, count);
    if (batch !== undefined) this.told.take(batch);
  }

  finish(): void {
    while (this.walks.length > 0 || waitingCount(this.loc) > 0) this.work(1000);
  }

  /** What a listener that comes now is told. */
  content(): Told {
    const told = createTold();
    const walk = walkTable(this.loc.table, true);
    for (let more = true; more;) {
      const portion = contentBatch(this.loc, walk, 3);
      if (portion.batch !== undefined) told.take(portion.batch);
      ({ more } = portion);
    }
    return told;
  }
}

function attributesOf({ index }: Router, route: Route, family: Family): OutAttributes {
  const first = 65_001 + (index % 2);
  return {
    origin: "igp",
    asPath: (isExternal(index) ? [first, 65_009, 65_010] : [65_009, 65_010, 65_011])
      .slice(0, 1 + route.hops)
      .map(asn),
    nextHop: address(`${FAMILY[family]}${family === "ipv4" ? "." : ":"}${100 + route.via}`),
    med: route.med,
    localPref: isExternal(index) ? undefined : 100 + route.localPref,
    communities: [],
    largeCommunities: [],
  };
}

/** The same routes, said once, router by router from the last to the first. */
function fromScratch({ family, loc, routers }: World): World {
  const world = new World(family, loc.options.maximumPaths);
  for (const { index, rib, rule, said } of routers.toReversed()) {
    const router = world.routers[index];
    if (router === undefined || rib === undefined) continue;
    router.rule = rule;
    world.up(router);
    for (const [one, route] of [...said].toReversed()) world.say(router, [one], route);
  }
  world.finish();
  return world;
}

type Step =
  | {
      readonly type: "say";
      readonly router: number;
      readonly prefixes: readonly number[];
      readonly route: Route | undefined;
    }
  | { readonly type: "down" | "up"; readonly router: number }
  | { readonly type: "judge"; readonly router: number; readonly rule: Rule }
  | { readonly type: "work"; readonly count: number };

const router = fc.nat(ROUTERS - 1);
const route = fc.record({ localPref: fc.nat(1), hops: fc.nat(1), med: fc.nat(1), via: fc.nat(2) });
const say = fc.record({
  type: fc.constant("say" as const),
  router,
  prefixes: fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 12 }),
  route: fc.option(route, { nil: undefined, freq: 3 }),
});
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: say, weight: 6 },
  {
    arbitrary: fc.record({ type: fc.constantFrom("down" as const, "up" as const), router }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      type: fc.constant("judge" as const),
      router,
      rule: fc.constantFrom<Rule>("all", "even", "none"),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      type: fc.constant("work" as const),
      count: fc.integer({ min: 1, max: 9 }),
    }),
    weight: 5,
  },
);

const numbered = (family: Family, i: number): Prefix =>
  prefix(family === "ipv4" ? `10.${i}.0.0/${16 + (i % 3)}` : `2001:db8:${i}::/${48 + (i % 3)}`);

function play(world: World, steps: readonly Step[]): void {
  for (const one of world.routers) world.up(one);
  for (const step of steps) {
    if (step.type === "work") {
      world.work(step.count);
      continue;
    }
    const one = world.routers[step.router];
    if (one === undefined) continue;
    if (step.type === "say") {
      const prefixes = step.prefixes.map((i) => numbered(world.family, i));
      world.say(one, prefixes, step.route);
    } else if (step.type === "judge") world.judge(one, step.rule);
    else world[step.type](one);
  }
  world.finish();
}

test.for(["ipv4", "ipv6"] as const)(
  "%s: after any sequence it is what it would be from scratch, and so is what was told",
  (family) => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { maxLength: 60 }),
        fc.constantFrom(1, 2, 64),
        (steps, maximumPaths) => {
          const world = new World(family, maximumPaths);
          play(world, steps);
          const content = world.content();
          expect(linesOf(content.routes)).toEqual(linesOf(fromScratch(world).content().routes));
          expect(linesOf(world.told.routes)).toEqual(linesOf(content.routes));
          for (const [one, set] of world.told.routes) expect(content.routes.get(one)).toBe(set);
        },
      ),
      { numRuns: 300, endOnFailure: true },
    );
  },
);

describe("sets of paths", () => {
  const same: Route = { localPref: 0, hops: 1, med: 0, via: 0 };
  const two = (): World => {
    const world = new World("ipv4", 64);
    for (const one of world.routers.filter(({ index }) => isExternal(index))) world.up(one);
    return world;
  };
  const prefixes = Array.from({ length: 20 }, (_, i) => numbered("ipv4", i));

  test("are one object for all prefixes that have them, also over a flap of the router", () => {
    const world = two();
    const [first] = world.routers;
    if (first === undefined) throw new Error("no router");
    for (const one of world.routers) world.say(one, prefixes, same);
    world.finish();
    const sets = new Set(world.told.routes.values());
    expect(sets.size).toBe(1);
    expect([...sets][0]?.paths.map(({ neighbor }) => neighbor)).toEqual([
      "|r0|",
      "|r1|",
      "|r3|",
      "|r4|",
    ]);
    world.down(first);
    world.work(5);
    world.up(first);
    world.say(first, prefixes, same);
    world.finish();
    expect(new Set(world.told.routes.values())).toEqual(sets);
    expect([...new Set(world.told.routes.values())][0]).toBe([...sets][0]);
  });

  test("and paths are forgotten with the last route that has them", () => {
    const world = two();
    for (let round = 0; round < 50; round += 1) {
      for (const one of world.routers) {
        world.say(one, prefixes, { ...same, via: (round + one.index) % 100, med: round });
      }
      world.work(7);
    }
    world.finish();
    const { paths } = world.loc;
    expect(paths.sets.byKey.size).toBeLessThanOrEqual(2);
    expect(paths.paths.items.length).toBeLessThan(40);
    for (const one of world.routers) world.say(one, prefixes, undefined);
    world.finish();
    expect([paths.sets.byKey.size, paths.paths.byKey.size, world.loc.table.size]).toEqual([
      0, 0, 0,
    ]);
  });

  test("that change twice before they are told are told once, and not at all where nothing is left of the change", () => {
    const world = two();
    const [first] = world.routers;
    if (first === undefined) throw new Error("no router");
    world.say(first, prefixes, same);
    world.say(first, prefixes, { ...same, via: 1 });
    world.finish();
    expect(world.told.count).toBe(prefixes.length);
    world.say(first, prefixes, undefined);
    world.say(first, prefixes, { ...same, via: 1 });
    world.finish();
    expect(world.told.count).toBe(prefixes.length);
  });
});

test("stale routes take part like others (RFC 4724 §4.2)", () => {
  // A mark of Adj-RIB-In only: what is accepted is a candidate, whatever else is known of it.
  const world = new World("ipv4", 64);
  const [first] = world.routers;
  if (first === undefined) throw new Error("no router");
  world.up(first);
  world.say(first, [prefix("10.0.0.0/16")], { localPref: 0, hops: 0, med: 0, via: 0 });
  world.finish();
  if (first.rib === undefined) throw new Error("no rib");
  ageRoutes(first.rib, "ipv4", true);
  touch(world.loc, 16, 0x0a00_0000, 0, 0, 0);
  world.finish();
  expect(world.told.routes.size).toBe(1);
  ageRoutes(first.rib, "ipv4", true);
  world.finish();
  expect(world.told.routes.size).toBe(1);
  sweepAll(first.rib);
  world.finish();
  expect(world.told.routes.size).toBe(0);
});
