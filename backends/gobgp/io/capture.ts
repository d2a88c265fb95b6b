/**
 * Hears what peers send to gobgpd, beside it: a packet socket with a filter in the kernel that lets BGP's packets through and no others.
 *
 * So that a gobgpd that crashes over a message can be told of with that message. It never delays or alters anything, and what it
 * misses (a burst larger than its buffer) is only missed. Needs CAP_NET_RAW. Decides nothing. Reads next: ../read/streams.ts.
 */
import {
  calls,
  check,
  closeFd,
  fixedMemory,
  setFlag,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  SystemError,
  whenReadable,
} from "../../os/libc.ts";
import { createStreams, type Heard } from "../read/streams.ts";

export type Capture = {
  /** Whole messages of peers since the last time, oldest first. */
  drain(): readonly Heard[];
  close(): void;
};

const AF_PACKET = 17;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 0x0003;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const BUFFER_OCTETS = 1 << 22;
/** The largest that the kernel puts together of what came in (GRO). */
const PACKET_OCTETS = 1 << 16;
/** Packets in a turn of Node's loop. */
const AT_ONCE = 256;

/** Rejects nothing: a text says why nobody can be heard. `ports`: gobgpd's own, and those of its peers. */
export function openCapture(ports: ReadonlySet<number>): Capture | string {
  try {
    return opened(ports);
  } catch (error) {
    if (error instanceof SystemError) return error.message;
    throw error;
  }
}

function opened(ports: ReadonlySet<number>): Capture {
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  // Protocol 0: nothing arrives before the filter is there.
  const fd = check(calls.socket(AF_PACKET, type, 0) as number, "packet socket");
  try {
    setFlag(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
    setFlag(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_OCTETS, "SO_RCVBUF");
    attach(fd, filterOf([...ports]));
    // struct sockaddr_ll: family, protocol; device 0 is all of them.
    const name = new Uint8Array(20);
    new DataView(name.buffer).setUint16(0, AF_PACKET, true);
    new DataView(name.buffer).setUint16(2, ETH_P_ALL, false);
    check(calls.bind(fd, name, name.length) as number, "bind a packet socket");
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const streams = createStreams();
  const packet = new Uint8Array(PACKET_OCTETS);
  const take = (): void => {
    for (let count = 0; count < AT_ONCE; count += 1) {
      const octets = calls.recv(fd, packet, packet.length, 0) as number;
      if (octets <= 0) return;
      streams.take(packet.subarray(0, octets));
    }
  };
  const stop = whenReadable(fd, take);
  return {
    drain() {
      take();
      return streams.drain();
    },
    close() {
      stop();
      closeFd(fd);
    },
  };
}

/** One instruction of the kernel's packet filter (linux/filter.h): code, jumps if true and if false, operand. */
type Instruction = readonly [code: number, yes: number, no: number, operand: number];

const LOAD = { word: 0x20, half: 0x28, octet: 0x30, halfAfterX: 0x48, headerLengthToX: 0xb1 };
const JUMP_EQUAL = 0x15;
const JUMP_SET = 0x45;
const RETURN = 0x06;
/** SKF_AD_OFF + SKF_AD_PROTOCOL: the packet's EtherType. */
const PROTOCOL = 0xff_ff_f0_00;
const TCP = 6;

/** TCP from or to one of the ports, whole; no fragments behind the first, no extension headers of IPv6. */
function filterOf(ports: readonly number[]): readonly Instruction[] {
  /** Accepts where the half-word is a port; falls through to what follows otherwise. */
  const isPort = (load: Instruction): readonly Instruction[] => [
    load,
    ...ports.flatMap((port): readonly Instruction[] => [
      [JUMP_EQUAL, 0, 1, port],
      [RETURN, 0, 0, PACKET_OCTETS],
    ]),
  ];
  const none: Instruction = [RETURN, 0, 0, 0];
  const four: readonly Instruction[] = [
    [LOAD.octet, 0, 0, 9],
    [JUMP_EQUAL, 1, 0, TCP],
    none,
    [LOAD.half, 0, 0, 6],
    [JUMP_SET, 0, 1, 0x1fff],
    none,
    [LOAD.headerLengthToX, 0, 0, 0],
    ...isPort([LOAD.halfAfterX, 0, 0, 0]),
    ...isPort([LOAD.halfAfterX, 0, 0, 2]),
    none,
  ];
  const six: readonly Instruction[] = [
    [LOAD.octet, 0, 0, 6],
    [JUMP_EQUAL, 1, 0, TCP],
    none,
    ...isPort([LOAD.half, 0, 0, 40]),
    ...isPort([LOAD.half, 0, 0, 42]),
    none,
  ];
  return [
    [LOAD.half, 0, 0, PROTOCOL],
    [JUMP_EQUAL, 0, four.length, ETH_P_IP],
    ...four,
    [JUMP_EQUAL, 1, 0, ETH_P_IPV6],
    none,
    ...six,
  ];
}

/** struct sock_fprog: how many, and where they are. */
function attach(fd: number, filter: readonly Instruction[]): void {
  const program = fixedMemory(8 * filter.length);
  for (const [at, [code, yes, no, operand]] of filter.entries()) {
    program.view.setUint16(8 * at, code, true);
    program.view.setUint8(8 * at + 2, yes);
    program.view.setUint8(8 * at + 3, no);
    program.view.setUint32(8 * at + 4, operand, true);
  }
  const named = new Uint8Array(16);
  new DataView(named.buffer).setUint16(0, filter.length, true);
  new DataView(named.buffer).setBigUint64(8, program.address, true);
  check(
    calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, named, named.length) as number,
    "SO_ATTACH_FILTER",
  );
}
