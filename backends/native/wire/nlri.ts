/**
 * Network Layer Reachability Information: prefixes as octets (RFC 4271 §4.3, RFC 4760 §5, RFC 7911 §3).
 *
 *  +---------------------------------------------------------------+
 *  |      Path identifier, 4 octets: only where it was agreed      |
 *  +---------------------------------------------------------------+
 *  | Length, bits  |  as many octets as hold them; bits beyond mean nothing
 *  +---------------+
 *
 * Works on ranges of a buffer and on prefixes as text; makes no object per route. Reads next: update.ts, encode-updates.ts.
 */
import { bitsOf, type Family } from "../../../events/address.ts";
import type { Prefix } from "../../../events/prefix.ts";

/** Room for the longest prefix of a family: the length octet and all address octets. */
export const MAX_NLRI_OCTETS: Readonly<Record<Family, number>> = { ipv4: 5, ipv6: 17 };

/** RFC 7606 §5.3: true where every length is one of the family's and all octets are there. */
export function nlriReadable(
  bytes: Uint8Array,
  start: number,
  end: number,
  family: Family,
  addPath: boolean,
): boolean {
  const most = bitsOf(family);
  const ahead = addPath ? 4 : 0;
  let at = start;
  while (at < end) {
    const bits = bytes[at + ahead];
    if (bits === undefined || at + ahead >= end || bits > most) return false;
    at += ahead + 1 + ((bits + 7) >> 3);
  }
  return at === end;
}

/** Writes one prefix as `length, octets` and returns where the next one begins. `out` has MAX_NLRI_OCTETS of room. */
export function writePrefix(out: Uint8Array, at: number, prefix: Prefix, family: Family): number {
  return family === "ipv4" ? writeIpv4(out, at, prefix) : writeIpv6(out, at, prefix);
}

const SLASH = 0x2f;
const DOT = 0x2e;
const COLON = 0x3a;
const ZERO = 0x30;
const LOWER_A = 0x61;

/** Canonical text (prefix.ts): digits, dots, slash; read by hand because 100,000 of them leave in one go. */
function writeIpv4(out: Uint8Array, at: number, prefix: Prefix): number {
  let octet = 0;
  let next = at + 1;
  let i = 0;
  for (; i < prefix.length; i += 1) {
    const character = prefix.charCodeAt(i);
    if (character === DOT || character === SLASH) {
      out[next] = octet;
      next += 1;
      octet = 0;
      if (character === SLASH) break;
    } else octet = octet * 10 + character - ZERO;
  }
  return closePrefix(out, at, prefix, i);
}

/** Canonical text (RFC 5952): groups without an embedded IPv4 address, at most one `::`. */
function writeIpv6(out: Uint8Array, at: number, prefix: Prefix): number {
  const slash = prefix.lastIndexOf("/");
  const end = at + 17;
  out.fill(0, at + 1, end);
  let next = at + 1;
  let gap = -1;
  let group = 0;
  let digits = 0;
  for (let i = 0; i <= slash; i += 1) {
    const character = prefix.charCodeAt(i);
    if (character !== COLON && character !== SLASH) {
      group = group * 16 + character - (character >= LOWER_A ? LOWER_A - 10 : ZERO);
      digits += 1;
      continue;
    }
    if (digits > 0) {
      out[next] = group >> 8;
      out[next + 1] = group & 0xff;
      next += 2;
    }
    group = 0;
    digits = 0;
    if (character === COLON && prefix.charCodeAt(i + 1) === COLON) gap = next;
  }
  if (gap >= 0) {
    out.copyWithin(end - (next - gap), gap, next);
    out.fill(0, gap, end - (next - gap));
  }
  return closePrefix(out, at, prefix, slash);
}

function closePrefix(out: Uint8Array, at: number, prefix: Prefix, slash: number): number {
  let bits = 0;
  for (let i = slash + 1; i < prefix.length; i += 1) bits = bits * 10 + prefix.charCodeAt(i) - ZERO;
  out[at] = bits;
  return at + 1 + ((bits + 7) >> 3);
}

/** Octets of one prefix, as they stand in a message. */
export function prefixOctets(prefix: Prefix, family: Family): Uint8Array {
  const room = new Uint8Array(MAX_NLRI_OCTETS[family]);
  return room.subarray(0, writePrefix(room, 0, prefix, family));
}
