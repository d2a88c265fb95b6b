/**
 * OPEN (RFC 4271 §4.2): who the peer says it is and what it can.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |  Version (4)  |     My Autonomous System      | Hold Time …   |
 *  +---------------------------------------------------------------+
 *  | … Hold Time   |             BGP Identifier …                  |
 *  +---------------------------------------------------------------+
 *  | … Identifier  | Opt Parm Len  |  parameters: type 1, length 1, value …
 *  +---------------------------------------------------------------+
 *  RFC 9072 §2:    |      255      |      255      | Length 2 octets | parameters: type 1, length 2, value …
 *
 * Checks what the message alone can tell (RFC 4271 §6.2). Whether the AS is the expected one is the FSM's question.
 * Reads next: capability.ts.
 */
import { addressFromOctets, addressOctets } from "../../../events/address.ts";
import { asn } from "../../../events/ids.ts";
import { decodeCapabilities, encodeCapabilities, lastCapability } from "./capability.ts";
import { beginMessage, HEADER_OCTETS, MESSAGE_TYPE } from "./header.ts";
import type { Capability, Decoded, Notification, Open } from "./message.ts";
import {
  badBgpIdentifier,
  badMessageLength,
  badPeerAs,
  openUnspecific,
  unacceptableHoldTime,
  unsupportedOptionalParameter,
  unsupportedVersion,
} from "./notification.ts";

const VERSION = 4;
const FIXED_OCTETS = 10;
/** RFC 6793 §9: stands where an AS number does not fit in two octets. */
export const AS_TRANS = 23_456;
const PARAMETER_CAPABILITIES = 2;
const EXTENDED = 255;

/** `start` is past the header. Never throws. */
export function decodeOpen(bytes: Uint8Array, start: number, end: number): Decoded<Open> {
  if (end - start < FIXED_OCTETS) return fault(badMessageLength(HEADER_OCTETS + end - start));
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  if (view.getUint8(0) !== VERSION) return fault(unsupportedVersion);
  const read = decodeParameters(bytes.subarray(start + FIXED_OCTETS - 1, end));
  if (!read.ok) return read;
  const capabilities = read.value;
  const asNumber = lastCapability(capabilities, "four-octet-asn")?.asn ?? view.getUint16(1);
  // RFC 7607 §2, in either place.
  if (asNumber === 0 || view.getUint16(1) === 0) return fault(badPeerAs);
  const holdTimeSeconds = view.getUint16(3);
  // RFC 4271 §6.2: one and two seconds MUST be refused.
  if (holdTimeSeconds === 1 || holdTimeSeconds === 2) return fault(unacceptableHoldTime);
  // RFC 6286 §2.2: zero is the only identifier that is wrong by itself.
  if (view.getUint32(5) === 0) return fault(badBgpIdentifier);
  const routerId = addressFromOctets(bytes.subarray(start + 5, start + 9));
  return { ok: true, value: { asn: asn(asNumber), holdTimeSeconds, routerId, capabilities } };
}

const fault = (error: Notification): { readonly ok: false; readonly error: Notification } => ({
  ok: false,
  error,
});

/** `octets` begins with Opt Parm Len. */
function decodeParameters(octets: Uint8Array): Decoded<Capability[]> {
  const [length = 0, type, high, low] = octets;
  // RFC 9072 §2: the type decides, the first length is then ignored, but zero means that there are none.
  if (length !== 0 && type === EXTENDED) {
    if (high === undefined || low === undefined) return fault(openUnspecific);
    return decodeList(octets.subarray(4), (high << 8) | low, 2);
  }
  return decodeList(octets.subarray(1), length, 1);
}

function decodeList(
  octets: Uint8Array,
  length: number,
  lengthOctets: 1 | 2,
): Decoded<Capability[]> {
  // RFC 4271 §6.2 names no subcode for lengths that contradict each other: unspecific.
  if (length !== octets.length) return fault(openUnspecific);
  const found: Capability[] = [];
  for (let at = 0; at < length;) {
    const valueAt = at + 1 + lengthOctets;
    if (valueAt > length) return fault(openUnspecific);
    const first = octets[at + 1] ?? 0;
    const size = lengthOctets === 1 ? first : (first << 8) | (octets[at + 2] ?? 0);
    if (valueAt + size > length) return fault(openUnspecific);
    // RFC 4271 §6.2; RFC 9072 §2 for a second 255; type 1 is deprecated by RFC 5492 §6.
    if (octets[at] !== PARAMETER_CAPABILITIES) return fault(unsupportedOptionalParameter);
    const capabilities = decodeCapabilities(octets.subarray(valueAt, valueAt + size));
    if (capabilities === undefined) return fault(openUnspecific);
    for (const capability of capabilities) found.push(capability);
    at = valueAt + size;
  }
  return { ok: true, value: found };
}

/** The whole message; capabilities in one parameter (RFC 5492 §4), the long form only where it must be (RFC 9072 §2). */
export function encodeOpen(open: Open): Uint8Array {
  const value = encodeCapabilities(open.capabilities);
  const parameters = encodeParameter(value);
  const message = beginMessage(MESSAGE_TYPE.open, FIXED_OCTETS - 1 + parameters.length);
  const view = new DataView(message.buffer, HEADER_OCTETS);
  view.setUint8(0, VERSION);
  view.setUint16(1, open.asn > 0xffff ? AS_TRANS : open.asn);
  view.setUint16(3, open.holdTimeSeconds);
  message.set(addressOctets(open.routerId), HEADER_OCTETS + 5);
  message.set(parameters, HEADER_OCTETS + FIXED_OCTETS - 1);
  return message;
}

function encodeParameter(value: Uint8Array): Uint8Array {
  const { length } = value;
  if (length === 0) return Uint8Array.of(0);
  if (2 + length < EXTENDED)
    return Uint8Array.of(2 + length, PARAMETER_CAPABILITIES, length, ...value);
  const total = 3 + length;
  return Uint8Array.of(
    EXTENDED,
    EXTENDED,
    total >> 8,
    total & 0xff,
    PARAMETER_CAPABILITIES,
    length >> 8,
    length & 0xff,
    ...value,
  );
}
