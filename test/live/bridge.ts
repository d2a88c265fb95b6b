/**
 * A BGP port inside a namespace whose other end is in the test: each connection is piped to a Unix socket.
 *
 * Run as a program in a node (argument: the socket's path), so that a test can play any peer octet by octet without
 * entering the namespace itself. The first line that a connection brings is the address it was made to.
 * Read next: raw-peer.ts.
 */
import { connect, createServer, type Socket } from "node:net";

const BGP_PORT = 179;
const [, , path = ""] = process.argv;

const join = (from: Socket, to: Socket): void => {
  from.pipe(to);
  // The end of one is the end of both, however it came.
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
};

createServer({ allowHalfOpen: false }, (peer) => {
  const test = connect(path);
  test.write(`${peer.localAddress}\n`);
  join(peer, test);
  join(test, peer);
}).listen(BGP_PORT, "0.0.0.0", () => {
  process.stdout.write("listening\n");
});
