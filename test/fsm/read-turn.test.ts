/**
 * A peer that says much at once is read in turns: others have theirs in between, and nothing is lost or reordered.
 *
 * Method: the driver over a stream that has everything ready, and a clock by which each look takes a few milliseconds.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import type { Peering } from "../../backends/native/fsm/signals.ts";
import { driveSession } from "../../backends/native/io/session-driver.ts";
import { announcer, encodeAll } from "../../backends/native/wire/encode-updates.ts";
import { encodeKeepalive } from "../../backends/native/wire/header.ts";
import { encodeOpen } from "../../backends/native/wire/open.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";
import { neighborOf } from "../rib/neighbors.ts";
import { virtualClock } from "../virtual-clock.ts";
import { external } from "../wire/session-options.ts";

const LOOK_MILLIS = 4;

const peering: Peering = {
  localAs: asn(64512),
  routerId: address("192.0.2.9"),
  remoteAs: { type: "external" },
  holdTimeSeconds: 0,
  keepaliveTimeSeconds: 0,
  connectRetrySeconds: 120,
  families: ["ipv4"],
  extendedNextHop: false,
  gracefulRestart: undefined,
};
const open = encodeOpen({
  asn: asn(64999),
  holdTimeSeconds: 0,
  routerId: address("192.0.2.2"),
  capabilities: [{ type: "four-octet-asn", asn: 64999 }],
});

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** Messages that are there at once, in portions of so many: how many were read in each turn, and the third octets of all. */
async function play(
  count: number,
  together: number,
): Promise<{ readonly counts: readonly number[]; readonly seen: readonly number[] }> {
  const virtual = virtualClock();
  let slow = 0;
  const clock = {
    ...virtual,
    monotonicMillis: () => {
      virtual.advance(slow);
      return virtual.monotonicMillis();
    },
  };
  const seen: number[] = [];
  const socket = new Duplex({ read: () => undefined, write: (_octets, _encoding, done) => done() });
  const neighbor = neighborOf({
    remote: { type: "address", address: address("127.0.0.1"), port: 1 },
    families: ["ipv4"],
  });
  const far = { address: address("127.0.0.1"), interface: "" };
  const way = { key: undefined, device: "", far: () => far, near: () => undefined };
  const driver = driveSession(neighbor, () => peering, way, clock, {
    onUp: () => undefined,
    onDown: () => undefined,
    onUpdate: ({ bytes, announced: [range] }) => {
      if (range !== undefined) seen.push(bytes[range.start + 3] ?? -1);
    },
    onChange: () => undefined,
  });
  driver.start();
  // The driver asks of a socket what a stream has, and localAddress, which may be undefined.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  driver.accept(socket as unknown as Socket);
  socket.push(Buffer.concat([open, encodeKeepalive()]));
  await turn();
  expect(driver.name()).toBe("Established");

  slow = LOOK_MILLIS;
  const attributes = {
    origin: "igp",
    asPath: [asn(64999)],
    nextHop: address("192.0.2.2"),
    communities: [],
    largeCommunities: [],
  } as const;
  const writer = announcer("ipv4", attributes, external);
  if (typeof writer === "string") throw new Error(writer);
  const messages = Array.from({ length: count }, (_, i) =>
    Buffer.concat(encodeAll(writer, [prefix(`10.${i >> 8}.${i & 255}.0/24`)])),
  );
  for (let i = 0; i < count; i += together)
    socket.push(Buffer.concat(messages.slice(i, i + together)));
  // Each was read as it came, as far as this turn went.
  const counts = [seen.length];
  for (let i = 0; i < 4 * count && seen.length < count; i += 1) {
    const before = seen.length;
    await turn();
    counts.push(seen.length - before);
  }
  driver.vanish("done");
  return { counts, seen };
}

test("many portions that are there at once take many turns, in their order", async () => {
  const { counts, seen } = await play(40, 1);
  expect(Math.max(...counts)).toBeLessThan(10);
  expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test("one large portion does, too", async () => {
  const { counts, seen } = await play(2400, 2400);
  expect(Math.max(...counts)).toBeLessThan(1000);
  expect(seen).toEqual(Array.from({ length: 2400 }, (_, i) => i & 255));
});
