/**
 * What a decision needs of an attribute set, found once when the set comes and kept in numbers beside it.
 *
 * Indexed as the attribute store is. Also finds what speaks against routes with these attributes whatever their prefix is:
 * loops (RFC 4271 §9.1.2, RFC 4456 §8), a first AS or a next hop that cannot be. Never decides between routes.
 * Reads next: decision.ts (who compares), adj-rib-in.ts (who owns them), verdict.ts.
 */
import {
  type Address,
  addressFromOctets,
  type Family,
  isLinkLocal,
} from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { AS_SEQUENCE, AS_SET } from "../wire/as-path.ts";
import { AFI_IPV6 } from "../wire/afi-safi.ts";
import { ATTRIBUTE, FLAG_EXTENDED_LENGTH } from "../wire/attribute-codes.ts";
import type { AttributesId } from "./attribute-store.ts";
import { dropPath, pathAt, type PathId, type PathStore, usePath } from "./path-store.ts";
import { VERDICT, type Verdict } from "./verdict.ts";

/** What is known of the peer while its session lasts. */
export type PeerFacts = {
  readonly neighbor: NeighborKey;
  /** In another AS than we are towards it. */
  readonly external: boolean;
  readonly remoteAs: number;
  readonly remoteAddress: Address;
  /** BGP Identifiers as numbers. */
  readonly remoteRouterId: number;
  readonly localRouterId: number;
  /** The AS that we are towards this peer, and the router's own where that is another one (RFC 7705 §3). */
  readonly localAses: readonly number[];
  /** Addresses of this host when the session came up. */
  readonly localAddresses: ReadonlySet<Address>;
  /** The device that the session runs over, for link-local next hops; empty where it is not known. */
  readonly device: string;
};

/** What a peer names beyond so many next hops is refused; a full table from a route reflector has some thousand. */
const NEXT_HOPS_LIMIT = 65_536;
/** RFC 4271 §9.1.1 leaves the degree of preference open; every speaker's default. */
const DEFAULT_LOCAL_PREF = 100;
const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];
const NO_PATH = 0;
/** ORIGIN of RFC 4271 §5.1.1. */
const INCOMPLETE = 2;

type Named = { readonly path: PathId; readonly octets: Uint8Array; sets: number };

export type AttributeFacts = {
  /** Another one of the same speaker after its restart (../restarting-peer.ts); sets known before keep their verdict. */
  peer: PeerFacts;
  readonly store: PathStore;
  /** Next hops that some set names: the path, and in how many sets. */
  readonly nextHops: Map<string, Named>;
  /** Named last: most sets of a peer name the same. */
  last: Named | undefined;
  localPref: Uint32Array;
  pathLength: Uint16Array;
  origin: Uint8Array;
  med: Uint32Array;
  neighborAs: Uint32Array;
  /** ORIGINATOR_ID, or the peer's identifier (RFC 4456 §9). */
  routerId: Uint32Array;
  clusterLength: Uint16Array;
  /** Two for each set: for IPv4 and for IPv6, which may stand in one UPDATE. */
  verdicts: Uint8Array;
  /** As the verdicts; the path's number plus one. */
  paths: Uint32Array;
};

const FIRST_IDS = 64;

export const createAttributeFacts = (peer: PeerFacts, store: PathStore): AttributeFacts => ({
  peer,
  store,
  nextHops: new Map(),
  last: undefined,
  localPref: new Uint32Array(FIRST_IDS),
  pathLength: new Uint16Array(FIRST_IDS),
  origin: new Uint8Array(FIRST_IDS),
  med: new Uint32Array(FIRST_IDS),
  neighborAs: new Uint32Array(FIRST_IDS),
  routerId: new Uint32Array(FIRST_IDS),
  clusterLength: new Uint16Array(FIRST_IDS),
  verdicts: new Uint8Array(2 * FIRST_IDS),
  paths: new Uint32Array(2 * FIRST_IDS),
});

const sideOf = (family: Family): 0 | 1 => (family === "ipv4" ? 0 : 1);

export const verdictOf = (facts: AttributeFacts, family: Family, id: AttributesId): Verdict =>
  // Only verdicts are put there.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  (facts.verdicts[2 * id + sideOf(family)] ?? 0) as Verdict;

/** Of an accepted route only. */
export const pathOf = (facts: AttributeFacts, family: Family, id: AttributesId): PathId =>
  (facts.paths[2 * id + sideOf(family)] ?? NO_PATH) - 1;

