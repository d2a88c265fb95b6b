/**
 * Netlink messages and attributes as octets (RFC 3549 §2.3; linux/netlink.h; numbers are in the machine's order, little-endian).
 *
 *   0               4       6       8               12              16
 *  +---------------+-------+-------+---------------+---------------+----------------
 *  | Length        | Type  | Flags | Sequence      | Port          | payload, padded to 4
 *  +---------------+-------+-------+---------------+---------------+----------------
 *  attribute: Length (2), Type (2), value padded to 4; nested ones are values of others
 *
 * Reading is total: what is cut off or lies about its length is passed over, and says so. Reads next: route.ts, entries.ts.
 */

export const HEADER_OCTETS = 16;
const ATTRIBUTE_OCTETS = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type. */
const TYPE_MASK = 0x3fff;

export const aligned = (octets: number): number => (octets + 3) & ~3;

export type Message = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  /** After the header. */
  readonly body: Uint8Array;
};

/** All whole messages of a datagram, in order; stops at the first that can't be one. */
export function* messagesOf(datagram: Uint8Array): Generator<Message> {
  const view = viewOf(datagram);
  for (let at = 0; at + HEADER_OCTETS <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_OCTETS || at + length > datagram.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      body: datagram.subarray(at + HEADER_OCTETS, at + length),
    };
    at += aligned(length);
  }
}

export const viewOf = (octets: Uint8Array): DataView =>
  new DataView(octets.buffer, octets.byteOffset, octets.byteLength);

/** Attributes from `start`, by type; of equal types the last one stays, as the kernel reads them. */
export function attributesOf(body: Uint8Array, start: number): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = viewOf(body);
  for (let at = start; at + ATTRIBUTE_OCTETS <= body.length;) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_OCTETS || at + length > body.length) break;
    found.set(
      view.getUint16(at + 2, true) & TYPE_MASK,
      body.subarray(at + ATTRIBUTE_OCTETS, at + length),
    );
    at += aligned(length);
  }
  return found;
}

/** The number of an attribute of one, two, four octets; undefined where there is none or it is shorter. */
export function uint(octets: Uint8Array | undefined): number | undefined {
  if (octets === undefined) return undefined;
  if (octets.length >= 4) return viewOf(octets).getUint32(0, true);
  if (octets.length >= 2) return viewOf(octets).getUint16(0, true);
  return octets[0];
}

/** Text up to its NUL. */
export function text(octets: Uint8Array | undefined): string {
  if (octets === undefined) return "";
  const end = octets.indexOf(0);
  return new TextDecoder().decode(end < 0 ? octets : octets.subarray(0, end));
}

export type Attribute = readonly [type: number, value: Uint8Array];

export const uint32 = (value: number): Uint8Array => {
  const octets = new Uint8Array(4);
  viewOf(octets).setUint32(0, value, true);
  return octets;
};

export const uint8 = (value: number): Uint8Array => Uint8Array.of(value);
export const cString = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

/** One attribute after the other, each padded; nested ones are made by handing this on as a value. */
export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  const size = attributes.reduce((sum, [, { length }]) => sum + aligned(4 + length), 0);
  const out = new Uint8Array(size);
  const view = viewOf(out);
  let at = 0;
  for (const [type, value] of attributes) {
    view.setUint16(at, ATTRIBUTE_OCTETS + value.length, true);
    view.setUint16(at + 2, type, true);
    out.set(value, at + ATTRIBUTE_OCTETS);
    at += aligned(ATTRIBUTE_OCTETS + value.length);
  }
  return out;
}

/** A request without its sequence, which the socket gives it (setSequence). */
export function encodeMessage(
  type: number,
  flags: number,
  fixed: Uint8Array,
  attributes: readonly Attribute[] = [],
): Uint8Array {
  const rest = encodeAttributes(attributes);
  const out = new Uint8Array(HEADER_OCTETS + aligned(fixed.length) + rest.length);
  const view = viewOf(out);
  view.setUint32(0, out.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  out.set(fixed, HEADER_OCTETS);
  out.set(rest, HEADER_OCTETS + aligned(fixed.length));
  return out;
}

/** What NLMSG_ERROR says: an errno (0: acknowledged), the request's sequence, and the kernel's own words where it has some. */
export function decodeError(message: Message): { readonly errno: number; readonly words: string } {
  const { body, flags } = message;
  if (body.length < 4) return { errno: 0, words: "" };
  const view = viewOf(body);
  const errno = Math.abs(view.getInt32(0, true));
  if ((flags & NLM_F_ACK_TLVS) === 0 || body.length < 20) return { errno, words: "" };
  // NLM_F_CAPPED: only the header of the request is sent back, not all of it.
  const echoed = (flags & NLM_F_CAPPED) === 0 ? view.getUint32(4, true) : HEADER_OCTETS;
  const attributes = attributesOf(body, 4 + aligned(echoed));
  return { errno, words: text(attributes.get(NLMSGERR_ATTR_MSG)) };
}

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
