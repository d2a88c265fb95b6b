/**
 * The sockets that BFD packets come in by: one for each family and port, drained in batches with the kernel's time stamps.
 *
 * Everything that the checks of RFC 5881 §5 and RFC 5883 §5 need comes with the datagram: hop limit, addresses, device,
 * time of arrival. Never judges a packet. Reads next: sender.ts, loop.ts.
 */
import type { Family } from "../../../events/address.ts";
import {
  AF,
  bindTo,
  bindToDevice,
  calls,
  check,
  closeFd,
  fixedMemory,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  setFlag,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from "../../os/libc.ts";
import type { Address } from "../../../events/address.ts";
import type { Datagram } from "../port.ts";
import type { MonotonicClock } from "./monotonic.ts";

const IP_PKTINFO = 8;
const IP_RECVTTL = 12;
const IP_TTL = 2;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const SO_TIMESTAMPNS = 35;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
/** Holds a second of 1,000 sessions at 10 ms beside a flood; the kernel may give less. */
const RECEIVE_BUFFER_OCTETS = 4 * 1024 * 1024;

/** RFC 5881 §4, RFC 5883 §3. */
export const PORTS: Readonly<Record<Datagram["to"], number>> = {
  "single-hop": 3784,
  multihop: 4784,
  echo: 3785,
};

/** Datagrams taken by one call; more wait for the next. */
const BATCH = 32;
const NAME_OCTETS = 32;
const CONTROL_OCTETS = 128;
/** A Control packet has at most 24 + 255 octets; a longer one is cut, and its length shows it. */
const DATA_OCTETS = 512;
/** struct mmsghdr, struct iovec on 64-bit Linux. */
const MESSAGE_OCTETS = 64;
const VECTOR_OCTETS = 16;
const CONTROL_AT = 32;
const CONTROL_LENGTH_AT = 40;
const LENGTH_AT = 56;

export type Receiver = {
  readonly fd: number;
  /** Hands on what waits, at most one batch; says whether more may wait. */
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
  const messages = fixedMemory(BATCH * MESSAGE_OCTETS);
  const vectors = fixedMemory(BATCH * VECTOR_OCTETS);
  const names = fixedMemory(BATCH * NAME_OCTETS);
  const controls = fixedMemory(BATCH * CONTROL_OCTETS);
  const data = fixedMemory(BATCH * DATA_OCTETS);
  for (let i = 0; i < BATCH; i += 1) {
    vectors.view.setBigUint64(i * VECTOR_OCTETS, data.address + BigInt(i * DATA_OCTETS), true);
    vectors.view.setBigUint64(i * VECTOR_OCTETS + 8, BigInt(DATA_OCTETS), true);
    const at = i * MESSAGE_OCTETS;
    messages.view.setBigUint64(at, names.address + BigInt(i * NAME_OCTETS), true);
    messages.view.setBigUint64(at + 16, vectors.address + BigInt(i * VECTOR_OCTETS), true);
    messages.view.setBigUint64(at + 24, 1n, true);
    messages.view.setBigUint64(
      at + CONTROL_AT,
      controls.address + BigInt(i * CONTROL_OCTETS),
      true,
    );
  }
  const renew = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const at = i * MESSAGE_OCTETS;
      messages.view.setUint32(at + 8, NAME_OCTETS, true);
      messages.view.setUint32(at + CONTROL_LENGTH_AT, CONTROL_OCTETS, true);
      messages.view.setUint32(at + CONTROL_LENGTH_AT + 4, 0, true);
    }
  };
  const addressOctets = family === "ipv4" ? 4 : 16;
  const addressAt = family === "ipv4" ? 4 : 8;
  const noAddress = new Uint8Array(addressOctets);

  const datagramAt = (i: number, nowMicros: number, wallMicros: number): Datagram => {
    const found = { timeToLive: 0, local: noAddress as Uint8Array, device: 0, ageMicros: 0 };
    const start = i * CONTROL_OCTETS;
    const { view, bytes } = controls;
    const end = start + messages.view.getUint32(i * MESSAGE_OCTETS + CONTROL_LENGTH_AT, true);
    for (let at = start; at + 16 <= end;) {
      const length = view.getUint32(at, true);
      if (length < 16) break;
      const level = view.getInt32(at + 8, true);
      const type = view.getInt32(at + 12, true);
      const body = at + 16;
      if (level === SOL_SOCKET && type === SO_TIMESTAMPNS) {
        const micros =
          Number(view.getBigInt64(body, true)) * 1e6 + view.getUint32(body + 8, true) / 1e3;
        // A step of the wall clock between arrival and now must not make a packet older or younger than it can be.
        found.ageMicros = Math.min(MAX_AGE_MICROS, Math.max(0, wallMicros - micros));
      } else if (level === IPPROTO_IP && type === IP_TTL) {
        found.timeToLive = view.getInt32(body, true);
      } else if (level === IPPROTO_IPV6 && type === IPV6_HOPLIMIT) {
        found.timeToLive = view.getInt32(body, true);
      } else if (level === IPPROTO_IP && type === IP_PKTINFO) {
        found.device = view.getInt32(body, true);
        found.local = bytes.subarray(body + 8, body + 12);
      } else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) {
        found.local = bytes.subarray(body, body + 16);
        found.device = view.getInt32(body + 16, true);
      }
      at += (length + 7) & ~7;
    }
    const name = i * NAME_OCTETS + addressAt;
    const octets = messages.view.getUint32(i * MESSAGE_OCTETS + LENGTH_AT, true);
    return {
      to,
      vrf,
      remote: names.bytes.subarray(name, name + addressOctets),
      local: found.local,
      interface: found.device === 0 ? "" : deviceName(found.device),
      timeToLive: found.timeToLive,
      octets: data.bytes.subarray(i * DATA_OCTETS, i * DATA_OCTETS + octets),
      arrivedMicros: nowMicros - found.ageMicros,
    };
  };

  renew(BATCH);
  return {
    fd,
    drain(take) {
      const count = calls.recvmmsg(fd, messages.bytes, BATCH, 0, null) as number;
      if (count <= 0) return false;
      const now = clock.nowMicros();
      const wall = clock.wallMicros();
      for (let i = 0; i < count; i += 1) {
        const name = i * NAME_OCTETS;
        const length = family === "ipv4" ? 16 : 28;
        take(datagramAt(i, now, wall), names.bytes.subarray(name, name + length));
      }
      renew(count);
      return count === BATCH;
    },
    close: () => closeFd(fd),
  };
}

/** A datagram older than this is not believed to be so old: the clock was set meanwhile. */
const MAX_AGE_MICROS = 1e6;

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
    setFlag(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
    setFlag(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_OCTETS, "SO_RCVBUF");
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
