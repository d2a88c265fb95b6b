/**
 * Which learned routes are installed: RouteImports, what receive rules of FRRConfigurations imply, and what VRFs leak to each other.
 *
 * Pure. frr-k8s installs whatever a neighbour may send; here the default route is the exception: it has to be asked for by name,
 * because a host that takes a wrong one is lost (asks: "default-route guard"). A speaker that installs what it learns (FRR's
 * zebra) is not doubled: the agent looks whether it did (agent/core/not-installed.ts).
 */
import type { NeighborIntent, ReceiveRule } from "../../backends/intent.ts";
import type { ImportRule } from "../../backends/kernel/intent.ts";
import { bitsOf } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { prefix, prefixFamily, prefixLength } from "../../events/prefix.ts";
import {
  IMPORT_METRIC,
  MOST_IMPORTED,
  type RouteImport,
} from "../../events/resources/route-import.ts";
import type { DesiredState, Held } from "../../events/state.ts";
import { namesPeer } from "./exports.ts";
import { inForceOf } from "./held.ts";
import { importLacking } from "./kernel-ability.ts";
import { anySelects, nodeLabels } from "./labels.ts";
import type { PlannedRouter, PlannedRouters } from "./neighbors.ts";
import { has, type PlanOptions, speakersOf } from "./options.ts";
import { feederOf } from "./peer-backends.ts";

const DEFAULTS = [prefix("0.0.0.0/0"), prefix("::/0")];

/**
 * What a RouteImport asks for may come in, from the neighbours of the speaker that feeds the kernel in that VRF. Another one that
 * installs by itself takes nothing in there: two hands on one table would fight.
 */
export function openFor(
  desired: DesiredState,
  planned: PlannedRouters,
  options: PlanOptions,
): PlannedRouters {
  const imports = importsHere(desired);
  return new Map(
    speakersOf(options).map((speaker) => {
      const routers = planned.get(speaker.backend) ?? [];
      const installs = has(speaker, "installs-routes");
      if (imports.length === 0 && !installs) return [speaker.backend, routers] as const;
      const opened = routers.map((one): PlannedRouter => {
        const feeds = feederOf(desired, one.router.vrf, options) === speaker;
        if (feeds) return openedRouter(one, imports, installs);
        return installs ? closedRouter(one) : one;
      });
      return [speaker.backend, opened] as const;
    }),
  );
}

const closedRouter = ({ router, tellable }: PlannedRouter): PlannedRouter => ({
  tellable,
  router: {
    ...router,
    neighbors: router.neighbors.map((one) => ({ ...one, receive: { type: "nothing" } })),
  },
});

function openedRouter(
  { router, tellable }: PlannedRouter,
  imports: ReturnType<typeof importsHere>,
  installs: boolean,
): PlannedRouter {
  return {
    tellable,
    router: {
      ...router,
      neighbors: router.neighbors.map((neighbor): NeighborIntent => {
        const mine = imports.filter((one) => namesPeer(one.resource.spec, router.vrf, neighbor));
        const own = installs ? withoutDefault(neighbor.receive) : neighbor.receive;
        if (mine.length === 0)
          return own === neighbor.receive ? neighbor : { ...neighbor, receive: own };
        const asked = mine.map(({ resource }) =>
          installs && !resource.spec.acceptDefault
            ? withoutDefault(ruleOf(resource), "all")
            : ruleOf(resource),
        );
        return {
          ...neighbor,
          receive: asked.reduce(wider, own),
          provenance: [...neighbor.provenance, ...mine.map(({ fact }) => fact)],
        };
      }),
    },
  };
}

/**
 * What such a speaker takes in, it installs: so the default route is kept out where nobody asked for it. `everything` never asks; a
 * filter of an FRRConfiguration that holds it does, a RouteImport's (`all`) only with acceptDefault.
 */
function withoutDefault(
  rule: ReceiveRule,
  which: "everything" | "all" = "everything",
): ReceiveRule {
  if (rule.type === "nothing" || (rule.type === "prefixes" && which === "everything")) return rule;
  const some =
    rule.type === "prefixes"
      ? rule.prefixes
      : DEFAULTS.map((one) => ({ prefix: one, atLeast: 0, atMost: bitsOf(prefixFamily(one)) }));
  const prefixes = some
    .map((one) =>
      prefixLength(one.prefix) === 0 && one.atLeast === 0 ? { ...one, atLeast: 1 } : one,
    )
    .filter(({ atLeast, atMost }) => atLeast <= atMost);
  return prefixes.length === 0 ? { type: "nothing" } : { type: "prefixes", prefixes };
}

const importsHere = (desired: DesiredState): readonly Held<RouteImport>[] => {
  const labels = nodeLabels(desired);
  return inForceOf(desired, "rutter/RouteImport").filter(({ resource }) =>
    anySelects(resource.spec.nodeSelectors, labels),
  );
};

const ruleOf = ({ spec }: RouteImport): ReceiveRule =>
  spec.prefixes.length === 0
    ? { type: "everything" }
    : {
        type: "prefixes",
        prefixes: spec.prefixes.map(({ prefix: value, ge, le }) => ({
          prefix: value,
          atLeast: ge,
          atMost: le,
        })),
      };

function wider(a: ReceiveRule, b: ReceiveRule): ReceiveRule {
  if (a.type === "nothing" || b.type === "everything") return b;
  if (b.type === "nothing" || a.type === "everything") return a;
  const texts = new Set<string>();
  const prefixes = [...a.prefixes, ...b.prefixes].filter((one) => {
    const text = JSON.stringify(one);
    return !texts.has(text) && texts.add(text);
  });
  return { type: "prefixes", prefixes };
}

