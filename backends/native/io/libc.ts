/**
 * Options of TCP sockets that Node lacks, set on raw descriptors.
 *
 * Never blocks: sockets are made O_NONBLOCK, and connecting is left to Node on the finished descriptor. The layout of the key
 * is that of linux/tcp.h. Reads next: dial.ts, listener.ts, ../../os/libc.ts (the calls).
 */
import { type Address, type Family } from "../../../events/address.ts";
import {
  AF,
  bindToDevice,
  calls,
  check,
  closeFd,
  failure,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  setFlag,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  sockaddr,
  SOL_SOCKET,
  SystemError,
} from "../../os/libc.ts";

const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SO_PEERCRED = 17;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_MD5SIG = 14;
const LISTEN_BACKLOG = 128;
/** struct tcp_md5sig of linux/tcp.h: sockaddr_storage, flags, prefixlen, keylen, ifindex, key. */
const MD5_OCTETS = 216;
const MD5_KEY_LENGTH_AT = 130;
const MD5_KEY_AT = 136;
const MD5_KEY_OCTETS = 80;

/** A TCP socket that never blocks. Whoever opens it closes it, or hands it to Node, which then owns it. */
export function openTcp(family: Family): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF[family], type, 0) as number, "socket");
  if (family === "ipv6") setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  setFlag(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  return fd;
}

export const startListening = (fd: number): void =>
  void check(calls.listen(fd, LISTEN_BACKLOG) as number, "listen");

/** BGP's messages are whole; none shall wait for more. */
export const setNoDelay = (fd: number): void =>
  setFlag(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");

/** TCP-MD5 towards one address (RFC 2385); undefined takes the key away. An empty key would be none at all, and is refused. */
export function setTcpMd5(fd: number, peer: Address, key: string | undefined): void {
  const octets = new TextEncoder().encode(key ?? "");
  if (key === "" || octets.length > MD5_KEY_OCTETS) {
    throw new RangeError(`a TCP-MD5 key has 1 to ${MD5_KEY_OCTETS} octets`);
  }
  const option = new Uint8Array(MD5_OCTETS);
  option.set(sockaddr(peer, 0));
  new DataView(option.buffer).setUint16(MD5_KEY_LENGTH_AT, octets.length, true);
  option.set(octets, MD5_KEY_AT);
  const result = calls.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, option, option.length) as number;
  // Taking away what is not there is no failure.
  if (result < 0 && !(key === undefined && failure() === "ENOENT")) check(result, "TCP_MD5SIG");
}

/** Whether this kernel has TCP-MD5 (CONFIG_TCP_MD5SIG); the reason where not. */
export function tcpMd5Problem(): string | undefined {
  const fd = openTcp("ipv4");
  try {
    setTcpMd5(fd, "127.0.0.1" as Address, "probe");
    return undefined;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return `this kernel refuses TCP-MD5 (${error.code}): it was built without CONFIG_TCP_MD5SIG`;
  } finally {
    closeFd(fd);
  }
}

/** Number of a device; 0 where there is none of that name. Another one of the same name has another number. */
export const deviceIndex = (name: string): number => calls.if_nametoindex(name) as number;

/** Whether others of this user may be bound to the same port from now on, where they allow it, too. */
export const setPortShared = (fd: number, shared: boolean): void =>
  setFlag(fd, SOL_SOCKET, SO_REUSEPORT, shared ? 1 : 0, "SO_REUSEPORT");

/**
 * Whether this process may bind a socket to a device, as a session in a VRF needs it; the reason where not. Every host has
 * `lo`. Whether the kernel knows VRFs, the absence of their device says (vrf-devices.ts).
 */
export function bindToDeviceProblem(): string | undefined {
  const fd = openTcp("ipv4");
  try {
    bindToDevice(fd, "lo");
    return undefined;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return `this process may not bind sockets to a device (${error.code}): it needs CAP_NET_RAW`;
  } finally {
    closeFd(fd);
  }
}

/** SO_PEERCRED of a connected Unix socket: who was at the other end when it connected. */
export function peerCredentials(fd: number): {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
} {
  const out = new Uint8Array(12);
  const length = [out.length];
  check(calls.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, length) as number, "SO_PEERCRED");
  const view = new DataView(out.buffer);
  return {
    pid: view.getInt32(0, true),
    uid: view.getUint32(4, true),
    gid: view.getUint32(8, true),
  };
}
