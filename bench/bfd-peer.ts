/**
 * The far end of BFD sessions as a process of its own, for a namespace: `node bench/bfd-peer.ts SOCKET`.
 *
 * The same for every subject: our engine under SCHED_FIFO, which tells by the kernel's time stamps when packets arrived and
 * falls silent when it is told to. What it costs is part of no figure. Reads next: bfd-watch.ts (what it notes), bfd-far.ts.
 */
import { createServer } from "node:net";
import { createEngine } from "../backends/bfd/engine.ts";
import { runLoop } from "../backends/bfd/io/loop.ts";
import { monotonicClock } from "../backends/bfd/io/monotonic.ts";
import { realTimePriority, withoutHelpers } from "../backends/bfd/io/priority.ts";
import { createSockets } from "../backends/bfd/io/sockets.ts";
import { addressName } from "../backends/bfd/member.ts";
import { decodeControl } from "../backends/bfd/packet.ts";
import { lineReader } from "../backends/bfd/protocol.ts";
import { addressOctets } from "../events/address.ts";
import type { BfdKey } from "../events/ids.ts";
import type { FromPeer, ToPeer } from "./bfd-far.ts";
import { createWatch, type Watch } from "./bfd-watch.ts";

withoutHelpers();
const [path = ""] = process.argv.slice(2);
const clock = monotonicClock();
const sockets = createSockets(clock, Math.random);
const watches = new Map<BfdKey, Watch>();
const byAddresses = new Map<string, Watch>();
/** Those that die now and then; nothing is ever due of the others. */
const mortal = new Set<Watch>();

const speak = (key: BfdKey, octets: Uint8Array): void => {
  sockets.sender(key)?.sendControl(octets, clock.nowMicros());
  // A veth hands over before send() returns: about now it has arrived.
  watches.get(key)?.sent(clock.nowMicros());
};

const engine = createEngine(
  {
    sendControl(key, octets) {
      if (watches.get(key)?.allows(octets) === true) speak(key, octets);
    },
    sendEcho() {},
    returnEcho() {},
    changed({ key, detectedAfterMicros }) {
      if (detectedAfterMicros !== undefined) watches.get(key)?.silent();
    },
    random: Math.random,
  },
  { controlPlaneIndependent: true },
);

function take(message: ToPeer): FromPeer {
  if (message.type === "hold") {
    for (const { key, timing, remote, local } of message.sessions) {
      const watch = createWatch(timing.transmitIntervalMillis * 1000, (octets) =>
        speak(key, octets),
      );
      watches.set(key, watch);
      const pair = [remote, ...(local === undefined ? [] : [local])];
      byAddresses.set(pair.map((one) => addressName(addressOctets(one))).join("-"), watch);
    }
    sockets.hold(message.sessions, clock.nowMicros());
    engine.hold(message.sessions, clock.nowMicros());
  } else if (message.type === "reset") for (const watch of watches.values()) watch.reset();
  else if (message.type === "die") {
    const watch = watches.get(message.key);
    if (watch !== undefined) mortal.add(watch);
    watch?.die(message.times);
  }
  const all = [...watches];
  return {
    settled: all.filter(([, watch]) => watch.settled()).length,
    deathsLeft: all.reduce((sum, [, watch]) => sum + watch.deathsLeft(), 0),
    problems: sockets.problems(),
    seen: message.type === "tell" ? all.map(([key, watch]) => [key, watch.seen()]) : [],
  };
}

const server = createServer((socket) => {
  const read = lineReader((line) => {
    socket.write(`${JSON.stringify(take(JSON.parse(line) as ToPeer))}\n`);
  });
  socket.setEncoding("utf8").on("data", read);
});
server.listen(path, () => process.stdout.write(`ready ${realTimePriority()}\n`));

await runLoop({
  clock,
  descriptors: sockets.descriptors,
  drain: (ready) =>
    sockets.drain(ready, (datagram) => {
      const now = clock.nowMicros();
      const packet = decodeControl(datagram.octets);
      const pair = `${addressName(datagram.remote)}-${addressName(datagram.local)}`;
      if (typeof packet !== "string") {
        byAddresses.get(pair)?.arrived(packet, datagram.arrivedMicros, now);
      }
      engine.receive(datagram, now);
    }),
  act(now, heardUpTo) {
    engine.act(now, heardUpTo);
    for (const watch of mortal) watch.act(now);
  },
  nextDue() {
    let next = engine.nextDue() ?? Number.POSITIVE_INFINITY;
    for (const watch of mortal) next = Math.min(next, watch.nextDue());
    return next;
  },
  stopped: () => false,
});
