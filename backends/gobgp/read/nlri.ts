/**
 * The prefix of a path that WatchEvent tells: the one place where an NLRI does not come as octets of BGP.
 *
 * Total: what is no prefix of IPv4 or IPv6 is undefined. Pure. 3.x wraps it in an Any, 4.x in a message with one member.
 */
import { parsePrefix, type Prefix } from "../../../events/prefix.ts";
import type { Dialect } from "../api/messages.ts";
import { numberIn, octetsIn } from "./protobuf.ts";

/** Fields of an Any, and of 4.x' NLRI. */
const ANY = { typeUrl: 1, value: 2 } as const;
const NLRI_PREFIX = 1;
const PREFIX = { length: 1, address: 2 } as const;
const PREFIX_TYPE = /\.IPAddressPrefix$/;

export function watchedPrefix(octets: Uint8Array, { version }: Dialect): Prefix | undefined {
  const wrapped = octetsIn(octets, version === 3 ? ANY.value : NLRI_PREFIX);
  if (wrapped === undefined) return undefined;
  if (version === 3 && !PREFIX_TYPE.test(textOf(octetsIn(octets, ANY.typeUrl)))) return undefined;
  const address = textOf(octetsIn(wrapped, PREFIX.address));
  // Length 0 is what the encoding leaves out.
  return parsePrefix(`${address}/${numberIn(wrapped, PREFIX.length) ?? 0}`)?.prefix;
}

export const textOf = (octets: Uint8Array | undefined): string => new TextDecoder().decode(octets);
