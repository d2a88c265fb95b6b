/**
 * Datagrams of one socket, taken many at a time by recvmmsg() with the kernel's time stamps and what else came beside them.
 *
 * One memory for each socket, made once: a view is good until the next batch. Reads next: receiver.ts, echo.ts.
 */
import {
  calls,
  fixedMemory,
  IPPROTO_IP,
  IPPROTO_IPV6,
  setFlag,
  SOL_SOCKET,
} from "../../os/libc.ts";
import type { MonotonicClock } from "./monotonic.ts";

const IP_PKTINFO = 8;
const IP_TTL = 2;
const IPV6_PKTINFO = 50;
const IPV6_HOPLIMIT = 52;
const SO_TIMESTAMPNS = 35;
const SO_RCVBUF = 8;
/** Holds a second of 1,000 sessions at 10 ms beside a flood; the kernel may give less. */
const RECEIVE_BUFFER_OCTETS = 4 * 1024 * 1024;

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
/** A datagram older than this is not believed to be so old: the clock was set meanwhile. */
const MAX_AGE_MICROS = 1e6;

/** One datagram as the kernel hands it over. */
export type Received = {
  /** struct sockaddr of who sent it. */
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  /** Where the socket asked for them; otherwise 0 and no octets. */
  readonly timeToLive: number;
  readonly device: number;
  readonly local: Uint8Array;
  /** On the monotonic clock. */
  readonly arrivedMicros: number;
};

export type Batch = {
  /** Hands on what waits, at most one batch; says whether more may wait. */
  drain(take: (received: Received) => void): boolean;
};

const none = new Uint8Array(0);

/** Asks the kernel for time stamps, and for room. Throws SystemError. */
export function openBatch(fd: number, clock: MonotonicClock): Batch {
  setFlag(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  setFlag(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_OCTETS, "SO_RCVBUF");
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

  const receivedAt = (i: number, nowMicros: number, wallMicros: number): Received => {
    const found = { timeToLive: 0, local: none as Uint8Array, device: 0, ageMicros: 0 };
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
    const octets = messages.view.getUint32(i * MESSAGE_OCTETS + LENGTH_AT, true);
    return {
      name: names.bytes.subarray(i * NAME_OCTETS, (i + 1) * NAME_OCTETS),
      data: data.bytes.subarray(i * DATA_OCTETS, i * DATA_OCTETS + octets),
      timeToLive: found.timeToLive,
      device: found.device,
      local: found.local,
      arrivedMicros: nowMicros - found.ageMicros,
    };
  };

  renew(BATCH);
  return {
    drain(take) {
      const count = calls.recvmmsg(fd, messages.bytes, BATCH, 0, null) as number;
      if (count <= 0) return false;
      const now = clock.nowMicros();
      const wall = clock.wallMicros();
      for (let i = 0; i < count; i += 1) take(receivedAt(i, now, wall));
      renew(count);
      return count === BATCH;
    },
  };
}
