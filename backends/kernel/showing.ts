/**
 * What people ask for: routes of ours with the rule and the neighbours they are from, and counts with reasons.
 *
 * Pure; walked lazily, so that a full table is never one array. Reads next: facts.ts.
 */
import { addressFromOctets } from "../../events/address.ts";
import { isTaken, slotsOf } from "../native/rib/prefix-table.ts";
import type { KernelRoute, KernelStatus, OwnProblem, RuleStatus } from "./facts.ts";
import { wordsAt } from "./fib.ts";
import type { ExportCount } from "./exporter.ts";
import type { Importer } from "./importer.ts";
import { type Model, prefixText } from "./model.ts";

export function* shownRoutes(
  model: Model,
  importers: ReadonlyMap<string, Importer>,
): Generator<KernelRoute> {
  const { forwardings, host } = model;
  for (const fib of model.fibs.values()) {
    const importer = importers.get(`${model.owners.get(fib) ?? ""}|${fib.family}`);
    for (let slot = 0; slot < slotsOf(fib.actual); slot += 1) {
      if (!isTaken(fib.actual, slot)) continue;
      const words = wordsAt(fib.actual, slot);
      const forwarding = forwardings.at(fib.actual.values[slot] ?? 0);
      const from = importer?.takenFrom(words, fib);
      const source = forwarding?.preferredSource;
      yield {
        prefix: prefixText(fib.family, words),
        table: fib.table,
        metric: fib.metric,
        rule: from?.rule.name ?? "",
        neighbors: from?.neighbors ?? [],
        hops: (forwarding?.hops ?? []).map(({ gateway, device }) => ({
          gateway: gateway === undefined ? undefined : addressFromOctets(gateway),
          device: host.links.get(device)?.name ?? `#${device}`,
        })),
        preferredSource: source === undefined ? undefined : addressFromOctets(source),
      };
    }
  }
}

export function statusOf(
  model: Model,
  importers: Iterable<Importer>,
  exports: readonly ExportCount[],
  rest: {
    readonly drift: number;
    readonly resyncs: number;
    readonly problems: readonly OwnProblem[];
  },
): KernelStatus {
  const rules: RuleStatus[] = [];
  for (const importer of importers) rules.push(...rulesOf(model, importer));
  let routes = 0;
  for (const fib of model.fibs.values()) routes += fib.actual.size;
  return {
    rules,
    routes,
    exports: exports.map(({ rule, ...count }) => ({ rule: rule.rule, ...count })),
    ...rest,
  };
}

function rulesOf(model: Model, importer: Importer): RuleStatus[] {
  const { lane, vrf, family } = importer;
  type Counted = { installed: number; readonly held: RuleStatus["held"][number][] };
  const all = new Map<string, Counted>();
  const of = (rule: string): Counted => {
    const known = all.get(rule) ?? { installed: 0, held: [] };
    all.set(rule, known);
    return known;
  };
  for (const { rule, verdict, count, example } of importer.counts()) {
    if (verdict === "taken") of(rule).installed += count;
    else of(rule).held.push({ reason: verdict, count, example: prefixText(family, example) });
  }
  for (const fib of model.fibsOf(lane, family)) {
    const refused = new Map<
      string,
      { count: number; example: RuleStatus["held"][number]["example"] }
    >();
    for (let slot = 0; slot < slotsOf(fib.blocked); slot += 1) {
      if (!isTaken(fib.blocked, slot)) continue;
      const words = wordsAt(fib.blocked, slot);
      const rule = importer.takenFrom(words, fib)?.rule.name ?? "";
      const known = refused.get(rule);
      if (known === undefined) {
        refused.set(rule, { count: 1, example: prefixText(family, words) });
      } else known.count += 1;
    }
    for (const [rule, { count, example }] of refused) {
      const counted = of(rule);
      counted.installed -= count;
      counted.held.push({ reason: "refused-by-kernel", count, example });
    }
  }
  return [...all].map(([rule, counted]) => ({ rule, vrf, family, ...counted }));
}
