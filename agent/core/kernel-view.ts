/**
 * The kernel as `status`, `routes kernel` and `get intent` show it.
 *
 * Pure. Routes are walked lazily: one line for each next hop, so that ECMP is seen.
 */
import type { Kernel, KernelRoute } from "../../backends/kernel/facts.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { KernelJson, RouteJson } from "../api/contract.ts";
import type { IntentJson } from "../api/intent-json.ts";

export function kernelView(kernel: Pick<Kernel, "status"> | undefined): KernelJson | null {
  if (kernel === undefined) return null;
  const { rules, exports, routes, drift, problems } = kernel.status();
  const notInstalled = rules.flatMap(({ rule, held }) =>
    held.map(({ reason, count, example }) => ({ rule, reason, count, example })),
  );
  const notTold = exports.flatMap(({ rule, beyond: count, example }) =>
    example === undefined ? [] : [{ rule, reason: "maximum", count, example }],
  );
  return {
    routes,
    held: [...notInstalled, ...notTold],
    drift,
    problems: problems.map((one) => ({ ...one })),
  };
}

export function* kernelRoutes(
  kernel: Kernel | undefined,
  names: ReadonlyMap<NeighborKey, string>,
  neighbor: NeighborKey | undefined,
): Generator<RouteJson> {
  for (const route of kernel?.routes() ?? []) {
    if (neighbor !== undefined && !route.neighbors.includes(neighbor)) continue;
    yield* routeLines(route, names);
  }
}

function* routeLines(
  { prefix, table, metric, rule, neighbors, hops, preferredSource }: KernelRoute,
  names: ReadonlyMap<NeighborKey, string>,
): Generator<RouteJson> {
  const peers = neighbors.map((key) => names.get(key) ?? key);
  const [first = ""] = neighbors;
  for (const [i, { gateway, device }] of hops.entries()) {
    yield {
      prefix,
      peer: (hops.length === peers.length ? peers[i] : undefined) ?? peers.join(", "),
      vrf: first.split("|")[0] ?? "",
      pathId: i,
      nextHop: gateway ?? "",
      asPath: "",
      origin: "incomplete",
      localPref: null,
      med: null,
      communities: [],
      largeCommunities: [],
      accepted: true,
      best: true,
      reason: "",
      age: null,
      provenance: [],
      kernel: { table, metric, device, rule, preferredSource: preferredSource ?? null },
    };
  }
}

export function kernelIntentView({
  addresses,
  routes,
  rules,
  sourceNats,
  imports,
  exports,
}: KernelIntent): IntentJson["kernel"] {
  const entries = [addresses, routes, rules, sourceNats].flatMap((part) =>
    [...part].map(([entry, { provenance }]) => ({ entry, provenance: [...provenance] })),
  );
  return {
    entries: entries.toSorted((a, b) => (a.entry < b.entry ? -1 : 1)),
    rules: imports.map(({ preferredSource: _source, ...rule }) => ({
      ...rule,
      neighbors: rule.neighbors === undefined ? null : [...rule.neighbors],
      prefixes: rule.prefixes.map((one) => ({ ...one })),
      table: typeof rule.table === "object" ? { ...rule.table } : (rule.table ?? null),
      provenance: [...rule.provenance],
    })),
    exports: exports.map(({ from, ...rule }) => ({
      ...rule,
      from: { ...from },
      prefixes: rule.prefixes.map((one) => ({ ...one })),
      provenance: [...rule.provenance],
    })),
  };
}
