/**
 * Adj-RIB-In and Adj-RIB-Out as bgpd has them, asked for as they are walked.
 *
 * What bgpd cannot say is not made up: a refused route is known only where the neighbour has `soft-reconfiguration inbound`, which
 * costs bgpd a second copy of what came in, so nobody is given it unasked; and before FRR 9.1 it does not print the communities of what
 * it told, so those of own routes are shown as they were rendered. In tables beyond MOST_DETAILED prefixes received routes come
 * without communities, because their text would not fit. I/O only through daemon.ts. Reads next: tables.ts.
 */
import { type Address, address, type Family } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { BackendError, type ShownRoute } from "../../backend.ts";
import type { ExportAttributes, RouterIntent, SpeakerIntent } from "../../intent.ts";
import type { Daemon } from "./daemon.ts";
import { remoteName, vrfForFrr } from "./names.ts";
import type { SessionWatch, Watched } from "./session-watch.ts";
import { type Attributes, type ListedRoute, parseList, parseTable } from "./tables.ts";
import { sayersIn, whoSaid } from "./who-said.ts";

const MOST_DETAILED = 50_000;
const REFUSED = "refused by the neighbour's policy in bgpd";
const STALE = "stale: kept from before the peer's restart, not said again yet (RFC 4724 §4.2)";
const NOWHERE: Readonly<Record<Family, Address>> = {
  ipv4: address("0.0.0.0"),
  ipv6: address("::"),
};

export type ShownOptions = {
  readonly daemon: Daemon;
  readonly sessions: Pick<SessionWatch, "watched" | "record" | "summary">;
  readonly intent: () => SpeakerIntent;
};

/** Rejects with BackendError where bgpd does not answer. */
export async function* shownRoutes(
  options: ShownOptions,
  direction: "received" | "advertised",
  neighbor: NeighborKey | undefined,
): AsyncGenerator<ShownRoute> {
  const all = [...options.sessions.watched().values()];
  const asked = all.filter(({ intent }) => neighbor === undefined || intent.key === neighbor);
  if (direction === "advertised") {
    for (const one of asked) yield* advertised(options, one);
    return;
  }
  for (const [vrf, family] of tablesOf(asked)) yield* accepted(options, vrf, family, neighbor);
  for (const one of asked) yield* refused(options, one);
}

/** Each table that one of them may have routes in, once. */
function tablesOf(asked: readonly Watched[]): readonly (readonly [string, Family])[] {
  const keys = new Map(
    asked.flatMap(({ vrf, intent }) =>
      intent.families.map((family) => [`${vrf}|${family}`, [vrf, family] as const] as const),
    ),
  );
  return [...keys.values()];
}

async function* accepted(
  { daemon, sessions }: ShownOptions,
  vrf: string,
  family: Family,
  only: NeighborKey | undefined,
): AsyncGenerator<ShownRoute> {
  const size = sessions.summary()?.tables.get(`${vrf}|${family}`)?.prefixes ?? 0;
  const detail = size > MOST_DETAILED ? "" : " detail";
  const command = `show bgp vrf ${vrfForFrr(vrf)} ${family} unicast json${detail}`;
  const table = await answered(daemon, command, parseTable);
  const who = sayersIn(sessions);
  for (const { prefix, paths } of table.rows) {
    for (const path of paths) {
      const { neighbor } = whoSaid(who, vrf, path);
      const one = sessions.watched().get(neighbor);
      if (one === undefined || path.leakedFrom !== "") continue;
      if (only !== undefined && neighbor !== only) continue;
      const reason = path.stale ? STALE : "";
      yield { ...shownOf(prefix, one, path), pathId: path.pathId, accepted: true, reason };
    }
  }
}

async function* refused(
  { daemon, sessions }: ShownOptions,
  one: Watched,
): AsyncGenerator<ShownRoute> {
  const keeps = sessions.record(one.intent.key)?.detail?.keepsReceived ?? [];
  for (const family of one.intent.families) {
    if (!keeps.includes(family)) continue;
    const list = await answered(daemon, listCommand(one, family, "filtered-routes"), parseList);
    for (const route of list) {
      yield { ...shownOf(route.prefix, one, route), accepted: false, reason: REFUSED };
    }
  }
}

async function* advertised(
  { daemon, sessions, intent }: ShownOptions,
  one: Watched,
): AsyncGenerator<ShownRoute> {
  const { key, families } = one.intent;
  const router = intent().routers.find(({ neighbors }) => neighbors.some((n) => n.key === key));
  const local = sessions.record(key)?.detail?.localAddress;
  for (const family of families) {
    const list = await answered(daemon, listCommand(one, family, "advertised-routes"), parseList);
    for (const route of list) yield toldOf(route, one, family, router, local);
  }
}

function toldOf(
  route: ListedRoute,
  one: Watched,
  family: Family,
  router: RouterIntent | undefined,
  local: Address | undefined,
): ShownRoute {
  const { key } = one.intent;
  const own = router?.routes.get(route.prefix);
  const rendered = own?.exports.find(({ to }) => to.includes(key))?.attributes;
  const isOfFamily = local !== undefined && local.includes(":") === (family === "ipv6");
  // RFC 8950: an interface neighbour is told IPv4 routes with the link-local address.
  const isOwn = isOfFamily || one.intent.remote.type === "interface";
  const nextHop =
    route.nextHop ?? rendered?.nextHop ?? (isOwn ? local : undefined) ?? NOWHERE[family];
  return {
    ...shownOf(route.prefix, one, { ...route, nextHop, ...communitiesOf(rendered) }),
    accepted: true,
    reason: "",
    provenance: own?.provenance ?? [],
  };
}

const communitiesOf = (
  attributes: ExportAttributes | undefined,
): Pick<Attributes, "communities" | "largeCommunities"> => ({
  communities: (attributes?.communities ?? []).map((one) => `${one >>> 16}:${one & 0xffff}`),
  largeCommunities: attributes?.largeCommunities ?? [],
});

const shownOf = (
  prefix: ShownRoute["prefix"],
  { intent }: Watched,
  attributes: Attributes,
): Omit<ShownRoute, "accepted" | "reason"> => ({
  prefix,
  neighbor: intent.key,
  pathId: 0,
  nextHop: attributes.nextHop ?? NOWHERE[prefix.includes(":") ? "ipv6" : "ipv4"],
  asPath: attributes.asPath === "Local" ? "" : attributes.asPath,
  origin: attributes.origin,
  localPref: attributes.localPref,
  med: attributes.med,
  communities: attributes.communities,
  largeCommunities: attributes.largeCommunities,
  provenance: intent.provenance,
  raw: [],
});

const listCommand = ({ vrf, intent }: Watched, family: Family, list: string): string =>
  `show bgp vrf ${vrfForFrr(vrf)} ${family} unicast neighbors ${remoteName(intent)} ${list} json`;

async function answered<T>(
  daemon: Daemon,
  command: string,
  read: (text: string) => T | undefined,
): Promise<T> {
  const value = await daemon.ask(command, read);
  if (value !== undefined) return value;
  // It may have gone and come back while it was asked.
  const again = daemon.problem() === "" ? await daemon.ask(command, read) : undefined;
  if (again !== undefined) return again;
  const why = daemon.problem() || `${daemon.name} has no readable answer to "${command}"`;
  throw new BackendError("SPEAKER_UNREACHABLE", why);
}
