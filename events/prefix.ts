/**
 * IP prefixes as canonical text `address/length`, host bits zero, so that equal prefixes are equal strings.
 *
 * Upstream compares prefixes as text with their host bits; ours are masked once, here, and the caller is told
 * (reference/rules.md §7). Reads next: resources/ (what users write), backends/intent.ts (what speakers get).
 */
import {
  type Address,
  addressFromOctets,
  addressOctets,
  bitsOf,
  compareAddresses,
  type Family,
  familyOf,
  parseAddress,
} from "./address.ts";
import type { Brand } from "./ids.ts";

export type Prefix = Brand<string, "Prefix">;

export type ParsedPrefix = {
  readonly prefix: Prefix;
  /** True where the text had bits set below the mask (`10.0.0.1/24`). */
  readonly hadHostBits: boolean;
};

/** Reads `address/length`; undefined where it is none. A bare address is not a prefix. */
export function parsePrefix(text: string): ParsedPrefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const parsed = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (parsed === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  if (length > bitsOf(familyOf(parsed))) return undefined;
  const prefix = prefixOf(parsed, length);
  return { prefix, hadHostBits: prefixAddress(prefix) !== parsed };
}

/** For text that this program wrote itself. Throws on anything else: our own bug. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`not a prefix: ${text}`);
  return parsed.prefix;
}

/** The prefix of `length` bits that holds `value`. */
export function prefixOf(value: Address, length: number): Prefix {
  const full = bitsOf(familyOf(value));
  if (length >= full) return `${value}/${full}` as Prefix;
  const octets = addressOctets(value);
  for (let i = 0; i < octets.length; i += 1) {
    const keep = Math.min(8, Math.max(0, length - 8 * i));
    octets[i] = (octets[i] ?? 0) & (0xff << (8 - keep)) & 0xff;
  }
  return `${addressFromOctets(octets)}/${length}` as Prefix;
}

export const hostPrefix = (value: Address): Prefix =>
  `${value}/${bitsOf(familyOf(value))}` as Prefix;
export const prefixAddress = (value: Prefix): Address =>
  value.slice(0, value.indexOf("/")) as Address;
export const prefixLength = (value: Prefix): number => Number(value.slice(value.indexOf("/") + 1));
export const prefixFamily = (value: Prefix): Family => (value.includes(":") ? "ipv6" : "ipv4");

/** True where every address of `inner` is in `outer`. */
export function prefixContains(outer: Prefix, inner: Prefix): boolean {
  if (outer === inner) return true;
  const length = prefixLength(outer);
  return (
    prefixFamily(outer) === prefixFamily(inner) &&
    prefixLength(inner) >= length &&
    prefixOf(prefixAddress(inner), length) === outer
  );
}

/** By family, address, then length: the order of a routing table. */
export function comparePrefixes(a: Prefix, b: Prefix): number {
  return compareAddresses(prefixAddress(a), prefixAddress(b)) || prefixLength(a) - prefixLength(b);
}
