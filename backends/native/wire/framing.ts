/**
 * Octets of a TCP stream into whole messages (RFC 4271 §6.1): the first thing that happens to what a peer sends.
 *
 * Looks at the header and no further; copies nothing. The answer depends on the octets alone, not on how they were cut
 * into segments. Reads next: header.ts (the picture), decode.ts (what the messages say).
 */
import {
  HEADER_OCTETS,
  MAX_EXTENDED_MESSAGE_OCTETS,
  MAX_MESSAGE_OCTETS,
  MESSAGE_TYPE,
} from "./header.ts";
import type { Notification } from "./message.ts";
import { badMessageLength, badMessageType, connectionNotSynchronized } from "./notification.ts";

export type Framed =
  /** `kind` is a value of MESSAGE_TYPE; the body is from `bodyStart` to `end`, which is where the next message begins. */
  | {
      readonly type: "message";
      readonly kind: number;
      readonly start: number;
      readonly bodyStart: number;
      readonly end: number;
    }
  /** `octets` in total are needed from `start` before anything more can be said. */
  | { readonly type: "need-more"; readonly octets: number }
  | { readonly type: "error"; readonly error: Notification };

/** RFC 4271 §6.1, RFC 2918 §3: the shortest message of each type. */
const minimumOctets: readonly number[] = [0, 29, 23, 21, 19, 23];

const header: Framed = { type: "need-more", octets: HEADER_OCTETS };

/** The message that begins at `start`; octets from `end` on are not there yet. Never throws. */
export function nextMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  extendedMessage: boolean,
): Framed {
  if (end - start < HEADER_OCTETS) return header;
  for (let i = start; i < start + 16; i += 1) {
    if (bytes[i] !== 0xff) return { type: "error", error: connectionNotSynchronized };
  }
  const length = ((bytes[start + 16] ?? 0) << 8) | (bytes[start + 17] ?? 0);
  const kind = bytes[start + 18] ?? 0;
  const error = headerError(length, kind, extendedMessage);
  if (error !== undefined) return { type: "error", error };
  if (end - start < length) return { type: "need-more", octets: length };
  return { type: "message", kind, start, bodyStart: start + HEADER_OCTETS, end: start + length };
}

function headerError(
  length: number,
  kind: number,
  extendedMessage: boolean,
): Notification | undefined {
  // RFC 4271 §6.1 names the Length first; a length that no type may have needs no type.
  if (length < HEADER_OCTETS || length > MAX_EXTENDED_MESSAGE_OCTETS)
    return badMessageLength(length);
  const minimum = minimumOctets[kind];
  if (minimum === undefined || kind === 0) return badMessageType(kind);
  // RFC 8654 §4: OPEN and KEEPALIVE never grow.
  const grows = extendedMessage && kind !== MESSAGE_TYPE.open && kind !== MESSAGE_TYPE.keepalive;
  const maximum = grows ? MAX_EXTENDED_MESSAGE_OCTETS : MAX_MESSAGE_OCTETS;
  if (length < minimum || length > maximum) return badMessageLength(length);
  // RFC 4271 §4.4: a KEEPALIVE is the header alone.
  return kind === MESSAGE_TYPE.keepalive && length !== HEADER_OCTETS
    ? badMessageLength(length)
    : undefined;
}
