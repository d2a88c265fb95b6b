/**
 * The two ends of a neighbour's session as its intent says them: whom to dial, and what an interface as the source comes to.
 *
 * Decides nothing of the session. Reads next: neighbor.ts (what follows), host-addresses.ts.
 */
import { type Address, type Family, familyOf, isLinkLocal } from "../../events/address.ts";
import type { ReadAddresses } from "../host-address.ts";
import type { NeighborIntent } from "../intent.ts";
import { type Endpoint, sourceAddress } from "./host-addresses.ts";

/** undefined: known by its interface, and not found yet. A link-local address is one of the link that it is spoken to from. */
export function endpointOf({ remote, localInterface = "" }: NeighborIntent): Endpoint | undefined {
  if (remote.type !== "address") return undefined;
  const { address } = remote;
  return { address, interface: isLinkLocal(address) ? localInterface : "" };
}

export type Source = {
  /** Where to speak from; undefined: the kernel chooses, or there is nothing yet. */
  readonly address: () => Address | undefined;
  /** Why there is nothing to speak from; undefined: there is, or nobody asked for anything. */
  readonly problem: () => string | undefined;
  /** True where the answers above are others than before. Only an interface has any to come. */
  look(read: ReadAddresses): boolean;
};

export function sourceOf(
  { remote, localAddress, localInterface: device }: NeighborIntent,
  vrf: string,
): Source {
  if (device === undefined) {
    return { address: () => localAddress, problem: () => undefined, look: () => false };
  }
  const far: { readonly family: Family; readonly linkLocal: boolean } =
    remote.type === "interface"
      ? { family: "ipv6", linkLocal: true }
      : { family: familyOf(remote.address), linkLocal: isLinkLocal(remote.address) };
  const kind = `${far.linkLocal ? "link-local " : ""}${far.family === "ipv4" ? "IPv4" : "IPv6"}`;
  const where = vrf === "" ? device : `${device} in VRF ${vrf}`;
  const missing = `waits for an address to speak from: ${where} has no ${kind} one (sourceaddress)`;
  let address: Address | undefined;
  return {
    address: () => address,
    problem: () => (address === undefined ? missing : undefined),
    look(read) {
      const before = address;
      address = sourceAddress(device, vrf, far, before, read);
      return address !== before;
    },
  };
}
