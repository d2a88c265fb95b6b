/**
 * A connection to a daemon's vty socket as the watcher's tests hand it in: opened on first use and after each end.
 *
 * Read next: frr.ts (the protocol), ../../backends/frr/watch/daemon.ts (what it is handed to).
 */
import { connect, type Socket } from "node:net";
import { BackendError } from "../../backends/backend.ts";
import type { Asks } from "../../backends/frr/watch/daemon.ts";

type Waiting = {
  readonly resolve: (text: string) => void;
  readonly reject: (error: BackendError) => void;
};

export type VtyConnection = Asks & Disposable & { readonly opened: () => number };

export function vtyConnection(path: string): VtyConnection {
  let socket: Socket | undefined;
  let waiting: Waiting[] = [];
  let rest = Buffer.alloc(0);
  let opened = 0;

  const lost = (why: string): void => {
    socket = undefined;
    rest = Buffer.alloc(0);
    const all = waiting;
    waiting = [];
    for (const { reject } of all) reject(new BackendError("SPEAKER_UNREACHABLE", why));
  };
  const take = (chunk: Buffer): void => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.indexOf("\0\0\0");
      if (end < 0 || rest.length < end + 4) return;
      const text = rest.subarray(0, end).toString("utf8");
      const status = rest[end + 3] ?? 0;
      rest = rest.subarray(end + 4);
      const next = waiting.shift();
      if (status < 2) next?.resolve(text);
      else next?.reject(new BackendError("SPEAKER_REFUSED", text.trim()));
    }
  };
  const open = (): Socket => {
    const opening = connect(path);
    let why = "the connection was closed";
    opened += 1;
    opening.on("data", take);
    opening.on("error", (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message;
    });
    opening.on("close", () => {
      if (socket === opening) lost(why);
    });
    opening.write("enable\0");
    waiting.push({ resolve: () => undefined, reject: () => undefined });
    return opening;
  };

  return {
    opened: () => opened,
    show: (command) =>
      new Promise((resolve, reject) => {
        socket ??= open();
        waiting.push({ resolve, reject });
        socket.write(`${command}\0`);
      }),
    [Symbol.dispose]() {
      socket?.destroy();
    },
  };
}
