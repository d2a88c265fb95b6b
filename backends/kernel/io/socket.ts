/**
 * The door to the kernel's routing: one netlink socket for orders and dumps, one that hears what changes (netlink(7), rtnetlink(7)).
 *
 * Orders go out as large batches with one acknowledgement; an error still comes for each message that fails. A batch is sent by
 * a thread of libuv's pool, for the kernel does the whole work inside send() and now and then waits there for 50 ms (it frees
 * memory of its tables: fib_sync_mem). What others do comes by multicast; our own route changes are dropped by a filter in the
 * kernel. Why not npm's `netlink`: docs/decisions/009-netlink.md. Reads next: ../netlink/codec.ts, ../kernel.ts.
 */
import {
  calls,
  check,
  closeFd,
  failure,
  fixedMemory,
  sendAside,
  setFlag,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  whenReadable,
} from "../../os/libc.ts";
import { decodeError, encodeMessage, type Message, messagesOf } from "../netlink/codec.ts";
import { NFNLGRP_NFTABLES } from "../netlink/nftables.ts";
import {
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_OVERRUN,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTNLGRP,
} from "../netlink/numbers.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
/** Holds the largest batch; the kernel takes a datagram only whole. */
const SEND_OCTETS = 1024 * 1024;
/** A burst of foreign changes while this thread is busy for a second; beyond it a resync follows. */
export const RECEIVE_OCTETS = 8 * 1024 * 1024;
/** The kernel fills a dump's datagram up to 32 kB where the reader has shown so much room. */
const DATAGRAM_OCTETS = 64 * 1024;
/** What one turn of the loop spends on reading before others get theirs. */
const TURN_MILLIS = 4;

export type Failure = {
  /** Which message of the batch, from 0. */
  readonly index: number;
  readonly errno: number;
  readonly words: string;
};

/** A request that the kernel did not answer in its way, or a socket that can't be had. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly code: "DUMP_INTERRUPTED" | "DUMP_REFUSED" | "SEND_REFUSED" | "CLOSED";
  constructor(code: NetlinkError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Room for one batch, at an address that stays while a thread sends it. */
export type Batch = { readonly view: DataView; readonly bytes: Uint8Array };
export const BATCH_OCTETS = 256 * 1024;
export const newBatch = (): Batch => fixedMemory(BATCH_OCTETS);

export type Orders = {
  /**
   * Sends `count` messages of `octets` in all, whose sequences it sets. Resolves with those that failed, in order, after all were
   * carried out. One call at a time.
   */
  send(batch: Batch, octets: number, count: number): Promise<readonly Failure[]>;
  /** All messages of a dump. Throws DUMP_INTERRUPTED where the tables changed under it (NLM_F_DUMP_INTR). */
  dump(type: number, fixed: Uint8Array, take: (message: Message) => void): Promise<void>;
  /** What the kernel knows this socket by: the port in messages about what it did. */
  readonly port: number;
  close(): void;
};

type Waiting = {
  readonly first: number;
  readonly last: number;
  readonly failures: Failure[];
  readonly take: ((message: Message) => void) | undefined;
  interrupted: boolean;
  readonly resolve: (failures: readonly Failure[]) => void;
  readonly reject: (error: Error) => void;
};

