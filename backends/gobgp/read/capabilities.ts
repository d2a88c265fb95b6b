/**
 * Capabilities of a peer's OPEN as gobgpd tells them: names of the IANA registry, and the families.
 *
 * Total, pure. 3.x wraps each in an Any with the message's name, 4.x in a message with one member for each kind.
 */
import type { Family } from "../../../events/address.ts";
import { familyOfMessage } from "../api/messages.ts";
import { textOf } from "./nlri.ts";
import { fieldsOf, numberIn, octetsIn } from "./protobuf.ts";

const KINDS: readonly {
  readonly message: string;
  readonly member: number;
  readonly name: string;
}[] = [
  { message: "RouteRefreshCapability", member: 3, name: "Route Refresh" },
  { message: "CarryingLabelInfoCapability", member: 4, name: "Carrying Label Information" },
  { message: "ExtendedNexthopCapability", member: 5, name: "Extended Next Hop Encoding" },
  { message: "GracefulRestartCapability", member: 6, name: "Graceful Restart" },
  { message: "FourOctetASNCapability", member: 7, name: "4-octet AS number" },
  { message: "AddPathCapability", member: 8, name: "ADD-PATH" },
  { message: "EnhancedRouteRefreshCapability", member: 9, name: "Enhanced Route Refresh" },
  {
    message: "LongLivedGracefulRestartCapability",
    member: 10,
    name: "Long-Lived Graceful Restart",
  },
  { message: "RouteRefreshCiscoCapability", member: 11, name: "Prestandard Route Refresh" },
  { message: "FqdnCapability", member: 12, name: "FQDN Capability" },
];
const MULTIPROTOCOL = { message: "MultiProtocolCapability", member: 2 } as const;

export type PeerCapabilities = {
  readonly names: readonly string[];
  /** RFC 4760 §8; IPv4 where the peer says nothing of families. */
  readonly families: readonly Family[];
};

export function capabilitiesOf(all: readonly Uint8Array[]): PeerCapabilities {
  const names: string[] = [];
  const families: Family[] = [];
  let saysFamilies = false;
  for (const octets of all) {
    const { message, member, value } = wrappingOf(octets);
    if (message === MULTIPROTOCOL.message || member === MULTIPROTOCOL.member) {
      saysFamilies = true;
      const family = octetsIn(value, 1) ?? new Uint8Array(0);
      const [afi, safi] = [numberIn(family, 1) ?? 0, numberIn(family, 2) ?? 0];
      names.push(`Multiprotocol ${afi}/${safi}`);
      const known = familyOfMessage({ afi, safi });
      if (known !== undefined) families.push(known);
      continue;
    }
    const kind = KINDS.find((one) => one.message === message || one.member === member);
    const code = numberIn(value, 1);
    names.push(kind?.name ?? (code === undefined ? "unknown capability" : `capability ${code}`));
  }
  return { names, families: saysFamilies ? families : ["ipv4"] };
}

type Wrapping = {
  readonly message: string | undefined;
  readonly member: number | undefined;
  readonly value: Uint8Array;
};

function wrappingOf(octets: Uint8Array): Wrapping {
  const url = textOf(octetsIn(octets, 1));
  const name = /^type\.googleapis\.com\/\w+\.(\w+)$/.exec(url)?.[1];
  if (name !== undefined) {
    return { message: name, member: undefined, value: octetsIn(octets, 2) ?? new Uint8Array(0) };
  }
  const [only] = fieldsOf(octets);
  const value =
    only === undefined || typeof only.value === "number" ? new Uint8Array(0) : only.value;
  return { message: undefined, member: only?.number, value };
}
