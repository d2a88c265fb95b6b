/**
 * What this host's interfaces say of a neighbour before its session says it: our address beside it, and our router id.
 *
 * Decides nothing. Reads next: ../../native/host-addresses.ts (what a session's own address tells).
 */
import { hostname, networkInterfaces } from "node:os";
import { type Address, type Family, familyOf, parseAddress } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { hostPrefix, parsePrefix, prefixContains } from "../../../events/prefix.ts";
import type { ReadAddresses } from "../../host-address.ts";
import type { NeighborIntent } from "../../intent.ts";
import {
  deviceOf,
  type Endpoint,
  nextHopsFrom,
  systemAddresses,
} from "../../native/host-addresses.ts";
import { type Source, sourceOf } from "../../native/session-ends.ts";
import type { Near } from "../render/speaking.ts";

/** The device that has the address; empty where none does. GoBGP says no zone of a link-local one. */
export const deviceWith = (local: Address | undefined): string => deviceOf(endpointOf(local), "");

const endpointOf = (address: Address | undefined): Endpoint | undefined =>
  address === undefined ? undefined : { address, interface: "" };

/** Our address of `family` on the device of `local`, or, where no session told it yet, on the one whose network the peer is in. */
export const ourAddress = (
  remote: Address,
  local: Address | undefined,
  family: Family,
): Address | undefined => nextHopsFrom(endpointOf(local ?? onLinkWith(remote)), "", false)[family];

export type Sources = {
  near(neighbor: NeighborIntent): Near;
  /** Whether an interface says something else than when near() was asked last. */
  moved(neighbors: Iterable<NeighborIntent>): boolean;
};

/** gobgpd is told an address to speak from; where the intent names an interface, it is looked up whenever somebody asks. */
export function createSources(read: ReadAddresses = systemAddresses): Sources {
  const known = new Map<NeighborKey, { readonly device: string; readonly source: Source }>();
  const of = (neighbor: NeighborIntent, device: string): Source => {
    const before = known.get(neighbor.key);
    if (before?.device === device) return before.source;
    const source = sourceOf(neighbor, "");
    known.set(neighbor.key, { device, source });
    return source;
  };
  return {
    near(neighbor) {
      const { localInterface } = neighbor;
      if (localInterface === undefined) return { address: neighbor.localAddress };
      const source = of(neighbor, localInterface);
      source.look(read);
      return { address: source.address(), problem: source.problem() };
    },
    moved: (neighbors) =>
      [...neighbors].some(
        (one) => one.localInterface !== undefined && of(one, one.localInterface).look(read),
      ),
  };
}

function onLinkWith(remote: Address): Address | undefined {
  for (const { address, cidr } of addresses()) {
    const network = cidr === null ? undefined : parsePrefix(cidr)?.prefix;
    if (network !== undefined && prefixContains(network, hostPrefix(remote)))
      return parseAddress(address);
  }
  return undefined;
}

const addresses = () => Object.values(networkInterfaces()).flatMap((one) => one ?? []);

/** The lowest global IPv4 address of this host, else one made of its name: as the native speaker chooses it. */
export function hostRouterId(): Address {
  const own = addresses()
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .flatMap(({ address }) => parseAddress(address) ?? [])
    .filter((one) => familyOf(one) === "ipv4")
    .toSorted();
  return own[0] ?? fromName(hostname());
}

/** FNV-1a over the name, never 0 (RFC 6286 §2.1). */
function fromName(name: string): Address {
  let hash = 0x811c9dc5;
  for (const octet of new TextEncoder().encode(name)) hash = Math.imul(hash ^ octet, 0x01000193);
  const value = hash >>> 0 || 1;
  const octets = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return octets.join(".") as Address;
}
