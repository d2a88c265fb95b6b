/**
 * A NOTIFICATION in words that an operator understands (RFC 4271 §4.5, RFC 4486 §3, RFC 9003 §2).
 *
 * Text only, one line, no judgement about who is right. Reads next: notification.ts.
 */
import type { Notification } from "./message.ts";
import { hardResetCause } from "./notification.ts";
import { decodeShutdownText } from "./shutdown-text.ts";

type Words = { readonly name: string; readonly subcodes: readonly string[] };

/** By code; subcodes by position, the empty ones are unassigned or deprecated (IANA "BGP Error Subcodes"). */
const words: readonly (Words | undefined)[] = [
  undefined,
  {
    name: "message header error",
    subcodes: ["", "connection not synchronized", "bad message length", "bad message type"],
  },
  {
    name: "OPEN refused",
    subcodes: [
      "",
      "unsupported BGP version",
      "bad peer AS: our AS number is not the one it expects",
      "bad BGP identifier: our router id is zero or its own",
      "unsupported optional parameter",
      "authentication failure",
      "unacceptable hold time",
      "a capability it requires is missing",
      "",
      "",
      "",
      "role mismatch",
    ],
  },
  {
    name: "UPDATE refused",
    subcodes: [
      "",
      "malformed attribute list",
      "unrecognized well-known attribute",
      "missing well-known attribute",
      "attribute flags error",
      "attribute length error",
      "invalid ORIGIN",
      "",
      "invalid NEXT_HOP",
      "optional attribute error",
      "invalid network field",
      "malformed AS_PATH",
    ],
  },
  { name: "hold timer expired", subcodes: [] },
  {
    name: "state machine error",
    subcodes: [
      "",
      "unexpected message in OpenSent",
      "unexpected message in OpenConfirm",
      "unexpected message in Established",
    ],
  },
  {
    name: "session ceased",
    subcodes: [
      "",
      "maximum number of prefixes reached",
      "administrative shutdown",
      "peer de-configured",
      "administrative reset",
      "connection rejected",
      "other configuration change",
      "connection collision resolution",
      "out of resources",
      "hard reset",
      "BFD down",
    ],
  },
  { name: "ROUTE-REFRESH refused", subcodes: ["", "invalid message length"] },
  { name: "send hold timer expired: nothing was read for too long", subcodes: [] },
];

const CEASE = 6;
const SHUTDOWN = 2;
const RESET = 4;

/** One line such as `session ceased: administrative shutdown (6/2), saying "maintenance"`. */
export function describeNotification(notification: Notification): string {
  const { code, subcode, data } = notification;
  const named = words[code];
  const detail = named?.subcodes[subcode] ?? "";
  const name = named?.name ?? "unknown error";
  const line = `${detail === "" ? name : `${name}: ${detail}`} (${code}/${subcode})`;
  return `${line}${dataInWords(notification, data)}`;
}

function dataInWords(notification: Notification, data: Uint8Array): string {
  const inner = hardResetCause(notification);
  // RFC 8538 §3: a Hard Reset carries the code, subcode and data of what it stands for; one level, whatever the peer nests.
  if (inner !== undefined) {
    if (hardResetCause(inner) !== undefined) return "";
    return `, because of ${describeNotification(inner)}`;
  }
  if (notification.code !== CEASE) return "";
  if (notification.subcode === SHUTDOWN || notification.subcode === RESET) {
    const text = decodeShutdownText(data);
    return text === undefined ? "" : `, saying "${text}"`;
  }
  // RFC 4486 §4: AFI, SAFI, bound; optional.
  if (notification.subcode === 1 && data.length === 7) {
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    return `, bound ${view.getUint32(3)} for AFI ${view.getUint16(0)} SAFI ${view.getUint8(2)}`;
  }
  return "";
}
