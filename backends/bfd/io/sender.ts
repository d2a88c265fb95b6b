/**
 * The socket that one session speaks from: its own source port (RFC 5881 §4), hop limit 255, connected to the peer.
 *
 * What can't be opened or sent now (no route, no address yet, device gone) is tried again with the packets that follow; the
 * reason is there to be shown. Reads next: receiver.ts, loop.ts.
 */
import { type Address, familyOf } from "../../../events/address.ts";
import {
  AF,
  bindTo,
  bindToDevice,
  calls,
  check,
  closeFd,
  failure,
  IPPROTO_IP,
  IPPROTO_IPV6,
  setFlag,
  setTimeToLive,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  sockaddr,
  SOL_SOCKET,
  SystemError,
} from "../../os/libc.ts";
import type { BfdParameters } from "../parameters.ts";
import { PORTS } from "./receiver.ts";

/** RFC 5881 §4: the source port MUST be in this range. */
const FIRST_PORT = 49_152;
const LAST_PORT = 65_535;
const PORT_ATTEMPTS = 64;
const HOPS = 255;
const IP_TOS = 1;
const IPV6_TCLASS = 67;
const SO_PRIORITY = 12;
const SO_RCVBUF = 8;
/** Network control (RFC 4594 §3.1), and the kernel's queue that goes with it. */
const CLASS_SELECTOR_6 = 0xc0;
const PRIORITY_CONTROL = 6;
/** Opening again and again would cost more than the packets. */
const REOPEN_MICROS = 1e6;

export type Sender = {
  sendControl(octets: Uint8Array, nowMicros: number): void;
  /** Why the last packet was not sent; empty where it was. */
  problem(): string;
  close(): void;
};

type Where = Pick<BfdParameters, "vrf" | "remote" | "local" | "interface" | "multihop">;

export function createSender(where: Where, random: () => number): Sender {
  let open: number | undefined;
  let problem = "";
  let notBefore = Number.NEGATIVE_INFINITY;

  const ready = (nowMicros: number): typeof open => {
    if (open !== undefined || nowMicros < notBefore) return open;
    try {
      open = openSender(where, random);
      problem = "";
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      problem = error.message;
      notBefore = nowMicros + REOPEN_MICROS;
    }
    return open;
  };
  const sent = (result: number, nowMicros: number): void => {
    if (result >= 0) {
      problem = "";
      return;
    }
    const code = failure();
    problem = `send: ${code}`;
    // ECONNREFUSED tells of a packet before: the peer's BFD is not there yet. A full queue is no reason either.
    if (code === "ECONNREFUSED" || code === "EAGAIN" || code === "ENOBUFS") return;
    // Its address or route went away, and a connected socket keeps what it was opened with.
    close();
    notBefore = nowMicros + REOPEN_MICROS;
  };
  const close = (): void => {
    if (open !== undefined) closeFd(open);
    open = undefined;
  };
  return {
    sendControl(octets, nowMicros) {
      const socket = ready(nowMicros);
      if (socket === undefined) return;
      sent(calls.send(socket, octets, octets.length, 0) as number, nowMicros);
    },
    problem: () => problem,
    close,
  };
}

function openSender(
  { vrf, remote, local, interface: device, multihop }: Where,
  random: () => number,
): number {
  const family = familyOf(remote);
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = check(calls.socket(AF[family], type, 0) as number, "socket");
  try {
    setTimeToLive(fd, family, HOPS);
    if (family === "ipv4") setFlag(fd, IPPROTO_IP, IP_TOS, CLASS_SELECTOR_6, "IP_TOS");
    else setFlag(fd, IPPROTO_IPV6, IPV6_TCLASS, CLASS_SELECTOR_6, "IPV6_TCLASS");
    setFlag(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL, "SO_PRIORITY");
    // Nothing is read here: what comes to this port is not ours to take.
    setFlag(fd, SOL_SOCKET, SO_RCVBUF, 0, "SO_RCVBUF");
    if (device !== "" || vrf !== "") bindToDevice(fd, device === "" ? vrf : device);
    const scope = device === "" ? 0 : scopeOf(device);
    bindInRange(fd, local ?? ((family === "ipv4" ? "0.0.0.0" : "::") as Address), scope, random);
    const to = sockaddr(remote, PORTS[multihop ? "multihop" : "single-hop"], scope);
    check(calls.connect(fd, to, to.length) as number, `reach ${remote}`);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

const scopeOf = (device: string): number => calls.if_nametoindex(device) as number;

function bindInRange(fd: number, local: Address, scope: number, random: () => number): void {
  for (let attempt = 1; ; attempt += 1) {
    const port = FIRST_PORT + Math.floor(random() * (LAST_PORT - FIRST_PORT + 1));
    try {
      bindTo(fd, local, port, scope);
      return;
    } catch (error) {
      const taken = error instanceof SystemError && error.code === "EADDRINUSE";
      if (!taken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}
