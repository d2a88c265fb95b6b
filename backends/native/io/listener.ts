/**
 * The BGP listeners: each takes connections of configured peers of one VRF, on every address that the agent was given.
 *
 * A port that is taken is no reason to stop: the speaker dials, and says why it does not listen. Strangers are hung up on
 * without a log line each. Reads next: libc.ts, vrf-devices.ts, session-driver.ts.
 */
import { createServer, type Server, type Socket } from "node:net";
import { type Address, familyOf } from "../../../events/address.ts";
import { bindTo, bindToDevice, closeFd, SystemError } from "../../os/libc.ts";
import { type Endpoint, endpointFrom } from "../host-addresses.ts";
import { openTcp, setPortShared, setTcpMd5, startListening } from "./libc.ts";

export type ListenAt = { readonly address: Address; readonly port: number };

/** Keys of peers, by address: the kernel drops segments of these peers that are not signed so. */
export type Keys = ReadonlyMap<Address, string>;

export type Listeners = {
  /** Listens in a VRF, too; in the default one (empty name) from the start. */
  open(vrf: string): void;
  close(vrf: string): void;
  /** Why some address is not listened on; undefined where all are. */
  readonly problem: () => string | undefined;
  /** By VRF. Those of a VRF that is opened later are remembered. */
  setKeys(keys: ReadonlyMap<string, Keys>): void;
  closeAll(): Promise<void>;
};

type Open = { readonly fd: number; readonly at: ListenAt; readonly server: Server };
type Listener = { readonly open: Open[]; readonly problems: string[]; keys: Keys };
type OnConnection = (socket: Socket, from: Endpoint, vrf: string) => void;

const noKeys: Keys = new Map();

export function openListeners(places: readonly ListenAt[], onConnection: OnConnection): Listeners {
  const listeners = new Map<string, Listener>();
  let wanted: ReadonlyMap<string, Keys> = new Map();

  const open = (vrf: string): void => {
    if (listeners.has(vrf)) return;
    const listener: Listener = { open: [], problems: [], keys: noKeys };
    for (const at of places) {
      const beside = [...listeners.values()].flatMap((other) => other.open.map(({ fd }) => fd));
      try {
        listener.open.push(listenAt(at, vrf, beside, onConnection));
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        listener.problems.push(listenReason(at, vrf, error.code));
      }
    }
    listeners.set(vrf, listener);
    signBy(listener, wanted.get(vrf) ?? noKeys);
  };
  const close = (vrf: string): Promise<unknown> => {
    const listener = listeners.get(vrf);
    listeners.delete(vrf);
    return Promise.all((listener?.open ?? []).map(({ server }) => closed(server)));
  };
  open("");

  return {
    open,
    close: (vrf) => void close(vrf),
    problem: () => {
      const problems = [...listeners.values()].flatMap((one) => one.problems);
      return problems.length === 0 ? undefined : problems.join("; ");
    },
    setKeys(keys) {
      wanted = keys;
      for (const [vrf, listener] of listeners) signBy(listener, keys.get(vrf) ?? noKeys);
    },
    closeAll: async () => {
      await Promise.all([...listeners.keys()].map(close));
    },
  };
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
  });

function signBy(listener: Listener, wanted: Keys): void {
  for (const { fd, at } of listener.open) {
    const family = familyOf(at.address);
    for (const peer of listener.keys.keys()) {
      if (!wanted.has(peer) && familyOf(peer) === family) setTcpMd5(fd, peer, undefined);
    }
    for (const [peer, key] of wanted) {
      if (familyOf(peer) === family && listener.keys.get(peer) !== key) setTcpMd5(fd, peer, key);
    }
  }
  listener.keys = new Map(wanted);
}

function listenAt(
  at: ListenAt,
  vrf: string,
  beside: readonly number[],
  onConnection: OnConnection,
): Open {
  const fd = openTcp(familyOf(at.address));
  try {
    if (vrf !== "") bindToDevice(fd, vrf);
    listenBeside(fd, at, beside);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    // A peer that is gone before it was accepted has no address any more.
    const from = endpointFrom(socket.remoteAddress);
    socket.on("error", () => socket.destroy());
    if (from === undefined) socket.destroy();
    else onConnection(socket, from, vrf);
  });
  server.listen({ fd });
  return { fd, at, server };
}

/**
 * Where sockets without a device take VRFs' connections, too (net.ipv4.tcp_l3mdev_accept), the kernel holds one of a VRF for a
 * rival for the port, at bind() and again at listen(), though the more special one gets every connection of its VRF. Ours
 * tolerate each other for that moment, and nobody before or after; of other users' sockets not even then (SO_REUSEPORT).
 */
function listenBeside(fd: number, at: ListenAt, beside: readonly number[]): void {
  const ours = beside.length === 0 ? [] : [...beside, fd];
  for (const one of ours) setPortShared(one, true);
  try {
    bindTo(fd, at.address, at.port);
    startListening(fd);
  } finally {
    for (const one of ours) setPortShared(one, false);
  }
}

function listenReason({ address, port }: ListenAt, vrf: string, code: string): string {
  const where = `${address}${vrf === "" ? "" : ` in VRF ${vrf}`}`;
  if (code === "EADDRINUSE")
    return `port ${port} on ${where} is in use by another program: peers are dialed only`;
  if (code === "EACCES") return `port ${port} needs CAP_NET_BIND_SERVICE: peers are dialed only`;
  if (code === "EADDRNOTAVAIL") return `this host has no address ${where} to listen on`;
  return `cannot listen on ${where} port ${port}: ${code}`;
}
