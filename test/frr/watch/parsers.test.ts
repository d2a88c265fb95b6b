/** What FRR's daemons print, read: recorded answers of 8.4.4, and answers that are none. */
import { describe, expect, test } from "vitest";
import { parseBfdPeers } from "../../../backends/frr/watch/bfd-peers.ts";
import { parseInstalled } from "../../../backends/frr/watch/installed.ts";
import { parseNeighbor } from "../../../backends/frr/watch/neighbor-detail.ts";
import { parseFailed, parseSummary, stateFromFrr } from "../../../backends/frr/watch/summary.ts";
import { parseList, parseTable } from "../../../backends/frr/watch/tables.ts";
import { recorded } from "./fake.ts";

describe("summary", () => {
  test("has every neighbour of every VRF once, over all its families", () => {
    const summary = parseSummary(recorded("summary.txt"));
    expect(
      [...(summary?.peers ?? [])].map(([name, { state, hold, received, sent }]) => [
        name,
        state,
        hold,
        received,
        sent,
      ]),
    ).toEqual([
      ["|e0", "Established", "OK", 4, 7],
      ["|10.9.0.2", "Established", "OK", 2, 5],
      ["|10.9.0.77", "Active", "OK", 0, 0],
      ["|fd09::2", "Active", "OK", 0, 0],
      ["red|10.8.0.2", "Idle", "Policy", 0, 0],
    ]);
    expect(summary?.peers.get("|e0")?.byFamily).toEqual({
      ipv4: { sent: 5, received: 3, accepted: 3 },
      ipv6: { sent: 2, received: 1, accepted: 1 },
    });
    expect(Object.fromEntries(summary?.tables ?? [])).toEqual({
      "|ipv4": { version: 5, prefixes: 7 },
      "|ipv6": { version: 3, prefixes: 3 },
      "red|ipv4": { version: 0, prefixes: 0 },
    });
  });

  test("a session that never was has no age, others their bgpd's", () => {
    const peers = parseSummary(recorded("summary.txt"))?.peers;
    expect(peers?.get("|10.9.0.77")?.ageMillis).toBeUndefined();
    expect(peers?.get("|10.9.0.2")?.ageMillis).toBeGreaterThan(0);
  });

  test("of those that failed has why, and one digest as long as nothing moves", () => {
    const text = recorded("summary-failed.txt");
    const failed = parseFailed(text);
    expect(failed?.resets.get("|fd09::2")).toEqual({
      dueTo: "BGP Notification received",
      notification: "Cease/Administrative Reset",
      description: "",
    });
    const later = text.replaceAll(/"peerUptimeMsec":\d+/g, '"peerUptimeMsec":99000');
    expect(parseFailed(later)?.digest).toBe(failed?.digest);
    const lost = text.replace('"connectionsDropped":0', '"connectionsDropped":1');
    expect(parseFailed(lost)?.digest).not.toBe(failed?.digest);
  });

  test("FRR's states are the RFC's", () => {
    const words = [
      "Idle (Admin)",
      "Clearing",
      "Deleted",
      "OpenSent",
      "Established",
      "Up",
      undefined,
    ];
    expect(words.map(stateFromFrr)).toEqual([
      "Idle",
      "Idle",
      "Idle",
      "OpenSent",
      "Established",
      undefined,
      undefined,
    ]);
  });
});

describe("neighbour", () => {
  test("that is up: what was agreed", () => {
    expect(parseNeighbor(recorded("neighbor-up.txt"), "10.9.0.2")).toMatchObject({
      holdTimeSeconds: 9,
      keepaliveTimeSeconds: 3,
      localAddress: "10.9.0.1",
      remoteAs: 64513,
      remoteRouterId: "10.9.0.2",
      capabilities: [
        "Multiprotocol 1/1",
        "4-octet AS number",
        "BGP Extended Message",
        "Long-Lived Graceful Restart (LLGR)",
        "Route Refresh",
        "Enhanced Route Refresh",
        "Graceful Restart",
        "ADD-PATH",
        "FQDN Capability",
      ],
      families: ["ipv4"],
      gracefulRestart: true,
      endOfRib: ["ipv4"],
      keepsReceived: ["ipv4"],
      bfdDown: false,
    });
  });

  test("that shut down: in the peer's words", () => {
    expect(parseNeighbor(recorded("neighbor-shut-down.txt"), "10.9.0.2")).toMatchObject({
      capabilities: [],
      families: [],
      lastReset: {
        dueTo: "BGP Notification received",
        notification: "Cease/Administrative Shutdown",
        description: "maintenance tonight",
      },
    });
  });

  test("is found whatever way its address is spelled", () => {
    const found = parseNeighbor(recorded("neighbor-reset.txt"), "FD09:0::2");
    expect(found?.lastReset.notification).toBe("Cease/Administrative Reset");
  });

  test("of an interface: where it was found", () => {
    const found = parseNeighbor(recorded("neighbor-interface.txt"), "e0");
    expect(found?.remoteAddress).toMatch(/^fe80::/);
    expect(found?.families).toEqual(["ipv4", "ipv6"]);
    expect(found?.capabilities).toContain("Extended Next Hop Encoding");
  });

  test("another one's answer is none", () => {
    expect(parseNeighbor(recorded("neighbor-up.txt"), "10.9.0.3")).toBeUndefined();
  });
});

