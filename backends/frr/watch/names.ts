/**
 * FRR's names of VRFs, neighbours and families, and ours.
 *
 * Pure. Reads next: summary.ts, ../../../events/ids.ts (NeighborKey).
 */
import { type Family, parseAddress } from "../../../events/address.ts";
import type { NeighborIntent } from "../../intent.ts";

/** `vrf|address-or-interface`, as bgpd knows a neighbour: the local address is none of its names. */
export type PeerName = string;

const DEFAULT_VRF = "default";

export const vrfFromFrr = (name: string): string => (name === DEFAULT_VRF ? "" : name);
export const vrfForFrr = (vrf: string): string => (vrf === "" ? DEFAULT_VRF : vrf);

/** `name` as bgpd prints it: an interface, or an address in any spelling. */
export const peerNameOf = (vrf: string, name: string): PeerName =>
  `${vrf}|${parseAddress(name) ?? name}`;

/** What is put behind `neighbor` in a command. */
export const remoteName = ({ remote }: Pick<NeighborIntent, "remote">): string =>
  remote.type === "address" ? remote.address : remote.interface;

/** As keys of FRR's JSON; undefined for what our sessions do not carry as routes of a kernel. */
export const familyFromFrr = (key: string): Family | undefined =>
  key === "ipv4Unicast" ? "ipv4" : key === "ipv6Unicast" ? "ipv6" : undefined;
