/**
 * libc's calls that Node lacks, and what they share: errno as a named error, socket addresses, constants (koffi's one door).
 *
 * Constants are those of Linux (asm-generic), layouts those of netinet/in.h. Nothing here blocks but poll(), which is what it
 * is for. Reads next: ../native/io/libc.ts (TCP), ../bfd/io/udp.ts.
 */
import { getSystemErrorName } from "node:util";
import koffi from "koffi";
import { type Address, addressOctets, type Family, familyOf } from "../../events/address.ts";

export const AF: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const IPPROTO_IP = 0;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
const SO_BINDTODEVICE = 25;
const IP_TTL = 2;
const IPV6_UNICAST_HOPS = 16;

const library = koffi.load("libc.so.6");
export const calls = {
  socket: library.func("int socket(int, int, int)"),
  bind: library.func("int bind(int, void *, uint)"),
  connect: library.func("int connect(int, void *, uint)"),
  listen: library.func("int listen(int, int)"),
  close: library.func("int close(int)"),
  setsockopt: library.func("int setsockopt(int, int, int, void *, uint)"),
  getsockopt: library.func("int getsockopt(int, int, int, _Out_ void *, _Inout_ uint *)"),
  getsockname: library.func("int getsockname(int, _Out_ void *, _Inout_ uint *)"),
  send: library.func("long send(int, void *, size_t, int)"),
  recv: library.func("long recv(int, _Out_ void *, size_t, int)"),
  sendto: library.func("long sendto(int, void *, size_t, int, void *, uint)"),
  recvmmsg: library.func("int recvmmsg(int, void *, uint, int, void *)"),
  ppoll: library.func("int ppoll(void *, ulong, void *, void *)"),
  clock_gettime: library.func("int clock_gettime(int, _Out_ void *)"),
  if_nametoindex: library.func("uint if_nametoindex(const char *)"),
  if_indextoname: library.func("void *if_indextoname(uint, _Out_ void *)"),
  malloc_trim: library.func("int malloc_trim(size_t)"),
  madvise: library.func("int madvise(uintptr_t, size_t, int)"),
  sched_getscheduler: library.func("int sched_getscheduler(int)"),
  sched_setscheduler: library.func("int sched_setscheduler(int, int, void *)"),
} as const;

/** Descriptor of the main thread's libuv loop: readable whenever Node has something to do. Node exports libuv's API. */
export function nodeDescriptor(): number {
  const node = koffi.load(null);
  const loop: unknown = node.func("void *uv_default_loop()")();
  return check(node.func("int uv_backend_fd(void *)")(loop) as number, "uv_backend_fd");
}

/**
 * send() in a thread of libuv's pool, for descriptors whose send() is the kernel's whole work (netlink). Resolves to its result;
 * errno is lost on the way, so whoever needs it asks again by calls.send. `octets` must not move: fixedMemory().
 */
export const sendAside = (fd: number, octets: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    calls.send.async(fd, octets, octets.length, 0, (error: Error | null, sent: number) => {
      if (error === null) resolve(sent);
      else reject(error);
    });
  });

/** Calls back, in Node's loop, whenever the descriptor has something to read; the returned function ends it. */
export function whenReadable(fd: number, act: () => void): () => void {
  const handle = koffi.node.poll(fd, { readable: true }, act);
  return () => handle.close();
}

/** Memory outside the JavaScript heap, at an address that stays: for structures that point at each other. Never freed. */
export function fixedMemory(octets: number): {
  readonly address: bigint;
  readonly view: DataView;
  readonly bytes: Uint8Array;
} {
  const pointer = koffi.alloc("uint8", octets);
  const buffer = koffi.view(pointer, octets);
  return {
    address: koffi.address(pointer),
    view: new DataView(buffer),
    bytes: new Uint8Array(buffer),
  };
}

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

/** The result of a call; throws SystemError where it is negative. */
export function check(result: number, call: string): number {
  if (result < 0) throw new SystemError(call, koffi.errno());
  return result;
}

/** errno's name after a call that failed. */
export const failure = (): string => getSystemErrorName(-koffi.errno());

export function closeFd(fd: number): void {
  calls.close(fd);
}

export function setFlag(
  fd: number,
  level: number,
  option: number,
  value: number,
  name: string,
): void {
  const octets = new Uint8Array(new Int32Array([value]).buffer);
  check(calls.setsockopt(fd, level, option, octets, octets.length) as number, name);
}

/** Hop limit of what is sent (1–255). */
export function setTimeToLive(fd: number, family: Family, hops: number): void {
  if (family === "ipv4") setFlag(fd, IPPROTO_IP, IP_TTL, hops, "IP_TTL");
  else setFlag(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops, "IPV6_UNICAST_HOPS");
}

/** Sends and receives by this device only; a VRF is one, too. */
export function bindToDevice(fd: number, device: string): void {
  const name = new TextEncoder().encode(`${device}\0`);
  check(
    calls.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length) as number,
    `bind to device ${device}`,
  );
}

export function bindTo(fd: number, address: Address, port: number, scope = 0): void {
  const name = sockaddr(address, port, scope);
  check(calls.bind(fd, name, name.length) as number, `bind to ${address} port ${port}`);
}

/** struct sockaddr_in or sockaddr_in6 (netinet/in.h). `scope`: interface index, for link-local addresses. */
export function sockaddr(address: Address, port: number, scope = 0): Uint8Array {
  const family = familyOf(address);
  const out = new Uint8Array(family === "ipv4" ? 16 : 28);
  const view = new DataView(out.buffer);
  view.setUint16(0, AF[family], true);
  view.setUint16(2, port, false);
  out.set(addressOctets(address), family === "ipv4" ? 4 : 8);
  if (family === "ipv6") view.setUint32(24, scope, true);
  return out;
}
