/**
 * A raw ICMPv6 socket on one interface, for router solicitations and advertisements alone (RFC 3542).
 *
 * Never blocks, decides nothing, and hears neither itself nor any other kind of message. Reads next: router-discovery.ts,
 * ../../os/libc.ts (the calls).
 */
import {
  address,
  type Address,
  addressFromOctets,
  addressOctets,
} from "../../../events/address.ts";
import {
  AF,
  bindToDevice,
  calls,
  check,
  closeFd,
  fixedMemory,
  IPPROTO_IPV6,
  setFlag,
  setTimeToLive,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  sockaddr,
  SystemError,
} from "../../os/libc.ts";
import {
  ROUTER_ADVERTISEMENT,
  ROUTER_HOP_LIMIT,
  ROUTER_SOLICITATION,
} from "../discovery/packet.ts";

const SOCK_RAW = 3;
const IPPROTO_ICMPV6 = 58;
const ICMPV6_FILTER = 1;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_ADD_MEMBERSHIP = 20;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;

/** RFC 4291 §2.7.1. */
export const ALL_NODES = address("ff02::1");
export const ALL_ROUTERS = address("ff02::2");

export type RouterPacket = {
  readonly source: Address;
  /** Where it came in; before the socket was bound that may be another interface than its own. */
  readonly interfaceIndex: number;
  readonly hopLimit: number;
  readonly octets: Uint8Array;
};

export type RouterSocket = {
  readonly fd: number;
  /** False where the interface takes nothing now: down, or without an address of its own yet. */
  send(to: Address, octets: Uint8Array): boolean;
  /** The next packet that waits; its octets are good until the next call. */
  receive(): RouterPacket | undefined;
  close(): void;
};

/** One message of recvmmsg(): struct mmsghdr and struct iovec on 64-bit Linux, and room for what comes with it. */
const MESSAGE_OCTETS = 64;
const NAME_OCTETS = 28;
const CONTROL_OCTETS = 64;
/** An advertisement with all options that are in use has some 200; a longer one is cut, and then no longer well-formed. */
const DATA_OCTETS = 1500;
const CONTROL_AT = 32;
const CONTROL_LENGTH_AT = 40;
const LENGTH_AT = 56;

type Memory = Readonly<
  Record<"message" | "name" | "control" | "data", ReturnType<typeof fixedMemory>>
>;

/** One memory for all sockets, made when the first is opened: each packet is looked at before the next is taken. */
let shared: Memory | undefined;

function memory(): Memory {
  if (shared !== undefined) return shared;
  const message = fixedMemory(MESSAGE_OCTETS);
  const vector = fixedMemory(16);
  const name = fixedMemory(NAME_OCTETS);
  const control = fixedMemory(CONTROL_OCTETS);
  const data = fixedMemory(DATA_OCTETS);
  vector.view.setBigUint64(0, data.address, true);
  vector.view.setBigUint64(8, BigInt(DATA_OCTETS), true);
  message.view.setBigUint64(0, name.address, true);
  message.view.setBigUint64(16, vector.address, true);
  message.view.setBigUint64(24, 1n, true);
  message.view.setBigUint64(CONTROL_AT, control.address, true);
  shared = { message, name, control, data };
  return shared;
}

/** Throws SystemError: ENODEV where there is no such interface, EPERM without CAP_NET_RAW. */
export function openRouterSocket(device: string, index: number): RouterSocket {
  const fd = opened(device, index);
  const { message, name, control, data } = memory();
  return {
    fd,
    send(to, octets) {
      const target = sockaddr(to, 0, index);
      const sent = calls.sendto(fd, octets, octets.length, 0, target, target.length) as number;
      return sent === octets.length;
    },
    receive() {
      message.view.setUint32(8, NAME_OCTETS, true);
      message.view.setBigUint64(CONTROL_LENGTH_AT, BigInt(CONTROL_OCTETS), true);
      if ((calls.recvmmsg(fd, message.bytes, 1, 0, null) as number) !== 1) return undefined;
      const end = message.view.getUint32(CONTROL_LENGTH_AT, true);
      return {
        source: addressFromOctets(name.bytes.slice(8, 24)),
        interfaceIndex: name.view.getUint32(24, true),
        hopLimit: hopLimitIn(control.view, end),
        octets: data.bytes.subarray(0, message.view.getUint32(LENGTH_AT, true)),
      };
    },
    close: () => closeFd(fd),
  };
}

function opened(device: string, index: number): number {
  const type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF.ipv6, type, IPPROTO_ICMPV6) as number, "socket");
  try {
    // First: nothing of another kind or from another interface gets in meanwhile.
    const filter = passing(ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT);
    const set = calls.setsockopt(
      fd,
      IPPROTO_ICMPV6,
      ICMPV6_FILTER,
      filter,
      filter.length,
    ) as number;
    check(set, "ICMPV6_FILTER");
    bindToDevice(fd, device);
    setTimeToLive(fd, "ipv6", ROUTER_HOP_LIMIT);
    setFlag(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ROUTER_HOP_LIMIT, "IPV6_MULTICAST_HOPS");
    setFlag(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP");
    setFlag(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
    const group = new Uint8Array(20);
    group.set(addressOctets(ALL_ROUTERS));
    new DataView(group.buffer).setUint32(16, index, true);
    const joined = calls.setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, group, 20) as number;
    check(joined, "IPV6_ADD_MEMBERSHIP");
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** struct icmp6_filter: a set bit keeps that type out. */
function passing(...types: readonly number[]): Uint8Array {
  const words = new Uint32Array(8).fill(0xffff_ffff);
  for (const type of types) words[type >> 5] = (words[type >> 5] ?? 0) & ~(1 << (type & 31));
  return new Uint8Array(words.buffer);
}

/** struct cmsghdr, one after another; 0 where the kernel did not say. */
function hopLimitIn(view: DataView, end: number): number {
  for (let at = 0; at + 16 <= end;) {
    const length = view.getUint32(at, true);
    if (length < 16) break;
    const isHops =
      view.getInt32(at + 8, true) === IPPROTO_IPV6 &&
      view.getInt32(at + 12, true) === IPV6_HOPLIMIT;
    if (isHops) return view.getInt32(at + 16, true);
    at += (length + 7) & ~7;
  }
  return 0;
}

/** Whether this process may find neighbours by router advertisements; the reason where not. Every host has `lo`. */
export function routerSocketProblem(): string | undefined {
  try {
    openRouterSocket("lo", 1).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return `this process may not send router advertisements (${error.code}): it needs CAP_NET_RAW, and a kernel with IPv6`;
  }
}
