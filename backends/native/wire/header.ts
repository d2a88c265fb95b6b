/**
 * Message header (RFC 4271 §4.1) as we write it, and the limits that go with it.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |                 Marker: 16 octets, all ones                   |
 *  +---------------------------------------------------------------+
 *  |            Length             |     Type      |
 *  +-----------------------------------------------+
 *
 * Reads next: framing.ts, which takes headers apart.
 */

export const HEADER_OCTETS = 19;
/** RFC 4271 §4. */
export const MAX_MESSAGE_OCTETS = 4096;
/** RFC 8654 §4, for all but OPEN and KEEPALIVE. */
export const MAX_EXTENDED_MESSAGE_OCTETS = 65_535;

export const MESSAGE_TYPE = {
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  /** RFC 2918 §3. */
  routeRefresh: 5,
} as const;

/** A message of `bodyOctets` after the header, the body still zero. */
export function beginMessage(type: number, bodyOctets: number): Uint8Array {
  const message = new Uint8Array(HEADER_OCTETS + bodyOctets);
  writeHeader(message, 0, type, message.length);
  return message;
}

export function writeHeader(out: Uint8Array, at: number, type: number, length: number): void {
  out.fill(0xff, at, at + 16);
  out[at + 16] = length >> 8;
  out[at + 17] = length & 0xff;
  out[at + 18] = type;
}

/** RFC 4271 §4.4. A new one each time, as a socket may keep what it was given. */
export const encodeKeepalive = (): Uint8Array => beginMessage(MESSAGE_TYPE.keepalive, 0);
