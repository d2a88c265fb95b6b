/**
 * RFC 9687: a peer that goes on talking and reads nothing is given up after the send hold time, and not before.
 *
 * Method: the driver on a virtual clock, and a socket that takes octets when the test says so.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import type { Peering } from "../../backends/native/fsm/signals.ts";
import { driveSession } from "../../backends/native/io/session-driver.ts";
import { announce } from "../../backends/native/rib/adj-rib-out.ts";
import { encodeKeepalive } from "../../backends/native/wire/header.ts";
import { encodeOpen } from "../../backends/native/wire/open.ts";
import type { NeighborIntent } from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import { asn, type NeighborKey } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";
import { virtualClock } from "../virtual-clock.ts";

const HOLD_SECONDS = 90;
const SEND_HOLD_SECONDS = 480;

const peering: Peering = {
  localAs: asn(64512),
  routerId: address("192.0.2.1"),
  remoteAs: { type: "external" },
  holdTimeSeconds: HOLD_SECONDS,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  families: ["ipv4"],
  extendedNextHop: false,
  gracefulRestart: undefined,
};
/** Port 1 of the loopback refuses the dial; the peer connects itself. */
const neighbor: NeighborIntent = {
  key: "|127.0.0.1|" as NeighborKey,
  name: "deaf",
  backend: "native",
  remoteAs: peering.remoteAs,
  remote: { type: "address", address: address("127.0.0.1"), port: 1 },
  localAddress: undefined,
  localAsOverride: undefined,
  holdTimeSeconds: HOLD_SECONDS,
  keepaliveTimeSeconds: 30,
  connectRetrySeconds: 120,
  timeToLive: 1,
  authentication: undefined,
  families: ["ipv4"],
  carriesEvpn: false,
  gracefulRestart: undefined,
  waitsForBfd: false,
  speakerBfd: undefined,
  receiveGuard: undefined,
  receive: { type: "nothing" },
  provenance: [],
};
const attributes = {
  origin: "igp",
  asPath: [asn(64512)],
  nextHop: address("192.0.2.1"),
  communities: [],
  largeCommunities: [],
} as const;
const open = encodeOpen({
  asn: asn(64999),
  holdTimeSeconds: HOLD_SECONDS,
  routerId: address("192.0.2.2"),
  capabilities: [{ type: "four-octet-asn", asn: 64999 }],
});

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

const far = { address: address("127.0.0.1"), interface: "" };
const way = { key: undefined, device: "", far: () => far, near: () => undefined };

/** An Established session over a socket whose other end reads only while `reads` is true. */
async function stage() {
  const clock = virtualClock();
  const ended: string[] = [];
  const waiting: (() => void)[] = [];
  let reads = true;
  const socket = new Duplex({
    read: () => undefined,
    write: (_octets, _encoding, done) => {
      if (reads) done();
      else waiting.push(done);
    },
  });
  const driver = driveSession(neighbor, () => peering, way, clock, {
    onUp: () => undefined,
    onDown: (reason) => void ended.push(reason),
    onUpdate: () => undefined,
    onChange: () => undefined,
  });
  driver.start();
  // The driver asks of a socket what a stream has, and localAddress, which may be undefined.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  driver.accept(socket as unknown as Socket);
  socket.push(Buffer.concat([open, encodeKeepalive()]));
  await turn();
  expect(driver.name()).toBe("Established");
  return {
    driver,
    ended,
    stopReading: () => {
      reads = false;
    },
    readOn: async () => {
      reads = true;
      for (const done of waiting.splice(0)) done();
      await turn();
    },
    /** Time goes by, and the peer says every 20 seconds that it is alive. */
    alive: async (seconds: number) => {
      for (let second = 0; second < seconds; second += 20) {
        socket.push(encodeKeepalive());
        await turn();
        clock.advance(Math.min(20, seconds - second) * 1000);
      }
    },
  };
}

test("one KEEPALIVE that is not read is enough, however little waits", async () => {
  const { driver, ended, stopReading, alive } = await stage();
  stopReading();
  await alive(HOLD_SECONDS);
  expect(ended).toEqual([]);
  await alive(SEND_HOLD_SECONDS);
  expect(ended).toEqual(["the peer reads nothing (send hold timer, RFC 9687)"]);
  expect(driver.name()).not.toBe("Established");
});

test("routes that are not read end the session after the send hold time, and what waits is bounded", async () => {
  const { driver, ended, stopReading, alive } = await stage();
  stopReading();
  for (let host = 0; host < 20_000; host += 1) {
    const own = prefix(`10.${host >> 16}.${(host >> 8) & 255}.${host & 255}/32`);
    announce(driver.session.ribOut, own, attributes);
  }
  driver.flush();
  expect(driver.session.ribOut.pending.size).toBeGreaterThan(0);
  await alive(SEND_HOLD_SECONDS - 20);
  expect(ended).toEqual([]);
  await alive(40);
  expect(ended).toHaveLength(1);
});

test("a peer that reads a little now and then is waited for", async () => {
  const { driver, ended, stopReading, readOn, alive } = await stage();
  for (let round = 0; round < 4; round += 1) {
    stopReading();
    await alive(SEND_HOLD_SECONDS - 60);
    await readOn();
  }
  expect(ended).toEqual([]);
  expect(driver.name()).toBe("Established");
});
