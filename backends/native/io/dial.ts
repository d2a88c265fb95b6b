/**
 * One attempt to connect to a peer, with everything set before the first octet leaves.
 *
 * Says what went wrong in words an operator can act on. Reads next: session-driver.ts.
 */
import { Socket } from "node:net";
import type { NeighborIntent } from "../../intent.ts";
import { type Address, familyOf } from "../../../events/address.ts";
import { bindTo, bindToDevice, closeFd, setTimeToLive, SystemError } from "../../os/libc.ts";
import type { Endpoint } from "../host-addresses.ts";
import { noInterface } from "./router-discovery.ts";
import { noDevice } from "./vrf-devices.ts";
import { openTcp, setNoDelay, setTcpMd5 } from "./libc.ts";

export type Dialing = { cancel(): void };

/** What a connection needs beside the intent. */
export type Way = {
  readonly key: string | undefined;
  /** VRF device that the session is bound to; empty: none. */
  readonly device: string;
  /** Whom to dial; of a neighbour that is known by its interface, its link-local address as it is now. */
  readonly far: () => Endpoint;
  /** Where to speak from; undefined: the kernel chooses. */
  readonly near: () => Address | undefined;
};

/** Shorter than ConnectRetryTime, so that a peer that drops everything is tried again soon. */
const CONNECT_TIMEOUT_MILLIS = 10_000;

export function dial(
  neighbor: NeighborIntent,
  way: Way,
  after: (millis: number, act: () => void) => () => void,
  done: (result: { readonly socket: Socket } | { readonly reason: string }) => void,
): Dialing {
  const far = way.far();
  const target: Target = { ...far, port: neighbor.remote.port, near: way.near() };
  const device = far.interface === "" ? way.device : far.interface;
  let settled = false;
  const settle = (result: { readonly socket: Socket } | { readonly reason: string }): void => {
    if (settled) return;
    settled = true;
    cancelTimer();
    done(result);
  };
  let socket: Socket | undefined;
  const cancelTimer = after(CONNECT_TIMEOUT_MILLIS, () => {
    socket?.destroy();
    settle({ reason: silence(neighbor, target, "no answer") });
  });
  try {
    const fd = prepared(neighbor, target, { key: way.key, device });
    socket = new Socket({ fd, manualStart: true } as ConstructorParameters<typeof Socket>[0]);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      settle({ reason: dialReason(neighbor, target, error.code ?? error.message) });
    });
    socket.once("connect", () => {
      if (socket !== undefined) settle({ socket });
    });
    socket.connect({ host: textOf(far), port: target.port });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const { code } = error;
    const gone = far.interface === "" ? noDevice(device) : noInterface(device);
    const reason = code === "ENODEV" ? gone : dialReason(neighbor, target, code);
    // Not from inside the call: the driver obeys one output after the other.
    queueMicrotask(() => settle({ reason }));
  }
  return {
    cancel: () => {
      if (settled) return;
      settled = true;
      cancelTimer();
      socket?.destroy();
    },
  };
}

type Target = Endpoint & { readonly port: number; readonly near: Address | undefined };

/** As Node and people write it (RFC 4007 §11). */
const textOf = ({ address, interface: zone }: Endpoint): string =>
  zone === "" ? address : `${address}%${zone}`;

function prepared(
  neighbor: NeighborIntent,
  { address, near }: Target,
  { key, device }: Pick<Way, "key" | "device">,
): number {
  const family = familyOf(address);
  const fd = openTcp(family);
  try {
    // First: addresses mean what they mean in the VRF.
    if (device !== "") bindToDevice(fd, device);
    if (key !== undefined) setTcpMd5(fd, address, key);
    setTimeToLive(fd, family, neighbor.timeToLive);
    setNoDelay(fd);
    if (near !== undefined) bindTo(fd, near, 0);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function dialReason(neighbor: NeighborIntent, target: Target, code: string): string {
  const where = `${textOf(target)} port ${target.port}`;
  switch (code) {
    case "ECONNREFUSED":
      return `connection refused: nobody listens for us at ${where}`;
    case "ENETUNREACH":
      return `no route to ${where}`;
    case "EHOSTUNREACH":
      return silence(neighbor, target, "unreachable");
    case "ETIMEDOUT":
      return silence(neighbor, target, "no answer");
    case "EADDRNOTAVAIL":
      return `this host has no address ${target.near}: see sourceAddress of the peer`;
    case "ECONNRESET":
      return `${where} closed the connection at once: is this host configured there as a neighbour?`;
    default:
      return `cannot connect to ${where}: ${code}`;
  }
}

/** A wrong TCP-MD5 key looks like silence, and so does a peer that is more hops away than the TTL. */
function silence(
  { authentication, timeToLive }: NeighborIntent,
  target: Target,
  what: string,
): string {
  const hints = [
    ...(authentication === undefined ? [] : ["a wrong password looks the same"]),
    ...(timeToLive === 1 && target.interface === ""
      ? ["a peer that is not on the link needs ebgpMultiHop"]
      : []),
  ];
  return `${what} from ${textOf(target)}${hints.length > 0 ? ` (${hints.join("; ")})` : ""}`;
}
