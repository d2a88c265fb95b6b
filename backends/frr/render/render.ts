/**
 * An intent → what the daemons' configurations have to be.
 *
 * Pure. Each tree has the lines that `show running-config` prints when it is so, and no others, so that it can be compared with what is
 * read. Raw lines are not in it: they are opaque, and come behind. Reads next: neighbor.ts, classes.ts, routes.ts.
 */
import type { Family } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import type { RevealSecret } from "../../backend.ts";
import type { NeighborIntent, RouterIntent, SpeakerIntent } from "../../intent.ts";
import { type ConfigTree, leaves, NO_LINES } from "../config/tree.ts";
import { type FrrVersion, isAtLeast } from "../version.ts";
import { renderBfd } from "./bfd.ts";
import { assignClasses, type Classes, type Teller } from "./classes.ts";
import { evpnLines, zebraVniLines } from "./evpn.ts";
import { namedLists, namesIn, usesReceiveList } from "./named-lists.ts";
import { EVPN_LINE, familyLine, neighborId, outMap, routerLine, tagMap } from "./names.ts";
import { isInternal, type SessionLines, sessionLines } from "./neighbor.ts";
import { freeNumbers, reservedBy, type Tags } from "./numbers.ts";
import { blockLists, type Inbound, inbound, LAST_SEQUENCE, type Lists } from "./policy.ts";
import { networks } from "./routes.ts";
import { importFamilies, importLines, routerLines } from "./router.ts";

export type Rendered = {
  readonly bgpd: ConfigTree;
  readonly bfdd: ConfigTree;
  readonly zebra: ConfigTree;
  /** Neighbours that FRR cannot be given as they are, and why: they are not in the trees. */
  readonly withheld: ReadonlyMap<NeighborKey, string>;
  readonly classes: Classes;
};

export type RenderOptions = {
  readonly version: FrrVersion;
  readonly reveal: RevealSecret;
  /** Numbers that are given already (numbers.ts). */
  readonly tags: Tags;
  /** Of earlier calls, so that a neighbour that did not change is not rendered again; for one version only. */
  readonly memo?: RenderMemo;
};

/** By identity: intents are immutable, and share what did not change. */
export type RenderMemo = WeakMap<NeighborIntent, Remembered>;
type Remembered = { readonly context: string; readonly opened: Opened };

/** A neighbour with a session. */
type Opened = {
  readonly id: string;
  readonly teller: Teller;
  readonly session: Extract<SessionLines, { readonly type: "session" }>;
  readonly inbound: Inbound;
};

type OpenedRouter = { readonly router: RouterIntent; readonly neighbors: readonly Opened[] };

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

export function render(intent: SpeakerIntent, options: RenderOptions): Rendered {
  const named = namesIn(intent.raw);
  const withheld = new Map<NeighborKey, string>();
  const tellers = new Map<NeighborKey, Teller>();
  const routers = intent.routers.map((router): OpenedRouter => {
    const ids = new Set<string>();
    const neighbors = router.neighbors.flatMap((neighbor): Opened[] => {
      const opened = openedOnce(router, neighbor, named, ids, options);
      if (typeof opened === "string") {
        withheld.set(neighbor.key, opened);
        return [];
      }
      tellers.set(neighbor.key, opened.teller);
      return [opened];
    });
    return { router: without(router, withheld), neighbors };
  });
  const classes = assignClasses(intent, tellers, options.tags, options.version);

  const bgpd = new Map<string, ConfigTree>();
  const all = routers.flatMap(({ neighbors }) => neighbors);
  const lists = [
    blockLists(routers.flatMap(({ router }) => router.neighbors)),
    ...all.map((neighbor) => neighbor.inbound.lists),
    namedLists(intent, named),
  ];
  for (const line of numberedLists(lists, intent, options.tags)) bgpd.set(line, NO_LINES);
  for (const neighbor of all) {
    for (const [line, lines] of neighbor.inbound.entries) bgpd.set(line, lines);
  }
  for (const [line, lines] of outbound(tellers, classes)) bgpd.set(line, lines);
  // Behind what they name: a router that names a map which is not there refuses every route until it is.
  for (const one of routers) {
    const { localAs, vrf } = one.router;
    bgpd.set(routerLine(localAs, vrf), routerTree(one, classes, options.version));
  }
  return {
    bgpd,
    bfdd: renderBfd({ ...intent, routers: routers.map(({ router }) => router) }),
    zebra: zebraTree(intent, options.version),
    withheld,
    classes,
  };
}

