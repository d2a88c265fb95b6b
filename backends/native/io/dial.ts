/**
 * One attempt to connect to a peer, with everything set before the first octet leaves.
 *
 * Says what went wrong in words an operator can act on. Reads next: session-driver.ts.
 */
import { Socket } from "node:net";
import type { NeighborIntent } from "../../intent.ts";
import { familyOf } from "../../../events/address.ts";
import { bindTo, bindToDevice, closeFd, setTimeToLive, SystemError } from "../../os/libc.ts";
import { noDevice } from "./vrf-devices.ts";
import { openTcp, setNoDelay, setTcpMd5 } from "./libc.ts";

export type Dialing = { cancel(): void };

/** What a connection needs beside the intent. */
export type Way = {
  readonly key: string | undefined;
  /** VRF device that the session is bound to; empty: none. */
  readonly device: string;
};

/** Shorter than ConnectRetryTime, so that a peer that drops everything is tried again soon. */
const CONNECT_TIMEOUT_MILLIS = 10_000;

export function dial(
  neighbor: NeighborIntent,
  way: Way,
  after: (millis: number, act: () => void) => () => void,
  done: (result: { readonly socket: Socket } | { readonly reason: string }) => void,
): Dialing {
  const { remote } = neighbor;
  if (remote.type !== "address") throw new Error("the native speaker dials addresses only");
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
    settle({ reason: silence(neighbor, "no answer") });
  });
  try {
    const fd = prepared(neighbor, way);
    socket = new Socket({ fd, manualStart: true } as ConstructorParameters<typeof Socket>[0]);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      settle({ reason: dialReason(neighbor, error.code ?? error.message) });
    });
    socket.once("connect", () => {
      if (socket !== undefined) settle({ socket });
    });
    socket.connect({ host: remote.address, port: remote.port });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const { code } = error;
    const isGone = code === "ENODEV";
    const reason = isGone ? noDevice(way.device) : dialReason(neighbor, code);
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

function prepared(neighbor: NeighborIntent, { key, device }: Way): number {
  if (neighbor.remote.type !== "address")
    throw new Error("the native speaker dials addresses only");
  const { address } = neighbor.remote;
  const family = familyOf(address);
  const fd = openTcp(family);
  try {
    // First: addresses mean what they mean in the VRF.
    if (device !== "") bindToDevice(fd, device);
    if (key !== undefined) setTcpMd5(fd, address, key);
    setTimeToLive(fd, family, neighbor.timeToLive);
    setNoDelay(fd);
    if (neighbor.localAddress !== undefined) bindTo(fd, neighbor.localAddress, 0);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function dialReason(neighbor: NeighborIntent, code: string): string {
  const { remote } = neighbor;
  const where = remote.type === "address" ? `${remote.address} port ${remote.port}` : "";
  switch (code) {
    case "ECONNREFUSED":
      return `connection refused: nobody listens for us at ${where}`;
    case "ENETUNREACH":
      return `no route to ${where}`;
    case "EHOSTUNREACH":
      return silence(neighbor, "unreachable");
    case "ETIMEDOUT":
      return silence(neighbor, "no answer");
    case "EADDRNOTAVAIL":
      return `this host has no address ${neighbor.localAddress}: see sourceAddress of the peer`;
    case "ECONNRESET":
      return `${where} closed the connection at once: is this host configured there as a neighbour?`;
    default:
      return `cannot connect to ${where}: ${code}`;
  }
}

/** A wrong TCP-MD5 key looks like silence, and so does a peer that is more hops away than the TTL. */
function silence({ remote, authentication, timeToLive }: NeighborIntent, what: string): string {
  const where = remote.type === "address" ? remote.address : "";
  const hints = [
    ...(authentication === undefined ? [] : ["a wrong password looks the same"]),
    ...(timeToLive === 1 ? ["a peer that is not on the link needs ebgpMultiHop"] : []),
  ];
  return `${what} from ${where}${hints.length > 0 ? ` (${hints.join("; ")})` : ""}`;
}
