/**
 * TCP between nodes of a test's network, by programs of their own: what counts is who the far end saw, and who answered.
 *
 * Reads next: netns.ts.
 */
import type { Node } from "./netns.ts";

type End = {
  /** The address of this end; the kernel chooses where it is not told. */
  readonly address?: string;
  readonly port?: number;
  /** A program that runs the end (`ip vrf exec` and its arguments); it must become it. */
  readonly under?: readonly string[];
};

const PORT = 8080;
/** A guest with one processor takes its time; a lost way costs this much. */
const SILENCE_MS = 10_000;

/** A server that tells each caller whom it reached and who it is, for as long as it is not disposed of. */
export async function serve(
  node: Node,
  { address = "0.0.0.0", port = PORT, under = [] }: End = {},
): Promise<AsyncDisposable> {
  const script = `
    require("node:net").createServer((socket) => {
      socket.on("error", () => {});
      socket.end("${node.name} hears " + socket.remoteAddress);
    }).listen(${port}, "${address}", () => console.log("listening"));`;
  const daemon = await node.start([...under, process.execPath, "-e", script]);
  await new Promise<void>((resolve, reject) => {
    daemon.onLine(() => resolve());
    void daemon.ended.then(() => reject(new Error(daemon.stderr())));
  });
  return { [Symbol.asyncDispose]: async () => void (await daemon.stop()) };
}

/** What the server at `to` says: `router hears 10.99.0.2`; or why it can't be reached. */
export async function call(
  from: Node,
  to: string,
  { address, port = PORT, under = [] }: End = {},
): Promise<string> {
  const local = address === undefined ? "" : `, localAddress: "${address}"`;
  const script = `
    const socket = require("node:net").connect({ host: "${to}", port: ${port}${local} });
    socket.setTimeout(${SILENCE_MS}, () => socket.destroy(new Error("no answer")));
    socket.on("data", (data) => console.log(String(data))).on("error", (error) => console.log(error.message));`;
  const { stdout, stderr } = await from.run([...under, process.execPath, "-e", script]);
  return (stdout + stderr).trim();
}
