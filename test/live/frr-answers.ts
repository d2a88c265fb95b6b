/**
 * Reads FRR's JSON: routes and sessions, into the shape that live tests judge.
 *
 * The types below name only what is read here; FRR prints far more. A field that FRR left out is absent here, too.
 * Read next: router.ts.
 */
import { inOrder, type RouterRoute, type SessionView } from "./router.ts";

type FrrPath = {
  readonly aspath: {
    readonly segments: readonly { readonly list: readonly number[] }[];
  };
  readonly origin: string;
  readonly metric?: number;
  readonly locPrf?: number;
  readonly valid?: boolean;
  readonly sourced?: boolean;
  readonly stale?: boolean;
  readonly bestpath?: { readonly overall?: boolean };
  readonly community?: { readonly list: readonly string[] };
  readonly largeCommunity?: { readonly list: readonly string[] };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
  readonly peer: { readonly peerId: string };
};

/** One prefix asked for has `paths`; a table has, per prefix, a row of them behind one element that is none. */
type FrrPrefix = { readonly prefix?: string; readonly paths?: readonly FrrPath[] };
type FrrRow = readonly (FrrPath | { readonly version: number })[];
type FrrTable = { readonly routes?: Readonly<Record<string, FrrPrefix | FrrRow>> };

/** FRR names these; BIRD prints numbers, and so do we (RFC 1997, RFC 7999, RFC 8326, RFC 9494). */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  internet: "0:0",
  gracefulShutdown: "65535:0",
  llgrStale: "65535:6",
  noLlgr: "65535:7",
  blackhole: "65535:666",
  noExport: "65535:65281",
  noAdvertise: "65535:65282",
  localAs: "65535:65283",
  noPeer: "65535:65284",
};

const isPath = (value: unknown): value is FrrPath =>
  typeof value === "object" && value !== null && Object.hasOwn(value, "aspath");

function routeOf(prefix: string, path: FrrPath): RouterRoute {
  const global = path.nexthops.find(({ scope }) => scope !== "link-local");
  const origin = path.origin.toLowerCase();
  return {
    prefix,
    from: path.peer.peerId,
    nextHop: global?.ip ?? "",
    asPath: path.aspath.segments.flatMap(({ list }) => list),
    origin: origin === "igp" || origin === "egp" ? origin : "incomplete",
    localPref: path.locPrf,
    med: path.metric,
    communities: inOrder((path.community?.list ?? []).map((one) => WELL_KNOWN[one] ?? one)),
    largeCommunities: inOrder(path.largeCommunity?.list ?? []),
    best: path.bestpath?.overall === true,
    stale: path.stale === true,
  };
}

const pathsOf = (entry: FrrPrefix | FrrRow): FrrRow =>
  Array.isArray(entry) ? (entry satisfies FrrRow) : "paths" in entry ? entry.paths : [];

/** A path that is being removed stays in bgpd's table for a moment, and is no longer valid. */
const learned = (path: FrrPath): boolean =>
  path.valid === true && path.sourced !== true && path.peer.peerId !== "0.0.0.0";

/** The learned routes of `show bgp … json`, of one prefix or of a table in detail; FRR's own networks are left out. */
export function parseFrrRoutes(answer: string): RouterRoute[] {
  const parsed: FrrTable & FrrPrefix = JSON.parse(answer);
  if (parsed.paths !== undefined) {
    const { prefix = "" } = parsed;
    return parsed.paths.filter(learned).map((path) => routeOf(prefix, path));
  }
  return Object.entries(parsed.routes ?? {}).flatMap(([prefix, entry]) =>
    pathsOf(entry)
      .filter(isPath)
      .filter(learned)
      .map((path) => routeOf(prefix, path)),
  );
}

type FrrNeighbour = {
  readonly bgpState: string;
  readonly connectionsEstablished: number;
  readonly connectionsDropped: number;
  readonly lastResetDueTo?: string;
  readonly lastNotificationReason?: string;
  readonly bgpTimerHoldTimeMsecs?: number;
  readonly gracefulRestartInfo?: { readonly remoteGrMode?: string };
};

/** The one neighbour of `show bgp neighbors ADDRESS json`. Throws where FRR does not have it. */
export function parseFrrSession(answer: string, address: string): SessionView {
  const neighbours: Readonly<Record<string, FrrNeighbour>> = JSON.parse(answer);
  const neighbour = neighbours[address];
  if (neighbour === undefined) throw new Error(`frr has no neighbour ${address}`);
  return {
    established: neighbour.bgpState === "Established",
    state: neighbour.bgpState,
    timesEstablished: neighbour.connectionsEstablished,
    timesLost: neighbour.connectionsDropped,
    lastError: [neighbour.lastResetDueTo, neighbour.lastNotificationReason]
      .filter((part) => part !== undefined && part !== "")
      .join("; "),
    holdTimeSeconds:
      neighbour.bgpTimerHoldTimeMsecs === undefined
        ? undefined
        : neighbour.bgpTimerHoldTimeMsecs / 1e3,
    asksToKeepRoutes: neighbour.gracefulRestartInfo?.remoteGrMode === "Restart",
  };
}
