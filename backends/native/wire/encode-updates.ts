/**
 * UPDATE as we send it (RFC 4271 §4.3): many prefixes with one set of attributes in as few messages as hold them.
 *
 *  classic:         header | 0 | attribute length | attributes | NLRI …
 *  multiprotocol:   header | 0 | attribute length | MP_REACH_NLRI with NLRI … | other attributes
 *  withdrawal:      header | withdrawn length | prefixes … | 0         or MP_UNREACH_NLRI in the place of attributes
 *
 * Pulls prefixes one at a time, so that what does not fit stays where it was. Messages have at most 4096 octets, also to a
 * peer that would take more (RFC 8654 §4 asks for nothing else): one size fits all peers. Reads next: nlri.ts.
 */
import type { Family } from "../../../events/address.ts";
import type { Prefix } from "../../../events/prefix.ts";
import { AFI_IPV4, AFI_IPV6, SAFI_UNICAST } from "./afi-safi.ts";
import { ATTRIBUTE, FLAG_EXTENDED_LENGTH, OPTIONAL_NON_TRANSITIVE } from "./attribute-codes.ts";
import { carriageOf, encodeOutAttributes, mpNextHop } from "./encode-attributes.ts";
import { HEADER_OCTETS, MAX_MESSAGE_OCTETS, MESSAGE_TYPE, writeHeader } from "./header.ts";
import type { OutAttributes, SessionOptions } from "./message.ts";
import { MAX_NLRI_OCTETS, writePrefix } from "./nlri.ts";

/** Makes one message of what it pulls; undefined where nothing is left to pull. */
export type MessageWriter = (pull: Pull) => Uint8Array | undefined;
/** The next prefix, taken away from where it waited; undefined at the end. */
export type Pull = () => Prefix | undefined;

/** Why routes cannot be told to this peer; a value, because attributes and session are configuration. */
export type CannotSend = "family-not-agreed" | "no-next-hop-of-the-family" | "attributes-too-long";

/** Layout of a message in the making: all that stands before the NLRI, and what is patched or appended once it is known. */
type Frame = {
  readonly family: Family;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Where a two-octet length goes, and from where it counts. */
  readonly lengths: readonly {
    readonly at: number;
    readonly from: number;
    readonly toTail: boolean;
  }[];
};

/** Writer of announcements of one family with one set of attributes, or why this session cannot carry them. */
export function announcer(
  family: Family,
  attributes: OutAttributes,
  session: SessionOptions,
): MessageWriter | CannotSend {
  const carriage = carriageOf(family, attributes, session);
  if (carriage === "none") {
    return session.families.includes(family) ? "no-next-hop-of-the-family" : "family-not-agreed";
  }
  const isClassic = carriage === "classic";
  const octets = encodeOutAttributes(attributes, isClassic, session);
  const frame = isClassic ? classicFrame(octets) : reachFrame(family, attributes, octets);
  const size = frame.head.length + frame.tail.length + MAX_NLRI_OCTETS[family];
  return size > MAX_MESSAGE_OCTETS ? "attributes-too-long" : (pull) => fill(frame, pull);
}

/** Writer of withdrawals of one family. */
export function withdrawer(family: Family): MessageWriter {
  const frame = family === "ipv4" ? withdrawnFrame : unreachFrame;
  return (pull) => fill(frame, pull);
}

/** All messages for these prefixes, in order. */
export function encodeAll(
  writer: MessageWriter,
  prefixes: Iterable<Prefix>,
): readonly Uint8Array[] {
  const iterator = prefixes[Symbol.iterator]();
  const pull: Pull = () => {
    const next = iterator.next();
    return next.done === true ? undefined : next.value;
  };
  const messages: Uint8Array[] = [];
  for (let message = writer(pull); message !== undefined; message = writer(pull))
    messages.push(message);
  return messages;
}

