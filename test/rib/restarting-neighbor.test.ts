/**
 * What ends a neighbour's session, and whether its routes outlive it: BFD with and without the C bit (RFC 5882 §4.3), another
 * configuration, too many prefixes.
 *
 * Method: one neighbour on a virtual clock over a stream in place of a socket; its routes as a listener of best paths has them.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import type { PathState } from "../../backends/backend.ts";
import type { NeighborIntent, OwnRoute, RouterIntent } from "../../backends/intent.ts";
import { createBestPathFeed } from "../../backends/native/best-path-feed.ts";
import { createNeighbor } from "../../backends/native/neighbor.ts";
import { announcer, encodeAll } from "../../backends/native/wire/encode-updates.ts";
import { encodeKeepalive } from "../../backends/native/wire/header.ts";
import type { Capability } from "../../backends/native/wire/message.ts";
import { peerDeconfigured } from "../../backends/native/wire/notification.ts";
import { encodeOpen } from "../../backends/native/wire/open.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import type { Prefix } from "../../events/prefix.ts";
import { virtualClock } from "../virtual-clock.ts";
import { external } from "../wire/session-options.ts";
import { hosts, quiet } from "./inbound-stage.ts";
import { neighborOf } from "./neighbors.ts";
import { createTold } from "./told.ts";

const IPV4 = { afi: 1, safi: 1 };
const restartable: Capability = {
  type: "graceful-restart",
  restartState: false,
  notification: false,
  restartTimeSeconds: 120,
  families: [{ family: IPV4, forwarding: true }],
};
/** It keeps our routes, and cannot restart itself. */
const receiving: Capability = { ...restartable, families: [] };

const router: RouterIntent = {
  key: "",
  vrf: "",
  localAs: asn(64_512),
  routerId: address("192.0.2.9"),
  neighbors: [],
  routes: PersistentMap.empty<Prefix, OwnRoute>(),
  imports: [],
  evpn: undefined,
};
const down = (remoteControlPlaneIndependent: boolean): PathState => ({
  type: "down",
  reason: "BFD says that the path is down",
  remoteControlPlaneIndependent,
});

/** An Established session that said ten routes; port 1 of the loopback refuses our own dial. */
async function stage(given: Partial<NeighborIntent> = {}, capability: Capability = restartable) {
  const clock = virtualClock();
  const feed = createBestPathFeed({
    clock,
    maximumPaths: 1,
    costOf: () => 0,
    isSettled: () => false,
  });
  const told = createTold();
  feed.listen(told.take);
  const intent = neighborOf({
    remote: { type: "address", address: address("127.0.0.1"), port: 1 },
    families: ["ipv4"],
    holdTimeSeconds: 0,
    keepaliveTimeSeconds: 0,
    gracefulRestart: { restartTimeSeconds: 120 },
    ...given,
  });
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const options = {
    clock,
    logger: silent,
    reveal: () => undefined,
    restart: { restarting: false, forwardingPreserved: false },
    listen: [],
  };
  const neighbor = createNeighbor(
    options,
    router,
    intent,
    address("192.0.2.9"),
    { type: "up" },
    () => undefined,
    feed,
  );
  neighbor.start();
  /** `code/subcode` of each NOTIFICATION that we sent. */
  const notified: string[] = [];
  const connect = async (): Promise<Duplex> => {
    const socket = new Duplex({
      read: () => undefined,
      write: (octets: Buffer, _encoding, done) => {
        if (octets[18] === 3) notified.push(`${octets[19]}/${octets[20]}`);
        done();
      },
    });
    // The driver asks of a socket what a stream has, and localAddress, which may be undefined.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    neighbor.accept(socket as unknown as Socket);
    const open = encodeOpen({
      asn: asn(65_001),
      holdTimeSeconds: 0,
      routerId: address("192.0.2.1"),
      capabilities: [
        { type: "four-octet-asn", asn: 65_001 },
        { type: "multiprotocol", family: IPV4 },
        capability,
      ],
    });
    socket.push(Buffer.concat([open, encodeKeepalive()]));
    await quiet();
    return socket;
  };
  const says = async (socket: Duplex, prefixes: readonly Prefix[]): Promise<void> => {
    const attributes = {
      origin: "igp",
      asPath: [asn(65_001)],
      nextHop: address("192.0.2.1"),
      communities: [],
      largeCommunities: [],
    } as const;
    const writer = announcer("ipv4", attributes, external);
    if (typeof writer === "string") throw new Error(writer);
    for (const message of encodeAll(writer, prefixes)) socket.push(message);
    await quiet();
  };
  const socket = await connect();
  await says(socket, hosts(10));
  expect([neighbor.status().state, told.routes.size]).toEqual(["Established", 10]);
  return {
    neighbor,
    clock,
    notified,
    connect,
    says,
    /** What is left of its routes, after all work is done. */
    left: async (): Promise<number> => {
      await quiet();
      return told.routes.size;
    },
    /** kill -9 of the peer's daemon. */
    dies: async (): Promise<void> => {
      socket.destroy();
      await quiet();
      expect(neighbor.status().reason).toMatch(/^restarting: 10 routes kept /);
    },
  };
}

