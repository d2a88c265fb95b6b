/**
 * The BGP listener: takes connections of configured peers only, on every address that the agent was given.
 *
 * A port that is taken is no reason to stop: the speaker dials, and says why it does not listen. Strangers are hung up on
 * without a log line each. Reads next: libc.ts, session-driver.ts.
 */
import { createServer, type Server, type Socket } from "node:net";
import { type Address, familyOf, parseAddress } from "../../../events/address.ts";
import { bindTo, closeFd, SystemError } from "../../os/libc.ts";
import { openTcp, setTcpMd5, startListening } from "./libc.ts";

export type ListenAt = { readonly address: Address; readonly port: number };

export type Listener = {
  /** Why some address is not listened on; undefined where all are. */
  readonly problem: () => string | undefined;
  /** Keys of peers, by address: the kernel drops segments of these peers that are not signed so. */
  setKeys(keys: ReadonlyMap<Address, string>): void;
  close(): Promise<void>;
};

type Open = { readonly fd: number; readonly at: ListenAt; readonly server: Server };

export function openListener(
  places: readonly ListenAt[],
  onConnection: (socket: Socket, from: Address) => void,
): Listener {
  const problems: string[] = [];
  const open: Open[] = [];
  let keys: ReadonlyMap<Address, string> = new Map();
  for (const at of places) {
    try {
      open.push(listenAt(at, onConnection));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      problems.push(listenReason(at, error.code));
    }
  }
  return {
    problem: () => (problems.length === 0 ? undefined : problems.join("; ")),
    setKeys(wanted) {
      for (const { fd, at } of open) {
        const family = familyOf(at.address);
        for (const peer of keys.keys()) {
          if (!wanted.has(peer) && familyOf(peer) === family) setTcpMd5(fd, peer, undefined);
        }
        for (const [peer, key] of wanted) {
          if (familyOf(peer) === family && keys.get(peer) !== key) setTcpMd5(fd, peer, key);
        }
      }
      keys = new Map(wanted);
    },
    close: async () => {
      await Promise.all(
        open.map(
          ({ server }) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
            }),
        ),
      );
    },
  };
}

function listenAt(at: ListenAt, onConnection: (socket: Socket, from: Address) => void): Open {
  const fd = openTcp(familyOf(at.address));
  try {
    bindTo(fd, at.address, at.port);
    startListening(fd);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    // A peer that is gone before it was accepted has no address any more.
    const from = parseAddress(socket.remoteAddress ?? "");
    socket.on("error", () => socket.destroy());
    if (from === undefined) socket.destroy();
    else onConnection(socket, from);
  });
  server.listen({ fd });
  return { fd, at, server };
}

function listenReason({ address, port }: ListenAt, code: string): string {
  if (code === "EADDRINUSE")
    return `port ${port} on ${address} is in use by another program: peers are dialed only`;
  if (code === "EACCES") return `port ${port} needs CAP_NET_BIND_SERVICE: peers are dialed only`;
  if (code === "EADDRNOTAVAIL") return `this host has no address ${address} to listen on`;
  return `cannot listen on ${address} port ${port}: ${code}`;
}
