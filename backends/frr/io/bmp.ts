/**
 * Where bgpd tells us of its sessions by itself (BMP, RFC 7854): a listener on the loopback address.
 *
 * Says *when* to look, and why a session was lost; what is so is asked of bgpd (watch/session-watch.ts), so that nothing which any
 * process of the host sends here makes a session up or down. Opened when somebody wants its port. Reads next: ../watch/bmp/message.ts.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Address } from "../../../events/address.ts";
import type { Logger } from "../../clock.ts";
import { bmpReader } from "../watch/bmp/frame.ts";
import { readBmp } from "../watch/bmp/message.ts";
import type { BmpPeer } from "../watch/bmp/peer.ts";
import { lossInWords } from "../watch/bmp/words.ts";

export type PeerNews = {
  readonly address: Address;
  /** Why the session was lost; empty where it came up, or where nothing is said of it. */
  readonly reason: string;
};

export type Monitor = {
  /** The same as long as it is open; undefined where the host gives none. */
  port(): Promise<number | undefined>;
  /** Idempotent. */
  close(): void;
};

export type MonitorOptions = {
  readonly logger: Logger;
  readonly heard: (news: PeerNews) => void;
};

const LOOPBACK = "127.0.0.1";
/** bgpd opens one for each router, which is one for each VRF. */
const MAX_CONNECTIONS = 512;
/** Of one connection; more than bgpd can have. */
const MAX_PEERS = 20_000;

export function createMonitor({ logger, heard }: MonitorOptions): Monitor {
  const sockets = new Set<Socket>();
  let opening: Promise<number | undefined> | undefined;
  let server: Server | undefined;
  let isClosed = false;
  let warned = "";

  const accept = (socket: Socket): void => {
    sockets.add(socket);
    const take = connection(heard);
    socket.on("data", (octets) => {
      const fault = take(octets);
      if (fault === "") return;
      // Once: whoever it is may come again at once.
      if (fault !== warned) logger.warn({ reason: fault }, "what comes as BMP can't be read");
      warned = fault;
      socket.destroy();
    });
    // Its end is bgpd's, who opens another, or ours.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  const open = (): Promise<number | undefined> =>
    new Promise((resolve) => {
      const listening = createServer(accept);
      server = listening;
      listening.maxConnections = MAX_CONNECTIONS;
      listening.on("error", (error) => {
        logger.warn({ reason: error.message }, "no port for BMP: sessions are only asked for");
        resolve(undefined);
      });
      listening.listen(0, LOOPBACK, () => {
        const at = listening.address();
        resolve(typeof at === "object" ? at?.port : undefined);
      });
    });

  return {
    port: () => (isClosed ? Promise.resolve(undefined) : (opening ??= open())),
    close() {
      isClosed = true;
      server?.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Takes what comes on one connection; empty, or why it can't be read on. */
function connection(heard: (news: PeerNews) => void): (octets: Uint8Array) => string {
  const reader = bmpReader();
  const up = new Set<string>();
  return (octets) => {
    const { frames, fault } = reader.take(octets);
    for (const frame of frames) {
      const message = readBmp(frame);
      if (message.type === "malformed") return message.reason;
      if (message.type === "peer-up") {
        up.add(nameOf(message.peer));
        if (up.size > MAX_PEERS) return `more than ${MAX_PEERS} peers`;
        heard({ address: message.peer.address, reason: "" });
      }
      // bgpd also says it of every attempt that fails before a session is there.
      if (message.type === "peer-down" && up.delete(nameOf(message.peer)))
        heard({ address: message.peer.address, reason: lossInWords(message.cause) });
    }
    return fault;
  };
}

const nameOf = ({ type, distinguisher, address }: BmpPeer): string =>
  `${type}|${distinguisher}|${address}`;