describe("tables", () => {
  const plain = [...(parseTable(recorded("table.txt"))?.rows ?? [])];
  const detailed = [...(parseTable(recorded("table-detail.txt"))?.rows ?? [])];

  test("leave own routes out, in both shapes", () => {
    const learned = ["192.0.2.0/24", "192.0.2.8/32", "203.0.113.0/24"];
    expect([plain, detailed].map((rows) => rows.map(({ prefix }) => prefix))).toEqual([
      learned,
      learned,
    ]);
    expect(parseTable(recorded("table.txt"))?.version).toBe(5);
  });

  test("have every path; the detailed one its communities as numbers, and its device", () => {
    expect(detailed[0]?.paths).toMatchObject([
      {
        peer: "10.9.0.2",
        interface: "",
        external: true,
        chosen: false,
        nextHop: "10.9.0.2",
        asPath: "64513",
        origin: "igp",
        localPref: 0,
        med: 55,
        communities: ["65001:1", "65535:0", "65535:65281"],
        largeCommunities: ["65001:2:3"],
      },
      { interface: "e0", chosen: true, communities: [] },
    ]);
    expect(plain[0]?.paths).toMatchObject([
      { peer: "10.9.0.2", chosen: false, med: 55, communities: [] },
      { interface: "", chosen: true, external: true },
    ]);
    expect(plain[0]?.paths[1]?.nextHop).toMatch(/^fe80::/);
  });

  test("lists of one neighbour: what it was told, and what it was refused", () => {
    const told = parseList(recorded("advertised-routes.txt"));
    const own = told?.find(({ prefix }) => prefix === "198.51.100.7/32");
    expect(own).toMatchObject({ nextHop: undefined, asPath: "", med: 0, origin: "igp" });
    expect(parseList(recorded("filtered-routes.txt"))).toMatchObject([
      { prefix: "192.0.2.8/32", nextHop: "10.9.0.2", asPath: "64513", med: 55 },
    ]);
    expect(parseList('{ "warning": "Inbound soft reconfiguration not enabled" }')).toEqual([]);
  });

  test("zebra's: what it put into the kernel, each hop once", () => {
    const [first] = parseInstalled(recorded("zebra-routes.txt")) ?? [];
    expect(first).toMatchObject({
      prefix: "192.0.2.0/24",
      selected: true,
      installed: true,
      hops: [{ device: "e0" }],
    });
  });
});

describe("BFD", () => {
  test("a session of bfdd's is shown as one of ours", () => {
    const [peer] = parseBfdPeers(recorded("bfd-peers.txt"), recorded("bfd-counters.txt")) ?? [];
    expect(peer).toMatchObject({
      vrf: "",
      remote: "10.9.0.2",
      multihop: false,
      ups: 1,
      downs: 0,
      status: {
        state: "Up",
        diagnostic: 0,
        remoteState: "Up",
        transmitIntervalMicros: 300_000,
        remoteDetectMultiplier: 3,
        detectionTimeMicros: 900_000,
      },
    });
    expect(peer?.status.counters.received).toBeGreaterThan(0);
  });

  test("that is down says why, and is slow", () => {
    const [peer] =
      parseBfdPeers(recorded("bfd-peers-down.txt"), recorded("bfd-counters-down.txt")) ?? [];
    expect(peer).toMatchObject({
      downs: 1,
      status: { state: "Down", diagnostic: 1, transmitIntervalMicros: 1_000_000 },
    });
  });
});

describe("garbage", () => {
  const cut = (name: string): string => recorded(name).slice(0, 400);
  const kinds: readonly string[] = ["", "no JSON", "[1, 2]", "null", "7", cut("summary.txt")];

  test("is no answer, and throws nowhere", () => {
    const read = kinds.flatMap((text) => [
      parseSummary(text),
      parseFailed(text),
      parseNeighbor(text, "10.9.0.2"),
      parseTable(text),
      parseList(text),
      parseInstalled(text),
      parseBfdPeers(text, "{}"),
    ]);
    expect(read.filter((one) => one !== undefined)).toEqual([]);
  });

  test("of the right outside and the wrong inside is passed over", () => {
    const odd =
      '{"default":{"ipv4Unicast":{"tableVersion":"x","peers":{"10.0.0.1":{"state":7},"10.0.0.2":null,"__proto__":{"state":"Established"}}},"x":3},"y":[]}';
    expect([...(parseSummary(odd)?.peers.keys() ?? [])]).toEqual(["|__proto__"]);
    const routes =
      '{"tableVersion":-1,"routes":{"10.0.0.0/8":{},"x":[1],"10.0.0.0/33":[{"valid":true,"peerId":"10.0.0.1"}],"10.0.0.0/9":[{"valid":true,"peerId":"10.0.0.1","nexthops":"none"}]}}';
    expect([...(parseTable(routes)?.rows ?? [])]).toMatchObject([
      { prefix: "10.0.0.0/9", paths: [{ nextHop: undefined, chosen: false }] },
    ]);
    expect(
      parseBfdPeers(
        '[{"peer":"x","status":"up"},{"peer":"10.0.0.1","status":"toString"},4]',
        "[null]",
      ),
    ).toEqual([]);
    expect(
      parseNeighbor(
        '{"10.0.0.1":{"bgpState":"Established","neighborCapabilities":[],"hostLocal":5}}',
        "10.0.0.1",
      ),
    ).toMatchObject({ capabilities: [], localAddress: undefined });
  });
});
