/**
 * Who has said what of routers and neighbours so far, and whether one more object can join.
 *
 * Pure to its caller; mutates what it owns, because comparing each object with each other costs the square of a host's peers.
 * Objects enter in order of precedence (order.ts) and enter whole or not at all; upstream would freeze the node instead.
 * Reads next: merge-rules.ts and evpn.ts (the rules), conflicts.ts (who calls).
 */
import type { ResourceKey } from "../../events/ids.ts";
import { canonicalJson } from "../../events/digest.ts";
import {
  type ClaimedProfile,
  type Claims,
  neighborId,
  type NeighborClaim,
  type RouterClaim,
  spoken,
} from "./claims.ts";
import { evpnConflict } from "./evpn.ts";
import { type Found, neighborConflict } from "./merge-rules.ts";

export type Ledger = {
  /** Takes the object in, or says why it can't be. */
  enter(claims: Claims): Found;
};

/** What the objects in one VRF say of its router. */
type Vrf = {
  /** AS numbers and router ids, with who said each first. */
  readonly asns: Map<number, ResourceKey>;
  readonly ids: Map<string, ResourceKey>;
  /** True where an FRRConfiguration has a router here: then the VRF has one router. */
  single: boolean;
};

export function createLedger(): Ledger {
  const vrfs = new Map<string, Vrf>();
  const neighbors = new Map<string, NeighborClaim[]>();
  const profiles = new Map<
    string,
    { readonly owner: ResourceKey; readonly profile: ClaimedProfile }
  >();
  const routers: RouterClaim[] = [];
  const withEvpn: RouterClaim[] = [];

  const against = (claims: Claims): Found => {
    for (const router of claims.routers) {
      const found = routerConflict(router, vrfs.get(router.vrf)) ?? joined(router);
      if (found !== undefined) return found;
    }
    for (const profile of claims.bfdProfiles) {
      const known = profiles.get(profile.name);
      if (known === undefined || sameProfile(known.profile, profile)) continue;
      return [
        "bfd-profile-differs",
        `BFD profile ${profile.name} has other parameters in ${spoken(known.owner)}`,
      ];
    }
    return undefined;
  };

  const joined = (router: RouterClaim): Found => {
    for (const neighbor of router.neighbors) {
      for (const known of neighbors.get(neighborId(neighbor)) ?? []) {
        const found = neighborConflict(neighbor, known);
        if (found !== undefined) return found;
      }
    }
    for (const known of router.evpn === undefined ? withEvpn : routers) {
      const found = evpnConflict(router, known);
      if (found !== undefined) return found;
    }
    return undefined;
  };

  const keep = ({ routers: all, bfdProfiles, owner }: Claims): void => {
    for (const router of all) {
      const vrf = vrfs.get(router.vrf) ?? { asns: new Map(), ids: new Map(), single: false };
      vrfs.set(router.vrf, vrf);
      if (!vrf.asns.has(router.asn)) vrf.asns.set(router.asn, owner);
      const id = router.routerId;
      if (id !== undefined && !vrf.ids.has(id)) vrf.ids.set(id, owner);
      vrf.single ||= router.kind === "configuration";
      routers.push(router);
      if (router.evpn !== undefined) withEvpn.push(router);
      for (const neighbor of router.neighbors) {
        const at = neighborId(neighbor);
        neighbors.set(at, [...(neighbors.get(at) ?? []), neighbor]);
      }
    }
    for (const profile of bfdProfiles) {
      if (!profiles.has(profile.name)) profiles.set(profile.name, { owner, profile });
    }
  };

  return {
    enter(claims) {
      const found = against(claims);
      if (found === undefined) keep(claims);
      return found;
    },
  };
}

/**
 * One AS and at most one router id in a VRF (rules.md §2.1). BGPPeers among themselves may differ, for MetalLB's own speaker lets
 * them: each (AS, id) is a router of its own (design §6).
 */
function routerConflict(router: RouterClaim, vrf: Vrf | undefined): Found {
  if (vrf === undefined || !(vrf.single || router.kind === "configuration")) return undefined;
  const where = `${router.field}${router.vrf === "" ? "" : ` (VRF ${router.vrf})`}`;
  for (const [asn, owner] of vrf.asns) {
    if (asn === router.asn) continue;
    return ["router-asn-conflict", `${where}: AS ${router.asn} here, ${asn} in ${spoken(owner)}`];
  }
  const [mine, ids] = [router.routerId, [...vrf.ids]];
  const [first, second] = ids;
  if (mine === undefined) {
    return first === undefined || second === undefined
      ? undefined
      : [
          "router-id-conflict",
          `${where}: router id ${first[0]} in ${spoken(first[1])}, ${second[0]} in ${spoken(second[1])}`,
        ];
  }
  const other = ids.find(([id]) => id !== mine);
  return other === undefined
    ? undefined
    : [
        "router-id-conflict",
        `${where}: router id ${mine} here, ${other[0]} in ${spoken(other[1])}`,
      ];
}

const sameProfile = (a: ClaimedProfile, b: ClaimedProfile): boolean =>
  canonicalJson(a.spec ?? null) === canonicalJson(b.spec ?? null);
