/** What the tests of the codec agree on in their OPENs, and octets as text (RFC 4271 §4). */
import { nextMessage } from "../../backends/native/wire/framing.ts";
import { fromHex } from "../../backends/native/wire/hex.ts";
import type { SessionOptions, Update } from "../../backends/native/wire/message.ts";
import { parseUpdate } from "../../backends/native/wire/update.ts";

export const external: SessionOptions = {
  as4: true,
  external: true,
  families: ["ipv4", "ipv6"],
  addPath: [],
  extendedMessage: false,
  extendedNextHop: false,
};
export const internal: SessionOptions = { ...external, external: false };

export const octets = (hex: string): Uint8Array => fromHex(hex.replaceAll(" ", ""));

const marker = "ff".repeat(16);
const u16 = (value: number): string => value.toString(16).padStart(4, "0");
export const sizeOf = (hex: string): number => hex.replaceAll(" ", "").length / 2;

/** A whole message with a true length. */
export const message = (type: number, body: string): Uint8Array =>
  octets(`${marker}${u16(19 + sizeOf(body))}${type.toString(16).padStart(2, "0")}${body}`);

/** Body of an UPDATE; the total attribute length is true. */
export const updateBody = (parts: {
  readonly withdrawn?: string;
  readonly attributes?: string;
  readonly nlri?: string;
}): string => {
  const { withdrawn = "", attributes = "", nlri = "" } = parts;
  return `${u16(sizeOf(withdrawn))}${withdrawn}${u16(sizeOf(attributes))}${attributes}${nlri}`;
};

export const ORIGIN = "40 01 01 00";
export const AS_PATH = "40 02 06 02 01 0000fde9";
export const NEXT_HOP = "40 03 04 c0000201";
/** 192.0.2.1 says 203.0.113.0/24 of AS 65001. */
export const GOOD = `${ORIGIN}${AS_PATH}${NEXT_HOP}`;
export const NLRI = "18 cb0071";
/** 2001:db8::/32 with next hop 2001:db8::1. */
export const MP_REACH = "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8";
export const MP_UNREACH = "80 0f 08 0002 01 20 20010db8";

export const parse = (
  parts: Parameters<typeof updateBody>[0],
  session: SessionOptions = external,
): ReturnType<typeof parseUpdate> => {
  const body = octets(updateBody(parts));
  return parseUpdate(body, 0, body.length, session);
};

/** For an UPDATE that has to keep the session. */
export function parsed(
  parts: Parameters<typeof updateBody>[0],
  session: SessionOptions = external,
): Update {
  const read = parse(parts, session);
  if (!read.ok) throw new Error(`session reset ${read.error.code}/${read.error.subcode}`);
  return read.value;
}

/** Code and subcode of the NOTIFICATION that ends the session; undefined where it goes on. */
export function reset(
  parts: Parameters<typeof updateBody>[0],
  session: SessionOptions = external,
): string | undefined {
  const read = parse(parts, session);
  return read.ok ? undefined : `${read.error.code}/${read.error.subcode}`;
}

export const framed = (bytes: Uint8Array, extended = false): ReturnType<typeof nextMessage> =>
  nextMessage(bytes, 0, bytes.length, extended);
