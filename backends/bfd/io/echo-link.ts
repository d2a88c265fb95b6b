/**
 * The echo function's own way in and out: packets below IP, of one family, on all links (RFC 5881 §4).
 *
 * An echo has our own address as source and destination, which no UDP socket sends to the peer and the kernel takes from
 * nobody. Peers' link addresses are learned from their Control packets, and nobody is asked for them. Where this host does
 * not forward, the peer's echoes are sent back from here. Open only while some session wants echoes; needs CAP_NET_RAW.
 * Reads next: echo-packet.ts, sockets.ts.
 */
import { readFileSync } from "node:fs";
import type { Family } from "../../../events/address.ts";
import {
  calls,
  check,
  closeFd,
  failure,
  fixedMemory,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "../../os/libc.ts";
import { decodeControl } from "../packet.ts";
import type { Datagram } from "../port.ts";
import { openBatch } from "./batch.ts";
import { decodeEchoPacket, ECHO_PORT, encodeEchoPacket, forwarded } from "./echo-packet.ts";
import type { MonotonicClock } from "./monotonic.ts";

const AF_PACKET = 17;
const PACKET_HOST = 0;
const SO_ATTACH_FILTER = 26;
const ETHERTYPE: Readonly<Record<Family, number>> = { ipv4: 0x0800, ipv6: 0x86dd };
/** struct sockaddr_ll. */
const NAME_OCTETS = 20;
const CONTROL_PORT = 3784;
const HOPS_ONE = 255;
const FORWARDING_FRESH_MICROS = 1e6;

export type EchoLink = {
  readonly fd: number;
  /** Hands on echoes, at most one batch; says whether more may wait. `giveBack` returns a peer's echo to it. */
  drain(take: (datagram: Datagram, giveBack: () => void) => void): boolean;
  /** Sends an echo of the session with this discriminator of ours; answers why it can't, or nothing. */
  send(localDiscriminator: number, octets: Uint8Array): string;
  close(): void;
};

export type EchoLinkOptions = {
  readonly family: Family;
  readonly clock: MonotonicClock;
  readonly deviceName: (index: number) => string;
  /** Whether a session of ours with this discriminator sends echoes. */
  readonly isWanted: (localDiscriminator: number) => boolean;
};

/** Throws SystemError. */
export function openEchoLink({ family, clock, deviceName, isWanted }: EchoLinkOptions): EchoLink {
  const fd = opened(family);
  const batch = openBatch(fd, clock);
  const forwards = forwarding(family, clock, deviceName);
  const neighbors = new Map<number, { readonly name: Uint8Array; readonly local: Uint8Array }>();

  /** A Control packet names our session, and its frame where the peer is. */
  const learn = (name: Uint8Array, local: Uint8Array, octets: Uint8Array): void => {
    const control = decodeControl(octets);
    if (typeof control === "string" || !isWanted(control.yourDiscriminator)) return;
    neighbors.set(control.yourDiscriminator, {
      name: name.slice(0, NAME_OCTETS),
      local: local.slice(),
    });
  };

  return {
    fd,
    drain: (take) =>
      batch.drain(({ name, data, arrivedMicros }) => {
        const packet = decodeEchoPacket(family, data);
        if (packet === undefined || name[10] !== PACKET_HOST) return;
        const { source, destination, timeToLive, octets } = packet;
        if (packet.port === CONTROL_PORT) {
          if (timeToLive === HOPS_ONE) learn(name, destination, octets);
          return;
        }
        // What comes to an address of ours is taken by the socket of that port.
        if (packet.port !== ECHO_PORT || !source.every((octet, i) => octet === destination[i]))
          return;
        const device = new DataView(name.buffer, name.byteOffset).getInt32(4, true);
        // A new one is the kernel's to send back, where it forwards.
        if (timeToLive === HOPS_ONE && forwards(device)) return;
        const datagram: Datagram = {
          to: "echo",
          vrf: "",
          remote: source,
          local: destination,
          interface: deviceName(device),
          timeToLive,
          octets,
          arrivedMicros,
        };
        take(datagram, () => {
          const back = forwarded(family, data);
          calls.sendto(fd, back, back.length, 0, name.slice(0, NAME_OCTETS), NAME_OCTETS);
        });
      }),
    send(localDiscriminator, octets) {
      const neighbor = neighbors.get(localDiscriminator);
      if (neighbor === undefined) return "";
      const packet = encodeEchoPacket(family, neighbor.local, octets);
      const { name } = neighbor;
      const sent = calls.sendto(fd, packet, packet.length, 0, name, name.length) as number;
      return sent < 0 ? `echo: ${failure()}` : "";
    },
    close: () => closeFd(fd),
  };
}

function opened(family: Family): number {
  // Bound to a protocol, such a socket is shown nothing of what this host sends.
  const bigEndian = ((ETHERTYPE[family] & 0xff) << 8) | (ETHERTYPE[family] >>> 8);
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF_PACKET, type, 0) as number, "packet socket");
  try {
    const filter = fixedMemory(8 * FILTERS[family].length);
    for (const [i, [code, yes, no, value]] of FILTERS[family].entries()) {
      filter.view.setUint16(8 * i, code, true);
      filter.view.setUint8(8 * i + 2, yes);
      filter.view.setUint8(8 * i + 3, no);
      filter.view.setUint32(8 * i + 4, value, true);
    }
    const program = new Uint8Array(16);
    const view = new DataView(program.buffer);
    view.setUint16(0, FILTERS[family].length, true);
    view.setBigUint64(8, filter.address, true);
    const attached = calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, 16) as number;
    check(attached, "SO_ATTACH_FILTER");
    const name = new Uint8Array(NAME_OCTETS);
    const nameView = new DataView(name.buffer);
    nameView.setUint16(0, AF_PACKET, true);
    nameView.setUint16(2, bigEndian, true);
    check(calls.bind(fd, name, name.length) as number, "bind a packet socket");
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** struct sock_filter: code, jump if true, jump if false, operand (linux/bpf_common.h). */
type Instruction = readonly [code: number, yes: number, no: number, value: number];
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const LOAD_HALF_AT_X = 0x48;
const LOAD_HEADER_LENGTH = 0xb1;
const IF_EQUAL = 0x15;
const IF_BITS = 0x45;
const RETURN = 0x06;
const UDP = 17;
const MOST_OCTETS = 512;
/** UDP to the ports of Control packets and echoes, unfragmented: everything else stays in the kernel. */
const FILTERS: Readonly<Record<Family, readonly Instruction[]>> = {
  ipv4: [
    [LOAD_BYTE, 0, 0, 9],
    [IF_EQUAL, 0, 6, UDP],
    [LOAD_HALF, 0, 0, 6],
    [IF_BITS, 4, 0, 0x3fff],
    [LOAD_HEADER_LENGTH, 0, 0, 0],
    [LOAD_HALF_AT_X, 0, 0, 2],
    [IF_EQUAL, 2, 0, ECHO_PORT],
    [IF_EQUAL, 1, 0, CONTROL_PORT],
    [RETURN, 0, 0, 0],
    [RETURN, 0, 0, MOST_OCTETS],
  ],
  ipv6: [
    [LOAD_BYTE, 0, 0, 6],
    [IF_EQUAL, 0, 3, UDP],
    [LOAD_HALF, 0, 0, 42],
    [IF_EQUAL, 2, 0, ECHO_PORT],
    [IF_EQUAL, 1, 0, CONTROL_PORT],
    [RETURN, 0, 0, 0],
    [RETURN, 0, 0, MOST_OCTETS],
  ],
};

/** Whether the kernel forwards what comes in by a device; asked once a second at most. */
function forwarding(
  family: Family,
  { nowMicros }: MonotonicClock,
  deviceName: (index: number) => string,
): (device: number) => boolean {
  const known = new Map<number, boolean>();
  let freshUntil = 0;
  return (device) => {
    if (nowMicros() > freshUntil) {
      known.clear();
      freshUntil = nowMicros() + FORWARDING_FRESH_MICROS;
    }
    const found = known.get(device) ?? readForwarding(family, deviceName(device));
    known.set(device, found);
    return found;
  };
}

/** IPv6 forwards for all devices or for none (ip-sysctl: conf/all/forwarding). */
function readForwarding(family: Family, device: string): boolean {
  const path = family === "ipv4" ? `ipv4/conf/${device}` : "ipv6/conf/all";
  try {
    return readFileSync(`/proc/sys/net/${path}/forwarding`, "utf8").trim() !== "0";
  } catch {
    return false;
  }
}
