/**
 * What we say of our routes, as octets (RFC 4271 §5, RFC 4760 §3, RFC 8092 §5), and the key by which equal sayings are one.
 *
 * Attributes stand in order of their type (RFC 4271 Appendix F.3), but for MP_REACH_NLRI, which stands first
 * (RFC 7606 §5.1) and is written by encode-updates.ts because the NLRI is in it.
 */
import { addressOctets, type Family, familyOf } from "../../../events/address.ts";
import { AS_SEQUENCE, type Segment, writeAsPath } from "./as-path.ts";
import {
  ATTRIBUTE,
  OPTIONAL_NON_TRANSITIVE,
  OPTIONAL_TRANSITIVE,
  pushAttribute,
  WELL_KNOWN,
} from "./attribute-codes.ts";
import type { OutAttributes, SessionOptions } from "./message.ts";
import { originNumber } from "./route-attributes.ts";

/** Only a memory of what attributesKey() found; it changes no answer. */
const keys = new WeakMap<OutAttributes, string>();

/** Equal for equal attributes. Cheap the second time for the same object. */
export function attributesKey(attributes: OutAttributes): string {
  const known = keys.get(attributes);
  if (known !== undefined) return known;
  const { origin, asPath, nextHop, linkLocal, med, localPref } = attributes;
  const key = JSON.stringify([
    origin,
    asPath,
    nextHop,
    linkLocal ?? null,
    med ?? null,
    localPref ?? null,
    attributes.communities,
    attributes.largeCommunities,
  ]);
  keys.set(attributes, key);
  return key;
}

/** How routes of a family with this next hop travel; `none` where the session cannot carry them (RFC 8950 §4). */
export function carriageOf(
  family: Family,
  attributes: OutAttributes,
  session: SessionOptions,
): "classic" | "multiprotocol" | "none" {
  if (!session.families.includes(family)) return "none";
  const nextHopFamily = familyOf(attributes.nextHop);
  if (family === "ipv6") return nextHopFamily === "ipv6" ? "multiprotocol" : "none";
  if (nextHopFamily === "ipv4") return "classic";
  return session.extendedNextHop ? "multiprotocol" : "none";
}

/** All attributes but MP_REACH_NLRI; NEXT_HOP only where `isClassic`. */
export function encodeOutAttributes(
  attributes: OutAttributes,
  isClassic: boolean,
  session: SessionOptions,
): Uint8Array {
  const out: number[] = [];
  const { asPath, med, localPref, communities, largeCommunities } = attributes;
  const path: readonly Segment[] = asPath.length === 0 ? [] : [{ type: AS_SEQUENCE, ases: asPath }];
  pushAttribute(out, WELL_KNOWN, ATTRIBUTE.origin, [originNumber(attributes.origin)]);
  pushAttribute(out, WELL_KNOWN, ATTRIBUTE.asPath, writeAsPath(path, session.as4 ? 4 : 2));
  if (isClassic) {
    pushAttribute(out, WELL_KNOWN, ATTRIBUTE.nextHop, addressOctets(attributes.nextHop));
  }
  if (med !== undefined) pushAttribute(out, OPTIONAL_NON_TRANSITIVE, ATTRIBUTE.med, octets32(med));
  if (localPref !== undefined) {
    pushAttribute(out, WELL_KNOWN, ATTRIBUTE.localPref, octets32(localPref));
  }
  if (communities.length > 0) {
    pushAttribute(out, OPTIONAL_TRANSITIVE, ATTRIBUTE.communities, communities.flatMap(octets32));
  }
  // RFC 6793 §4.2.2: only where the two-octet path had to lie.
  if (!session.as4 && asPath.some((as) => as > 0xffff)) {
    pushAttribute(out, OPTIONAL_TRANSITIVE, ATTRIBUTE.as4Path, writeAsPath(path, 4));
  }
  if (largeCommunities.length > 0) {
    const octets = largeCommunities.flatMap((text) =>
      text.split(":").map(Number).flatMap(octets32),
    );
    pushAttribute(out, OPTIONAL_TRANSITIVE, ATTRIBUTE.largeCommunities, octets);
  }
  return Uint8Array.from(out);
}

const octets32 = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 0xff,
  (value >>> 8) & 0xff,
  value & 0xff,
];

/** Next hop as it stands in MP_REACH_NLRI: the global address, then the link-local one if there is one (RFC 2545 §3). */
export function mpNextHop(attributes: OutAttributes): Uint8Array {
  const global = addressOctets(attributes.nextHop);
  if (attributes.linkLocal === undefined || global.length !== 16) return global;
  return Uint8Array.of(...global, ...addressOctets(attributes.linkLocal));
}
