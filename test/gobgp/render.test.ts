/**
 * An intent as gobgpd's peers, sets and policies.
 */
import { describe, expect, test } from "vitest";
import { exportsOf, takeRoute } from "../../backends/gobgp/render/classes.ts";
import { markerIn, markerText } from "../../backends/gobgp/render/markers.ts";
import { peerMessage } from "../../backends/gobgp/render/peers.ts";
import { speakingsOf } from "../../backends/gobgp/render/speaking.ts";
import { address } from "../../events/address.ts";
import { asn } from "../../events/ids.ts";
import { prefix } from "../../events/prefix.ts";
import { intentOf } from "../live/gobgpd.ts";
import { FOUR, linesOf, peer, rendered, told } from "./world.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";
const options = { password: undefined, restarting: false, adminDown: false };
const messageOf = (...[remote, more]: Parameters<typeof peer>) => {
  const [one] = rendered([peer(remote, more)]).speaking;
  if (one === undefined) throw new Error("it was refused");
  return peerMessage(one, options);
};

describe("export policies", () => {
  test("a class is told by its marker, and everything else is rejected for our neighbours alone", () => {
    const { policies } = rendered([peer(A), peer(B)], {
      "203.0.113.1/32": [told([A, B])],
      "203.0.113.2/32": [told([A, B])],
      "203.0.113.3/32": [
        told([B], { med: 5, communities: [(64512 << 16) >>> 0], nextHop: address("10.0.0.9") }),
      ],
    });
    expect(linesOf(policies, "export")).toEqual([
      `IPv4 ${A}/32 ${B}/32 & ^4294967295:21109:1$ => {"route_action":1,"nexthop":{"self":true},"large_community":{"type":2,"communities":[]}}`,
      `IPv4 ${B}/32 & ^4294967295:21109:2$ => {"route_action":1,"nexthop":{"address":"10.0.0.9"},"med":{"type":1,"value":5},"community":{"type":0,"communities":["64512:0"]},"large_community":{"type":2,"communities":[]}}`,
    ]);
    expect(linesOf(policies, "export-rest")).toEqual([
      `${A}/32 ${B}/32 => {"route_action":2}`,
      `^4294967295:21109: => {"route_action":2}`,
    ]);
  });

  test("localPref goes to internal peers only (RFC 4271 §5.1.5)", () => {
    const { policies } = rendered([peer(A), peer(B, { remoteAs: { type: "internal" } })], {
      "203.0.113.1/32": [told([A, B], { localPref: 300 })],
    });
    const lines = linesOf(policies, "export");
    expect(lines.filter((line) => line.includes('"local_pref":{"value":300}'))).toHaveLength(1);
    expect(lines.find((line) => line.includes("local_pref"))).toContain(`${B}/32 &`);
  });

  test("the other family has our address of that family as next hop, and is not told where none is known", () => {
    const both = [
      peer(A, { families: ["ipv4", "ipv6"] }),
      peer("2001:db8::2", { families: ["ipv4", "ipv6"] }),
    ];
    const { policies } = rendered(both, {
      "2001:db8:f::/64": [told([A])],
      "203.0.113.0/24": [told(["2001:db8::2"])],
    });
    expect(linesOf(policies, "export")).toEqual([
      `IPv6 ${A}/32 & ^4294967295:21109:2$ => {"route_action":1,"nexthop":{"address":"fd99::1"},"large_community":{"type":2,"communities":[]}}`,
    ]);
  });

  test("a class of both families names the session's own address in its own family alone", () => {
    const both = [peer(A, { families: ["ipv4", "ipv6"] })];
    const routes = { "203.0.113.0/24": [told([A])], "2001:db8:f::/64": [told([A])] };
    const lines = linesOf(rendered(both, routes).policies, "export");
    expect(lines.map((line) => [line.slice(0, 4), line.includes('"self":true')])).toEqual([
      ["IPv4", true],
      ["IPv6", false],
    ]);
  });

  test("4.x counts what is done from 1", () => {
    const routes = { "203.0.113.1/32": [told([A], { med: 5, communities: [1] })] };
    const [line] = linesOf(rendered([peer(A)], routes, FOUR).policies, "export");
    expect(line).toContain(
      '"med":{"type":2,"value":5},"community":{"type":1,"communities":["0:1"]},"large_community":{"type":3',
    );
  });
});

