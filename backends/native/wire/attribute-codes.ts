/**
 * Path attributes by number (IANA "BGP Path Attributes"), and how each begins (RFC 4271 §4.3).
 *
 *   0                   1
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *  +-------------------------------+
 *  |O|T|P|E|0 0 0 0|   Type code   |   optional, transitive, partial, extended length
 *  +-------------------------------+
 *  |    Length: 1 octet, or 2 octets with E       |  value …
 *  +----------------------------------------------+
 *
 * Constants only. Reads next: attribute-check.ts.
 */

export const ATTRIBUTE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  /** RFC 1997 */
  communities: 8,
  /** RFC 4456 §8 */
  originatorId: 9,
  clusterList: 10,
  /** RFC 4760 §3, §4 */
  mpReach: 14,
  mpUnreach: 15,
  /** RFC 4360 */
  extendedCommunities: 16,
  /** RFC 6793 §3 */
  as4Path: 17,
  as4Aggregator: 18,
  /** RFC 5701 */
  ipv6ExtendedCommunities: 25,
  /** RFC 8092 */
  largeCommunities: 32,
  /** RFC 9234 §5 */
  onlyToCustomer: 35,
} as const;

export const FLAG_OPTIONAL = 0x80;
export const FLAG_TRANSITIVE = 0x40;
export const FLAG_EXTENDED_LENGTH = 0x10;
/** Optional and Transitive: the two bits that RFC 7606 §3(c) judges. */
export const FLAG_KIND = FLAG_OPTIONAL | FLAG_TRANSITIVE;

export const WELL_KNOWN = FLAG_TRANSITIVE;
export const OPTIONAL_TRANSITIVE = FLAG_OPTIONAL | FLAG_TRANSITIVE;
export const OPTIONAL_NON_TRANSITIVE = FLAG_OPTIONAL;

/** Appends one attribute; the long length only where it is needed. */
export function pushAttribute(
  out: number[],
  flags: number,
  code: number,
  value: ArrayLike<number>,
): void {
  const { length } = value;
  const kind = flags & ~FLAG_EXTENDED_LENGTH;
  if (length > 255) out.push(kind | FLAG_EXTENDED_LENGTH, code, length >> 8, length & 0xff);
  else out.push(kind, code, length);
  for (let i = 0; i < length; i += 1) out.push(value[i] ?? 0);
}
