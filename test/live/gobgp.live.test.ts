/**
 * GoBGP behind the seam: a real gobgpd driven by the backend, BIRD and FRR as the far ends.
 *
 * What counts is what the far end holds, and how often its session came up.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Export, NeighborIntent } from "../../backends/intent.ts";
import { FAR_AS, far, HOST_AS, pair, toAll, toPeer, VIP } from "./gobgp-pair.ts";
import { prefix } from "../../events/prefix.ts";
import { skipUnless } from "../probe.ts";
import { createTold, linesOf } from "../rib/told.ts";
import { startBird } from "./bird.ts";
import { startFrr } from "./frr.ts";
import { driveGobgpd, intentOf, never, plainly, startGobgpd } from "./gobgpd.ts";
import { makeNetwork } from "./netns.ts";
import { keyOf } from "./speaker.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "frr", "gobgp"));

describe("what is announced stands in the far end's table", () => {
  test("with all its attributes, in an AS and outside, one more prefix and a withdrawal without a reset", async () => {
    await using network = await makeNetwork(["host", "bird", "frr"]);
    const { host, bird: outside, frr: inside } = network.nodes;
    await using bird = await startBird(outside, {
      asn: FAR_AS,
      routerId: outside.ipv4,
      neighbours: [far(host.ipv4, { password: "k3y" })],
    });
    await using frr = await startFrr(inside, {
      asn: HOST_AS,
      routerId: inside.ipv4,
      neighbours: [far(host.ipv4)],
    });
    await using gobgpd = await startGobgpd(host);
    await using driven = driveGobgpd(gobgpd.socket);
    const neighbors = [
      toPeer(outside.ipv4, {
        authentication: {
          type: "tcp-md5",
          secret: { name: "k3y", version: 1, digest: "d" } as never,
        },
      }),
      toPeer(inside.ipv4, { remoteAs: { type: "internal" } }),
    ];
    const keys = neighbors.map(({ key }) => key);
    const rich: Export = {
      to: keys,
      attributes: {
        localPref: 321,
        med: 7,
        communities: [((64512 << 16) >>> 0) | 70, 0xffff_ff01],
        largeCommunities: ["64512:1:2"],
        nextHop: undefined,
      },
    };
    const elsewhere: Export = {
      to: keys.slice(0, 1),
      attributes: { ...plainly, nextHop: host.ipv4.replace(/1$/, "77") as never },
    };
    const routes = { "203.0.113.1/32": [rich], "203.0.113.2/32": [elsewhere] };
    await driven.backend.apply(intentOf({ neighbors, routes }), never());
    for (const key of keys) await driven.established(key);
    const explain = async () =>
      `${driven.explain()}\n${await bird.explain()}\n${await frr.explain()}`;
    const [atBird, atFrr] = await Promise.all([
      until(() => bird.route("203.0.113.1/32"), { what: "the route in BIRD", explain }),
      until(() => frr.route("203.0.113.1/32"), { what: "the route in FRR", explain }),
    ]);
    const both = {
      nextHop: host.ipv4,
      med: 7,
      communities: ["64512:70", "65535:65281"],
      largeCommunities: ["64512:1:2"],
    };
    // Sent inside an AS only; BIRD gives what came without it its own 100.
    expect(atBird).toMatchObject({ ...both, asPath: [HOST_AS], localPref: 100 });
    expect(atFrr).toMatchObject({ ...both, asPath: [], localPref: 321 });
    expect(await bird.route("203.0.113.2/32")).toMatchObject({
      nextHop: "10.99.0.77",
      communities: [],
    });
    expect(await frr.route("203.0.113.2/32")).toBeUndefined();

    await driven.backend.apply(
      intentOf({ neighbors, routes: { ...routes, "203.0.113.3/32": [rich] } }),
      never(),
    );
    await until(() => frr.route("203.0.113.3/32"), { what: "one more", explain });
    await driven.backend.apply(
      intentOf({ neighbors, routes: { "203.0.113.3/32": [elsewhere] } }),
      never(),
    );
    await until(async () => (await frr.route("203.0.113.3/32")) === undefined, {
      what: "its end for FRR",
      explain,
    });
    await until(async () => (await bird.route("203.0.113.3/32"))?.nextHop === "10.99.0.77", {
      what: "its change",
      explain,
    });
    expect(await bird.route("203.0.113.1/32")).toBeUndefined();
    expect((await driven.advertised()).map((one) => [one.prefix, one.neighbor])).toEqual([
      ["203.0.113.3/32", keyOf(outside.ipv4)],
    ]);
    expect(await bird.session(host.ipv4)).toMatchObject({ timesEstablished: 1 });
    expect(await frr.session(host.ipv4)).toMatchObject({ timesEstablished: 1 });
  });
});

describe("what comes in", () => {
  test("of neighbours that gobgpd had before its agent knew them is told as soon as they are known", async () => {
    await using at = await pair(["198.51.100.0/24"]);
    const intent = intentOf({ neighbors: [toPeer(at.node.ipv4)] });
    const before = driveGobgpd(at.gobgpd.socket);
    await before.backend.apply(intent, never());
    await before.established(at.key);
    await until(async () => (await before.received()).length === 1, {
      what: "the route",
      explain: before.explain,
    });
    await before.backend.close("graceful");

    await using driven = driveGobgpd(at.gobgpd.socket);
    const told = createTold();
    driven.backend.bestPaths(told.take);
    // The daemon was found and its table read by then: a plan takes longer than that on a busy host.
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
    await driven.backend.apply(intent, never());
    await until(() => told.routes.has(prefix("198.51.100.0/24")), {
      what: "the best path",
      explain: driven.explain,
    });
    expect(linesOf(told.routes)).toEqual([`198.51.100.0/24: ${at.key}>${at.node.ipv4}`]);
    // Routes may be told before its peers are listed.
    expect(await driven.established(at.key)).toMatchObject({ resets: 0 });
  });

  test("is accepted as the rule says, with the reason where not, and judged anew for a peer whose rule changed", async () => {
    await using at = await pair(["198.51.100.0/24", "198.18.0.0/15", "192.0.2.0/24"]);
    await using driven = driveGobgpd(at.gobgpd.socket);
    const told = createTold();
    driven.backend.bestPaths(told.take);
    const guard = {
      alwaysBlock: [prefix("192.0.2.0/24")],
      maximumPrefixes: {},
      checkFirstAs: true,
    };
    const listed = (text: string): NeighborIntent =>
      toPeer(at.node.ipv4, {
        receiveGuard: guard,
        receive: {
          type: "prefixes",
          prefixes: [{ prefix: prefix(text), atLeast: 16, atMost: 24 }],
        },
      });
    await driven.backend.apply(intentOf({ neighbors: [listed("198.51.0.0/16")] }), never());
    await driven.established(at.key);
    const { explain } = driven;
    const view = async () =>
      (await driven.received())
        .map((one) => [one.prefix, one.accepted, one.reason.slice(0, 14)])
        .toSorted();
    await until(async () => (await view()).length === 3, { what: "three routes", explain });
    expect(await view()).toEqual([
      ["192.0.2.0/24", false, "always blocked"],
      ["198.18.0.0/15", false, "not in the rec"],
      ["198.51.100.0/24", true, ""],
    ]);
    await until(() => told.routes.has(prefix("198.51.100.0/24")), {
      what: "the best path",
      explain,
    });
    expect(linesOf(told.routes)).toEqual([`198.51.100.0/24: ${at.key}>${at.node.ipv4}`]);

    await driven.backend.apply(
      intentOf({ neighbors: [toPeer(at.node.ipv4, { receiveGuard: guard })] }),
      never(),
    );
    await until(() => told.routes.size === 2, { what: "two best paths", explain });
    expect(driven.session(at.key)).toMatchObject({ received: 3, resets: 0 });
    await driven.backend.apply(
      intentOf({
        neighbors: [toPeer(at.node.ipv4, { receiveGuard: guard, receive: { type: "nothing" } })],
      }),
      never(),
    );
    await until(() => told.routes.size === 0, { what: "no best path", explain });
    expect((await at.bird.session(at.host.ipv4)).timesEstablished).toBe(1);
  });

  test("ends the session at the maximum, and it is tried again after the time that is said", async () => {
    await using at = await pair(["198.51.100.0/24", "198.18.0.0/15"]);
    await using driven = driveGobgpd(at.gobgpd.socket);
    const maximum = {
      count: 1,
      warnAtPercent: undefined,
      beyond: { type: "restart", afterSeconds: 1 },
    } as const;
    const receiveGuard = {
      alwaysBlock: [],
      maximumPrefixes: { ipv4: maximum },
      checkFirstAs: true,
    };
    await driven.backend.apply(
      intentOf({ neighbors: [toPeer(at.node.ipv4, { receiveGuard })] }),
      never(),
    );
    const { explain } = driven;
    await until(() => driven.session(at.key).reason.includes("more than 1 ipv4 prefixes"), {
      what: "the reason",
      timeoutMs: 60_000,
      explain,
    });
    await until(async () => (await at.bird.session(at.host.ipv4)).timesEstablished >= 2, {
      what: "another try",
      timeoutMs: 60_000,
      explain,
    });
    expect(at.gobgpd.daemon().running()).toBe(true);
  });
});

describe("the same again changes nothing", () => {
  test("also from another run of the agent; another timer and another neighbour reset nobody", async () => {
    await using at = await pair();
    const neighbors = [toPeer(at.node.ipv4)];
    const routes = { [VIP]: toAll(at.key), "2001:db8::1/128": toAll(at.key) };
    const explain = () => at.bird.explain();
    {
      await using first = driveGobgpd(at.gobgpd.socket);
      await first.backend.apply(intentOf({ neighbors, routes }), never());
      await first.established(at.key);
      await until(() => at.bird.route(VIP), { what: VIP, explain });
    }
    await using second = driveGobgpd(at.gobgpd.socket);
    await second.backend.apply(intentOf({ neighbors, routes }), never());
    expect(second.log.filter((line) => line.includes("was changed"))).toEqual([]);
    const other = toPeer("10.99.0.200");
    const slower = toPeer(at.node.ipv4, { connectRetrySeconds: 7, keepaliveTimeSeconds: 9 });
    await second.backend.apply(
      intentOf({
        neighbors: [slower, other],
        routes: { [VIP]: toAll(at.key, other.key), "203.0.113.2/32": toAll(at.key) },
      }),
      never(),
    );
    await until(() => at.bird.route("203.0.113.2/32"), { what: "the second", explain });
    expect(await at.gobgpd.cli("neighbor")).toContain("10.99.0.200");
    await second.backend.apply(
      intentOf({ neighbors: [slower], routes: { [VIP]: toAll(at.key) } }),
      never(),
    );
    expect(await at.gobgpd.cli("neighbor")).not.toContain("10.99.0.200");
    await until(async () => (await at.bird.route("203.0.113.2/32")) === undefined, {
      what: "its end",
      explain,
    });
    expect(await at.bird.route(VIP)).toBeDefined();
    expect((await at.bird.session(at.host.ipv4)).timesEstablished).toBe(1);

    await second.backend.apply(intentOf({ neighbors: [] }), never());
    expect(await at.gobgpd.cli("policy", "statement")).not.toContain("rutter-");
    expect(await at.gobgpd.cli("policy", "neighbor")).not.toContain("rutter-peers");
  });

  test("a hard change resets that neighbour, and one that may be told less gets the withdrawal", async () => {
    await using network = await makeNetwork(["host", "bird", "frr"]);
    const { host, bird: one, frr: two } = network.nodes;
    const plan = (routerId: string) => ({ asn: FAR_AS, routerId, neighbours: [far(host.ipv4)] });
    await using bird = await startBird(one, plan(one.ipv4));
    await using frr = await startFrr(two, plan(two.ipv4));
    await using gobgpd = await startGobgpd(host);
    await using driven = driveGobgpd(gobgpd.socket);
    const [a, b] = [toPeer(one.ipv4), toPeer(two.ipv4)];
    const explain = async () =>
      `${driven.explain()}\n${await bird.explain()}\n${await frr.explain()}`;
    const both = async (wanted: boolean) => {
      for (const router of [bird, frr]) {
        await until(async () => ((await router.route(VIP)) !== undefined) === wanted, {
          what: VIP,
          explain,
        });
      }
    };
    await driven.backend.apply(
      intentOf({ neighbors: [a, b], routes: { [VIP]: toAll(a.key, b.key) } }),
      never(),
    );
    await both(true);
    const harder = toPeer(two.ipv4, { holdTimeSeconds: 30 });
    await driven.backend.apply(
      intentOf({ neighbors: [a, harder], routes: { [VIP]: toAll(a.key) } }),
      never(),
    );
    await until(async () => (await frr.route(VIP)) === undefined, {
      what: "the withdrawal",
      explain,
    });
    await driven.established(b.key);
    expect((await frr.session(host.ipv4)).timesLost).toBe(1);
    expect(await bird.session(host.ipv4)).toMatchObject({ timesEstablished: 1 });
    await driven.backend.apply(
      intentOf({ neighbors: [a, harder], routes: { [VIP]: toAll(a.key, b.key) } }),
      never(),
    );
    await both(true);
    expect((await frr.session(host.ipv4)).timesLost).toBe(1);
    await driven.backend.apply(
      intentOf({ neighbors: [a, harder], routes: { [VIP]: toAll(b.key) } }),
      never(),
    );
    await until(async () => (await bird.route(VIP)) === undefined, { what: "less", explain });
    expect(await frr.route(VIP)).toBeDefined();
  });
});
