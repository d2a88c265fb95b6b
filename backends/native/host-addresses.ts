/**
 * What this host's interfaces say of a session: our next hops, its device, and which addresses are our own.
 *
 * Read when a session comes up. In a VRF only its own devices count, for another one may use the same addresses; outside of
 * any, all do. Never decides what is done with it.
 */
import { readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { basename } from "node:path";
import {
  type Address,
  type Family,
  familyOf,
  isLinkLocal,
  parseAddress,
} from "../../events/address.ts";
import type { HostAddress, ReadAddresses } from "../host-address.ts";

/** One end of a connection. */
export type Endpoint = {
  readonly address: Address;
  /** Where a link-local address has its meaning (RFC 4007 §6); empty for other addresses. */
  readonly interface: string;
};

/** An address as Node says it of a socket, with its zone (`fe80::1%eth0`, RFC 4007 §11); undefined where it has none any more. */
export function endpointFrom(text: string | undefined): Endpoint | undefined {
  const [before = "", zone = ""] = (text ?? "").split("%", 2);
  const address = parseAddress(before);
  return address === undefined ? undefined : { address, interface: zone };
}

/**
 * Next hop self: the session's own address, and for the other family a global address of the same interface (asks 24). Where IPv6
 * next hops of IPv4 routes are agreed (RFC 8950), the session's IPv6 address stands in for an IPv4 one that is missing; over
 * link-local addresses always, as FRR has it, because there nothing says that the peer shares an IPv4 network with us.
 */
export function nextHopsFrom(
  local: Endpoint | undefined,
  vrf: string,
  extendedNextHop: boolean,
  read: ReadAddresses = systemAddresses,
): Partial<Record<Family, Address>> {
  if (local === undefined) return {};
  const { address } = local;
  const family = familyOf(address);
  const other: Family = family === "ipv4" ? "ipv6" : "ipv4";
  const device = deviceOf(local, vrf, read);
  const beside = addressesIn(vrf, read).find(
    (one) =>
      one.device === device &&
      !one.virtual &&
      familyOf(one.address) === other &&
      !isLinkLocal(one.address),
  )?.address;
  const own = family === "ipv6" && extendedNextHop ? address : undefined;
  const another = isLinkLocal(address) ? (own ?? beside) : (beside ?? own);
  return { [family]: address, ...(another === undefined ? {} : { [other]: another }) };
}

/** The device that has the address; empty where none does. */
export function deviceOf(
  local: Endpoint | undefined,
  vrf: string,
  read: ReadAddresses = systemAddresses,
): string {
  if (local === undefined) return "";
  if (local.interface !== "") return local.interface;
  return addressesIn(vrf, read).find(({ address }) => address === local.address)?.device ?? "";
}

export const ownAddresses = (
  vrf: string,
  read: ReadAddresses = systemAddresses,
): ReadonlySet<Address> => new Set(addressesIn(vrf, read).map(({ address }) => address));

/** Never spoken from: nobody beyond this host answers them (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
const isLoopback = (address: Address): boolean => address.startsWith("127.") || address === "::1";

/**
 * What a session is spoken from where an interface is its source: the address before, as long as that is there, else the first
 * one of the peer's family on it, link-local towards link-local peers alone. Virtual ones come and go, and are none. undefined: the
 * interface has none, or is not in the VRF.
 */
export function sourceAddress(
  device: string,
  vrf: string,
  far: { readonly family: Family; readonly linkLocal: boolean },
  before: Address | undefined,
  read: ReadAddresses,
): Address | undefined {
  const usable = [...read()]
    .filter((one) => one.device === device && !one.virtual)
    .map(({ address }) => address)
    .filter((one) => familyOf(one) === far.family && isLinkLocal(one) === far.linkLocal)
    .filter((one) => !isLoopback(one));
  if (usable.length === 0 || (vrf !== "" && !isIn(vrf, device))) return undefined;
  return before !== undefined && usable.includes(before) ? before : usable[0];
}

/**
 * What a router is known by where nobody says: the first global IPv4 address of this host in order of its text, no virtual one. So
 * it is stable over restarts as long as the host's own addresses are. undefined: the host has none.
 */
export const lowestAddress = (read: ReadAddresses): Address | undefined =>
  [...read()]
    .filter(
      ({ address, loopback, virtual }) => familyOf(address) === "ipv4" && !loopback && !virtual,
    )
    .map(({ address }) => address)
    .toSorted()[0];

/** By Node, which asks for each address with two calls: with 20,000 virtual IPs, of which it knows nothing, that takes 60 ms. */
export const systemAddresses = (): readonly HostAddress[] =>
  Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).flatMap(({ address: text, internal: loopback }) => {
      const address = parseAddress(text);
      return address === undefined ? [] : [{ address, device, loopback, virtual: false }];
    }),
  );

function addressesIn(vrf: string, read: ReadAddresses): readonly HostAddress[] {
  const all = [...read()];
  if (vrf === "") return all;
  const inside = new Map<string, boolean>();
  return all.filter(({ device }) => {
    const isInside = inside.get(device) ?? isIn(vrf, device);
    inside.set(device, isInside);
    return isInside;
  });
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
