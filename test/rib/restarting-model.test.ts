/**
 * Whatever two peers do, say and restart, and however time passes: best paths are those of a model that keeps each route by itself.
 *
 * Also that nothing is told twice or in vain: where a step is looked at alone, as many prefixes are told as differ after it.
 * Method: inbound-stage.ts, steps drawn by fast-check; some come while the work of those before is still waiting.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ReceiveRule } from "../../backends/intent.ts";
import { DEFAULT_STALE_PATH_SECONDS } from "../../backends/native/restarting-peer.ts";
import type { Family } from "../../events/address.ts";
import { type Prefix, prefix, prefixFamily } from "../../events/prefix.ts";
import { stage } from "./inbound-stage.ts";
import { neighborOf } from "./neighbors.ts";
import { linesOf } from "./told.ts";

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];
const PREFIXES: readonly Prefix[] = Array.from({ length: 6 }, (_, i) =>
  prefix(i < 4 ? `10.${i}.0.0/16` : `2001:db8:${i}::/48`),
);
const NARROW: ReceiveRule = {
  type: "prefixes",
  prefixes: PREFIXES.filter((_one, i) => i % 2 === 0).map((one) => ({
    prefix: one,
    atLeast: 0,
    atMost: 128,
  })),
};
const RULES = { all: { type: "everything" }, some: NARROW, none: { type: "nothing" } } as const;

type Step = { readonly peer: number; readonly alone: boolean } & (
  | {
      readonly type: "comes";
      readonly graceful: boolean;
      readonly listed: readonly Family[];
      readonly kept: readonly Family[];
      readonly restartSeconds: number;
      readonly identifier: number;
    }
  | { readonly type: "says"; readonly prefixes: readonly Prefix[]; readonly via: number }
  | { readonly type: "takes-back"; readonly prefixes: readonly Prefix[] }
  | { readonly type: "ends"; readonly family: Family }
  | { readonly type: "goes"; readonly notified: boolean }
  | { readonly type: "waits"; readonly seconds: number }
  | { readonly type: "dropped" }
  | { readonly type: "judged"; readonly rule: keyof typeof RULES }
);

const some = fc.subarray([...PREFIXES], { minLength: 1 });
const families = fc.oneof(
  { weight: 5, arbitrary: fc.constant<readonly Family[]>(FAMILIES) },
  fc.constantFrom<readonly Family[]>(["ipv4"], ["ipv6"], []),
);
const what = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("comes" as const),
      graceful: fc.nat({ max: 9 }).map((n) => n > 0),
      listed: families,
      kept: families,
      restartSeconds: fc.constantFrom(120, 30, 120, 120, 120, 0),
      identifier: fc.nat({ max: 15 }).map((n) => (n === 0 ? 2 : 1)),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("says" as const),
      prefixes: some,
      via: fc.constantFrom(1, 1, 2),
    }),
  },
  fc.record({ type: fc.constant("takes-back" as const), prefixes: some }),
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("ends" as const),
      family: fc.constantFrom(...FAMILIES),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("goes" as const),
      notified: fc.nat({ max: 7 }).map((n) => n === 7),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("waits" as const),
      seconds: fc.constantFrom(1, 29, 30, 100, 359, 400),
    }),
  },
  fc.record({ type: fc.constant("dropped" as const) }),
  fc.record({
    type: fc.constant("judged" as const),
    rule: fc.constantFrom("all" as const, "some" as const, "none" as const),
  }),
);
const anyStep: fc.Arbitrary<Step> = fc
  .tuple(what, fc.constantFrom(0, 0, 1), fc.boolean())
  .map(([step, peer, alone]) => ({ ...step, peer, alone }));

type Session = {
  readonly listed: readonly Family[];
  readonly restartSeconds: number;
};

/** One peer, as RFC 4724 §4.2 has it, route by route. */
class Model {
  readonly routes = new Map<Prefix, { via: number; stale: boolean }>();
  session: Session | undefined;
  identifier = 1;
  rule: keyof typeof RULES = "all";
  /** When what is stale goes. */
  deadline = Number.POSITIVE_INFINITY;

  take(step: Step, now: number): void {
    switch (step.type) {
      case "comes":
        if (this.session === undefined) this.comes(step, now);
        return;
      case "says":
        if (this.session === undefined) return;
        for (const one of step.prefixes) this.routes.set(one, { via: step.via, stale: false });
        return;
      case "takes-back":
        if (this.session === undefined) return;
        for (const one of step.prefixes) this.routes.delete(one);
        return;
      case "ends":
        if (this.session === undefined) return;
        this.forget((one, stale) => stale && prefixFamily(one) === step.family);
        return;
      case "goes":
        if (this.session !== undefined) this.goes(this.session, step.notified, now);
        return;
      case "dropped":
        this.session = undefined;
        this.forget(() => true);
        return;
      case "judged":
        this.rule = step.rule;
        return;
      case "waits":
        return;
    }
  }

  passed(now: number): void {
    if (now >= this.deadline) this.forget((_one, stale) => stale);
  }