describe("import policies", () => {
  test("nothing is accepted unless somebody asked for it (RFC 8212), and what is always blocked stands first", () => {
    const guard = {
      alwaysBlock: [prefix("10.0.0.0/8"), prefix("fd00::/8")],
      maximumPrefixes: {},
      checkFirstAs: false,
    };
    const list = [{ prefix: prefix("0.0.0.0/0"), atLeast: 8, atMost: 24 }];
    const { policies } = rendered([
      peer(A, { receive: { type: "nothing" }, receiveGuard: guard }),
      peer(B, { receive: { type: "prefixes", prefixes: list } }),
    ]);
    expect(linesOf(policies, "import-guard")).toEqual([
      `${A}/32 & 10.0.0.0/8{8,32} => {"route_action":2}`,
      `${A}/32 & fd00::/8{8,128} => {"route_action":2}`,
      `${B}/32 & not ^64999_ => {"route_action":2}`,
    ]);
    expect(linesOf(policies, "import")).toEqual([
      `${B}/32 & 0.0.0.0/0{8,24} => {"route_action":1}`,
    ]);
    expect(linesOf(policies, "import-rest")).toEqual([`${A}/32 ${B}/32 => {"route_action":2}`]);
  });
});

describe("peers", () => {
  test("say everything, because what is absent is a change to gobgpd", () => {
    expect(messageOf(A, { gracefulRestart: { restartTimeSeconds: 120 }, timeToLive: 255 })).toEqual(
      {
        conf: {
          auth_password: "",
          description: expect.stringMatching(/^rutter [0-9a-f]{16}$/),
          local_asn: 64512,
          neighbor_address: A,
          peer_asn: 64999,
          type: 1,
          admin_down: false,
        },
        ebgp_multihop: { enabled: true, multihop_ttl: 255 },
        timers: { config: { connect_retry: 1, hold_time: 90, keepalive_interval: 30 } },
        transport: { local_address: "0.0.0.0", remote_port: 179 },
        graceful_restart: {
          enabled: true,
          restart_time: 120,
          deferral_time: 1,
          local_restarting: false,
        },
        afi_safis: [
          {
            config: { family: { afi: 1, safi: 1 }, enabled: true },
            mp_graceful_restart: { config: { enabled: true } },
          },
        ],
      },
    );
  });

  test("are described by what takes a new session, and by nothing else", () => {
    const before = messageOf(A).conf.description;
    expect(
      messageOf(A, { connectRetrySeconds: 9, name: "other", receive: { type: "nothing" } }).conf
        .description,
    ).toBe(before);
    expect(messageOf(A, { holdTimeSeconds: 30 }).conf.description).not.toBe(before);
    expect(messageOf(A, { localAsOverride: asn(64700) }).conf.description).not.toBe(before);
  });

  test("take their AS from the OPEN where none is named, and ours where they are internal", () => {
    expect(messageOf(A, { remoteAs: { type: "external" } }).conf).toMatchObject({
      peer_asn: 0,
      type: 1,
    });
    expect(messageOf(A, { remoteAs: { type: "internal" } }).conf).toMatchObject({
      peer_asn: 64512,
      type: 0,
    });
  });

  test("without their secret, in a VRF or unnumbered are refused with the reason, and the others are not", () => {
    const secret = {
      type: "tcp-md5",
      secret: { name: "k", version: 1, digest: "d" } as never,
    } as const;
    const neighbors = [
      peer(A),
      peer(B, { authentication: secret }),
      peer("192.0.2.3", { remote: { type: "interface", interface: "eth0", port: 179 } }),
      peer("fe80::1", { localInterface: "eth0" }),
      peer("192.0.2.4", { localInterface: "lo" }),
      peer("192.0.2.5", { localInterface: "bare" }),
    ];
    const { speaking, refused } = speakingsOf(intentOf({ neighbors }), {
      otherNextHop: () => undefined,
      hasSecret: ({ authentication }) => authentication === undefined,
      near: ({ localInterface }) =>
        localInterface === "bare"
          ? { address: undefined, problem: "nothing to speak from" }
          : { address: localInterface === "lo" ? address("192.0.2.99") : undefined },
    });
    expect(speaking.map((one) => [one.address, one.neighbor.localAddress])).toEqual([
      [A, undefined],
      ["192.0.2.4", "192.0.2.99"],
    ]);
    expect(refused.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("the password k is missing"),
      expect.stringContaining("name this peer's address"),
      expect.stringContaining("link-local"),
      "nothing to speak from",
    ]);
  });
});

describe("classes", () => {
  test("one more route of a known class costs no policy; another set of exports is another class", () => {
    const { intent, book } = rendered([peer(A)], { "203.0.113.1/32": [told([A])] });
    const same = exportsOf(intent, prefix("203.0.113.1/32"));
    expect(takeRoute(book, prefix("203.0.113.2/32"), same)).toEqual({ marker: 1, isNew: false });
    expect(takeRoute(book, prefix("203.0.113.3/32"), [told([A], { med: 1 })])).toEqual({
      marker: 2,
      isNew: true,
    });
    expect(takeRoute(book, prefix("203.0.113.3/32"), [])).toEqual({
      marker: undefined,
      isNew: false,
    });
  });

  test("markers are read back from sets and from paths, and nothing else is one", () => {
    expect(
      [markerText(7), "4294967295:21109:7", "4294967295:21109:0", "64512:21109:7", "junk"].map(
        markerIn,
      ),
    ).toEqual([7, 7, undefined, undefined, undefined]);
  });
});
