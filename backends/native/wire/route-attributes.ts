/**
 * Path attributes as people read them: the block that Adj-RIB-In keeps, taken apart (RFC 4271 §4.3, §5).
 *
 * For showing one route at a time; nothing on the way of an UPDATE calls it. Total: octets that are no attributes give
 * fewer attributes. Reads next: attribute-block.ts (what the block is).
 */
import { type Address, addressFromOctets } from "../../../events/address.ts";
import { asPathText, readAsPath, type Segment } from "./as-path.ts";
import { type AttributeAt, attributesIn } from "./attribute-block.ts";
import { ATTRIBUTE } from "./attribute-codes.ts";
import { toHex } from "./hex.ts";

export type Origin = "igp" | "egp" | "incomplete";

export type RouteAttributes = {
  /** `incomplete` where it is missing or undefined. */
  readonly origin: Origin;
  readonly asPath: readonly Segment[];
  /** As `65001 65002 {65003,65004}`. */
  readonly asPathText: string;
  /** The global one where there are two; undefined where there is none. */
  readonly nextHop: Address | undefined;
  readonly linkLocal: Address | undefined;
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly atomicAggregate: boolean;
  readonly aggregator: { readonly asn: number; readonly routerId: Address } | undefined;
  /** `a:b`, in the order received. */
  readonly communities: readonly string[];
  /** RFC 8092 §5: `a:b:c`. */
  readonly largeCommunities: readonly string[];
  /** Eight octets each, in hexadecimal. */
  readonly extendedCommunities: readonly string[];
  readonly originatorId: Address | undefined;
  readonly clusterList: readonly Address[];
  /** RFC 9234 §5: the AS that put Only to Customer there. */
  readonly onlyToCustomer: number | undefined;
  /** Every attribute, in order, also those that are named above. */
  readonly raw: readonly { readonly code: number; readonly flags: number; readonly hex: string }[];
};

const ORIGINS: readonly Origin[] = ["igp", "egp", "incomplete"];

export function originNumber(origin: Origin): number {
  return ORIGINS.indexOf(origin);
}

/** `block` as Update.attributes has it: four-octet AS numbers. */
export function decodeAttributes(block: Uint8Array): RouteAttributes {
  const found = [...attributesIn(block, 0, block.length)];
  const value = (code: number): Uint8Array | undefined => valueOf(block, found, code);
  const asPath = value(ATTRIBUTE.asPath) ?? new Uint8Array(0);
  const segments = readAsPath(asPath, 0, asPath.length, 4);
  return {
    origin: ORIGINS[value(ATTRIBUTE.origin)?.[0] ?? 2] ?? "incomplete",
    asPath: segments,
    asPathText: asPathText(segments),
    ...nextHops(value(ATTRIBUTE.nextHop), value(ATTRIBUTE.mpReach)),
    med: number32(value(ATTRIBUTE.med)),
    localPref: number32(value(ATTRIBUTE.localPref)),
    atomicAggregate: value(ATTRIBUTE.atomicAggregate) !== undefined,
    aggregator: aggregatorOf(value(ATTRIBUTE.aggregator)),
    communities: chunks(value(ATTRIBUTE.communities), 4, communityText),
    largeCommunities: chunks(value(ATTRIBUTE.largeCommunities), 12, largeCommunityText),
    extendedCommunities: chunks(value(ATTRIBUTE.extendedCommunities), 8, toHex),
    originatorId: addressIn(value(ATTRIBUTE.originatorId), 0, 4),
    clusterList: chunks(value(ATTRIBUTE.clusterList), 4, addressFromOctets),
    onlyToCustomer: number32(value(ATTRIBUTE.onlyToCustomer)),
    raw: found.map(({ code, flags, start, end }) => ({
      code,
      flags,
      hex: toHex(block.subarray(start, end)),
    })),
  };
}

function valueOf(
  block: Uint8Array,
  found: readonly AttributeAt[],
  code: number,
): Uint8Array | undefined {
  const one = found.find((each) => each.code === code);
  return one === undefined ? undefined : block.subarray(one.start, one.end);
}

type NextHops = Pick<RouteAttributes, "nextHop" | "linkLocal">;

/** The classic one where both are there: the block of classic NLRI has no MP_REACH_NLRI of its own. */
function nextHops(classic: Uint8Array | undefined, mp: Uint8Array | undefined): NextHops {
  const length = mp?.[3] ?? 0;
  if (classic !== undefined || mp === undefined) {
    return { nextHop: addressIn(classic, 0, 4), linkLocal: undefined };
  }
  if (length === 4) return { nextHop: addressIn(mp, 4, 4), linkLocal: undefined };
  const global = length >= 16 ? addressIn(mp, 4, 16) : undefined;
  return { nextHop: global, linkLocal: length === 32 ? addressIn(mp, 20, 16) : undefined };
}

function addressIn(octets: Uint8Array | undefined, at: number, size: 4 | 16): Address | undefined {
  if (octets === undefined || octets.length < at + size) return undefined;
  return addressFromOctets(octets.subarray(at, at + size));
}

const u32 = (octets: Uint8Array, at: number): number =>
  new DataView(octets.buffer, octets.byteOffset, octets.length).getUint32(at);

const number32 = (octets: Uint8Array | undefined): number | undefined =>
  octets?.length === 4 ? u32(octets, 0) : undefined;

function aggregatorOf(octets: Uint8Array | undefined): RouteAttributes["aggregator"] {
  if (octets?.length !== 8) return undefined;
  return { asn: u32(octets, 0), routerId: addressFromOctets(octets.subarray(4)) };
}

function chunks<T>(
  octets: Uint8Array | undefined,
  size: number,
  read: (part: Uint8Array) => T,
): readonly T[] {
  const parts: T[] = [];
  if (octets === undefined) return parts;
  for (let at = 0; at + size <= octets.length; at += size)
    parts.push(read(octets.subarray(at, at + size)));
  return parts;
}

function communityText(octets: Uint8Array): string {
  const value = u32(octets, 0);
  return `${value >>> 16}:${value & 0xffff}`;
}

const largeCommunityText = (octets: Uint8Array): string =>
  `${u32(octets, 0)}:${u32(octets, 4)}:${u32(octets, 8)}`;
