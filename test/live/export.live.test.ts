/**
 * What a host's kernel has, announced by the whole agent: routes, networks and addresses come and go in a router's table with
 * those of the kernel, survive kill -9 there, and nothing that was learned is told on.
 *
 * What counts is what BIRD has in its table; the kernel is changed with `ip` as an operator does.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { ALWAYS, documents, peerManifest } from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router, RouterPlan } from "./router.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns", "bird"));

const HOST_AS = 64512;
const routerAs = (node: Node, host: Node, asn = 64999, rest: Partial<RouterPlan> = {}) =>
  startBird(node, {
    asn,
    routerId: node.ipv4,
    neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS, gracefulRestart: true }],
    ...rest,
  });
const towards = (node: Node, name = "router", remoteAs = 64999): string =>
  peerManifest({
    name,
    localAs: HOST_AS,
    remoteAs,
    address: node.ipv4,
    gracefulRestart: true,
    dualStack: true,
  });
const routeExport = (name: string, spec: object): string =>
  `apiVersion: rutter/v1\nkind: RouteExport\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;

/** `prefix communities`, sorted: what the router has learned. */
const toldTo = async (router: Router): Promise<readonly string[]> =>
  (await router.routes())
    .map(({ prefix, communities }) => [prefix, ...communities].join(" "))
    .toSorted();

const becomes = (router: Router, agent: Agent, lines: readonly string[], what: string) =>
  until(async () => (await toldTo(router)).join() === lines.toSorted().join(), {
    what,
    explain: async () => `${await router.explain()}\n${await agent.explain()}`,
  });

type Body = { readonly added: readonly string[]; readonly removed: readonly string[] };
/** Bodies of the facts that say what the kernel offers, oldest first. */
async function exportsIn(agent: Agent): Promise<readonly Body[]> {
  const { stdout } = await agent.rutter("log", "--type", "exports-observed", "-o", "json");
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { body: Body }).body);
}

const SOURCES = documents(
  routeExport("routes", {
    from: { type: "kernel-routes", protocols: ["static"], interfaces: ["eth0"] },
    prefixes: [
      { prefix: "20.0.0.0/8", le: 24 },
      { prefix: "2001:db8::/32", le: 64 },
    ],
    communities: ["65000:1"],
    med: 50,
  }),
  routeExport("networks", {
    from: { type: "connected", interfaces: ["eth0"] },
    prefixes: [{ prefix: "10.42.0.0/16", le: 24 }],
    communities: ["65000:2", "large:65000:0:2"],
  }),
  routeExport("addresses", {
    from: { type: "addresses", interfaces: ["lo"] },
    peers: ["router"],
    communities: ["65000:3"],
  }),
);
const ALL = [
  "10.42.7.0/24 65000:2",
  "192.0.2.1/32 65000:3",
  "20.1.0.0/24 65000:1",
  "2001:db8:1::/64 65000:1",
];

/** One of each, and beside them what no rule may take. */
async function furnish(host: Node, router: Node): Promise<void> {
  await host.ip("address", "add", "10.42.7.1/24", "dev", "eth0");
  await host.ip("address", "add", "192.0.2.1/32", "dev", "lo");
  const via = ["via", router.ipv4, "proto", "static"];
  await host.ip("route", "add", "20.1.0.0/24", ...via);
  await host.ip("-6", "route", "add", "2001:db8:1::/64", "via", router.ipv6, "proto", "static");
  await host.ip("route", "add", "20.2.0.0/24", "via", router.ipv4, "proto", "boot");
  await host.ip("route", "add", "20.3.0.0/28", ...via);
  await host.ip("route", "add", "default", ...via);
  await host.ip("route", "add", "blackhole", "20.4.0.0/24", "proto", "static");
}

