/**
 * What this host's interfaces say of a neighbour before its session says it: our address beside it, and our router id.
 *
 * Decides nothing. Reads next: ../../native/host-addresses.ts (what a session's own address tells).
 */
import { hostname, networkInterfaces } from "node:os";
import { type Address, type Family, familyOf, parseAddress } from "../../../events/address.ts";
import { hostPrefix, parsePrefix, prefixContains } from "../../../events/prefix.ts";
import { deviceOf, type Endpoint, nextHopsFrom } from "../../native/host-addresses.ts";

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