/** Of rtnetlink, or of another family that speaks as it does (nfnetlink). Throws SystemError. */
export function openOrders(family = NETLINK_ROUTE): Orders {
  const fd = open(family);
  try {
    force(fd, SO_SNDBUFFORCE, SEND_OCTETS);
    force(fd, SO_RCVBUFFORCE, RECEIVE_OCTETS);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      setFlag(fd, SOL_NETLINK, option, 1, `netlink option ${option}`);
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  let sequence = 0;
  let waiting: Waiting | undefined;

  const answer = (message: Message): void => {
    if (waiting === undefined) return;
    const { first, last, failures, take } = waiting;
    if (message.sequence < first || message.sequence > last) return;
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) waiting.interrupted = true;
    if (message.type === NLMSG_ERROR) {
      const { errno, words } = decodeError(message);
      if (errno !== 0) failures.push({ index: message.sequence - first, errno, words });
      if (message.sequence === last) finish();
    } else if (message.type === NLMSG_DONE) finish();
    else take?.(message);
  };
  const finish = (): void => {
    const done = waiting;
    waiting = undefined;
    if (done?.interrupted === true) {
      done.reject(new NetlinkError("DUMP_INTERRUPTED", "the tables changed while they were read"));
    } else done?.resolve(done.failures);
  };
  // An answer that was dropped for want of memory never comes: whoever waits starts over.
  const stop = reader(fd, answer, () =>
    finishWith(new NetlinkError("DUMP_INTERRUPTED", "answers of the kernel were lost (ENOBUFS)")),
  );
  const finishWith = (error: NetlinkError): void => {
    const done = waiting;
    waiting = undefined;
    done?.reject(error);
  };

  const expect = (
    count: number,
    take: Waiting["take"],
    send: (first: number) => void,
  ): Promise<readonly Failure[]> =>
    new Promise((resolve, reject) => {
      // Kept far from the end of 32 bits, so that the range of a batch is one range.
      const first = sequence > 0x7fff_0000 ? 1 : sequence + 1;
      sequence = first + count - 1;
      const last = sequence;
      waiting = { first, last, failures: [], take, interrupted: false, resolve, reject };
      send(first);
    });

  return {
    port: portOf(fd),
    send(batch, octets, count) {
      if (count === 0) return Promise.resolve([]);
      return expect(count, undefined, (first) => {
        setSequences(batch.view, octets, first);
        const bytes = batch.bytes.subarray(0, octets);
        void sendAside(fd, bytes).then((sent) => {
          if (sent === octets || calls.send(fd, bytes, octets, 0) === octets) return;
          finishWith(
            new NetlinkError("SEND_REFUSED", `${count} orders to the kernel: ${failure()}`),
          );
        });
      });
    },
    async dump(type, fixed, take) {
      const failures = await expect(1, take, (first) => {
        const request = encodeMessage(type, NLM_F_REQUEST | NLM_F_DUMP, fixed);
        setSequences(new DataView(request.buffer), request.length, first, 0);
        if (calls.send(fd, request, request.length, 0) !== request.length) {
          finishWith(new NetlinkError("DUMP_REFUSED", `asking the kernel: ${failure()}`));
        }
      });
      const [refused] = failures;
      if (refused !== undefined) {
        throw new NetlinkError(
          "DUMP_REFUSED",
          `dump ${type}: errno ${refused.errno} ${refused.words}`,
        );
      }
    },
    close() {
      stop();
      closeFd(fd);
      finishWith(new NetlinkError("CLOSED", "the socket was closed"));
    },
  };
}

/** Numbers the messages, and asks for an acknowledgement of the last. */
function setSequences(view: DataView, octets: number, first: number, ack = NLM_F_ACK): void {
  let sequence = first;
  for (let at = 0; at < octets; sequence += 1) {
    const length = view.getUint32(at, true);
    view.setUint32(at + 8, sequence, true);
    const next = at + ((length + 3) & ~3);
    if (next >= octets) view.setUint16(at + 6, view.getUint16(at + 6, true) | ack, true);
    at = next;
  }
}

export type NewsOptions = {
  /** Whose route changes are not told: our own orders'. */
  readonly port: number;
  readonly receiveOctets: number;
  take(message: Message): void;
  /** Something was not told for want of room: only a dump tells what is so now. */
  lost(): void;
};

/** Hears changes of links, addresses, routes, rules and next hops; the returned function ends it. */
export const openNews = ({ port, receiveOctets, take, lost }: NewsOptions): (() => void) =>
  hear(NETLINK_ROUTE, Object.values(RTNLGRP), take, lost, (fd) => {
    force(fd, SO_RCVBUFFORCE, receiveOctets);
    ignoreOwnRoutes(fd, port);
  });

/** Hears changes of nftables, by whomever; the returned function ends it. Throws SystemError. */
export const openNftNews = ({
  receiveOctets,
  take,
  lost,
}: Omit<NewsOptions, "port">): (() => void) =>
  hear(NETLINK_NETFILTER, [NFNLGRP_NFTABLES], take, lost, (fd) =>
    force(fd, SO_RCVBUFFORCE, receiveOctets),
  );

