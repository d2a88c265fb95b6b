/**
 * The sockets that BFD packets come in by: one for each family and port.
 *
 * Everything that the checks of RFC 5881 §5 and RFC 5883 §5 need comes with the datagram: hop limit, addresses, device,
 * time of arrival. Never judges a packet. Reads next: batch.ts, sender.ts, loop.ts.
 */
import type { Address, Family } from "../../../events/address.ts";
import {
  AF,
  bindTo,
  bindToDevice,
  calls,
  check,
  closeFd,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  setFlag,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "../../os/libc.ts";
import type { Datagram } from "../port.ts";
import { openBatch } from "./batch.ts";
import type { MonotonicClock } from "./monotonic.ts";

const IP_PKTINFO = 8;
const IP_RECVTTL = 12;
const IPV6_RECVPKTINFO = 49;
const IPV6_RECVHOPLIMIT = 51;
const SO_REUSEPORT = 15;

/** RFC 5881 §4, RFC 5883 §3. */
export const PORTS: Readonly<Record<Datagram["to"], number>> = {
  "single-hop": 3784,
  multihop: 4784,
  echo: 3785,
};

export type Receiver = {
  readonly fd: number;
  /** Hands on what waits, at most one batch; says whether more may wait. `from` is the sender's struct sockaddr. */
  drain(take: (datagram: Datagram, from: Uint8Array) => void): boolean;
  close(): void;
};

export type ReceiverOptions = {
  readonly family: Family;
  readonly to: Datagram["to"];
  /** VRF device; empty for the default one. */
  readonly vrf: string;
  /** Descriptors of our own receivers of this family and port, in other VRFs. */
  readonly beside: readonly number[];
  readonly clock: MonotonicClock;
  readonly deviceName: (index: number) => string;
};

/** Throws SystemError; EADDRINUSE where another BFD speaker owns the port, for it is never shared (design §2). */
export function openReceiver(options: ReceiverOptions): Receiver {
  const { family, to, vrf, clock, deviceName } = options;
  const fd = opened(options);
  const batch = openBatch(fd, clock);
  const addressOctets = family === "ipv4" ? 4 : 16;
  const addressAt = family === "ipv4" ? 4 : 8;
  const nameOctets = family === "ipv4" ? 16 : 28;
  return {
    fd,
    drain: (take) =>
      batch.drain(({ name, data, timeToLive, device, local, arrivedMicros }) => {
        const datagram: Datagram = {
          to,
          vrf,
          remote: name.subarray(addressAt, addressAt + addressOctets),
          local,
          interface: device === 0 ? "" : deviceName(device),
          timeToLive,
          octets: data,
          arrivedMicros,
        };
        take(datagram, name.subarray(0, nameOctets));
      }),
    close: () => closeFd(fd),
  };
}

function opened({ family, to, vrf, beside }: ReceiverOptions): number {
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF[family], type, 0) as number, "socket");
  try {
    if (family === "ipv6") {
      setFlag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
      setFlag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
      setFlag(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
    } else {
      setFlag(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
      setFlag(fd, IPPROTO_IP, IP_RECVTTL, 1, "IP_RECVTTL");
    }
    if (vrf !== "") bindToDevice(fd, vrf);
    bindBeside(fd, (family === "ipv4" ? "0.0.0.0" : "::") as Address, PORTS[to], beside);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/**
 * A socket without a device and one bound to a VRF are rivals for a port to bind(), though never for a packet. Ours tolerate
 * each other while one is bound, and nobody before or after; of other users' sockets not even then (SO_REUSEPORT).
 */
function bindBeside(fd: number, any: Address, port: number, beside: readonly number[]): void {
  const ours = beside.length === 0 ? [] : [...beside, fd];
  const tolerate = (value: 0 | 1): void => {
    for (const one of ours) setFlag(one, SOL_SOCKET, SO_REUSEPORT, value, "SO_REUSEPORT");
  };
  tolerate(1);
  try {
    bindTo(fd, any, port);
  } finally {
    tolerate(0);
  }
}
