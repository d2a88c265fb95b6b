/**
 * Names of route maps, prefix lists and profiles in FRR.
 *
 * They are those of frr-k8s, letter for letter, because raw lines of users name them; names of our own begin with `rutter-`. Never
 * decides what is in a list. Reads next: policy.ts, named-lists.ts.
 */
import { type Family, familyOf } from "../../../events/address.ts";
import type { Asn } from "../../../events/ids.ts";
import type { NeighborIntent } from "../../intent.ts";

/** FRR's word for a family where prefixes are listed and matched. */
export const listFamily = (family: Family): "ip" | "ipv6" => (family === "ipv4" ? "ip" : "ipv6");

/** How bgpd calls the neighbour within its router. */
export const peerOf = ({ remote }: NeighborIntent): string =>
  remote.type === "address" ? remote.address : remote.interface;

/** How names call it, over all routers. */
export const neighborId = (vrf: string, neighbor: NeighborIntent): string =>
  vrf === "" ? peerOf(neighbor) : `${peerOf(neighbor)}-${vrf}`;

export const inMap = (id: string): string => `${id}-in`;
export const outMap = (id: string): string => `${id}-out`;

/** One name for an IPv4 and an IPv6 list; the family in it is the session's, `dual` where it carries both. */
export const receiveList = (id: string, neighbor: NeighborIntent): string =>
  `${id}-inpl-${sessionFamily(neighbor)}`;

export const deniedList = (id: string, neighbor: NeighborIntent): string =>
  `${id}-denied-inpl-${sessionFamily(neighbor)}`;

export const allowedList = (id: string, family: Family): string => `${id}-allowed-${family}`;

export const localPrefList = (id: string, localPref: number, family: Family): string =>
  `${id}-${localPref}-${listFamily(family)}-localpref-prefixes`;

/** `community` as in manifests: `65000:1`, and `65000:1:2` for a large one. */
export const communityList = (id: string, community: string, family: Family): string =>
  `${id}-${community.split(":").length === 3 ? "large:" : ""}${community}-${listFamily(family)}-community-prefixes`;

/** What is always blocked is one list for all neighbours. */
export const BLOCK_LIST = "rutter-always-block";

/** Gives a route its tag as it is originated. */
export const tagMap = (tag: number): string => `rutter-${tag}`;

export const routerLine = (localAs: Asn, vrf: string): string =>
  vrf === "" ? `router bgp ${localAs}` : `router bgp ${localAs} vrf ${vrf}`;

export const familyLine = (family: Family): string => `address-family ${family} unicast`;
export const EVPN_LINE = "address-family l2vpn evpn";

/** bgpd cuts a longer one without a word, and bfdd refuses it (seen with 8.4). */
const PROFILE_NAME_LIMIT = 63;

/** A name that fits stays as it is; a longer one is cut, and a digest of the whole keeps it apart from its like. */
export function profileName(profile: string): string {
  if (profile.length <= PROFILE_NAME_LIMIT) return profile;
  const digest = fnv1a(profile).toString(16).padStart(16, "0");
  return `${profile.slice(0, PROFILE_NAME_LIMIT - digest.length - 1)}-${digest}`;
}

/** FNV-1a, 64 bits: names are nobody's attack surface, they only must not meet by chance. */
function fnv1a(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const character of text)
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.codePointAt(0) ?? 0)) * 0x100000001b3n);
  return hash;
}

function sessionFamily({ families, remote }: NeighborIntent): Family | "dual" {
  if (remote.type === "interface" || families.length > 1) return "dual";
  return families[0] ?? familyOf(remote.address);
}
