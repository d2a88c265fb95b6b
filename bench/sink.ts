/**
 * A BGP far end for measurements: takes one session on the loopback and notes when each route arrives.
 *
 * Uses the codec and the state machine under test, because its own cost is part of no figure: what counts is the moment at
 * which the octets of an UPDATE are here. Reads next: wire.ts.
 */
import { createServer, type Socket } from "node:net";
import type { Input, Peering } from "../backends/native/fsm/signals.ts";
import { createSession, feed, type Order, receive } from "../backends/native/session.ts";
import { encodeKeepalive } from "../backends/native/wire/header.ts";
import { encodeNotification } from "../backends/native/wire/notification.ts";
import { encodeOpen } from "../backends/native/wire/open.ts";
import { address } from "../events/address.ts";
import { asn } from "../events/ids.ts";

export type Sink = {
  readonly port: number;
  /** Prefixes announced since the start, withdrawals not subtracted. */
  readonly announced: () => number;
  /** Resolves with performance.now() of the UPDATE by which so many were announced. */
  reaches(count: number): Promise<number>;
  close(): void;
};

const peering = (localAs: number): Peering => ({
  localAs: asn(localAs),
  routerId: address("192.0.2.254"),
  remoteAs: { type: "external" },
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  families: ["ipv4"],
  extendedNextHop: false,
  gracefulRestart: undefined,
});

/** `port` 0: any that is free. `at` is an address of the loopback. */
export function openSink(localAs: number, port = 0, at = "127.0.0.1"): Promise<Sink> {
  let announced = 0;
  let waiting: { readonly count: number; readonly done: (at: number) => void }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const session = createSession();
    const obey = (order: Order): void => {
      if (order.type === "send-open") socket.write(encodeOpen(order.open));
      else if (order.type === "send-keepalive") socket.write(encodeKeepalive());
      else if (order.type === "send-notification")
        socket.write(encodeNotification(order.notification));
      else if (order.type === "hang-up") socket.end();
      else if (order.type === "take-update") {
        // A next hop on the loopback makes each route count as withdrawn (RFC 7606 §7.3); here it has arrived all the same.
        for (const { start, end } of [...order.update.announced, ...order.update.withdrawn]) {
          announced += countPrefixes(order.update.bytes, start, end);
        }
      }
    };
    const give = (input: Input): void => {
      for (const order of feed(session, input, peering(localAs))) obey(order);
    };
    give({ type: "start" });
    give({ type: "accepted", connection: 1 });
    socket.on("error", () => socket.destroy());
    socket.on("data", (octets) => {
      const now = performance.now();
      for (const order of receive(session, 1, octets, peering(localAs))) obey(order);
      for (const { done } of waiting.filter(({ count }) => announced >= count)) done(now);
      waiting = waiting.filter(({ count }) => announced < count);
    });
  });
  return new Promise((resolve) => {
    server.listen(port, at, () => {
      const bound = server.address();
      resolve({
        port: typeof bound === "object" && bound !== null ? bound.port : 0,
        announced: () => announced,
        reaches: (count) =>
          new Promise((done) => {
            if (announced >= count) done(performance.now());
            else waiting.push({ count, done });
          }),
        close: () => {
          for (const socket of sockets) socket.destroy();
          server.close();
        },
      });
    });
  });
}

/** RFC 4271 §4.3: a length in bits, then as many octets as it needs. */
function countPrefixes(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at += 1 + Math.ceil((bytes[at] ?? 0) / 8)) count += 1;
  return count;
}
