/**
 * Asks a link who has IPv4 addresses, before they are bound there: what the kernel does by itself for IPv6 only.
 *
 * Bounded: three probes 150 ms apart and as long to wait for the last answer, however many addresses there are. RFC 5227 §2.1.1
 * has seconds, for links that may just have come up and hosts that may hold an address for days; a Service must not wait so long.
 * Never blocks: sends in turns, and hears in Node's loop. Reads next: ../arp.ts (the packets), ../duplicates.ts.
 */
import type { Address } from "../../../events/address.ts";
import type { Clock } from "../../clock.ts";
import {
  calls,
  check,
  closeFd,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SystemError,
  whenReadable,
} from "../../os/libc.ts";
import { claimIn, encodeProbe } from "../arp.ts";

const AF_PACKET = 17;
const ETHERTYPE_ARP = 0x0806;
/** struct sockaddr_ll: family, protocol, index, link type, packet type, length, hardware address. */
const NAME_OCTETS = 20;
const HARDWARE_AT = 12;
const HARDWARE_OCTETS = 6;
const MOST_OCTETS = 64;
/** RFC 5227: PROBE_NUM. */
const PROBES = 3;
const PROBE_GAP_MILLIS = 150;
/** Sent in a turn of the loop: some 2 ms. */
const SENT_AT_ONCE = 200;

/** Whoever claims one of these on the link, by its hardware address. A text: why nobody can be asked. */
export async function whoHas(
  device: number,
  addresses: ReadonlySet<Address>,
  clock: Clock,
): Promise<ReadonlyMap<Address, string> | string> {
  let socket: Socket;
  try {
    socket = opened(device);
  } catch (error) {
    if (error instanceof SystemError) return error.message;
    throw error;
  }
  const { fd, own } = socket;
  const found = new Map<Address, string>();
  const packet = new Uint8Array(MOST_OCTETS);
  const stop = whenReadable(fd, () => {
    for (let octets = received(fd, packet); octets > 0; octets = received(fd, packet)) {
      const claim = claimIn(packet.subarray(0, octets), own);
      if (claim !== undefined && addresses.has(claim.address)) {
        found.set(claim.address, claim.hardware);
      }
    }
  });
  try {
    const everybody = linkName(device);
    everybody.fill(0xff, HARDWARE_AT, HARDWARE_AT + HARDWARE_OCTETS);
    for (let probe = 0; probe < PROBES; probe += 1) {
      let sent = 0;
      for (const address of addresses) {
        const asks = encodeProbe(own, address);
        // What can't be sent (the link is down) is not answered, either.
        calls.sendto(fd, asks, asks.length, 0, everybody, NAME_OCTETS);
        sent += 1;
        if (sent % SENT_AT_ONCE === 0) await pause(clock, 0);
      }
      await pause(clock, PROBE_GAP_MILLIS);
    }
  } finally {
    stop();
    closeFd(fd);
  }
  return found;
}

const received = (fd: number, packet: Uint8Array): number =>
  calls.recv(fd, packet, packet.length, 0) as number;

/** `own`: the device's hardware address. */
type Socket = { readonly fd: number; readonly own: Uint8Array };

function opened(device: number): Socket {
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF_PACKET, type, 0) as number, "packet socket");
  try {
    const name = linkName(device);
    check(calls.bind(fd, name, name.length) as number, "bind a packet socket");
    return { fd, own: hardwareOf(fd) };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function linkName(device: number): Uint8Array {
  const name = new Uint8Array(NAME_OCTETS);
  const view = new DataView(name.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETHERTYPE_ARP, false);
  view.setInt32(4, device, true);
  name[11] = HARDWARE_OCTETS;
  return name;
}

/** Which the kernel puts into the name of a socket that is bound to it. */
function hardwareOf(fd: number): Uint8Array {
  const name = new Uint8Array(NAME_OCTETS);
  check(calls.getsockname(fd, name, new Uint32Array([NAME_OCTETS])) as number, "getsockname");
  return name.slice(HARDWARE_AT, HARDWARE_AT + HARDWARE_OCTETS);
}

const pause = (clock: Clock, millis: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(millis, resolve);
  });