const without = (router: RouterIntent, withheld: ReadonlyMap<NeighborKey, string>): RouterIntent =>
  router.neighbors.some(({ key }) => withheld.has(key))
    ? { ...router, neighbors: router.neighbors.filter(({ key }) => !withheld.has(key)) }
    : router;

/** bgpd knows a neighbour of a router by its address alone. */
function openedOnce(
  router: RouterIntent,
  neighbor: NeighborIntent,
  named: ReadonlySet<string>,
  ids: Set<string>,
  options: RenderOptions,
): Opened | string {
  const id = neighborId(router.vrf, neighbor);
  if (ids.has(id)) return `FRR has one session to ${id}, whatever address it is spoken to from`;
  const opened = openedOf(router, neighbor, named, options);
  if (typeof opened !== "string") ids.add(id);
  return opened;
}

function openedOf(
  router: RouterIntent,
  neighbor: NeighborIntent,
  named: ReadonlySet<string>,
  { memo, ...options }: RenderOptions,
): Opened | string {
  const id = neighborId(router.vrf, neighbor);
  const listed = usesReceiveList(id, neighbor, named);
  const context = `${routerLine(router.localAs, router.vrf)}|${listed}`;
  const known = memo?.get(neighbor);
  if (known?.context === context) return known.opened;
  const session = sessionLines(router, neighbor, id, options);
  if (session.type === "withheld") return session.reason;
  const teller = { outMap: outMap(id), internal: isInternal(neighbor, router.localAs) };
  const opened = { id, teller, session, inbound: inbound(id, neighbor, listed) };
  memo?.set(neighbor, { context, opened });
  return opened;
}

function routerTree(
  { router, neighbors }: OpenedRouter,
  classes: Classes,
  version: FrrVersion,
): ConfigTree {
  const lines = new Map<string, ConfigTree>(leaves(routerLines(router, version)));
  for (const { session } of neighbors) {
    for (const line of session.lines) lines.set(line, NO_LINES);
  }
  const routes = networks(router, classes);
  for (const family of FAMILIES) {
    const ofFamily = new Map<string, ConfigTree>(routes.get(family));
    for (const { session } of neighbors) {
      for (const line of session.families.get(family) ?? []) ofFamily.set(line, NO_LINES);
    }
    if (importFamilies(router).includes(family))
      for (const line of importLines(router)) ofFamily.set(line, NO_LINES);
    if (ofFamily.size > 0) lines.set(familyLine(family), ofFamily);
  }
  const evpn = evpnLines(router);
  if (evpn.size > 0) lines.set(EVPN_LINE, evpn);
  return lines;
}

/** A rule keeps its number; a new one has one that was nobody's. */
function* numberedLists(
  all: readonly Lists[],
  intent: SpeakerIntent,
  { rules: before, taken }: Tags,
): Generator<string> {
  const reserved = reservedBy(intent.raw);
  for (const [start, rules] of all.flatMap((lists) => [...lists])) {
    const free = freeNumbers(taken.get(start), reserved.get(start));
    for (const rule of rules) {
      const number = before.get(start)?.get(rule) ?? free.next().value;
      yield `${start} seq ${number} ${rule}`;
    }
  }
}

function* outbound(
  tellers: ReadonlyMap<NeighborKey, Teller>,
  { entries }: Classes,
): Generator<[string, ConfigTree]> {
  for (const [tag, told] of entries) {
    yield [`route-map ${tagMap(tag)} permit 1`, leaves([`set tag ${tag}`])];
    for (const [map, { sequence, sets }] of told)
      yield [`route-map ${map} permit ${sequence}`, leaves([`match tag ${tag}`, ...sets])];
  }
  // So that the map is there, and can be read back, when its neighbour is told nothing.
  for (const { outMap: map } of tellers.values())
    yield [`route-map ${map} deny ${LAST_SEQUENCE}`, NO_LINES];
}

/** A peer that is reached by the default route is reached: on by itself from FRR 9.1 on, and in the datacenter profile. */
function zebraTree(intent: SpeakerIntent, version: FrrVersion): ConfigTree {
  const isDefault = version.profile === "datacenter" || isAtLeast(version, 9, 1);
  const tracking = isDefault ? [] : ["ip nht resolve-via-default", "ipv6 nht resolve-via-default"];
  const lines = new Map<string, ConfigTree>();
  for (const router of intent.routers) {
    const ofRouter = leaves([...tracking, ...zebraVniLines(router)]);
    if (ofRouter.size === 0) continue;
    if (router.vrf === "") for (const line of ofRouter.keys()) lines.set(line, NO_LINES);
    else lines.set(`vrf ${router.vrf}`, ofRouter);
  }
  return lines;
}