/** RFC 4724 §2: the end of the first telling of a family. */
export function encodeEndOfRib(family: Family): Uint8Array {
  if (family === "ipv4") {
    const message = new Uint8Array(HEADER_OCTETS + 4);
    writeHeader(message, 0, MESSAGE_TYPE.update, message.length);
    return message;
  }
  return close(unreachFrame, startOf(unreachFrame), unreachFrame.head.length);
}

const none = new Uint8Array(0);
/** Header, and a withdrawn length of zero; then the attribute length. */
const ATTRIBUTE_LENGTH_AT = HEADER_OCTETS + 2;
const ATTRIBUTES_AT = HEADER_OCTETS + 4;

function classicFrame(attributes: Uint8Array): Frame {
  const head = new Uint8Array(ATTRIBUTES_AT + attributes.length);
  head[ATTRIBUTE_LENGTH_AT] = attributes.length >> 8;
  head[ATTRIBUTE_LENGTH_AT + 1] = attributes.length & 0xff;
  head.set(attributes, ATTRIBUTES_AT);
  return { family: "ipv4", head, tail: none, lengths: [] };
}

const withdrawnFrame: Frame = {
  family: "ipv4",
  head: new Uint8Array(HEADER_OCTETS + 2),
  tail: new Uint8Array(2),
  lengths: [{ at: HEADER_OCTETS, from: HEADER_OCTETS + 2, toTail: false }],
};

/** The long length always, since the NLRI is yet to come. */
function mpFrame(family: Family, code: number, value: Uint8Array, tail: Uint8Array): Frame {
  const head = new Uint8Array(ATTRIBUTES_AT + 4 + 3 + value.length);
  head[ATTRIBUTES_AT] = OPTIONAL_NON_TRANSITIVE | FLAG_EXTENDED_LENGTH;
  head[ATTRIBUTES_AT + 1] = code;
  head[ATTRIBUTES_AT + 5] = family === "ipv4" ? AFI_IPV4 : AFI_IPV6;
  head[ATTRIBUTES_AT + 6] = SAFI_UNICAST;
  head.set(value, ATTRIBUTES_AT + 7);
  const attribute = { at: ATTRIBUTES_AT + 2, from: ATTRIBUTES_AT + 4, toTail: false };
  const all = { at: ATTRIBUTE_LENGTH_AT, from: ATTRIBUTES_AT, toTail: true };
  return { family, head, tail, lengths: [attribute, all] };
}

function reachFrame(family: Family, attributes: OutAttributes, others: Uint8Array): Frame {
  const nextHop = mpNextHop(attributes);
  // Length of the next hop, the next hop, and the reserved octet (RFC 4760 §3).
  const value = Uint8Array.of(nextHop.length, ...nextHop, 0);
  return mpFrame(family, ATTRIBUTE.mpReach, value, others);
}

const unreachFrame: Frame = mpFrame("ipv6", ATTRIBUTE.mpUnreach, none, none);

function startOf(frame: Frame): Uint8Array {
  const message = new Uint8Array(MAX_MESSAGE_OCTETS);
  message.set(frame.head);
  return message;
}

function fill(frame: Frame, pull: Pull): Uint8Array | undefined {
  let prefix = pull();
  if (prefix === undefined) return undefined;
  const message = startOf(frame);
  const last = MAX_MESSAGE_OCTETS - frame.tail.length - MAX_NLRI_OCTETS[frame.family];
  let at = frame.head.length;
  for (;;) {
    at = writePrefix(message, at, prefix, frame.family);
    if (at > last) break;
    prefix = pull();
    if (prefix === undefined) break;
  }
  return close(frame, message, at);
}

function close(frame: Frame, message: Uint8Array, nlriEnd: number): Uint8Array {
  const end = nlriEnd + frame.tail.length;
  // An IPv6 prefix is written with all its octets, so what lies behind it may not be zero.
  message.set(frame.tail, nlriEnd);
  for (const { at, from, toTail } of frame.lengths) {
    const length = (toTail ? end : nlriEnd) - from;
    message[at] = length >> 8;
    message[at + 1] = length & 0xff;
  }
  writeHeader(message, 0, MESSAGE_TYPE.update, end);
  return message.subarray(0, end);
}
