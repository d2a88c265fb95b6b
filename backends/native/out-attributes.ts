/**
 * Own routes → the path attributes that one session carries (RFC 4271 §5).
 *
 * Pure. Attribute objects are made once for each session and export, so that many routes share them.
 */
import { type Address, type Family, familyOf } from "../../events/address.ts";
import type { Asn, NeighborKey } from "../../events/ids.ts";
import type { ExportAttributes, OwnRoute } from "../intent.ts";
import type { OutAttributes } from "./wire/message.ts";

/** What iBGP peers see where nobody set it: FRR's, BIRD's and GoBGP's default (manifests.md §1.4 on the mode difference). */
const DEFAULT_LOCAL_PREF = 100;

export type Teller = {
  readonly neighbor: NeighborKey;
  readonly localAs: Asn;
  readonly external: boolean;
  /** Our address of each family towards this peer; absent where we have none. */
  readonly nextHops: Readonly<Partial<Record<Family, Address>>>;
};

export type Told = (route: OwnRoute, family: Family) => OutAttributes | undefined;

/** undefined: this neighbour is not to be told, or no next hop of that family is known. */
export function telling(teller: Teller): Told {
  const known = new Map<Family, WeakMap<ExportAttributes, OutAttributes>>();
  return (route, family) => {
    const found = route.exports.find(({ to }) => to.includes(teller.neighbor));
    if (found === undefined) return undefined;
    const ofFamily = known.get(family) ?? new WeakMap<ExportAttributes, OutAttributes>();
    known.set(family, ofFamily);
    const before = ofFamily.get(found.attributes);
    if (before !== undefined) return before;
    const made = attributesFor(teller, found.attributes, family);
    if (made !== undefined) ofFamily.set(found.attributes, made);
    return made;
  };
}

function attributesFor(
  { localAs, external, nextHops }: Teller,
  wanted: ExportAttributes,
  family: Family,
): OutAttributes | undefined {
  const explicit = wanted.nextHop;
  const nextHop =
    explicit !== undefined && familyOf(explicit) === family ? explicit : nextHops[family];
  if (nextHop === undefined) return undefined;
  return {
    origin: "igp",
    // RFC 4271 §5.1.2: our own AS to external peers, nothing inside our AS.
    asPath: external ? [localAs] : [],
    nextHop,
    med: wanted.med,
    // RFC 4271 §5.1.5: to internal peers always, to external ones never.
    localPref: external ? undefined : (wanted.localPref ?? DEFAULT_LOCAL_PREF),
    communities: wanted.communities,
    largeCommunities: wanted.largeCommunities,
  };
}
