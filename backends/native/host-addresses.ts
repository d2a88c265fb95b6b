/**
 * What this host's interfaces say of a session: our next hops, its device, and which addresses are our own.
 *
 * Read when a session comes up. In a VRF only its own devices count, for another one may use the same addresses; outside of
 * any, all do. Never decides what is done with it.
 */
import { readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { basename } from "node:path";
import { type Address, type Family, familyOf, parseAddress } from "../../events/address.ts";

/** Next hop self: the session's own address, and for the other family a global address of the same interface (asks 24). */
export function nextHopsFrom(
  local: Address | undefined,
  vrf: string,
): Partial<Record<Family, Address>> {
  if (local === undefined) return {};
  const family = familyOf(local);
  const other: Family = family === "ipv4" ? "ipv6" : "ipv4";
  const beside = interfaces(vrf)
    .find(({ addresses }) => addresses.includes(local))
    ?.addresses.find((address) => familyOf(address) === other && !address.startsWith("fe80:"));
  return { [family]: local, ...(beside === undefined ? {} : { [other]: beside }) };
}

/** The device that has the address; empty where none does. */
export const deviceOf = (local: Address | undefined, vrf: string): string =>
  interfaces(vrf).find(({ addresses }) => local !== undefined && addresses.includes(local))?.name ??
  "";

export const ownAddresses = (vrf: string): ReadonlySet<Address> =>
  new Set(interfaces(vrf).flatMap(({ addresses }) => addresses));

function interfaces(vrf: string): readonly {
  readonly name: string;
  readonly addresses: readonly Address[];
}[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => vrf === "" || isIn(vrf, name))
    .map(([name, addresses]) => ({
      name,
      addresses: (addresses ?? []).flatMap(({ address }) => parseAddress(address) ?? []),
    }));
}

/** A device is in a VRF by itself or by what it is a port of; a bond in a bridge in a VRF is as deep as it gets. */
const MASTERS_LIMIT = 4;

function isIn(vrf: string, device: string): boolean {
  let name = device;
  for (let depth = 0; depth < MASTERS_LIMIT && name !== vrf; depth += 1) {
    try {
      name = basename(readlinkSync(`/sys/class/net/${name}/master`));
    } catch {
      // It has none, or is gone.
      return false;
    }
  }
  return name === vrf;
}
