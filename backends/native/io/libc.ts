/**
 * Socket options that Node lacks, set on raw descriptors (koffi's one door).
 *
 * Never blocks: sockets are made O_NONBLOCK, and connecting is left to Node on the finished descriptor. Constants are those of
 * Linux (asm-generic), the layouts of netinet/in.h and linux/tcp.h. Failures are SystemError with errno's name and what it
 * means here. Reads next: dial.ts, listener.ts.
 */
import { getSystemErrorName } from "node:util";
import koffi from "koffi";
import { type Address, addressOctets, type Family, familyOf } from "../../../events/address.ts";

const AF = { ipv4: 2, ipv6: 10 } as const;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_PEERCRED = 17;
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_MD5SIG = 14;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const LISTEN_BACKLOG = 128;
/** struct tcp_md5sig of linux/tcp.h: sockaddr_storage, flags, prefixlen, keylen, ifindex, key. */
const MD5_OCTETS = 216;
const MD5_KEY_LENGTH_AT = 130;
const MD5_KEY_AT = 136;
const MD5_KEY_OCTETS = 80;

const libc = koffi.load("libc.so.6");
const socket = libc.func("int socket(int, int, int)");
const bind = libc.func("int bind(int, void *, uint)");
const listen = libc.func("int listen(int, int)");
const close = libc.func("int close(int)");
const setsockopt = libc.func("int setsockopt(int, int, int, void *, uint)");
const getsockopt = libc.func("int getsockopt(int, int, int, _Out_ void *, _Inout_ uint *)");

export class SystemError extends Error {
  override readonly name = "SystemError";
  /** errno's name, such as EADDRINUSE. */
  readonly code: string;
  constructor(call: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${call}: ${code}`);
    this.code = code;
  }
}

function check(result: number, call: string): number {
  if (result < 0) throw new SystemError(call, koffi.errno());
  return result;
}

/** A TCP socket that never blocks. Whoever opens it closes it, or hands it to Node, which then owns it. */
export function openTcp(family: Family): number {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(socket(AF[family], type, 0), "socket");
  if (family === "ipv6") setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  setFlag(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  return fd;
}

export const closeFd = (fd: number): void => void close(fd);

export function bindTo(fd: number, address: Address, port: number): void {
  const name = sockaddr(address, port);
  check(bind(fd, name, name.length), `bind to ${address} port ${port}`);
}

export const startListening = (fd: number): void =>
  void check(listen(fd, LISTEN_BACKLOG), "listen");

/** Hop limit of what is sent (1–255). */
export function setTimeToLive(fd: number, family: Family, hops: number): void {
  if (family === "ipv4") setFlag(fd, IPPROTO_IP, IP_TTL, hops, "IP_TTL");
  else setFlag(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops, "IPV6_UNICAST_HOPS");
}

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
  const result = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, option, option.length) as number;
  // Taking away what is not there is no failure.
  if (result < 0 && !(key === undefined && koffi.errno() === 2)) check(result, "TCP_MD5SIG");
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

/** SO_PEERCRED of a connected Unix socket: who was at the other end when it connected. */
export function peerCredentials(fd: number): {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
} {
  const out = new Uint8Array(12);
  const length = [out.length];
  check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, length) as number, "SO_PEERCRED");
  const view = new DataView(out.buffer);
  return {
    pid: view.getInt32(0, true),
    uid: view.getUint32(4, true),
    gid: view.getUint32(8, true),
  };
}

function setFlag(fd: number, level: number, option: number, value: number, name: string): void {
  const octets = new Uint8Array(new Int32Array([value]).buffer);
  check(setsockopt(fd, level, option, octets, octets.length) as number, name);
}

/** struct sockaddr_in or sockaddr_in6 (netinet/in.h); scope of link-local addresses is left to the kernel. */
function sockaddr(address: Address, port: number): Uint8Array {
  const family = familyOf(address);
  const out = new Uint8Array(family === "ipv4" ? 16 : 28);
  const view = new DataView(out.buffer);
  view.setUint16(0, AF[family], true);
  view.setUint16(2, port, false);
  out.set(addressOctets(address), family === "ipv4" ? 4 : 8);
  return out;
}