/** A set that came; `block` as the attribute store keeps it. */
export function learnFacts(facts: AttributeFacts, id: AttributesId, block: Uint8Array): void {
  if (id >= facts.origin.length) grow(facts, id);
  const { peer } = facts;
  read(block, peer);
  facts.localPref[id] = seen.localPref;
  facts.pathLength[id] = seen.pathLength;
  facts.origin[id] = seen.origin;
  facts.med[id] = seen.med;
  // RFC 4271 §9.1.2.2: where the path is empty or begins with a set, the peer's own AS stands for it.
  facts.neighborAs[id] = seen.firstAs < 0 ? peer.remoteAs : seen.firstAs;
  facts.routerId[id] = seen.originator < 0 ? peer.remoteRouterId : seen.originator;
  facts.clusterLength[id] = seen.clusters;
  const against = loop(peer);
  const isOdd = peer.external && seen.firstAs !== peer.remoteAs;
  for (const family of FAMILIES) {
    const at = 2 * id + sideOf(family);
    const name = against === VERDICT.accepted ? nameNextHop(facts, at, block, family) : against;
    facts.verdicts[at] = name === VERDICT.accepted && isOdd ? VERDICT.firstAs : name;
  }
}

/** A set that no route has any more. */
export function forgetFacts(facts: AttributeFacts, id: AttributesId): void {
  for (const at of [2 * id, 2 * id + 1]) {
    const path = (facts.paths[at] ?? NO_PATH) - 1;
    facts.paths[at] = NO_PATH;
    if (path < 0) continue;
    const { nextHop } = pathAt(facts.store, path);
    const named = facts.nextHops.get(nextHop);
    if (named === undefined) throw new Error(`nobody named ${nextHop}`);
    named.sets -= 1;
    if (named.sets > 0) continue;
    facts.nextHops.delete(nextHop);
    dropPath(facts.store, path);
  }
}

/** The session is over, and with it all sets; costs the next hops, not the sets. */
export function forgetAllFacts(facts: AttributeFacts): void {
  for (const { path } of facts.nextHops.values()) dropPath(facts.store, path);
  facts.nextHops.clear();
  facts.last = undefined;
}

/** One for all blocks: learning makes no object. -1 where an attribute is missing. */
type Seen = {
  localPref: number;
  pathLength: number;
  origin: number;
  med: number;
  /** First of the path, -1 where it is empty or begins with a set. */
  firstAs: number;
  hasOwnAs: boolean;
  originator: number;
  clusters: number;
  hasOwnCluster: boolean;
  /** Where the values begin. */
  nextHop: number;
  mpReach: number;
};

const seen: Seen = {
  localPref: 0,
  pathLength: 0,
  origin: 0,
  med: 0,
  firstAs: -1,
  hasOwnAs: false,
  originator: -1,
  clusters: 0,
  hasOwnCluster: false,
  nextHop: -1,
  mpReach: -1,
};

/** The block was checked by parseUpdate(); what does not fit all the same is not looked at. */
function read(block: Uint8Array, peer: PeerFacts): void {
  seen.localPref = DEFAULT_LOCAL_PREF;
  seen.pathLength = 0;
  seen.origin = INCOMPLETE;
  // RFC 4271 §9.1.2.2(c): a missing one is the lowest.
  seen.med = 0;
  seen.firstAs = -1;
  seen.hasOwnAs = false;
  seen.originator = -1;
  seen.clusters = 0;
  seen.hasOwnCluster = false;
  seen.nextHop = -1;
  seen.mpReach = -1;
  for (let at = 0; at + 3 <= block.length;) {
    const isLong = ((block[at] ?? 0) & FLAG_EXTENDED_LENGTH) !== 0;
    const start = at + (isLong ? 4 : 3);
    const first = block[at + 2] ?? 0;
    const end = start + (isLong ? (first << 8) | (block[at + 3] ?? 0) : first);
    if (end > block.length) return;
    readOne(block, block[at + 1] ?? 0, start, end, peer);
    at = end;
  }
}

function readOne(
  block: Uint8Array,
  code: number,
  start: number,
  end: number,
  peer: PeerFacts,
): void {
  switch (code) {
    case ATTRIBUTE.origin:
      seen.origin = block[start] ?? INCOMPLETE;
      return;
    case ATTRIBUTE.asPath:
      readPath(block, start, end, peer);
      return;
    case ATTRIBUTE.nextHop:
      seen.nextHop = start;
      return;
    case ATTRIBUTE.mpReach:
      seen.mpReach = start;
      return;
    case ATTRIBUTE.med:
      seen.med = u32(block, start);
      return;
    case ATTRIBUTE.localPref:
      // From another AS it means nothing; the codec has discarded it already (RFC 7606 §7.5).
      if (!peer.external) seen.localPref = u32(block, start);
      return;
    case ATTRIBUTE.originatorId:
      seen.originator = u32(block, start);
      return;
    case ATTRIBUTE.clusterList:
      seen.clusters = (end - start) >> 2;
      for (let at = start; at < end; at += 4) {
        if (u32(block, at) === peer.localRouterId) seen.hasOwnCluster = true;
      }
      return;
    default:
  }
}

