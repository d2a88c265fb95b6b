/**
 * Whose a line is: ours, or an operator's, whose work is left alone.
 *
 * Pure. A router that we made has a route map that says so (`rutter-made-<vrf>`); where there was one already, we are guests in it
 * (`rutter-guest-<vrf>`): its own lines stay as they are, whatever we would say, for they change other people's neighbours. Both are in
 * bgpd itself, so that they live and die with what they speak of. A neighbour is ours if the log says so, or if it is in such a router
 * and has route maps of our names. Reads next: difference.ts, ../render/names.ts.
 */
import type { NeighborKey } from "../../../events/ids.ts";
import type { SpeakerIntent } from "../../intent.ts";
import { isTakenOver, type TakeOver } from "../choice.ts";
import {
  EVPN_LINE,
  familyLine,
  inMap,
  neighborId,
  outMap,
  peerOf,
  routerLine,
} from "../render/names.ts";
import type { Rendered } from "../render/render.ts";
import type { Scope } from "./difference.ts";
import { MONITOR_LINE } from "./monitor.ts";
import { type ConfigTree, NO_LINES } from "./tree.ts";
import { makesPeer, peerOfLine, slotOf, vrfOfRouter } from "./words.ts";

/** A neighbour that is not configured, and why. */
export type Withheld = { readonly neighbor: NeighborKey; readonly reason: string };

export type Judged = {
  /** What is wanted of bgpd, with the marks of ownership, and without what is somebody else's. */
  readonly wanted: ConfigTree;
  readonly withheld: readonly Withheld[];
  /** VRFs in whose router we are guests. */
  readonly guests: ReadonlySet<string>;
  readonly scope: Scope;
};

export type Ownership = {
  /** Neighbours that are ours, whatever bgpd says: those of the log, and those of this run. */
  readonly ours: ReadonlySet<NeighborKey>;
  /** Which of the neighbours that somebody else configured become ours. */
  readonly takeOver: TakeOver;
};

const made = (vrf: string): string => `route-map rutter-made-${vrf || "default"} permit 1`;
const guest = (vrf: string): string => `route-map rutter-guest-${vrf || "default"} permit 1`;
const OWN_TOP = /^(?:route-map rutter-(?:\d+|made-\S+|guest-\S+) |ip(?:v6)? prefix-list rutter-)/;
const OWN_NETWORK = /^network \S+ route-map rutter-\d+$/;
/** Of a router that we made: lines that an intent can ask for. Others are an operator's. */
const OWN_ROUTER =
  /^(?:bgp router-id |bgp graceful-restart (?:restart-time|preserve)|bgp bestpath as-path multipath-relax$|no bgp )/;
const OWN_IMPORT = /^import vrf /;
const IPV4 = familyLine("ipv4");

const NOT_BY_DEFAULT = "no bgp default ipv4-unicast";

/** A neighbour as bgpd knows it. */
type Place = { readonly router: string; readonly peer: string };
const placeText = ({ router, peer }: Place): string => `${router}|${peer}`;

export function judge(
  current: ConfigTree,
  { bgpd, withheld: unrendered }: Pick<Rendered, "bgpd" | "withheld">,
  intent: SpeakerIntent,
  ownership: Ownership,
): Judged {
  const withheld: Withheld[] = [...unrendered].map(([neighbor, reason]) => ({ neighbor, reason }));
  const mine = ourPlaces(current, ownership.ours);
  const wanted = new Map(bgpd);
  const guests = new Set<string>();
  for (const router of intent.routers) {
    const line = routerLine(router.localAs, router.vrf);
    const tree = wanted.get(line);
    if (tree === undefined) continue;
    const there = routerOf(current, router.vrf);
    const isMade = there === undefined || current.has(made(router.vrf));
    const isOther = there !== undefined && there !== line && !isMade;
    const foreign = router.neighbors.filter(
      (one) =>
        isOther ||
        (!isTakenOver(ownership.takeOver, neighborId(router.vrf, one)) &&
          there !== undefined &&
          hasPeer(current.get(there), peerOf(one)) &&
          !mine.has(placeText({ router: there, peer: peerOf(one) }))),
    );
    for (const one of foreign) {
      if (unrendered.has(one.key)) continue;
      withheld.push({
        neighbor: one.key,
        reason: isOther
          ? `"${there}" is configured by hand, and bgpd has one AS for a VRF`
          : `neighbor ${peerOf(one)} of "${line}" is configured by hand: remove it there, or hand it over (agent.yaml, frr: {takeOver: ["${neighborId(router.vrf, one)}"]})`,
      });
      forget(wanted, neighborId(router.vrf, one));
    }
    if (isOther) {
      wanted.delete(line);
      continue;
    }
    const peers = new Set(foreign.map(peerOf));
    const own = withoutPeers(tree, peers);
    wanted.set(line, isMade ? own : asGuest(own, current.get(line) ?? NO_LINES));
    wanted.set((isMade ? made : guest)(router.vrf), NO_LINES);
    if (!isMade) guests.add(router.vrf);
  }
  return { wanted, withheld, guests, scope: scopeOf(current, intent, mine, ownership) };
}