test("a static route, a connected network and an address are told with their communities, and go with the kernel's", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await furnish(host, far);
  await using router = await routerAs(far, host);
  await using agent = await startAgent(host, { config: ALWAYS });
  await agent.apply(towards(far));
  const file = join(host.directory, "exports.yaml");
  writeFileSync(file, SOURCES);
  const planned = await agent.ask<object>("plan", "-f", file);
  const add = ["10.42.7.0/24", "20.1.0.0/24", "192.0.2.1/32", "2001:db8:1::/64"];
  expect(planned).toMatchObject({ peers: [{ peer: "router", add, remove: [] }], resets: [] });
  expect(await toldTo(router)).toEqual([]);
  expect(await agent.rutter("apply", "-f", file)).toMatchObject({ code: 0 });
  await becomes(router, agent, ALL, "all of them");
  expect(await router.route("20.1.0.0/24")).toMatchObject({
    med: 50,
    nextHop: host.ipv4,
    asPath: [HOST_AS],
  });
  expect((await router.route("10.42.7.0/24"))?.largeCommunities).toEqual(["65000:0:2"]);
  // Nothing of it came back into the kernel as a remainder of an aggregate.
  expect(await host.ip("route", "show", "type", "blackhole", "proto", "82")).toBe("");

  await host.ip("route", "delete", "20.1.0.0/24");
  await becomes(
    router,
    agent,
    ALL.filter((one) => !one.startsWith("20.")),
    "the route gone",
  );
  await host.ip("address", "delete", "192.0.2.1/32", "dev", "lo");
  await host.ip("address", "delete", "10.42.7.1/24", "dev", "eth0");
  await becomes(router, agent, ["2001:db8:1::/64 65000:1"], "the addresses gone");
  await host.ip("address", "add", "192.0.2.1/32", "dev", "lo");
  await host.ip("route", "add", "20.1.0.0/24", "via", far.ipv4, "proto", "static");
  await becomes(
    router,
    agent,
    ["2001:db8:1::/64 65000:1", "192.0.2.1/32 65000:3", "20.1.0.0/24 65000:1"],
    "two of them back",
  );

  const why = await agent.ask<{ announced: boolean; chain: { step: string; seq: number }[] }>(
    "why",
    "20.1.0.0/24",
  );
  expect(why).toMatchObject({ announced: true });
  expect(why.chain.map(({ step }) => step)).toEqual([
    "manifest",
    "kernel",
    "peer",
    "session",
    "wire",
  ]);
  expect(why.chain[1]?.seq).toBeGreaterThan(0);
  const shown = await agent.ask<object>("get", "routeexport", "routes", "-n", "metallb-system");
  expect(shown).toMatchObject({ kind: "RouteExport", status: { state: "accepted", exported: 2 } });
  expect(
    await agent.rutter("delete", "routeexport", "routes", "-n", "metallb-system"),
  ).toMatchObject({
    code: 0,
  });
  await becomes(router, agent, ["192.0.2.1/32 65000:3"], "the RouteExport gone");
});

test("kill -9: the router sees no withdrawal, and afterwards what the kernel has by then", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await furnish(host, far);
  await using router = await routerAs(far, host);
  const first = await startAgent(host, { config: ALWAYS });
  await first.apply(documents(towards(far), SOURCES));
  await becomes(router, first, ALL, "all of them");
  const before = (await exportsIn(first)).length;

  await first.kill();
  await host.ip("route", "add", "20.9.0.0/24", "via", far.ipv4, "proto", "static");
  await host.ip("-6", "route", "delete", "2001:db8:1::/64");
  const seen: string[] = [];
  const gaps = { watching: true };
  const watching = (async () => {
    while (gaps.watching) {
      seen.push((await toldTo(router)).join());
      await pause(5);
    }
  })();
  await using second = await first.restart();
  const now = [...ALL.filter((one) => !one.startsWith("2001")), "20.9.0.0/24 65000:1"];
  await becomes(router, second, now, "what the kernel has now");
  await until(async () => (await router.routes()).every(({ stale }) => !stale), {
    what: "none stale",
  });
  gaps.watching = false;
  await watching;
  const kept = ALL.filter((one) => !one.startsWith("2001"));
  expect(seen.filter((one) => !kept.every((each) => one.includes(each)))).toEqual([]);
  expect(seen.length).toBeGreaterThan(3);
  // The book has the difference, not all again.
  const events = (await exportsIn(second)).slice(before);
  expect(events).toMatchObject([{ added: ["20.9.0.0/24"], removed: ["2001:db8:1::/64"] }]);
  expect(await second.rutter("log", "verify")).toMatchObject({ code: 0 });
});

test("what one router told is never told to another, and 1,000 kernel routes arrive whole", async () => {
  await using network = await makeNetwork(["host", "one", "two"]);
  const { host, one, two } = network.nodes;
  await using birdOne = await routerAs(one, host, 64998, {
    networks: ["30.0.0.0/24", "30.1.0.0/24"],
  });
  await using birdTwo = await routerAs(two, host);
  const first = await startAgent(host, { config: ALWAYS });
  const everything = routeExport("everything", { from: { type: "kernel-routes" } });
  await first.apply(
    documents(
      towards(one, "one", 64998),
      towards(two, "two"),
      `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: all}\nspec: {peers: [one]}`,
      everything,
    ),
  );
  const own = ["10.99.0.0/24", "fd99::/64"];
  await until(async () => (await host.ip("route", "show", "proto", "82")).includes("30.1.0.0/24"), {
    what: "the learned routes in the kernel",
    explain: first.explain,
  });
  await becomes(birdTwo, first, own, "what is connected and nothing else");
  // The next agent finds them in the kernel as it finds everybody's.
  await using agent = await first.restart();
  await until(async () => (await birdTwo.session(host.ipv4)).timesEstablished > 1, {
    what: "the session of the next one",
    explain: agent.explain,
  });
  const many = Array.from({ length: 1000 }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`);
  const batch = many.map((each) => `route add ${each} via ${one.ipv4}\n`).join("");
  await host.run(["ip", "-batch", "-"], { input: batch });
  await becomes(birdTwo, agent, [...own, ...many], "1,000 routes");
  await becomes(
    birdOne,
    agent,
    [...own, ...many],
    "1,000 routes at the other, and none of its own",
  );
  // They were changed in one go: far fewer facts than routes.
  expect((await exportsIn(agent)).length).toBeLessThan(100);
  await host.run(["ip", "-batch", "-"], { input: batch.replaceAll("add", "delete") });
  await becomes(birdTwo, agent, own, "none of them");
  expect(await host.ip("route", "show", "proto", "82")).toContain("30.1.0.0/24");
});
