/**
 * Facts on their way to whoever watches: gathered, so that thousands of routes are one fact.
 *
 * Reads next: facts.ts.
 */
import type { Clock } from "../clock.ts";
import type { KernelFact } from "./facts.ts";
import type { Importer } from "./importer.ts";
import { vrfOfLane } from "./imports.ts";
import type { Model } from "./model.ts";

/** At most ten facts a second of one kind. */
const TELL_MILLIS = 100;

type Drift = Extract<KernelFact, { type: "drift" }>;

export type Announcements = {
  fact(fact: KernelFact): void;
  /** Routes were settled; told in a moment. */
  soon(): void;
  drift(what: Drift["what"], entry: string, policy: "repair" | "report", count?: number): void;
  driftCount(): number;
  watch(listener: (fact: KernelFact) => void): () => void;
  stop(): void;
};

export function announcements(
  clock: Clock,
  model: Model,
  importers: () => ReadonlyMap<string, Importer>,
): Announcements {
  const listeners = new Set<(fact: KernelFact) => void>();
  const drifts = new Map<string, Drift>();
  let drift = 0;
  let cancel: (() => void) | undefined;

  const fact = (one: KernelFact): void => {
    for (const listener of listeners) listener(one);
  };
  const flush = (): void => {
    cancel = undefined;
    for (const one of drifts.values()) fact(one);
    drifts.clear();
    for (const fib of model.fibs.values()) {
      const { added, replaced, removed, family, table, metric } = fib;
      if (added + replaced + removed === 0) continue;
      fib.added = fib.replaced = fib.removed = 0;
      const lane = model.owners.get(fib) ?? "";
      const vrf = vrfOfLane(lane);
      const importer = importers().get(`${lane}|${family}`);
      const rules = importer?.rulesOf(fib) ?? [];
      const held = rules.reduce((sum, rule) => sum + (importer?.held(rule) ?? 0), 0);
      const routes = fib.actual.size;
      const what = { vrf, table, metric, family, added, replaced, removed, routes, held };
      fact({ type: "installed", rules, ...what });
    }
  };
  const soon = (): void => {
    cancel ??= clock.after(TELL_MILLIS, flush);
  };
  return {
    fact,
    soon,
    drift(what, entry, policy, count = 1) {
      drift += count;
      const action = policy === "repair" ? "repaired" : "reported";
      const known = drifts.get(what);
      drifts.set(what, {
        type: "drift",
        what,
        entry: known?.entry ?? entry,
        count: (known?.count ?? 0) + count,
        action,
      });
      soon();
    },
    driftCount: () => drift,
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop() {
      cancel?.();
      flush();
    },
  };
}
