/**
 * Which addresses and ports something listens on in this network namespace, asked of the kernel by sock_diag(7).
 *
 * Synchronous, for the kernel answers inside the calls and waits for nothing. Costs 0.1 ms a table where reading /proc/net/tcp
 * costs 4 ms on a machine with large tables [measured], which a host at rest pays every second. Not every kernel has it
 * (inet_diag, tcp_diag and udp_diag may be modules that nobody may load): then the answer is undefined, once and for all.
 * Reads next: ../netlink/sock-diag.ts.
 */
import type { Address, Family } from "../../../events/address.ts";
import { calls, check, closeFd, SOCK_CLOEXEC, SOCK_NONBLOCK, SystemError } from "../../os/libc.ts";
import { decodeError, messagesOf } from "../netlink/codec.ts";
import { NLMSG_DONE, NLMSG_ERROR } from "../netlink/numbers.ts";
import {
  listenerIn,
  listenersRequest,
  type Protocol,
  SOCK_DIAG_BY_FAMILY,
} from "../netlink/sock-diag.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_SOCK_DIAG = 4;
/** The kernel fills a dump's datagram up to 32 kB where the reader has shown so much room. */
const DATAGRAM_OCTETS = 64 * 1024;

/** Listening addresses by `TCP/80`; canonical text, wildcards as `0.0.0.0` and `::`. */
export type ListeningSockets = ReadonlyMap<`${Protocol}/${number}`, ReadonlySet<Address>>;

export type SocketReader = {
  /** undefined: this kernel does not say; it is not asked again. */
  readonly read: (protocols: Iterable<Protocol>) => ListeningSockets | undefined;
  readonly close: () => void;
};

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];

export function openSocketReader(): SocketReader {
  let fd: number | undefined;
  let isMissing = false;
  const datagram = new Uint8Array(DATAGRAM_OCTETS);
  const opened = (): number =>
    (fd ??= check(
      calls.socket(
        AF_NETLINK,
        SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
        NETLINK_SOCK_DIAG,
      ) as number,
      "socket",
    ));
  const close = (): void => {
    if (fd !== undefined) closeFd(fd);
    fd = undefined;
  };

  /** False where the kernel refuses. What is half told is asked for again at the next look. */
  const dump = (protocol: Protocol, family: Family, into: Found): boolean => {
    const request = listenersRequest(protocol, family);
    check(calls.send(opened(), request, request.length, 0) as number, "send");
    for (;;) {
      const octets = check(calls.recv(opened(), datagram, DATAGRAM_OCTETS, 0) as number, "recv");
      for (const message of messagesOf(datagram.subarray(0, octets))) {
        if (message.type === NLMSG_DONE) return true;
        if (message.type === NLMSG_ERROR) return decodeError(message).errno === 0;
        if (message.type !== SOCK_DIAG_BY_FAMILY) continue;
        const found = listenerIn(message, protocol);
        if (found !== undefined) add(into, `${protocol}/${found.port}`, found.address);
      }
    }
  };

  return {
    read(protocols) {
      if (isMissing) return undefined;
      const found: Found = new Map();
      try {
        for (const protocol of protocols) {
          for (const family of FAMILIES) {
            if (dump(protocol, family, found) || family === "ipv6") continue;
            isMissing = true;
            break;
          }
        }
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        isMissing = true;
      }
      if (!isMissing) return found;
      close();
      return undefined;
    },
    close,
  };
}

type Found = Map<`${Protocol}/${number}`, Set<Address>>;

function add(into: Found, key: `${Protocol}/${number}`, address: Address): void {
  const known = into.get(key);
  if (known === undefined) into.set(key, new Set([address]));
  else known.add(address);
}
