/**
 * Desired state → what each speaker has to be.
 *
 * Pure: reads no clock and asks nobody. plan() makes it from scratch; replan() makes the same from the plan before and costs
 * what changed, because one more VIP among 100,000 must cost what it costs among 10. Learned routes never pass through here.
 * Reads next: neighbors.ts (peers), announce.ts (Services), routes.ts (prefixes).
 */
import type { BfdIntent } from "../../backends/bfd/intent.ts";
import type { BackendName, OwnRoute, RouterIntent, SpeakerIntent } from "../../backends/intent.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import type { Address } from "../../events/address.ts";
import type { NeighborKey, ResourceKey } from "../../events/ids.ts";
import { diff, PersistentMap } from "../../events/persistent-map.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { NotCarried } from "../../events/resources/resource.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { planBfd } from "./bfd.ts";
import { notCarriedHere, notOpened } from "./carried-here.ts";
import { announce, type Context, contextOf, type Contribution, type Verdict } from "./announce.ts";
import {
  exportChanges,
  exportContributions,
  exportersOf,
  type Exporting,
  isFromKernel,
  planExports,
} from "./exports.ts";
import { openFor, planImports } from "./imports.ts";
import { planKernel, replanKernel } from "./kernel.ts";
import {
  type NeighborVerdict,
  type PeerVerdict,
  planNeighbors,
  type PlannedRouter,
  type PlannedRouters,
} from "./neighbors.ts";
import { type PlanOptions, speakersOf } from "./options.ts";
import { compare } from "./order.ts";
import { ownContributions, preferredOf } from "./own-prefixes.ts";
import { feedersIn } from "./peer-backends.ts";
import { planRaw } from "./raw.ts";
import { type Interned, nothingInterned, routeOf, sameRoute } from "./routes.ts";

export type Plan = {
  /** What each speaker of this host is told: its own neighbours, and own routes for them. */
  readonly speakers: Readonly<Partial<Record<BackendName, SpeakerIntent>>>;
  /** VRFs whose learned routes are another speaker's than the first one's to bring into the kernel. */
  readonly feeders: ReadonlyMap<string, BackendName>;
  readonly bfd: BfdIntent;
  readonly kernel: KernelIntent;
  readonly verdicts: PersistentMap<ResourceKey, Verdict>;
  /** Of BGPPeers. */
  readonly peers: ReadonlyMap<ResourceKey, PeerVerdict>;
  /** Of all neighbours, whoever owns them, with everything that was said of each (its BFD profile too). */
  readonly neighbors: ReadonlyMap<NeighborKey, NeighborVerdict>;
  readonly notCarried: readonly NotCarried[];
  readonly warnings: PersistentMap<ResourceKey, readonly string[]>;
  readonly quarantined: DesiredState["quarantined"];
  /** When this must be planned again although nothing changed (recorded timers); undefined: never. */
  readonly wakeAt: undefined;
  /** For replan() only. */
  readonly memo: Memo;
};

type Memo = {
  readonly context: Context;
  readonly routers: PlannedRouters;
  readonly exporters: ReadonlyMap<ResourceKey, Exporting>;
  /** By Service or FRRConfiguration; a RouteExport's are many, and only among the contributors. */
  readonly contributions: PersistentMap<ResourceKey, readonly Contribution[]>;
  readonly contributors: PersistentMap<Prefix, readonly Contribution[]>;
  readonly interned: Interned;
};

const quiet: readonly string[] = [];

