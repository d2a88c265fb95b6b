/**
 * ARP packets that ask whether an address is taken (RFC 5227 §2.1.1), and what answers that (RFC 826).
 *
 *   0       2       4     5     6       8           14          18          24          28
 *  +-------+-------+-----+-----+-------+-----------+-----------+-----------+-----------+
 *  | link  | proto | hw  | pr  | order | sender hw | sender IP | target hw | target IP |
 *  +-------+-------+-----+-----+-------+-----------+-----------+-----------+-----------+
 *
 * Pure; below the Ethernet header. Reads next: io/arp-probe.ts.
 */
import { type Address, addressFromOctets, addressOctets } from "../../events/address.ts";

const PACKET_OCTETS = 28;
const ETHERNET = 1;
const IPV4 = 0x0800;
const REQUEST = 1;
const HARDWARE_OCTETS = 6;

/** A probe: the sender's own address is left out, so that nobody takes it for ours while it is not. */
export function encodeProbe(hardware: Uint8Array, asked: Address): Uint8Array {
  const out = new Uint8Array(PACKET_OCTETS);
  const view = new DataView(out.buffer);
  view.setUint16(0, ETHERNET, false);
  view.setUint16(2, IPV4, false);
  out[4] = HARDWARE_OCTETS;
  out[5] = 4;
  view.setUint16(6, REQUEST, false);
  out.set(hardware.subarray(0, HARDWARE_OCTETS), 8);
  out.set(addressOctets(asked), 24);
  return out;
}

export type Claim = {
  readonly address: Address;
  /** Of whoever claims it, such as 02:00:5e:10:00:01. */
  readonly hardware: string;
};

/** The address that another claims by this packet, as its own or by probing for it; undefined where nobody else does. */
export function claimIn(packet: Uint8Array, own: Uint8Array): Claim | undefined {
  if (packet.length < PACKET_OCTETS) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset);
  if (view.getUint16(0) !== ETHERNET || view.getUint16(2) !== IPV4) return undefined;
  if (packet[4] !== HARDWARE_OCTETS || packet[5] !== 4) return undefined;
  const hardware = packet.subarray(8, 14);
  if (hardware.every((octet, i) => octet === own[i])) return undefined;
  const sender = packet.subarray(14, 18);
  const isProbe = sender.every((octet) => octet === 0);
  return {
    address: addressFromOctets(isProbe ? packet.slice(24, 28) : sender.slice()),
    hardware: [...hardware].map((octet) => octet.toString(16).padStart(2, "0")).join(":"),
  };
}