export const routerOf = (current: ConfigTree, vrf: string): string | undefined =>
  [...current.keys()].find((line) => vrfOfRouter(line) === vrf);

const hasPeer = (router: ConfigTree | undefined, peer: string): boolean =>
  [...(router?.keys() ?? [])].some((line) => makesPeer(line) && peerOfLine(line) === peer);

function ourPlaces(current: ConfigTree, ours: ReadonlySet<NeighborKey>): ReadonlySet<string> {
  const recorded = new Set([...ours].map((key) => key.split("|").slice(0, 2).join("|")));
  const places = new Set<string>();
  for (const [router, lines] of current) {
    const vrf = vrfOfRouter(router);
    if (vrf === undefined) continue;
    const isMarked = current.has(made(vrf)) || current.has(guest(vrf));
    for (const line of lines.keys()) {
      const peer = makesPeer(line) ? peerOfLine(line) : undefined;
      if (peer === undefined) continue;
      if (recorded.has(`${vrf}|${peer}`) || (isMarked && hasOurMaps(lines, vrf, peer)))
        places.add(placeText({ router, peer }));
    }
  }
  return places;
}

/** Both are in every family of a neighbour of ours. */
function hasOurMaps(router: ConfigTree, vrf: string, peer: string): boolean {
  const id = vrf === "" ? peer : `${peer}-${vrf}`;
  return [...router.values()].some(
    (family) =>
      family.has(`neighbor ${peer} route-map ${inMap(id)} in`) &&
      family.has(`neighbor ${peer} route-map ${outMap(id)} out`),
  );
}

function withoutPeers(router: ConfigTree, peers: ReadonlySet<string>): ConfigTree {
  if (peers.size === 0) return router;
  const kept = new Map<string, ConfigTree>();
  for (const [line, children] of router) {
    if (!peers.has(peerOfLine(line) ?? "")) kept.set(line, withoutPeers(children, peers));
  }
  return kept;
}

/** Maps and lists of a neighbour that is not ours: whoever made it may have some of these names, as frr-k8s does. */
function forget(wanted: Map<string, ConfigTree>, id: string): void {
  for (const line of wanted.keys()) if (isNamedAfter(line, id)) wanted.delete(line);
}

const isNamedAfter = (line: string, id: string): boolean => {
  const name = NAMED.exec(line)?.[1];
  if (name === undefined || !name.startsWith(`${id}-`)) return false;
  return LIST_FORM.test(name.slice(id.length));
};
const NAMED = /^(?:(?:no )?route-map|ip(?:v6)? prefix-list) (\S+)/;
const LIST_FORM =
  /^-(?:in|out|(?:denied-)?inpl-(?:ipv4|ipv6|dual)|allowed-ipv[46]|\S+-(?:localpref|community)-prefixes)$/;

/** Without the router's own lines; and where it gives IPv4 to every neighbour by default, ours say so or the contrary. */
function asGuest(wanted: ConfigTree, there: ConfigTree): ConfigTree {
  const own = new Map([...wanted].filter(([line, lines]) => lines.size > 0 || isOfPeer(line)));
  if (there.has(NOT_BY_DEFAULT)) return own;
  const ipv4 = new Map(own.get(IPV4));
  for (const peer of new Set([...own.keys()].filter(makesPeer).map((line) => peerOfLine(line)))) {
    // FRR prints only what is not the default.
    if (!ipv4.delete(`neighbor ${peer} activate`))
      ipv4.set(`no neighbor ${peer} activate`, NO_LINES);
  }
  return own.set(IPV4, ipv4);
}

