/**
 * The main job against real routers: a manifest becomes a route in the router's own table.
 *
 * The same manifest for FRR and BIRD, over IPv4 and IPv6, outside and inside an AS, with and without TCP-MD5.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { startFrr } from "./frr.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import type { Neighbour, RouterPlan } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "frr", "tcp-md5"));

const HOST_AS = 64512;
const VIPS = ["203.0.113.1/32", "2001:db8:f::1/128"] as const;
const start = { bird: startBird, frr: startFrr };

const cases = (["bird", "frr"] as const).flatMap((kind) =>
  (["ipv4", "ipv6"] as const).flatMap((transport) =>
    ([64512, 64999] as const).flatMap((remoteAs) =>
      [undefined, "k3y-of-both"].map((password) => ({ kind, transport, remoteAs, password })),
    ),
  ),
);

function routerPlan(asn: number, routerId: string, neighbour: Omit<Neighbour, "name">): RouterPlan {
  return { asn, routerId, neighbours: [{ name: "host", ...neighbour }] };
}

const twoFamilies = (name: string): string =>
  serviceManifest(name, { ipFamilyPolicy: "RequireDualStack" });

const common = documents(
  poolManifest(["203.0.113.1-203.0.113.9", "2001:db8:f::1-2001:db8:f::9"]),
  advertisementManifest({
    communities: ["64512:70", "large:64512:1:2", "no-export"],
    localPref: 321,
  }),
);

describe("a Service's address stands in the router's own table", () => {
  test.for(cases)("$kind over $transport, AS $remoteAs, password $password", async (one) => {
    const { kind, transport, remoteAs, password } = one;
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    const key = password === undefined ? {} : { password };
    await using router = await start[kind](
      far,
      routerPlan(remoteAs, far.ipv4, { address: host[transport], asn: HOST_AS, ...key }),
    );
    await using agent = await startAgent(host, { config: ALWAYS });
    const peer = peerManifest({
      localAs: HOST_AS,
      remoteAs,
      address: far[transport],
      dualStack: true,
      ...key,
    });
    const applied = await agent.apply(documents(peer, common, twoFamilies("web")));
    expect(applied.stderr + applied.stdout, "apply").toContain("created");
    const explain = async () => `${await router.explain()}\n${await agent.explain()}`;
    for (const vip of VIPS) {
      const route = await until(() => router.route(vip), { what: vip, explain });
      expect(route).toMatchObject({
        from: host[transport],
        nextHop: vip.includes(":") ? host.ipv6 : host.ipv4,
        asPath: remoteAs === HOST_AS ? [] : [HOST_AS],
        origin: "igp",
        communities: ["64512:70", "65535:65281"],
        largeCommunities: ["64512:1:2"],
        // Sent inside an AS only; a router gives what came without it its own 100.
        localPref: remoteAs === HOST_AS ? 321 : kind === "bird" ? 100 : undefined,
      });
    }
    const [told] = await agent.ask<{ state: string; sent: number }[]>("peers");
    expect(told).toMatchObject({ state: "Established", sent: 2 });
    expect(await router.session(host[transport])).toMatchObject({ timesEstablished: 1 });
  });
});

test.for(["bird", "frr"] as const)(
  "%s sees another AS of ours where the peer has a localASN, and that one alone (RFC 7705)",
  async (kind) => {
    const OTHER_AS = 64700;
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using router = await start[kind](
      far,
      routerPlan(64999, far.ipv4, { address: host.ipv4, asn: OTHER_AS }),
    );
    await using agent = await startAgent(host, { config: ALWAYS });
    const extra = [`localASN: ${OTHER_AS}`];
    const peer = peerManifest({ localAs: HOST_AS, remoteAs: 64999, address: far.ipv4, extra });
    const applied = await agent.apply(documents(peer, common, serviceManifest("web")));
    expect(applied.stdout + applied.stderr).not.toContain("not carried yet");
    const explain = async () => `${await router.explain()}\n${await agent.explain()}`;
    const route = await until(() => router.route(VIPS[0]), { what: VIPS[0], explain });
    expect(route.asPath).toEqual([OTHER_AS]);
    const [told] = await agent.ask<{ localAs: number }[]>("peers");
    expect(told).toMatchObject({ state: "Established", localAs: OTHER_AS });
  },
);

describe("after kill -9", () => {
  test.for(["bird", "frr"] as const)(
    "%s never misses a route where graceful restart was agreed",
    async (kind) => {
      await using network = await makeNetwork(["host", "router"]);
      const { host, router: far } = network.nodes;
      await using router = await start[kind](
        far,
        routerPlan(64999, far.ipv4, { address: host.ipv4, asn: HOST_AS, gracefulRestart: true }),
      );
      const first = await startAgent(host, { config: ALWAYS });
      const peer = peerManifest({
        localAs: HOST_AS,
        remoteAs: 64999,
        address: far.ipv4,
        gracefulRestart: true,
      });
      await first.apply(documents(peer, common, serviceManifest("web"), serviceManifest("api")));
      const explain = () => router.explain();
      const vips = ["203.0.113.1/32", "203.0.113.2/32"];
      for (const vip of vips) await until(() => router.route(vip), { what: vip, explain });
      const before = await first.ask<object[]>("get", "service");

      let missed = 0;
      const end = new AbortController();
      const watch = (async () => {
        while (!end.signal.aborted) {
          const routes = await router.routes();
          if (!vips.every((vip) => routes.some(({ prefix }) => prefix === vip))) missed += 1;
        }
      })();
      await first.kill();
      await using second = await first.restart();
      const again = async () =>
        (await router.session(host.ipv4)).timesEstablished === 2 &&
        (await router.routes()).every(({ stale }) => !stale);
      await until(again, { what: "the session after the restart", explain });
      end.abort();
      await watch;
      expect(missed, "looks at the table that missed a route").toBe(0);
      expect(await second.ask<object[]>("get", "service")).toEqual(before);
    },
  );

  test("everything is announced again to a router that keeps nothing", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using router = await startBird(
      far,
      routerPlan(64999, far.ipv4, { address: host.ipv4, asn: HOST_AS, gracefulRestart: false }),
    );
    const first = await startAgent(host, { config: ALWAYS });
    const peer = peerManifest({ localAs: HOST_AS, remoteAs: 64999, address: far.ipv4 });
    await first.apply(documents(peer, common, serviceManifest("web")));
    const explain = () => router.explain();
    const route = () => router.route("203.0.113.1/32");
    await until(route, { what: "the route", explain });
    await first.kill();
    await until(async () => (await route()) === undefined, { what: "its loss", explain });
    await using second = await first.restart();
    await until(route, { what: "the route again", explain });
    expect(await second.ask<{ logSeq: number }>("status")).toMatchObject({ state: "running" });
  });
});

describe("what is wrong is named", () => {
  type Named = { readonly reason: string; readonly state: string };
  const reasonOf = async (
    spec: Partial<Parameters<typeof peerManifest>[0]>,
    router: (far: { ipv4: string }, host: { ipv4: string }) => RouterPlan,
    words: RegExp,
  ): Promise<void> => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using bird = await startBird(far, router(far, host));
    await using agent = await startAgent(host, { config: ALWAYS });
    await agent.apply(
      peerManifest({ localAs: HOST_AS, remoteAs: 64999, address: far.ipv4, ...spec }),
    );
    const peer = () => agent.ask<Named[]>("peers").then(([one]) => one);
    const explain = async () => `${JSON.stringify(await peer())}\n${await bird.explain()}`;
    await until(async () => words.test((await peer())?.reason ?? ""), {
      what: String(words),
      explain,
      timeoutMs: 25_000,
    });
  };
  const plain = (far: { ipv4: string }, host: { ipv4: string }): RouterPlan =>
    routerPlan(64999, far.ipv4, { address: host.ipv4, asn: HOST_AS, passive: true });

  test("a wrong AS", () =>
    reasonOf(
      { remoteAs: 64998 },
      plain,
      /wrong AS: the peer says it is AS 64999, expected AS 64998/,
    ));
  test("a wrong password", () =>
    reasonOf({ password: "other" }, plain, /no answer.*wrong password/));
  test("a peer that nobody is", () =>
    reasonOf({ address: "192.0.2.99" }, plain, /no route|unreachable|no answer/));
  test("a port where nobody listens", () =>
    reasonOf({ extra: ["peerPort: 1790"] }, plain, /connection refused: nobody listens/));

  test("a BGP port in use", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using bird = await startBird(
      host,
      routerPlan(1, host.ipv4, { address: far.ipv4, asn: 2 }),
    );
    await using agent = await startAgent(host, { config: ALWAYS, listen: "0.0.0.0:179" });
    const checks = await agent.ask<{ check: string; ok: boolean; detail: string }[]>("doctor");
    expect(checks.find(({ check }) => check === "listen")).toMatchObject({
      ok: false,
      detail: expect.stringContaining("in use by another program"),
    });
    expect(bird.pid).toBeGreaterThan(0);
  });
});
