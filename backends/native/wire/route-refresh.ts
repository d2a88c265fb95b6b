/**
 * ROUTE-REFRESH (RFC 2918 §3, with the subtype of RFC 7313 §3.2).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |              AFI              |    Subtype    |     SAFI      |
 *  +---------------------------------------------------------------+
 */
import { beginMessage, HEADER_OCTETS, MESSAGE_TYPE } from "./header.ts";
import type { Decoded, RouteRefresh } from "./message.ts";
import { badMessageLength, invalidRefreshLength } from "./notification.ts";

const BODY_OCTETS = 4;

/** `start` is past the header. What follows the four octets of a plain request is an ORF, which we never agree to (RFC 5291 §6). */
export function decodeRouteRefresh(
  bytes: Uint8Array,
  start: number,
  end: number,
): Decoded<RouteRefresh> {
  const [a, b, subtype, safi] = bytes.subarray(start, Math.min(end, start + BODY_OCTETS));
  if (a === undefined || b === undefined || subtype === undefined || safi === undefined) {
    return { ok: false, error: badMessageLength(HEADER_OCTETS + end - start) };
  }
  // RFC 7313 §5: only the marks of a refresh have to have the exact length.
  if ((subtype === 1 || subtype === 2) && end - start !== BODY_OCTETS) {
    const message = bytes.subarray(Math.max(0, start - HEADER_OCTETS), end);
    return { ok: false, error: invalidRefreshLength(message) };
  }
  return { ok: true, value: { family: { afi: (a << 8) | b, safi }, subtype } };
}

/** The whole message. */
export function encodeRouteRefresh(refresh: RouteRefresh): Uint8Array {
  const message = beginMessage(MESSAGE_TYPE.routeRefresh, BODY_OCTETS);
  message[HEADER_OCTETS] = refresh.family.afi >> 8;
  message[HEADER_OCTETS + 1] = refresh.family.afi & 0xff;
  message[HEADER_OCTETS + 2] = refresh.subtype;
  message[HEADER_OCTETS + 3] = refresh.family.safi;
  return message;
}