function hear(
  family: number,
  groups: readonly number[],
  take: (message: Message) => void,
  lost: () => void,
  prepare: (fd: number) => void,
): () => void {
  const fd = open(family);
  try {
    prepare(fd);
    for (const group of groups) {
      setFlag(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, `multicast group ${group}`);
    }
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const stop = reader(fd, take, lost);
  return () => {
    stop();
    closeFd(fd);
  };
}

function open(family: number): number {
  const type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF_NETLINK, type, family) as number, "netlink socket");
  const name = new Uint8Array(12);
  name[0] = AF_NETLINK;
  check(calls.bind(fd, name, name.length) as number, "netlink bind");
  return fd;
}

function portOf(fd: number): number {
  const name = new Uint8Array(12);
  check(calls.getsockname(fd, name, new Uint32Array([12])) as number, "getsockname");
  return new DataView(name.buffer).getUint32(4, true);
}

/** Beyond the host's limit where CAP_NET_ADMIN permits it (SO_RCVBUFFORCE), else up to the limit. */
function force(fd: number, option: number, octets: number): void {
  const value = new Uint8Array(new Int32Array([octets]).buffer);
  if ((calls.setsockopt(fd, SOL_SOCKET, option, value, 4) as number) === 0) return;
  setFlag(fd, SOL_SOCKET, option === SO_RCVBUFFORCE ? SO_RCVBUF : 7, octets, "socket buffer");
}

/** A classic BPF program (linux/filter.h) that lets everything pass but route changes which our own port asked for. */
function ignoreOwnRoutes(fd: number, port: number): void {
  // The program reads numbers big-endian, and netlink writes them little-endian.
  const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >> 8);
  const swap32 = (value: number): number => {
    const octets = new DataView(new ArrayBuffer(4));
    octets.setUint32(0, value, true);
    return octets.getUint32(0, false);
  };
  const LDH = 0x28;
  const LD = 0x20;
  const JEQ = 0x15;
  const RET = 0x06;
  const program: readonly (readonly [number, number, number, number])[] = [
    [LDH, 0, 0, 4],
    [JEQ, 1, 0, swap16(RTM_NEWROUTE)],
    [JEQ, 0, 3, swap16(RTM_DELROUTE)],
    [LD, 0, 0, 12],
    [JEQ, 0, 1, swap32(port)],
    [RET, 0, 0, 0],
    [RET, 0, 0, 0xffff_ffff],
  ];
  const code = fixedMemory(program.length * 8);
  for (const [i, [operation, yes, no, value]] of program.entries()) {
    code.view.setUint16(i * 8, operation, true);
    code.view.setUint8(i * 8 + 2, yes);
    code.view.setUint8(i * 8 + 3, no);
    code.view.setUint32(i * 8 + 4, value, true);
  }
  const fprog = fixedMemory(16);
  fprog.view.setUint16(0, program.length, true);
  fprog.view.setBigUint64(8, code.address, true);
  check(calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog.bytes, 16) as number, "filter");
}

/** Reads what waits whenever something does, for a few milliseconds a turn. */
function reader(fd: number, take: (message: Message) => void, lost: () => void): () => void {
  const { bytes } = fixedMemory(DATAGRAM_OCTETS);
  const state = { closed: false };
  const drain = (): void => {
    const until = performance.now() + TURN_MILLIS;
    while (!state.closed && performance.now() < until) {
      const length = calls.recv(fd, bytes, bytes.length, 0) as number;
      if (length > 0) {
        for (const message of messagesOf(bytes.subarray(0, length))) {
          if (message.type === NLMSG_OVERRUN) lost();
          else take(message);
        }
        continue;
      }
      const reason = length === 0 ? "EAGAIN" : failure();
      if (reason === "ENOBUFS") lost();
      else if (reason !== "EINTR") return;
    }
  };
  const stop = whenReadable(fd, drain);
  return () => {
    state.closed = true;
    stop();
  };
}
