/**
 * IP packets of the echo function (RFC 5881 §4): octets ⇄ values. Pure and total.
 *
 * An echo goes to the link address of the peer with our own address as its destination, so that the peer's forwarding plane
 * sends it back. Reads next: echo-link.ts.
 */
import type { Family } from "../../../events/address.ts";

export const ECHO_PORT = 3785;
const HOPS = 255;
const UDP = 17;
const UDP_OCTETS = 8;
const HEADER: Readonly<Record<Family, number>> = { ipv4: 20, ipv6: 40 };
/** Network control (RFC 4594 §3.1). */
const CLASS_SELECTOR_6 = 0xc0;

/** What of a received packet matters here; views of it. */
export type EchoPacket = {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly timeToLive: number;
  readonly port: number;
  readonly octets: Uint8Array;
};

/** undefined: no whole UDP datagram. */
export function decodeEchoPacket(family: Family, packet: Uint8Array): EchoPacket | undefined {
  const isIpv4 = family === "ipv4";
  const header = isIpv4 ? ((packet[0] ?? 0) & 0x0f) * 4 : HEADER.ipv6;
  if (header < HEADER[family] || packet.length < header + UDP_OCTETS) return undefined;
  if (packet[isIpv4 ? 9 : 6] !== UDP) return undefined;
  const length = uint16(packet, header + 4);
  if (length < UDP_OCTETS || header + length > packet.length) return undefined;
  return {
    source: isIpv4 ? packet.subarray(12, 16) : packet.subarray(8, 24),
    destination: isIpv4 ? packet.subarray(16, 20) : packet.subarray(24, 40),
    timeToLive: packet[isIpv4 ? 8 : 7] ?? 0,
    port: uint16(packet, header + 2),
    octets: packet.subarray(header + UDP_OCTETS, header + length),
  };
}

/** From `local` to `local`, with hop limit 255. */
export function encodeEchoPacket(
  family: Family,
  local: Uint8Array,
  octets: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const header = HEADER[family];
  const packet = new Uint8Array(header + UDP_OCTETS + octets.length);
  const view = new DataView(packet.buffer);
  const length = UDP_OCTETS + octets.length;
  if (family === "ipv4") {
    packet.set([0x45, CLASS_SELECTOR_6]);
    view.setUint16(2, packet.length);
    packet.set([HOPS, UDP], 8);
    packet.set(local, 12);
    packet.set(local, 16);
    view.setUint16(10, checksum(packet.subarray(0, header)));
  } else {
    view.setUint32(0, (6 << 28) | (CLASS_SELECTOR_6 << 20));
    view.setUint16(4, length);
    packet.set([UDP, HOPS], 6);
    packet.set(local, 8);
    packet.set(local, 24);
  }
  view.setUint16(header, ECHO_PORT);
  view.setUint16(header + 2, ECHO_PORT);
  view.setUint16(header + 4, length);
  packet.set(octets, header + UDP_OCTETS);
  // IPv4 may go without (RFC 768); IPv6 may not (RFC 8200 §8.1).
  if (family === "ipv6") view.setUint16(header + 6, udpChecksum(packet, local, length) || 0xffff);
  return packet;
}

/** The same packet one hop further, as a router would send it on. */
export function forwarded(family: Family, packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  const at = family === "ipv4" ? 8 : 7;
  copy[at] = (copy[at] ?? 1) - 1;
  if (family === "ipv4") {
    copy.fill(0, 10, 12);
    const sum = checksum(copy.subarray(0, ((copy[0] ?? 0) & 0x0f) * 4));
    copy.set([sum >>> 8, sum & 0xff], 10);
  }
  return copy;
}

const uint16 = (octets: Uint8Array, at: number): number =>
  ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);

function udpChecksum(packet: Uint8Array, address: Uint8Array, length: number): number {
  const pseudo = new Uint8Array(40 + length);
  pseudo.set(address, 0);
  pseudo.set(address, 16);
  new DataView(pseudo.buffer).setUint32(32, length);
  pseudo[39] = UDP;
  pseudo.set(packet.subarray(HEADER.ipv6), 40);
  return checksum(pseudo);
}

/** RFC 1071. */
function checksum(octets: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i += 2) sum += uint16(octets, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