const CEASE_BFD_DOWN = "6/10";

describe("BFD Down of a session that is up (RFC 5882 §4.3)", () => {
  const cases: [string, boolean, Capability, Partial<NeighborIntent>, string[], number][] = [
    ["with the C bit: ends all", true, restartable, {}, [CEASE_BFD_DOWN], 0],
    ["without it: may be a restart", false, restartable, {}, [], 10],
    ["without it, of a peer that cannot restart", false, receiving, {}, [CEASE_BFD_DOWN], 0],
    [
      "without it, where graceful restart is not ours",
      false,
      restartable,
      { gracefulRestart: undefined },
      [CEASE_BFD_DOWN],
      0,
    ],
    ["strict, with the C bit", true, restartable, { waitsForBfd: true }, [CEASE_BFD_DOWN], 0],
    ["strict, without it", false, restartable, { waitsForBfd: true }, [], 10],
  ];
  test.for(cases)("%s", async ([, independent, capability, given, said, kept]) => {
    const { neighbor, notified, left } = await stage(given, capability);
    neighbor.path(down(independent));
    expect(await left()).toBe(kept);
    expect(notified).toEqual(said);
    const { state, reason } = neighbor.status();
    expect(state).not.toBe("Established");
    expect(reason).toContain("BFD");
    expect(reason.startsWith("restarting: 10 routes")).toBe(kept > 0);
  });
});

describe("BFD Down of a peer that is restarting", () => {
  test.for<[string, Partial<NeighborIntent>]>([
    ["", {}],
    [", strict", { waitsForBfd: true }],
  ])("aborts it with the C bit, and not without%s", async ([, given]) => {
    for (const independent of [true, false]) {
      const { neighbor, notified, dies, left } = await stage(given);
      await dies();
      neighbor.path(down(independent));
      expect(await left()).toBe(independent ? 0 : 10);
      expect(notified).toEqual([]);
    }
  });
  test("strict: it is waited for with its routes, and taken when BFD is Up", async () => {
    const { neighbor, clock, connect, says, dies, left } = await stage({ waitsForBfd: true });
    await dies();
    neighbor.path(down(false));
    await connect();
    expect(neighbor.status().state).toBe("Idle");
    clock.advance(60_000);
    neighbor.path({ type: "up" });
    await says(await connect(), hosts(10));
    expect([neighbor.status().state, await left()]).toEqual(["Established", 10]);
  });
  test("strict: no longer than its Restart Time", async () => {
    const { neighbor, clock, dies, left } = await stage({ waitsForBfd: true });
    await dies();
    neighbor.path(down(false));
    clock.advance(120_000);
    expect(await left()).toBe(0);
    expect(neighbor.status().reason).toContain("waits for BFD");
  });
});

test("a path that BFD with the C bit calls down bridges no restart that begins later", async () => {
  const { neighbor, connect, says, left, notified } = await stage();
  neighbor.path(down(true));
  const again = await connect();
  await says(again, hosts(10));
  expect(await left()).toBe(10);
  again.destroy();
  expect(await left()).toBe(0);
  expect(notified).toEqual([CEASE_BFD_DOWN]);
});

test("our own restart is no restart of the peer", async () => {
  const { neighbor, clock, notified } = await stage();
  neighbor.vanish();
  expect([neighbor.status().reason, notified]).toEqual(["restarting", []]);
  clock.advance(10_000);
  expect(clock.pending()).toBe(0);
});

describe("while a peer restarts, its routes go", () => {
  const gone = async (
    act: (neighbor: Awaited<ReturnType<typeof stage>>["neighbor"]) => void,
  ): Promise<string> => {
    const { neighbor, dies, left } = await stage();
    await dies();
    expect(await left()).toBe(10);
    act(neighbor);
    expect(await left()).toBe(0);
    return neighbor.status().reason;
  };
  test("with the neighbour", async () => {
    const why = await gone((neighbor) => neighbor.stop(peerDeconfigured, "removed"));
    expect(why).toBe("removed");
  });
  test("with the VRF's device", async () => {
    expect(await gone((neighbor) => neighbor.refuse("no device"))).toBe("no device");
  });
  test("with a maximum below them", async () => {
    const maximum = { count: 9, warnAtPercent: undefined, beyond: { type: "idle" } } as const;
    const guard = { alwaysBlock: [], maximumPrefixes: { ipv4: maximum }, checkFirstAs: true };
    const why = await gone((neighbor) =>
      neighbor.update(router, { ...neighbor.intent(), receiveGuard: guard }),
    );
    expect(why).toContain("more than 9 ipv4 prefixes");
  });
});
