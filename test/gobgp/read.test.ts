/**
 * What gobgpd says, read: capabilities, prefixes, routes, sessions; and octets that say nothing, which must never throw.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ListedPath, ListedPeer } from "../../backends/gobgp/api/messages.ts";
import { createBestPathTable } from "../../backends/gobgp/best-paths.ts";
import { peerDown } from "../../backends/gobgp/io/daemon.ts";
import { capabilitiesOf } from "../../backends/gobgp/read/capabilities.ts";
import { watchedPrefix } from "../../backends/gobgp/read/nlri.ts";
import { ownRouteOf, shownRoutes } from "../../backends/gobgp/read/paths.ts";
import { track } from "../../backends/gobgp/read/sessions.ts";
import { ownPath } from "../../backends/gobgp/render/paths.ts";
import { prefix } from "../../events/prefix.ts";
import { createTold, linesOf } from "../rib/told.ts";
import { keyOf } from "../live/speaker.ts";
import { FOUR, peer, THREE } from "./world.ts";

const A = "192.0.2.1";
const field = (number: number, octets: Uint8Array | string): Uint8Array => {
  const value = Buffer.from(octets);
  return Buffer.concat([Buffer.from([number * 8 + 2, value.length]), value]);
};
const varint = (number: number, value: number): Uint8Array => Buffer.from([number * 8, value]);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
const any = (name: string, value: Uint8Array): Uint8Array =>
  joined(field(1, `type.googleapis.com/apipb.${name}`), field(2, value));

const listed = (text: string, from: string, more: Partial<ListedPath> = {}): ListedPath => ({
  ...ownPath(prefix(text), 7),
  source_asn: 64999,
  source_id: A,
  filtered: false,
  stale: false,
  is_from_external: true,
  neighbor_ip: from,
  ...more,
});

describe("both versions say the same", () => {
  const inside = joined(varint(1, 24), field(2, "203.0.113.0"));
  test("of a prefix that moved", () => {
    expect(watchedPrefix(any("IPAddressPrefix", inside), THREE)).toBe("203.0.113.0/24");
    expect(watchedPrefix(field(1, inside), FOUR)).toBe("203.0.113.0/24");
    expect(watchedPrefix(any("EVPNMACIPAdvertisementRoute", inside), THREE)).toBeUndefined();
    expect(watchedPrefix(field(1, field(2, "::")), FOUR)).toBe("::/0");
  });

  test("of capabilities", () => {
    const family = field(1, joined(varint(1, 2), varint(2, 1)));
    const said = {
      names: ["Multiprotocol 2/1", "Graceful Restart", "capability 73"],
      families: ["ipv6"],
    };
    expect(
      capabilitiesOf([
        any("MultiProtocolCapability", family),
        any("GracefulRestartCapability", varint(2, 120)),
        any("UnknownCapability", varint(1, 73)),
      ]),
    ).toEqual(said);
    expect(
      capabilitiesOf([field(2, family), field(6, varint(2, 120)), field(1, varint(1, 73))]),
    ).toEqual(said);
    expect(capabilitiesOf([]).families).toEqual(["ipv4"]);
  });
});

test("no octets and no line throw, whatever they are", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 }),
      (octets, more) => {
        const path = listed("203.0.113.0/24", A, { nlri_binary: octets, pattrs_binary: more });
        for (const dialect of [THREE, FOUR])
          expect(typeof watchedPrefix(octets, dialect)).toMatch(/string|undefined/);
        expect(capabilitiesOf([octets, ...more]).names).toHaveLength(1 + more.length);
        expect(ownRouteOf({ ...path, neighbor_ip: "<nil>" })).toBeUndefined();
        const shown = [
          ...shownRoutes({ prefix: "", paths: [path] }, peer(A), "received", () => []),
        ];
        expect(shown.length).toBeLessThanOrEqual(1);
        expect(peerDown(Buffer.from(octets).toString("latin1"))).toBeUndefined();
      },
    ),
  );
  expect(peerDown('{"msg":"Peer Down","Key":"192.0.2.1","Reason":"hold-timer-expired"}')).toEqual({
    address: A,
    reason: "hold-timer-expired",
  });
});

describe("own paths", () => {
  test("are told from others' by marker and identifier, in both families", () => {
    for (const text of ["203.0.113.0/24", "2001:db8::/32", "0.0.0.0/0"]) {
      expect(ownRouteOf(listed(text, "<nil>"))).toEqual({ prefix: text, marker: 7 });
    }
    expect(ownRouteOf(listed("203.0.113.0/24", A))).toBeUndefined();
    expect(ownRouteOf(listed("203.0.113.0/24", "<nil>", { identifier: 0 }))).toBeUndefined();
  });
});

describe("sessions", () => {
  const neighbor = peer(A, { gracefulRestart: { restartTimeSeconds: 9 } });
  const state = {
    messages: null,
    neighbor_address: A,
    peer_asn: 64999,
    session_state: 6,
    admin_state: 0,
    remote_cap: [],
    local_cap: [],
    router_id: "192.0.2.9",
  };
  const up: ListedPeer = {
    conf: null,
    state,
    timers: { config: null, state: { keepalive_interval: 10, negotiated_hold_time: 30 } },
    transport: { local_address: "192.0.2.100", remote_port: 179 },
    afi_safis: [
      {
        config: { family: { afi: 1, safi: 1 }, enabled: true },
        mp_graceful_restart: { config: null, state: { received: true, end_of_rib_received: true } },
        state: { received: 5, accepted: 4, advertised: 3 },
        prefix_limits: null,
      },
    ],
  };
  const first = track(neighbor, undefined, { peer: up }, {}, 100);

  test("that are up say what was agreed, without the End-of-RIB that gobgpd counts", () => {
    expect(first.tracked.status).toMatchObject({
      state: "Established",
      sinceMillis: 100,
      reason: "",
      holdTimeSeconds: 30,
      localAddress: "192.0.2.100",
      sent: 2,
      received: 5,
      accepted: 4,
      byFamily: {
        ipv4: { sent: 2, received: 5, accepted: 4 },
        ipv6: { sent: 0, received: 0, accepted: 0 },
      },
      resets: 0,
    });
    expect([...first.tracked.complete]).toEqual(["ipv4"]);
    expect(first.facts.map(({ type }) => type)).toEqual(["session", "routes"]);
    expect(track(neighbor, first.tracked, { peer: up }, {}, 200).facts).toEqual([]);
  });

  test("that ended say why: what its log said, a NOTIFICATION either way, or nothing", () => {
    const messages = (received: number, sent: number) => ({
      received: { notification: received, update: 0 },
      sent: { notification: sent, update: 0 },
    });
    const down = (said: Partial<typeof state> | object, beside = {}) =>
      track(
        neighbor,
        first.tracked,
        { peer: { ...up, state: { ...state, session_state: 1, ...said } } },
        beside,
        300,
      ).tracked.status;
    expect(down({ messages: messages(1, 0) })).toMatchObject({
      reason: expect.stringContaining("the peer ended"),
      resets: 1,
      sinceMillis: 300,
    });
    expect(down({ messages: messages(0, 1) }).reason).toContain("gobgpd ended");
    expect(down({}).reason).toBe("the connection was lost");
    // What was agreed is over; what is offered is shown.
    const { holdTimeSeconds, keepaliveTimeSeconds } = neighbor;
    expect(down({})).toMatchObject({ holdTimeSeconds, keepaliveTimeSeconds });
    expect(holdTimeSeconds).not.toBe(30);
    expect(down({}, { heard: "hold-timer-expired" }).reason).toBe(
      "gobgpd says: hold-timer-expired",
    );
    expect(down({ admin_state: 1 }, { down: "BFD Down: x" }).reason).toBe("BFD Down: x");
    expect(
      track(neighbor, first.tracked, { absent: "gobgpd is gone" }, {}, 300).tracked.status,
    ).toMatchObject({ state: "Idle", reason: "gobgpd is gone", resets: 1 });
  });
});

test("best paths: what ties is used together, own paths never, and equal sets are one object", () => {
  const table = createBestPathTable((address) => ({ key: keyOf(address), device: "eth0" }));
  const told = createTold();
  table.listen(told.take);
  const both = {
    prefix: "",
    paths: [
      listed("10.0.0.0/8", A),
      listed("10.0.0.0/8", "192.0.2.2"),
      listed("10.0.0.0/8", "<nil>"),
    ],
  };
  const keys = ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"].map((text) => prefix(text));
  table.take(new Map(keys.map((key) => [key, both])));
  expect(linesOf(told.routes)[0]).toContain(`${keyOf(A)}>0.0.0.0 ${keyOf("192.0.2.2")}>0.0.0.0`);
  expect(new Set(told.routes.values()).size).toBe(1);
  const { batches } = told;
  table.take(new Map([[prefix("10.0.0.0/8"), both]]));
  expect(told.batches).toBe(batches);
  table.sweep(new Set([prefix("10.0.0.0/8")]), "ipv4", () => false);
  expect([...told.routes.keys()]).toEqual(["10.0.0.0/8"]);
  table.complete("ipv4");
  table.complete("ipv4");
  expect(told.complete).toEqual(["|ipv4"]);
});