/** RFC 4271 §9.1.2.2(a): a set counts as one; RFC 5065 §5.3: confederation segments as none. */
function readPath(block: Uint8Array, start: number, end: number, { localAses }: PeerFacts): void {
  for (let at = start; at + 2 <= end;) {
    const type = block[at] ?? 0;
    const next = at + 2 + 4 * (block[at + 1] ?? 0);
    if (next > end) return;
    if (type === AS_SEQUENCE) {
      if (seen.pathLength === 0) seen.firstAs = u32(block, at + 2);
      seen.pathLength += block[at + 1] ?? 0;
    } else if (type === AS_SET) seen.pathLength += 1;
    for (let as = at + 2; as < next; as += 4) {
      if (localAses.includes(u32(block, as))) seen.hasOwnAs = true;
    }
    at = next;
  }
}

const u32 = (octets: Uint8Array, at: number): number =>
  (((octets[at] ?? 0) << 24) |
    ((octets[at + 1] ?? 0) << 16) |
    ((octets[at + 2] ?? 0) << 8) |
    (octets[at + 3] ?? 0)) >>>
  0;

function loop({ localRouterId }: PeerFacts): Verdict {
  if (seen.hasOwnAs) return VERDICT.ownAs;
  if (seen.originator === localRouterId) return VERDICT.ownOriginator;
  return seen.hasOwnCluster ? VERDICT.ownCluster : VERDICT.accepted;
}

/**
 * Where the next hop stands, and its octets in `hop.length`: MP_REACH_NLRI speaks for its own family, NEXT_HOP beside it for
 * classic IPv4 routes only (RFC 4760 §3). Of two IPv6 next hops the global one, unless it says nothing (RFC 2545 §3), or the session
 * runs over link-local addresses: then the two may have no network in common, and only the link-local one is sure to be on the link.
 */
function findNextHop(block: Uint8Array, family: Family, peer: PeerFacts): void {
  const { nextHop, mpReach } = seen;
  hop.length = 0;
  const afi = mpReach < 0 ? 0 : ((block[mpReach] ?? 0) << 8) | (block[mpReach + 1] ?? 0);
  if (afi !== 0 && (afi === AFI_IPV6) === (family === "ipv6")) {
    const length = block[mpReach + 3] ?? 0;
    hop.at = mpReach + 4;
    hop.length = length === 4 ? 4 : 16;
    if (length === 32 && (isLinkLocal(peer.remoteAddress) || isZero(block, hop.at))) hop.at += 16;
  } else if (family === "ipv4" && nextHop >= 0) {
    hop.at = nextHop;
    hop.length = 4;
  }
}

const hop = { at: 0, length: 0 };

function isZero(block: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 16; i += 1) if (block[i] !== 0) return false;
  return true;
}

/** Notes the path of a set, or says what speaks against it. */
function nameNextHop(
  facts: AttributeFacts,
  at: number,
  block: Uint8Array,
  family: Family,
): Verdict {
  findNextHop(block, family, facts.peer);
  if (hop.length === 0) return VERDICT.noNextHop;
  const named = isSameHop(facts.last, block) ? facts.last : nameAnew(facts, block);
  if (typeof named === "number") return named;
  named.sets += 1;
  facts.paths[at] = named.path + 1;
  return VERDICT.accepted;
}

function isSameHop(last: Named | undefined, block: Uint8Array): last is Named {
  if (last === undefined || last.sets === 0 || last.octets.length !== hop.length) return false;
  for (let i = 0; i < hop.length; i += 1) if (last.octets[i] !== block[hop.at + i]) return false;
  return true;
}

function nameAnew(facts: AttributeFacts, block: Uint8Array): Named | Verdict {
  const octets = block.slice(hop.at, hop.at + hop.length);
  const nextHop = addressFromOctets(octets);
  const { neighbor, localAddresses, device, external } = facts.peer;
  if (localAddresses.has(nextHop)) return VERDICT.ownNextHop;
  let named = facts.nextHops.get(nextHop);
  if (named === undefined) {
    if (facts.nextHops.size >= NEXT_HOPS_LIMIT) return VERDICT.tooManyNextHops;
    const via = isLinkLocal(nextHop) ? device : "";
    const path = usePath(facts.store, { neighbor, nextHop, interface: via, external });
    named = { path, octets, sets: 0 };
    facts.nextHops.set(nextHop, named);
  }
  facts.last = named;
  return named;
}

function grow(facts: AttributeFacts, id: AttributesId): void {
  const size = Math.max(2 * facts.origin.length, id + 1);
  facts.localPref = copied(facts.localPref, new Uint32Array(size));
  facts.pathLength = copied(facts.pathLength, new Uint16Array(size));
  facts.origin = copied(facts.origin, new Uint8Array(size));
  facts.med = copied(facts.med, new Uint32Array(size));
  facts.neighborAs = copied(facts.neighborAs, new Uint32Array(size));
  facts.routerId = copied(facts.routerId, new Uint32Array(size));
  facts.clusterLength = copied(facts.clusterLength, new Uint16Array(size));
  facts.verdicts = copied(facts.verdicts, new Uint8Array(2 * size));
  facts.paths = copied(facts.paths, new Uint32Array(2 * size));
}

function copied<T extends Uint8Array | Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