  forget(which: (one: Prefix, stale: boolean) => boolean): void {
    for (const [one, { stale }] of this.routes) if (which(one, stale)) this.routes.delete(one);
    if (![...this.routes.values()].some(({ stale }) => stale)) {
      this.deadline = Number.POSITIVE_INFINITY;
    }
  }

  comes(step: Extract<Step, { type: "comes" }>, now: number): void {
    const listed = step.graceful ? step.listed : [];
    const kept = listed.filter((one) => step.kept.includes(one));
    const isOther = step.identifier !== this.identifier;
    this.identifier = step.identifier;
    this.session = { listed, restartSeconds: step.restartSeconds };
    this.deadline = now + DEFAULT_STALE_PATH_SECONDS;
    this.forget((one) => isOther || !kept.includes(prefixFamily(one)));
  }

  goes({ listed, restartSeconds }: Session, notified: boolean, now: number): void {
    this.session = undefined;
    const stays = (one: Prefix, stale: boolean): boolean =>
      !notified && restartSeconds > 0 && !stale && listed.includes(prefixFamily(one));
    this.forget((one, stale) => !stays(one, stale));
    for (const route of this.routes.values()) route.stale = true;
    this.deadline = this.routes.size > 0 ? now + restartSeconds : Number.POSITIVE_INFINITY;
  }

  accepted(one: Prefix): number | undefined {
    const index = PREFIXES.indexOf(one);
    const isIn = this.rule === "all" || (this.rule === "some" && index % 2 === 0);
    return isIn ? this.routes.get(one)?.via : undefined;
  }
}

const hopOf = (family: Family, via: number): string =>
  family === "ipv4" ? `192.0.2.${via}` : `2001:db8::${via}`;

function linesOfModels(models: readonly Model[]): readonly string[] {
  return PREFIXES.flatMap((one) => {
    const paths = models.flatMap((model, i) => {
      const via = model.accepted(one);
      return via === undefined ? [] : [`|r${i}|>${hopOf(prefixFamily(one), via)}`];
    });
    return paths.length === 0 ? [] : [`${one}: ${paths.join(" ")}`];
  }).toSorted();
}

const differing = (before: readonly string[], after: readonly string[]): number => {
  const old = before.filter((one) => !after.includes(one));
  const young = after.filter((one) => !before.includes(one));
  return new Set([...old, ...young].map((one) => one.split(": ")[0])).size;
};

const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test("any sequence leads to the paths of the model, each change told once", async () => {
  const seen = { restarts: 0, kept: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 10, maxLength: 40, size: "max" }),
      async (steps) => {
        const all = stage();
        const told = all.listen();
        const peers = [all.peer(), all.peer()] as const;
        const models = [new Model(), new Model()] as const;
        let before: readonly string[] = [];
        let count = 0;
        let since = 0;
        for (const step of steps) {
          since += 1;
          const peer = peers[step.peer === 0 ? 0 : 1];
          const model = models[step.peer === 0 ? 0 : 1];
          const wasUp = model.session !== undefined;
          play(step, peer, wasUp);
          if (step.type === "waits") {
            all.clock.advance(1000 * step.seconds);
          }
          const now = all.clock.monotonicMillis() / 1000;
          for (const one of models) one.passed(now);
          model.take(step, now);
          if (step.type === "goes" && wasUp) {
            seen.restarts += 1;
            seen.kept += model.routes.size;
          }
          if (!step.alone) continue;
          await settled();
          const lines = linesOfModels(models);
          expect(linesOf(told.routes)).toEqual(lines);
          const changes = told.count - count;
          expect(changes).toBe(since === 1 ? differing(before, lines) : changes);
          before = lines;
          count = told.count;
          since = 0;
          for (const [i, one] of peers.entries()) {
            expect(one.count("received")).toBe(models[i]?.routes.size);
          }
        }
      },
    ),
    { numRuns: 400 },
  );
  // The steps are such that there is something to see.
  expect(seen.restarts).toBeGreaterThan(300);
  expect(seen.kept).toBeGreaterThan(300);

  function play(step: Step, peer: ReturnType<ReturnType<typeof stage>["peer"]>, isUp: boolean) {
    switch (step.type) {
      case "comes": {
        if (isUp) return;
        const { graceful, listed, kept, restartSeconds, identifier } = step;
        const restartFamilies = graceful ? listed : [];
        peer.comes(
          {
            gracefulRestart: graceful,
            peerRestartSeconds: restartSeconds,
            restartFamilies,
            forwardingKept: restartFamilies.filter((one) => kept.includes(one)),
          },
          { remoteRouterId: identifier },
        );
        return;
      }
      case "says":
        if (!isUp) return;
        for (const family of FAMILIES) {
          const ofFamily = step.prefixes.filter((one) => prefixFamily(one) === family);
          if (ofFamily.length > 0) peer.says(ofFamily, hopOf(family, step.via));
        }
        return;
      case "takes-back":
        if (isUp) peer.takesBack(step.prefixes);
        return;
      case "ends":
        if (isUp) peer.ends(step.family);
        return;
      case "goes":
        if (isUp) peer.down(!step.notified);
        return;
      case "dropped":
        peer.drop();
        return;
      case "judged":
        peer.update(neighborOf({ receive: RULES[step.rule] }));
        return;
      case "waits":
        return;
    }
  }
});
