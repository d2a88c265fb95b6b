/**
 * NOTIFICATION (RFC 4271 §4.5): its codec, and a named maker for every error that this speaker sends.
 *
 *   0                   1
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *  +-------------------------------+
 *  |  Error code   | Error subcode |
 *  +-------------------------------+
 *  |        Data (variable)        |
 *  +-------------------------------+
 *
 * Never decides when to send one; that is the FSM's. Reads next: notification-text.ts (the words), shutdown-text.ts.
 */
import type { AfiSafi } from "./afi-safi.ts";
import { beginMessage, HEADER_OCTETS, MESSAGE_TYPE } from "./header.ts";
import type { Decoded, Notification } from "./message.ts";
import { encodeShutdownText } from "./shutdown-text.ts";

const none = new Uint8Array(0);
const plain = (code: number, subcode: number): Notification => ({ code, subcode, data: none });
const u16 = (value: number): Uint8Array => Uint8Array.of((value >> 8) & 0xff, value & 0xff);

/** More of a faulty attribute or message than this is not sent back: a choice, enough to find it in a capture. */
const MAX_ECHO_OCTETS = 512;

/** RFC 4271 §6.1. */
export const connectionNotSynchronized: Notification = plain(1, 1);
/** RFC 4271 §6.1: the data is the erroneous Length field. */
export const badMessageLength = (length: number): Notification => ({
  code: 1,
  subcode: 2,
  data: u16(length),
});
/** RFC 4271 §6.1: the data is the erroneous Type field. */
export const badMessageType = (type: number): Notification => ({
  code: 1,
  subcode: 3,
  data: Uint8Array.of(type),
});

/** RFC 4271 §6.2, malformed in a way that no subcode names. */
export const openUnspecific: Notification = plain(2, 0);
/** RFC 4271 §6.2: the data is the version we can speak. */
export const unsupportedVersion: Notification = { code: 2, subcode: 1, data: u16(4) };
/** RFC 4271 §6.2, RFC 7607 §2 for AS 0. */
export const badPeerAs: Notification = plain(2, 2);
/** RFC 6286 §2.2. */
export const badBgpIdentifier: Notification = plain(2, 3);
/** RFC 4271 §6.2. */
export const unsupportedOptionalParameter: Notification = plain(2, 4);
/** RFC 4271 §6.2. */
export const unacceptableHoldTime: Notification = plain(2, 6);
/** RFC 4271 §6.3: the lengths of the message contradict each other, or an attribute stands twice that must not. */
export const malformedAttributeList: Notification = plain(3, 1);
/** RFC 4271 §6.3; the data is the attribute, cut where it is long. */
export const optionalAttributeError = (attribute: Uint8Array): Notification => ({
  code: 3,
  subcode: 9,
  data: new Uint8Array(attribute.subarray(0, MAX_ECHO_OCTETS)),
});
/** RFC 4271 §6.3: an NLRI that cannot be read. */
export const invalidNetworkField: Notification = plain(3, 10);

/** RFC 4271 §6.5. */
export const holdTimerExpired: Notification = plain(4, 0);

/** RFC 6608 §3: the subcode names the state that was surprised. */
export const fsmError = (
  state: "OpenSent" | "OpenConfirm" | "Established" | undefined,
): Notification => {
  if (state === undefined) return plain(5, 0);
  return plain(5, { OpenSent: 1, OpenConfirm: 2, Established: 3 }[state]);
};

/** RFC 4486 §4: the data is AFI, SAFI and the bound. */
export const maximumPrefixesReached = (family: AfiSafi, bound: number): Notification => {
  const data = new Uint8Array(7);
  const view = new DataView(data.buffer);
  view.setUint16(0, family.afi);
  view.setUint8(2, family.safi);
  view.setUint32(3, bound);
  return { code: 6, subcode: 1, data };
};
/** RFC 4486 §4, with words for the peer's operator (RFC 9003 §2); they are cut at 255 octets. */
export const administrativeShutdown = (text = ""): Notification => ({
  code: 6,
  subcode: 2,
  data: encodeShutdownText(text),
});
/** RFC 4486 §4. */
/** RFC 9384 §3. */
export const bfdDown: Notification = plain(6, 10);
export const peerDeconfigured: Notification = plain(6, 3);
/** RFC 4486 §4. */
export const connectionRejected: Notification = plain(6, 5);
export const otherConfigurationChange: Notification = plain(6, 6);
/** RFC 4271 §6.8. */
export const connectionCollision: Notification = plain(6, 7);
/** RFC 8538 §3: ends the session for good although Graceful Notification was agreed; the data is what it stands for. */
export const hardReset = (inner: Notification): Notification => ({
  code: 6,
  subcode: 9,
  data: Uint8Array.of(inner.code, inner.subcode, ...inner.data),
});

/** RFC 7313 §5: the data is the whole ROUTE-REFRESH. */
export const invalidRefreshLength = (message: Uint8Array): Notification => ({
  code: 7,
  subcode: 1,
  data: new Uint8Array(message.subarray(0, MAX_ECHO_OCTETS)),
});

/** RFC 9687 §4: the peer took nothing for the length of the Send Hold Timer. */
export const sendHoldTimerExpired: Notification = plain(8, 0);

/** `start` is past the header. One that is too short is answered by nothing (RFC 4271 §6.4); the error is for our own log. */
export function decodeNotification(
  bytes: Uint8Array,
  start: number,
  end: number,
): Decoded<Notification> {
  const code = bytes[start];
  const subcode = bytes[start + 1];
  if (code === undefined || subcode === undefined || end < start + 2) {
    return { ok: false, error: badMessageLength(HEADER_OCTETS + end - start) };
  }
  return {
    ok: true,
    value: { code, subcode, data: new Uint8Array(bytes.subarray(start + 2, end)) },
  };
}

/** The whole message. Data beyond the largest message is cut (RFC 4271 §4). */
export function encodeNotification(notification: Notification): Uint8Array {
  const data = notification.data.subarray(0, 4096 - HEADER_OCTETS - 2);
  const message = beginMessage(MESSAGE_TYPE.notification, 2 + data.length);
  message[HEADER_OCTETS] = notification.code;
  message[HEADER_OCTETS + 1] = notification.subcode;
  message.set(data, HEADER_OCTETS + 2);
  return message;
}

/** What a Hard Reset stands for (RFC 8538 §3); undefined for any other notification. */
export function hardResetCause(notification: Notification): Notification | undefined {
  const [code, subcode] = notification.data;
  if (notification.code !== 6 || notification.subcode !== 9) return undefined;
  if (code === undefined || subcode === undefined) return undefined;
  return { code, subcode, data: notification.data.subarray(2) };
}
