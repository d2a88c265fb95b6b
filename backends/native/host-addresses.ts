/**
 * What this host's interfaces say of a session: our next hops, its device, and which addresses are our own.
 *
 * Read when a session comes up. Never decides what is done with it.
 */
import { networkInterfaces } from "node:os";
import { type Address, type Family, familyOf, parseAddress } from "../../events/address.ts";

/** Next hop self: the session's own address, and for the other family a global address of the same interface (asks 24). */
export function nextHopsFrom(local: Address | undefined): Partial<Record<Family, Address>> {
  if (local === undefined) return {};
  const family = familyOf(local);
  const other: Family = family === "ipv4" ? "ipv6" : "ipv4";
  const beside = interfaces()
    .find(({ addresses }) => addresses.includes(local))
    ?.addresses.find((address) => familyOf(address) === other && !address.startsWith("fe80:"));
  return { [family]: local, ...(beside === undefined ? {} : { [other]: beside }) };
}

/** The device that has the address; empty where none does. */
export const deviceOf = (local: Address | undefined): string =>
  interfaces().find(({ addresses }) => local !== undefined && addresses.includes(local))?.name ??
  "";

export const ownAddresses = (): ReadonlySet<Address> =>
  new Set(interfaces().flatMap(({ addresses }) => addresses));

function interfaces(): readonly {
  readonly name: string;
  readonly addresses: readonly Address[];
}[] {
  return Object.entries(networkInterfaces()).map(([name, addresses]) => ({
    name,
    addresses: (addresses ?? []).flatMap(({ address }) => parseAddress(address) ?? []),
  }));
}