const isOfPeer = (line: string): boolean => peerOfLine(line) !== undefined;

function scopeOf(
  current: ConfigTree,
  intent: SpeakerIntent,
  mine: ReadonlySet<string>,
  { ours, takeOver }: Ownership,
): Scope {
  const ids = new Set<string>();
  for (const key of ours) {
    const [vrf = "", peer = ""] = key.split("|");
    ids.add(vrf === "" ? peer : `${peer}-${vrf}`);
  }
  for (const place of mine) {
    const [router = "", peer = ""] = place.split("|");
    const vrf = vrfOfRouter(router) ?? "";
    ids.add(vrf === "" ? peer : `${peer}-${vrf}`);
  }
  const asked = new Set<string>();
  for (const router of intent.routers) {
    const line = routerLine(router.localAs, router.vrf);
    for (const one of router.neighbors) {
      if (isTakenOver(takeOver, neighborId(router.vrf, one)))
        asked.add(placeText({ router: line, peer: peerOf(one) }));
    }
  }
  const isOurPeer = (router: string, line: string): boolean => {
    const place = placeText({ router, peer: peerOfLine(line) ?? "" });
    return mine.has(place) || asked.has(place);
  };
  const isNamedOurs = (line: string): boolean =>
    OWN_TOP.test(line) || [...idsOf(line)].some((id) => ids.has(id));
  /** A router with neighbours or routes of others is no longer ours to take away. */
  const holdsOthers = (router: string): boolean => {
    const lines = current.get(router) ?? NO_LINES;
    const ofOthers = [...lines.keys()].some(
      (line) => makesPeer(line) && !mine.has(placeText({ router, peer: peerOfLine(line) ?? "" })),
    );
    return ofOthers || [...lines.values()].some(hasForeignNetwork);
  };
  return {
    isOurs(path, line) {
      const [top] = path;
      const vrf = vrfOfRouter(top ?? line);
      if (vrf === undefined) return isNamedOurs(top ?? line);
      const isMade = current.has(made(vrf));
      if (top === undefined) return isMade && !holdsOthers(line);
      if (isOfPeer(line)) return isOurPeer(top, line);
      if (OWN_NETWORK.test(line) || (path[1] ?? line) === MONITOR_LINE) return true;
      return isMade && (OWN_ROUTER.test(line) || OWN_IMPORT.test(line) || path[1] === EVPN_LINE);
    },
  };
}

const hasForeignNetwork = (family: ConfigTree): boolean =>
  [...family.keys()].some((line) => line.startsWith("network ") && !OWN_NETWORK.test(line));

/** Ids of neighbours that a map or list may be named after: a name has hyphens of its own. */
function* idsOf(line: string): Generator<string> {
  const name = NAMED.exec(line)?.[1];
  if (name === undefined) return;
  for (let at = name.indexOf("-"); at >= 0; at = name.indexOf("-", at + 1)) {
    if (LIST_FORM.test(name.slice(at))) yield name.slice(0, at);
  }
}

/** What of our own routes a guest can't announce: bgpd looks for a route to each first, and that is the router's own choice. */
export function importCheckProblem(current: ConfigTree, intent: SpeakerIntent): string | undefined {
  for (const { vrf, routes } of intent.routers) {
    const line = routerOf(current, vrf);
    if (line === undefined || current.has(made(vrf)) || routes.size === 0) continue;
    if (current.get(line)?.has("no bgp network import-check") !== true)
      return `"${line}" is configured by hand and announces only what the host has a route to; "no bgp network import-check" there lifts that`;
  }
  return undefined;
}

/** bfdd: profiles that we were asked for, and no others; nothing at all of zebra's is taken back, for others may rely on it. */
export function profileScope(told: ReadonlySet<string>): Scope {
  return {
    isOurs: ([top, profile], line) =>
      top === "bfd" && (profile === undefined ? told.has(slotOf(line)) : told.has(slotOf(profile))),
  };
}
export const ADDITIVE: Scope = { isOurs: () => false };
