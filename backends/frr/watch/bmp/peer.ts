/**
 * Whom a BMP message is about: the per-peer header (RFC 7854 §4.2).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-------------------------------+
 *  |   Peer Type   |  Peer Flags   |
 *  +---------------------------------------------------------------+
 *  |                 Peer Distinguisher: 8 octets                  |
 *  +---------------------------------------------------------------+
 *  |     Peer Address: 16 octets, an IPv4 one in the last four     |
 *  +---------------------------------------------------------------+
 *  |                            Peer AS                            |
 *  +---------------------------------------------------------------+
 *  |                          Peer BGP ID                          |
 *  +---------------------------------------------------------------+
 *  |        Timestamp: seconds and microseconds, 4 octets each     |
 *  +---------------------------------------------------------------+
 *
 * FRR 8.4.4 leaves the distinguisher zero in every VRF, so that it does not tell whose neighbour it is. Reads next: message.ts.
 */
import { type Address, addressFromOctets } from "../../../../events/address.ts";

export const PER_PEER_OCTETS = 42;

export type BmpPeer = {
  /** RFC 7854 §4.2: 0 global, 1 of an RD, 2 local; RFC 9069 §4.1: 3 Loc-RIB. */
  readonly type: number;
  readonly distinguisher: bigint;
  readonly address: Address;
  readonly asn: number;
  /** 0.0.0.0 before an OPEN was read. */
  readonly routerId: Address;
  /** Flag L: of a route, past policy. */
  readonly isPostPolicy: boolean;
  /** Flag A: AS_PATH in the old form, with two octets for an AS. */
  readonly hasShortAs: boolean;
  /** Microseconds since 1970; 0 where the speaker does not know. */
  readonly atMicros: bigint;
};

const FLAG_V = 0x80;
const FLAG_L = 0x40;
const FLAG_A = 0x20;

/** `body` is of PER_PEER_OCTETS or more. */
export function readPeer(body: Uint8Array): BmpPeer {
  const view = new DataView(body.buffer, body.byteOffset, PER_PEER_OCTETS);
  const flags = view.getUint8(1);
  return {
    type: view.getUint8(0),
    distinguisher: view.getBigUint64(2),
    address: readAddress(body.subarray(10, 26), (flags & FLAG_V) !== 0),
    asn: view.getUint32(26),
    routerId: addressFromOctets(body.subarray(30, 34)),
    isPostPolicy: (flags & FLAG_L) !== 0,
    hasShortAs: (flags & FLAG_A) !== 0,
    atMicros: BigInt(view.getUint32(34)) * 1_000_000n + BigInt(view.getUint32(38)),
  };
}

export const isIpv6Peer = (body: Uint8Array): boolean => ((body[1] ?? 0) & FLAG_V) !== 0;

/** 16 octets, an IPv4 address in the last four (RFC 7854 §4.2, §4.10). */
export const readAddress = (octets: Uint8Array, isIpv6: boolean): Address =>
  addressFromOctets(isIpv6 ? octets : octets.subarray(12));
