/**
 * The pieces that schemas of these kinds are built of: numbers with their range, text, flags, and the two ways an address is read.
 *
 * Schemas describe what a user writes and stay free of transforms, so that the API's description can be made of them; turning the
 * written into the canonical is each kind's own function. Never complains by itself: complaints.ts words what a schema refuses.
 */
import * as z from "zod";
import { type Address, addressFromOctets, addressOctets, parseAddress } from "../address.ts";
import { type Asn, asn } from "../ids.ts";
import { type ParsedPrefix, parsePrefix, type Prefix } from "../prefix.ts";
import type { Path, Reading } from "./reading.ts";
import { said } from "./reading.ts";

/** A whole number from `min` to `max`, both included. */
export function whole(min: number, max: number): z.ZodNumber {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.number().int(error).min(min, error).max(max, error);
}

export const MAX_UINT32 = 0xffff_ffff;
/** RFC 6793 §3: four octets. Zero is in the type and means "not said"; whoever needs one refuses it (RFC 7607 §2). */
export const writtenAsn = whole(0, MAX_UINT32);
export const int32 = whole(-0x8000_0000, 0x7fff_ffff);
export const text = z.string();
export const flag = z.boolean();
export const texts = z.array(z.string());
export const textMap = z.record(z.string(), z.string());

/** Upstream's bound for ports that are dialled; ours goes on to 65535. */
const PORTABLE_PORT = 16_384;
export const MAX_PORT = 65_535;

export function warnUnportablePort(reading: Reading, path: Path, port: number | undefined): void {
  if (port === undefined || port <= PORTABLE_PORT) return;
  reading.warn(
    path,
    "not-portable",
    `${port} works here, but MetalLB and frr-k8s accept only ports up to ${PORTABLE_PORT}`,
  );
}

/** Zero is "not said" for optional AS numbers of these kinds. */
export const optionalAsn = (value: number | undefined): Asn | undefined =>
  value === undefined || value === 0 ? undefined : asn(value);

/** RFC 4291 §2.5.5.2: an IPv4-mapped address is meant as the IPv4 address; upstream's parser does the same. */
export function readAddress(value: string): Address | undefined {
  const parsed = parseAddress(value);
  if (parsed === undefined || !parsed.startsWith("::ffff:")) return parsed;
  const octets = addressOctets(parsed);
  const mapped = octets.slice(0, 10).every((octet) => octet === 0) && octets[10] === 0xff;
  return mapped && octets[11] === 0xff ? addressFromOctets(octets.slice(12)) : parsed;
}

/** Undefined where nothing was said (refused where it is `required`) or where it was refused. */
export function addressAt(
  reading: Reading,
  path: Path,
  value: string | undefined,
  need: "optional" | "required" = "optional",
): Address | undefined {
  if (!said(value)) {
    if (need === "required") reading.refuse(path, "required", "an IP address is missing");
    return undefined;
  }
  const parsed = readAddress(value);
  if (parsed === undefined) {
    const zone = value.includes("%")
      ? "; a zone (%) is no part of an address: use `interface`"
      : "";
    reading.refuse(path, "bad-value", `${quoted(value)} is not an IP address${zone}`);
  }
  return parsed;
}

/** An address that a session can run to or from: neither unspecified, nor multicast, nor broadcast. */
export function unicastAt(
  reading: Reading,
  path: Path,
  value: string | undefined,
  need: "optional" | "required" = "optional",
): Address | undefined {
  const parsed = addressAt(reading, path, value, need);
  if (parsed === undefined) return undefined;
  const [first = 0] = addressOctets(parsed);
  const multicast = parsed.includes(":") ? first === 0xff : first >= 224;
  if (!multicast && parsed !== "0.0.0.0" && parsed !== "::") return parsed;
  reading.refuse(path, "bad-value", `${parsed} is no address of one host: write a unicast address`);
  return undefined;
}

/** RFC 4271 §4.2 and RFC 6286 §2.1: four octets, not zero, written as an IPv4 address. */
export function routerIdAt(
  reading: Reading,
  path: Path,
  value: string | undefined,
): Address | undefined {
  if (!said(value)) return undefined;
  const parsed = readAddress(value);
  if (parsed !== undefined && !parsed.includes(":") && parsed !== "0.0.0.0") return parsed;
  reading.refuse(
    path,
    "bad-value",
    `${quoted(value)} is no BGP identifier: write four octets like an IPv4 address, not 0.0.0.0`,
  );
  return undefined;
}

/** Masks host bits and says so; refuses what is no prefix. */
export function prefixAt(reading: Reading, path: Path, value: string): Prefix | undefined {
  const parsed = parsePrefix(value);
  if (parsed === undefined) refusePrefix(reading, path, value);
  else warnHostBits(reading, path, value, parsed);
  return parsed?.prefix;
}

function refusePrefix(reading: Reading, path: Path, value: string): void {
  const bare = readAddress(value);
  const hint = bare === undefined ? "" : `: write ${bare}/${bare.includes(":") ? 128 : 32}`;
  reading.refuse(path, "bad-value", `${quoted(value)} is not a prefix (address/length)${hint}`);
}

export function warnHostBits(
  reading: Reading,
  path: Path,
  value: string,
  parsed: ParsedPrefix,
): void {
  if (!parsed.hadHostBits) return;
  reading.warn(
    path,
    "host-bits",
    `${value} has bits set below its mask: it is read as ${parsed.prefix}`,
  );
}

/** Outside text in a message: short, on one line. */
export function quoted(value: string): string {
  const MAX_SHOWN = 80;
  const shown = value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value;
  return JSON.stringify(shown);
}
