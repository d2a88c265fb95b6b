/**
 * Values as FRR prints them back.
 *
 * Pure. What is written here and read back differently would be sent again for ever.
 */
import { bitsOf } from "../../../events/address.ts";
import { type Prefix, prefixFamily, prefixLength } from "../../../events/prefix.ts";
import { type FrrVersion, isAtLeast } from "../version.ts";

/** RFC 1997, 3765, 7611, 7999, 8326, 9494 and FRR's own; as FRR's community_str_get() prints them. */
const WELL_KNOWN: ReadonlyMap<number, string> = new Map([
  [0xffff0000, "graceful-shutdown"],
  [0xffff0001, "accept-own"],
  [0xffff0002, "route-filter-translated-v4"],
  [0xffff0003, "route-filter-v4"],
  [0xffff0004, "route-filter-translated-v6"],
  [0xffff0005, "route-filter-v6"],
  [0xffff0006, "llgr-stale"],
  [0xffff0007, "no-llgr"],
  [0xffff0008, "accept-own-nexthop"],
  [0xffff029a, "blackhole"],
  [0xffffff01, "no-export"],
  [0xffffff02, "no-advertise"],
  [0xffffff03, "local-AS"],
  [0xffffff04, "no-peer"],
]);

/** FRR 9.1 and later know 0:0 by number only. */
export function communityWord(community: number, version: FrrVersion): string {
  if (community === 0 && !isAtLeast(version, 9, 1)) return "internet";
  return WELL_KNOWN.get(community) ?? communityNumber(community);
}

export const communityNumber = (community: number): string =>
  `${community >>> 16}:${community & 0xffff}`;

/** The match of a prefix list's line. Bounds that the prefix itself implies are left out, as people write it. */
export function prefixMatch(prefix: Prefix, atLeast: number, atMost: number): string {
  const length = prefixLength(prefix);
  const lowest = atLeast > length ? ` ge ${atLeast}` : "";
  // Without `le`, `ge` reaches to the end; without both, only the prefix itself is meant.
  const open = lowest !== "" && atMost === bitsOf(prefixFamily(prefix));
  const highest = open || (lowest === "" && atMost === length) ? "" : ` le ${atMost}`;
  return `${prefix}${lowest}${highest}`;
}
