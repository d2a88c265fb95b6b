/**
 * Routes as bgpd prints them: whole tables with every path, what a neighbour is told, and what it was refused.
 *
 * Pure. `show bgp vrf V F unicast json` and the same with `detail` differ in shape, and both are read; only the second has communities.
 * `advertised-routes`, `received-routes` and `filtered-routes` have a third shape without communities (FRR 8.4).
 * Reads next: shown.ts (what is shown of it), best-path-table.ts.
 */
import { type Address, parseAddress } from "../../../events/address.ts";
import { parsePrefix, type Prefix } from "../../../events/prefix.ts";
import type { ShownRoute } from "../../backend.ts";
import {
  countAt,
  isObject,
  isTrueAt,
  type Json,
  listAt,
  numberAt,
  objectAt,
  objectsIn,
  readObject,
  textAt,
  textsAt,
} from "./json.ts";

type Origin = ShownRoute["origin"];

export type Attributes = {
  readonly nextHop: Address | undefined;
  readonly asPath: string;
  readonly origin: Origin;
  readonly localPref: number | undefined;
  readonly med: number | undefined;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
};

export type TablePath = Attributes & {
  /** As bgpd prints who said it: an address, or the link-local one of an interface neighbour. */
  readonly peer: string;
  /** Interface neighbours in detailed tables only; empty otherwise. */
  readonly interface: string;
  /** RFC 7911; 0 where there is none. */
  readonly pathId: number;
  readonly external: boolean;
  /** Used for forwarding: the best one, and those that are used beside it. */
  readonly chosen: boolean;
  readonly stale: boolean;
  /** VRF that it was leaked from, as FRR calls it; empty where it was not. */
  readonly leakedFrom: string;
};

export type TableRow = { readonly prefix: Prefix; readonly paths: readonly TablePath[] };

export type Table = {
  readonly version: number;
  /** Learned, valid paths only; a prefix that has none is not there. */
  readonly rows: Iterable<TableRow>;
};

/** FRR names these; people and other daemons print numbers (RFC 1997, 7999, 8326, 9494). */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  internet: "0:0",
  gracefulShutdown: "65535:0",
  acceptOwn: "65535:1",
  routeFilterTranslatedV4: "65535:2",
  routeFilterV4: "65535:3",
  routeFilterTranslatedV6: "65535:4",
  routeFilterV6: "65535:5",
  llgrStale: "65535:6",
  noLlgr: "65535:7",
  acceptOwnNexthop: "65535:8",
  blackhole: "65535:666",
  noExport: "65535:65281",
  noAdvertise: "65535:65282",
  localAs: "65535:65283",
  noPeer: "65535:65284",
};
const communityText = (text: string): string =>
  Object.hasOwn(WELL_KNOWN, text) ? (WELL_KNOWN[text] ?? text) : text;

/** Who said a route of this host's own. */
const OWN_PEERS: ReadonlySet<string> = new Set(["", "(unspec)", "0.0.0.0", "::"]);

/** undefined: this is no table. Rows are read as they are walked. */
export function parseTable(text: string): Table | undefined {
  const answer = readObject(text);
  if (answer === undefined) return undefined;
  return { version: countAt(answer, "tableVersion"), rows: rowsOf(objectAt(answer, "routes")) };
}

function* rowsOf(routes: Json): Generator<TableRow> {
  for (const key of Object.keys(routes)) {
    const prefix = parsePrefix(key)?.prefix;
    const paths = listAt(routes, key).flatMap((one) => pathOf(one) ?? []);
    if (prefix !== undefined && paths.length > 0) yield { prefix, paths };
  }
}

function pathOf(value: unknown): TablePath | undefined {
  if (!isObject(value) || !isTrueAt(value, "valid") || isTrueAt(value, "sourced")) return undefined;
  const detail = objectAt(value, "peer");
  const peer = textAt(value, "peerId") ?? textAt(detail, "peerId") ?? "";
  if (OWN_PEERS.has(peer)) return undefined;
  const kind = textAt(value, "pathFrom") ?? textAt(detail, "type") ?? "";
  const best = isTrueAt(value, "bestpath") || isTrueAt(objectAt(value, "bestpath"), "overall");
  return {
    peer,
    interface: textAt(detail, "interface") ?? "",
    pathId: countAt(value, "addpathRxId"),
    external: kind === "external",
    chosen: best || isTrueAt(value, "multipath"),
    stale: isTrueAt(value, "stale"),
    leakedFrom: textAt(value, "nhVrfName") ?? "",
    nextHop: nextHopOf(listAt(value, "nexthops")),
    asPath: textAt(value, "path") ?? textAt(objectAt(value, "aspath"), "string") ?? "",
    origin: originOf(textAt(value, "origin")),
    localPref: numberAt(value, "locPrf"),
    med: numberAt(value, "metric"),
    communities: textsAt(objectAt(value, "community"), "list").map(communityText),
    largeCommunities: textsAt(objectAt(value, "largeCommunity"), "list"),
  };
}

/** RFC 2545 §3: of two next hops the one in use is what counts. */
function nextHopOf(hops: readonly unknown[]): Address | undefined {
  const objects = hops.filter(isObject);
  const used = objects.find((one) => isTrueAt(one, "used")) ?? objects[0];
  return used === undefined ? undefined : parseAddress(textAt(used, "ip") ?? "");
}

/** `IGP` in tables, `i` in lists of one neighbour (RFC 4271 §5.1.1). */
function originOf(text: string | undefined): Origin {
  const word = (text ?? "").toLowerCase();
  if (word === "igp" || word === "i") return "igp";
  return word === "egp" || word === "e" ? "egp" : "incomplete";
}

export type ListedRoute = Attributes & { readonly prefix: Prefix };

/**
 * The routes of `advertised-routes`, `received-routes` or `filtered-routes`; none where bgpd says that there is no such list. A next
 * hop is undefined where bgpd puts in its own only as it sends. undefined: this is no such answer.
 */
export function parseList(text: string): readonly ListedRoute[] | undefined {
  const answer = readObject(text);
  if (answer === undefined) return undefined;
  const lists = ["advertisedRoutes", "receivedRoutes", "filteredRoutes"];
  return lists
    .flatMap((key) => objectsIn(objectAt(answer, key)))
    .flatMap(([key, one]) => listedOf(key, one) ?? []);
}

function listedOf(key: string, one: Json): ListedRoute | undefined {
  const prefix = parsePrefix(textAt(one, "network") ?? key)?.prefix;
  if (prefix === undefined) return undefined;
  const nextHop = parseAddress(textAt(one, "nextHopGlobal") ?? textAt(one, "nextHop") ?? "");
  return {
    prefix,
    nextHop: nextHop === "0.0.0.0" || nextHop === "::" ? undefined : nextHop,
    asPath: textAt(one, "path") ?? "",
    origin: originOf(textAt(one, "bgpOriginCode")),
    localPref: numberAt(one, "locPrf"),
    med: numberAt(one, "metric"),
    communities: [],
    largeCommunities: [],
  };
}