/**
 * In order of precedence: RouteImports by name, then what receive rules imply, then what VRFs leak, which is beside all. `planned`
 * as before openFor(). In each VRF of the speaker that feeds the kernel there; of one that installs routes itself only what that
 * does otherwise: RouteImports that name another table, metric or source.
 */
export function planImports(
  desired: DesiredState,
  planned: PlannedRouters,
  options: PlanOptions,
): readonly ImportRule[] {
  const routers = speakersOf(options).flatMap((speaker) =>
    (planned.get(speaker.backend) ?? [])
      .map(({ router }) => router)
      .filter(({ vrf }) => feederOf(desired, vrf, options) === speaker),
  );
  const installs = (vrf: string): boolean =>
    has(feederOf(desired, vrf, options), "installs-routes");
  const ours = importsHere(desired).filter(
    ({ resource }) =>
      importLacking(options.kernel, resource.spec.vrf) === undefined &&
      (!installs(resource.spec.vrf) || isSpecial(resource)),
  );
  const asked = ours.map((held): ImportRule => {
    const { metadata, spec } = held.resource;
    const neighbors = routers.flatMap(({ vrf, neighbors: all }) =>
      all.filter((one) => namesPeer(spec, vrf, one)).map(({ key }) => key),
    );
    return {
      name: metadata.namespace === "" ? metadata.name : `${metadata.namespace}/${metadata.name}`,
      vrf: spec.vrf,
      neighbors: spec.peers.length === 0 ? undefined : neighbors,
      prefixes: spec.prefixes.map(({ prefix: value, ge, le }) => ({
        prefix: value,
        atLeast: ge,
        atMost: le,
      })),
      table: spec.table,
      metric: spec.metric,
      preferredSource: spec.preferredSource,
      maximum: spec.maximum,
      acceptDefault: spec.acceptDefault,
      provenance: [held.fact],
    };
  });
  const fed = routers.filter(({ vrf }) => !installs(vrf));
  return [...asked, ...fed.flatMap(implied), ...leaked(desired, fed)];
}

/** Not what every speaker's own installing comes to: the table of the VRF, FRR's metric, the source that the kernel chooses. */
export const isSpecial = ({ spec }: RouteImport): boolean =>
  spec.table !== undefined ||
  spec.metric !== IMPORT_METRIC ||
  Object.keys(spec.preferredSource).length > 0;

/** FRR installs what passes toReceive, into the table of its router, at metric 20. */
function implied({ vrf, neighbors }: PlannedRouter["router"]): readonly ImportRule[] {
  const open = neighbors.filter(({ receive }) => receive.type !== "nothing");
  if (open.length === 0) return [];
  const rule = (
    name: string,
    whose: readonly NeighborIntent[],
    isDefault: boolean,
  ): ImportRule => ({
    name: vrf === "" ? name : `${name}@${vrf}`,
    vrf,
    neighbors: whose.map(({ key }): NeighborKey => key),
    prefixes: isDefault ? DEFAULTS.map((one) => ({ prefix: one, atLeast: 0, atMost: 0 })) : [],
    table: undefined,
    metric: IMPORT_METRIC,
    preferredSource: {},
    maximum: MOST_IMPORTED,
    acceptDefault: isDefault,
    provenance: [...new Set(whose.flatMap(({ provenance }) => provenance))],
  });
  const askers = open.filter(
    ({ receive }) =>
      receive.type === "prefixes" &&
      receive.prefixes.some((one) => prefixLength(one.prefix) === 0 && one.atLeast === 0),
  );
  return [
    ...(askers.length === 0 ? [] : [rule("toReceive-default", askers, true)]),
    rule("toReceive", open, false),
  ];
}

/**
 * router.imports: what one VRF learned is used in another, where its own routes go before it (FRR: one table of both, in which the
 * better path wins). A VRF's rules have a metric of their own there, for no two fill a table at the same one. Never a default route:
 * one that is right in its VRF is wrong for whoever only wants the VRF's networks; a RouteImport with a table brings it.
 */
function leaked(
  desired: DesiredState,
  routers: readonly PlannedRouter["router"][],
): readonly ImportRule[] {
  const opened = new Set(importsHere(desired).map(({ resource }) => resource.spec.vrf));
  const into = Map.groupBy(routers, ({ vrf }) => vrf);
  return [...into].flatMap(([vrf, own]) => {
    const imports = [...new Set(own.flatMap((router) => router.imports))].toSorted();
    return imports.flatMap((from, i): readonly ImportRule[] => {
      const theirs = (into.get(from) ?? []).flatMap(({ neighbors }) => neighbors);
      const isOpen = opened.has(from) || theirs.some(({ receive }) => receive.type !== "nothing");
      if (theirs.length === 0 || !isOpen) return [];
      const ours = own.flatMap(({ neighbors }) => neighbors);
      const name = `imports.${from === "" ? "default" : from}`;
      return [
        {
          name: vrf === "" ? name : `${name}@${vrf}`,
          vrf: from,
          neighbors: undefined,
          prefixes: [],
          table: { vrf },
          metric: IMPORT_METRIC + 1 + i,
          preferredSource: {},
          maximum: MOST_IMPORTED,
          acceptDefault: false,
          provenance: [...new Set([...ours, ...theirs].flatMap(({ provenance }) => provenance))],
        },
      ];
    });
  });
}