export function plan(desired: DesiredState, options: PlanOptions): Plan {
  const { kernel } = options;
  const { routers: merged, peers, neighbors } = planNeighbors(desired, options);
  const routers = openFor(desired, merged, options);
  const everybody = [...routers.values()].flat();
  const context = contextOf(desired, preferredOf(neighbors));
  const verdicts: [ResourceKey, Verdict][] = [];
  const contributions: (readonly [ResourceKey, readonly Contribution[]])[] = [
    ...Map.groupBy(ownContributions(neighbors), ({ cause }) => cause),
  ];
  for (const held of resourcesOf(desired, "/Service").values()) {
    const announced = announce(context, held);
    verdicts.push([held.key, announced.verdict]);
    if (announced.contributions.length > 0) contributions.push([held.key, announced.contributions]);
  }
  const exporters = exportersOf(desired, everybody);
  const contributors = Map.groupBy(
    [...contributions.flatMap(([, list]) => list), ...exportContributions(desired, exporters)],
    ({ prefix }) => prefix,
  );
  const interned = nothingInterned();
  const sorted = [...contributors].map(
    ([prefix, list]) => [prefix, list.length > 1 ? list.toSorted(byCause) : list] as const,
  );
  const speakers = Object.fromEntries(
    speakersOf(options).map((speaker): [BackendName, SpeakerIntent] => [
      speaker.backend,
      {
        routers: routersOf(routers.get(speaker.backend) ?? [], sorted, interned),
        raw: planRaw(desired, speaker),
      },
    ]),
  ) satisfies Plan["speakers"];
  const judged = PersistentMap.from(verdicts);
  return {
    speakers,
    feeders: feedersIn(desired, options),
    bfd: planBfd(desired, neighbors, options),
    kernel: planKernel(
      {
        desired,
        verdicts: judged,
        routers: allRouters(speakers),
        isFromKernel: (prefix) => isFromKernel(contributors.get(prefix) ?? []),
        kernel,
      },
      {
        imports: planImports(desired, merged, options),
        exports: planExports(desired, options.kernel),
      },
    ),
    verdicts: judged,
    peers,
    neighbors,
    notCarried: notCarriedOf(desired, neighbors, options),
    warnings: PersistentMap.from(
      verdicts.flatMap(([key, { warnings }]) =>
        warnings.length > 0 ? [[key, warnings] as const] : [],
      ),
    ),
    quarantined: desired.quarantined,
    wakeAt: undefined,
    memo: {
      context,
      routers,
      exporters,
      contributions: PersistentMap.from(contributions),
      contributors: PersistentMap.from(sorted),
      interned,
    },
  };
}

/** Equal to plan(desired, options), for the price of what differs from `before`. */
export function replan(
  before: { readonly desired: DesiredState; readonly plan: Plan } | undefined,
  desired: DesiredState,
  options: PlanOptions,
): Plan {
  if (before === undefined || otherwiseChanged(before.desired, desired))
    return plan(desired, options);
  const { memo } = before.plan;
  const context: Context = { ...memo.context, desired };
  let { verdicts, warnings } = before.plan;
  let { contributions, contributors } = memo;
  const touched = new Set<Prefix>();
  const addresses = new Set<Address>();
  for (const key of touchedServices(before.desired, desired)) {
    const held = resourcesOf(desired, "/Service").get(key);
    const now = held === undefined ? undefined : announce(context, held);
    const old = contributions.get(key) ?? [];
    const young = now?.contributions ?? [];
    verdicts = now === undefined ? verdicts.delete(key) : verdicts.set(key, now.verdict);
    const said = now?.verdict.warnings ?? quiet;
    warnings = said.length === 0 ? warnings.delete(key) : warnings.set(key, said);
    contributions = young.length === 0 ? contributions.delete(key) : contributions.set(key, young);
    for (const { prefix } of [...old, ...young]) touched.add(prefix);
    contributors = moved(contributors, key, old, young);
    for (const { allocations } of [before.desired, desired]) {
      for (const { address } of allocations.get(key)?.addresses ?? []) addresses.add(address);
    }
  }
  for (const { rule, old, young } of exportChanges(before.desired, desired, memo.exporters)) {
    for (const { prefix } of [...old, ...young]) touched.add(prefix);
    contributors = moved(contributors, rule, old, young);
  }
  const speakers: Plan["speakers"] = Object.fromEntries(
    Object.entries(before.plan.speakers).map(([backend, was]) => {
      const routers = memo.routers.get(backend as BackendName) ?? [];
      return [backend, speakerAfter(was, routers, memo.interned, contributors, touched)] as const;
    }),
  );
  const kernel = replanKernel(
    before.plan.kernel,
    {
      desired: before.desired,
      verdicts: before.plan.verdicts,
      routers: allRouters(before.plan.speakers),
      isFromKernel: (prefix) => isFromKernel(memo.contributors.get(prefix) ?? []),
      kernel: options.kernel,
    },
    {
      desired,
      verdicts,
      routers: allRouters(speakers),
      isFromKernel: (prefix) => isFromKernel(contributors.get(prefix) ?? []),
      kernel: options.kernel,
    },
    { addresses, prefixes: touched },
  );
  return {
    ...before.plan,
    speakers,
    kernel,
    verdicts,
    warnings,
    notCarried: before.plan.notCarried,
    quarantined: desired.quarantined,
    memo: { ...memo, context, contributions, contributors },
  };
}

