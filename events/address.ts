/**
 * IP addresses as canonical text: IPv4 dotted quad, IPv6 as RFC 5952 §4 spells it, so that equal addresses are equal strings.
 *
 * Never resolves names and never reads an interface. Reads next: prefix.ts.
 */
import type { Brand } from "./ids.ts";

export type Address = Brand<string, "Address">;
export type Family = "ipv4" | "ipv6";

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const GROUP = /^[0-9a-fA-F]{1,4}$/;

export const familyOf = (address: Address): Family => (address.includes(":") ? "ipv6" : "ipv4");
/** fe80::/10 (RFC 4291 §2.5.6): means something on its own link only. */
export const isLinkLocal = (address: Address): boolean => /^fe[89ab]/.test(address);
export const bitsOf = (family: Family): 32 | 128 => (family === "ipv4" ? 32 : 128);

/** Canonical form, or undefined where `text` is no IP address. A zone (`%eth0`) is no part of an address. */
export function parseAddress(text: string): Address | undefined {
  const octets = parseOctets(text);
  return octets === undefined ? undefined : addressFromOctets(octets);
}

/** For text that this program wrote itself. Throws on anything else: our own bug. */
export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

/** Four or sixteen octets, network order. */
export function addressOctets(value: Address): Uint8Array {
  const octets = parseOctets(value);
  if (octets === undefined) throw new Error(`not an address: ${value}`);
  return octets;
}

/** `octets` has four or sixteen elements; anything else throws (our own bug). */
export function addressFromOctets(octets: Uint8Array): Address {
  if (octets.length === 4) return octets.join(".") as Address;
  if (octets.length !== 16) throw new Error(`an address has 4 or 16 octets, not ${octets.length}`);
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0));
  return compress(groups) as Address;
}

export function addressToBigInt(value: Address): bigint {
  let result = 0n;
  for (const octet of addressOctets(value)) result = (result << 8n) | BigInt(octet);
  return result;
}

/** The address of that number; numbers wrap at the family's size. */
export function addressFromBigInt(value: bigint, family: Family): Address {
  const octets = new Uint8Array(family === "ipv4" ? 4 : 16);
  let rest = value;
  for (let i = octets.length - 1; i >= 0; i -= 1) {
    octets[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return addressFromOctets(octets);
}

/** IPv4 before IPv6, then by value. */
export function compareAddresses(a: Address, b: Address): number {
  const x = addressOctets(a);
  const y = addressOctets(b);
  if (x.length !== y.length) return x.length - y.length;
  for (const [i, octet] of x.entries()) {
    const difference = octet - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function parseOctets(text: string): Uint8Array | undefined {
  if (IPV4.test(text)) return Uint8Array.from(text.split("."), Number);
  return text.includes(":") ? parseIpv6(text) : undefined;
}

/** RFC 4291 §2.2, all three forms; the embedded IPv4 tail only at the end. */
function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function groupsOf(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (GROUP.test(part)) groups.push(Number.parseInt(part, 16));
    else if (mayEndInIpv4 && i === parts.length - 1 && IPV4.test(part)) {
      const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
      groups.push((a << 8) | b, (c << 8) | d);
    } else return undefined;
  }
  return groups;
}

/** RFC 5952 §4.2: the longest run of two or more zero groups is shortened, the first one of equals. */
function compress(groups: readonly number[]): string {
  let best = { at: -1, length: 1 };
  for (let i = 0; i < groups.length; i += 1) {
    let length = 0;
    while (groups[i + length] === 0) length += 1;
    if (length > best.length) best = { at: i, length };
    i += length;
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.at < 0) return hex.join(":");
  return `${hex.slice(0, best.at).join(":")}::${hex.slice(best.at + best.length).join(":")}`;
}
