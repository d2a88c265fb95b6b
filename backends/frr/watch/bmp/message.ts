/**
 * One BMP message into what it says (RFC 7854 §4). Total: any octets give a value.
 *
 * What a message encloses is read by the native speaker's codec. Reads next: frame.ts, peer.ts, words.ts.
 */
import type { Address } from "../../../../events/address.ts";
import { decodeMessage } from "../../../native/wire/decode.ts";
import { type Framed, nextMessage } from "../../../native/wire/framing.ts";
import type { Message, Notification, Open, Update } from "../../../native/wire/message.ts";
import type { BmpFrame } from "./frame.ts";
import { type BmpPeer, isIpv6Peer, PER_PEER_OCTETS, readAddress, readPeer } from "./peer.ts";

/** RFC 7854 §4.1. */
const KIND = {
  routeMonitoring: 0,
  statistics: 1,
  peerDown: 2,
  peerUp: 3,
  initiation: 4,
  termination: 5,
} as const;

/** RFC 7854 §4.9. */
export type DownCause =
  | { readonly type: "notification-sent"; readonly notification: Notification }
  /** RFC 4271 §8.1's number of the event; 0: it fits none, or is not told. */
  | { readonly type: "local"; readonly fsmEvent: number }
  | { readonly type: "notification-received"; readonly notification: Notification }
  | { readonly type: "closed-by-peer" }
  | { readonly type: "deconfigured" }
  | { readonly type: "unknown"; readonly code: number };

export type BmpMessage =
  /** §4.6; the peer's flag says whether before or past policy. */
  | { readonly type: "route-monitoring"; readonly peer: BmpPeer; readonly update: Update }
  /** §4.8; by type, counters of 4 octets and gauges of 8. Others are left out. */
  | {
      readonly type: "statistics";
      readonly peer: BmpPeer;
      readonly values: ReadonlyMap<number, bigint>;
    }
  | { readonly type: "peer-down"; readonly peer: BmpPeer; readonly cause: DownCause }
  /** §4.10. */
  | {
      readonly type: "peer-up";
      readonly peer: BmpPeer;
      readonly localAddress: Address;
      readonly localPort: number;
      readonly remotePort: number;
      readonly sent: Open;
      readonly received: Open;
    }
  /** §4.3; each text with its type: 0 free, 1 sysDescr, 2 sysName. */
  | { readonly type: "initiation"; readonly information: readonly Information[] }
  /** §4.5; a reason of two octets has type 1 and is left in `reason`. */
  | {
      readonly type: "termination";
      readonly reason: number | undefined;
      readonly information: readonly Information[];
    }
  /** To be ignored (RFC 7854 §4.1): among them Route Mirroring, which nobody asks for. */
  | { readonly type: "ignored"; readonly kind: number }
  | { readonly type: "malformed"; readonly reason: string };

export type Information = { readonly type: number; readonly text: string };

const malformed = (reason: string): BmpMessage => ({ type: "malformed", reason });

export function readBmp({ kind, body }: BmpFrame): BmpMessage {
  switch (kind) {
    case KIND.initiation:
      return { type: "initiation", information: [...texts(body)] };
    case KIND.termination:
      return termination(body);
    case KIND.routeMonitoring:
    case KIND.statistics:
    case KIND.peerDown:
    case KIND.peerUp:
      return body.length < PER_PEER_OCTETS
        ? malformed("it ends in the per-peer header")
        : ofPeer(kind, body, readPeer(body));
    default:
      return { type: "ignored", kind };
  }
}

function ofPeer(kind: 0 | 1 | 2 | 3, body: Uint8Array, peer: BmpPeer): BmpMessage {
  const said = body.subarray(PER_PEER_OCTETS);
  switch (kind) {
    case KIND.routeMonitoring:
      return routeMonitoring(said, peer);
    case KIND.statistics:
      return statistics(said, peer);
    case KIND.peerDown:
      return peerDown(said, peer);
    case KIND.peerUp:
      return peerUp(said, peer, isIpv6Peer(body));
  }
}

function routeMonitoring(said: Uint8Array, peer: BmpPeer): BmpMessage {
  const { message } = enclosed(said, 0, peer);
  return message?.type === "update"
    ? { type: "route-monitoring", peer, update: message.update }
    : malformed("no UPDATE is in it");
}