const allRouters = (speakers: Plan["speakers"]): readonly RouterIntent[] =>
  Object.values(speakers).flatMap(({ routers }) => routers);

/** Whether anything but Services, what they hold and their health, and what the kernel offers differs. */
function otherwiseChanged(before: DesiredState, after: DesiredState): boolean {
  if (before.host !== after.host || before.quarantined !== after.quarantined) return true;
  if (before.found !== after.found) return true;
  const types = new Set([...Object.keys(before.resources), ...Object.keys(after.resources)]);
  types.delete("/Service");
  return [...types].some(
    (type) =>
      before.resources[type as keyof DesiredState["resources"]] !==
      after.resources[type as keyof DesiredState["resources"]],
  );
}

function touchedServices(before: DesiredState, after: DesiredState): ReadonlySet<ResourceKey> {
  const keys = new Set<ResourceKey>();
  const pairs = [
    [resourcesOf(before, "/Service"), resourcesOf(after, "/Service")],
    [before.allocations, after.allocations],
    [before.awaiting, after.awaiting],
    [before.endpoints, after.endpoints],
  ] as const;
  for (const [old, young] of pairs) {
    for (const { key } of diff<ResourceKey, unknown>(old, young)) keys.add(key);
  }
  return keys;
}

function moved(
  contributors: Memo["contributors"],
  cause: ResourceKey,
  old: readonly Contribution[],
  young: readonly Contribution[],
): Memo["contributors"] {
  let next = contributors;
  const mine = Map.groupBy(young, ({ prefix }) => prefix);
  for (const prefix of new Set([...old, ...young].map((one) => one.prefix))) {
    const others = (next.get(prefix) ?? []).filter((one) => one.cause !== cause);
    const list = [...others, ...(mine.get(prefix) ?? [])].toSorted(byCause);
    next = list.length === 0 ? next.delete(prefix) : next.set(prefix, list);
  }
  return next;
}

/** One order for all ways to the same plan: by advertisement, then cause; equal ones (an FRRConfiguration's) by neighbour. */
function byCause(a: Contribution, b: Contribution): number {
  const towards = ({ to }: Contribution): string => (to.type === "neighbor" ? to.key : "");
  return (
    compare(a.advertisement, b.advertisement) ||
    compare(a.cause, b.cause) ||
    compare(towards(a), towards(b))
  );
}

const routersOf = (
  routers: readonly PlannedRouter[],
  contributors: readonly (readonly [Prefix, readonly Contribution[]])[],
  interned: Interned,
): readonly RouterIntent[] =>
  routers.map(({ router, tellable }): RouterIntent => ({
    ...router,
    routes: PersistentMap.from(
      contributors.flatMap(([prefix, list]): [Prefix, OwnRoute][] => {
        const route = routeOf(prefix, list, tellable, interned);
        return route === undefined ? [] : [[prefix, route]];
      }),
    ),
  }));

function speakerAfter(
  before: SpeakerIntent,
  planned: readonly PlannedRouter[],
  interned: Interned,
  contributors: Memo["contributors"],
  touched: ReadonlySet<Prefix>,
): SpeakerIntent {
  let changed = false;
  const tellable = new Map(planned.map((one) => [one.router.key, one.tellable]));
  const routers = before.routers.map((router): RouterIntent => {
    let { routes } = router;
    for (const prefix of touched) {
      const list = contributors.get(prefix);
      const route = list && routeOf(prefix, list, tellable.get(router.key) ?? [], interned);
      const known = routes.get(prefix);
      if (route === undefined) routes = routes.delete(prefix);
      else if (known === undefined || !sameRoute(known, route)) routes = routes.set(prefix, route);
    }
    if (routes === router.routes) return router;
    changed = true;
    return { ...router, routes };
  });
  return changed ? { ...before, routers } : before;
}

function notCarriedOf(
  desired: DesiredState,
  neighbors: Plan["neighbors"],
  options: PlanOptions,
): readonly NotCarried[] {
  const peers = [...resourcesOf(desired, "metallb.io/BGPPeer").values()].map(
    ({ resource }) => resource,
  );
  const fields = Object.entries(desired.resources)
    .filter(([type]) => type !== "/Service")
    .flatMap(([, ofType]) => [...ofType.values()] as readonly Held[])
    .flatMap(({ resource }) => notCarriedHere(desired, resource, options, peers));
  return [...fields, ...notOpened(neighbors, options.kernel)].toSorted((a, b) =>
    compare(`${a.resource} ${a.field}`, `${b.resource} ${b.field}`),
  );
}