function statistics(said: Uint8Array, peer: BmpPeer): BmpMessage {
  const values = new Map<number, bigint>();
  for (const { type, value } of fields(said.subarray(4))) {
    const view = new DataView(value.buffer, value.byteOffset, value.length);
    if (value.length === 4) values.set(type, BigInt(view.getUint32(0)));
    if (value.length === 8) values.set(type, view.getBigUint64(0));
  }
  return { type: "statistics", peer, values };
}

function peerDown(said: Uint8Array, peer: BmpPeer): BmpMessage {
  const [code, high, low] = said;
  if (code === undefined) return malformed("it has no reason");
  const cause = causeOf(code, said, ((high ?? 0) << 8) | (low ?? 0), peer);
  return cause === undefined
    ? malformed("no NOTIFICATION is in it")
    : { type: "peer-down", peer, cause };
}

function causeOf(
  code: number,
  said: Uint8Array,
  fsmEvent: number,
  peer: BmpPeer,
): DownCause | undefined {
  if (code === 2) return { type: "local", fsmEvent };
  if (code === 4) return { type: "closed-by-peer" };
  if (code === 5) return { type: "deconfigured" };
  if (code !== 1 && code !== 3) return { type: "unknown", code };
  const { message } = enclosed(said, 1, peer);
  if (message?.type !== "notification") return undefined;
  const { notification } = message;
  return { type: code === 1 ? "notification-sent" : "notification-received", notification };
}

/** Local address, two ports, both OPENs. */
const OPENS_AT = 20;

function peerUp(said: Uint8Array, peer: BmpPeer, isIpv6: boolean): BmpMessage {
  if (said.length < OPENS_AT) return malformed("it ends before the OPENs");
  const view = new DataView(said.buffer, said.byteOffset, said.length);
  const sent = enclosed(said, OPENS_AT, peer);
  const received = enclosed(said, sent.end, peer);
  if (sent.message?.type !== "open" || received.message?.type !== "open")
    return malformed("no two OPENs are in it");
  return {
    type: "peer-up",
    peer,
    localAddress: readAddress(said.subarray(0, 16), isIpv6),
    localPort: view.getUint16(16),
    remotePort: view.getUint16(18),
    sent: sent.message.open,
    received: received.message.open,
  };
}

function termination(body: Uint8Array): BmpMessage {
  const reason = [...fields(body)].find(({ type, value }) => type === 1 && value.length === 2);
  const [high = 0, low = 0] = reason?.value ?? [];
  return {
    type: "termination",
    reason: reason === undefined ? undefined : (high << 8) | low,
    information: [...texts(body)].filter(({ type }) => type === 0),
  };
}

/** A whole BGP message that begins at `start`, and where it ends; undefined where there is none, or none that is right. */
function enclosed(
  bytes: Uint8Array,
  start: number,
  { hasShortAs }: BmpPeer,
): { readonly message: Message | undefined; readonly end: number } {
  const framed: Framed = nextMessage(bytes, start, bytes.length, true);
  if (framed.type !== "message") return { message: undefined, end: start };
  const read = decodeMessage(bytes, framed, {
    as4: !hasShortAs,
    external: false,
    families: ["ipv4", "ipv6"],
    addPath: [],
    extendedMessage: true,
    extendedNextHop: true,
  });
  return { message: read.ok ? read.value : undefined, end: framed.end };
}

/** RFC 7854 §4.4: type and length of 2 octets each, and the value. One that is cut ends the list. */
function* fields(
  octets: Uint8Array,
): Generator<{ readonly type: number; readonly value: Uint8Array }> {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  for (let at = 0; at + 4 <= octets.length;) {
    const end = at + 4 + view.getUint16(at + 2);
    if (end > octets.length) return;
    yield { type: view.getUint16(at), value: octets.subarray(at + 4, end) };
    at = end;
  }
}

/** Without control characters, for logs and terminals. */
function* texts(octets: Uint8Array): Generator<Information> {
  for (const { type, value } of fields(octets)) {
    const text = new TextDecoder().decode(value).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");
    yield { type, text };
  }
}
