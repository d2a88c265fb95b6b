/**
 * Random faults under the whole agent: routes, rules, addresses and next hops taken away by hand, cables and links that flap,
 * the agent and the routers killed. After each group the kernel holds what the plan and the routers say, and nothing else.
 *
 * The faults are drawn from a seed that is printed; SEED plays one again, FAULTS sets their number (150 unless told).
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { OURS } from "./kernel-shown.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird"));

const FAULTS = Number(process.env["FAULTS"] ?? 150);
/** Faults that come upon each other; then everything must be right again. */
const GROUP = 10;
/** Sessions that were lost are tried again within seconds, on a machine that does much else. */
const PATIENCE_MS = 45_000;
const PREFIXES = Array.from({ length: 300 }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`);
const VIPS = Array.from({ length: 20 }, (_, i) => `203.0.113.${i}`);
const FOREIGN = "198.51.100.0/24";

const routeImport = `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: all, namespace: metallb-system}\nspec: {}`;
const egress = `apiVersion: k8s.ovn.org/v1\nkind: EgressService\nmetadata: {name: s0, namespace: default}\nspec: {network: "77"}`;

/** All of ours that `ip` shows, in one form: routes with their gateways, addresses, rules. */
async function shown(host: Node): Promise<string> {
  const [routes, addresses, rules] = await Promise.all([
    host.ip("-j", "route", "show", "table", "all", "proto", OURS),
    host.ip("-j", "address", "show", "dev", "lo"),
    host.ip("rule", "show"),
  ]);
  type Route = { dst: string; type?: string; gateway?: string; nexthops?: { gateway: string }[] };
  const ways = (JSON.parse(routes || "[]") as Route[]).map(({ dst, type, gateway, nexthops }) => {
    const gateways = (nexthops ?? [{ gateway: gateway ?? "" }]).map((hop) => hop.gateway);
    return `${type ?? "unicast"} ${dst} ${gateways.toSorted().join(",")}`;
  });
  type Link = { addr_info: { local: string; prefixlen: number }[] };
  const bound = (JSON.parse(addresses) as Link[]).flatMap(({ addr_info }) =>
    addr_info.filter(({ prefixlen }) => prefixlen === 32).map(({ local }) => `address ${local}`),
  );
  const own = rules.split("\n").filter((line) => line.startsWith("5000:"));
  return [...ways, ...bound, ...own.map((line) => line.replaceAll(/\s+/g, " ").trim())]
    .toSorted()
    .join("\n");
}

test(
  `${FAULTS} random faults, and the kernel is as planned each time`,
  {
    timeout: 120_000 + FAULTS * 3000,
  },
  async () => {
    const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`SEED=${seed}`);
    let state = seed;
    const dice = (sides: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >> 8) % sides;
    };
    await using network = await makeNetwork(["host", "one", "two"]);
    const { host, one, two } = network.nodes;
    const planOf = (node: Node) => ({
      asn: 64999,
      routerId: node.ipv4,
      networks: PREFIXES,
      neighbours: [{ name: "host", address: host.ipv4, asn: 64512, families: ["ipv4" as const] }],
    });
    const routers: Router[] = [
      await startBird(one, planOf(one)),
      await startBird(two, planOf(two)),
    ];
    const nodes = [one, two];
    let agent: Agent = await startAgent(host, { config: ALWAYS });
    const peer = (name: string, { ipv4 }: Node) =>
      peerManifest({ name, localAs: 64512, remoteAs: 64999, address: ipv4 });
    const made = await agent.apply(
      documents(
        poolManifest(["203.0.113.0/24"]),
        advertisementManifest({ aggregationLength: 24 }),
        advertisementManifest({}, "each"),
        peer("one", one),
        peer("two", two),
        routeImport,
        ...VIPS.map((address, i) => serviceManifest(`s${i}`, { loadBalancerIP: address })),
        egress,
      ),
    );
    expect(made).toMatchObject({ code: 0 });
    await host.ip("route", "add", FOREIGN, "dev", "lo", "metric", "7");
    await host.ip("rule", "add", "priority", "500", "table", "9");
    await host.ip("nexthop", "add", "id", "5", "via", one.ipv4, "dev", "eth0");

    const both = [one.ipv4, two.ipv4].toSorted().join(",");
    const wanted = [
      ...PREFIXES.map((prefix) => `unicast ${prefix} ${both}`),
      "blackhole 203.0.113.0/24 ",
      ...VIPS.map((address) => `address ${address}`),
      "5000: from 203.0.113.0 lookup 77 proto 82",
    ]
      .toSorted()
      .join("\n");
    const done: string[] = [];
    const asWanted = async (what: string): Promise<void> => {
      const told = `${what}, SEED=${seed}, after ${done.length}: ${done.slice(-GROUP).join(", ")}`;
      await until(async () => (await shown(host)) === wanted, {
        what: told,
        timeoutMs: PATIENCE_MS,
        everyMs: 100,
        explain: async () => {
          const seen = new Set((await shown(host)).split("\n"));
          const should = new Set(wanted.split("\n"));
          const some = (lines: Iterable<string>) => [...lines].slice(0, 12).join("\n");
          return `missing:\n${some(should.difference(seen))}\ntoo much:\n${some(seen.difference(should))}\n${await host.ip("nexthop")}${await host.ip("-br", "address")}${JSON.stringify((await agent.ask<{ kernel: object }>("status")).kernel)}\n${(await agent.rutter("log", "-n", "40")).stdout}\n${agent.stderr().slice(-3000)}`;
        },
      });
      for (const router of routers) {
        const has = async () => new Set((await router.routes()).map(({ prefix }) => prefix));
        await until(
          async () => {
            const prefixes = await has();
            return VIPS.every((address) => prefixes.has(`${address}/32`));
          },
          { what: `the VIPs at a router, ${told}`, timeoutMs: PATIENCE_MS },
        );
      }
      // What is not ours stays as it was put there (but for what the kernel itself takes with a link that goes down).
      expect(await host.ip("route", "show", FOREIGN), told).toContain("metric 7");
      expect(await host.ip("rule", "show"), told).toContain("500:");
    };
    await asWanted("the start");

    const ip = (...args: string[]) => host.run(["ip", ...args]);
    const faults: Readonly<Record<string, () => Promise<unknown>>> = {
      "route deleted": () => ip("route", "del", PREFIXES[dice(300)] ?? "", "proto", OURS),
      "route replaced": () =>
        ip(
          "route",
          "replace",
          PREFIXES[dice(300)] ?? "",
          "dev",
          "eth0",
          "metric",
          "20",
          "proto",
          OURS,
        ),
      "routes flushed": () => ip("route", "flush", "proto", OURS, "root", "20.0.128.0/17"),
      "blackhole deleted": () => ip("route", "del", "blackhole", "203.0.113.0/24"),
      "address removed": () => ip("address", "del", `${VIPS[dice(20)]}/32`, "dev", "lo"),
      "host's address removed": async () => {
        await ip("address", "del", `${host.ipv4}/24`, "dev", "eth0");
        await ip("address", "add", `${host.ipv4}/24`, "dev", "eth0");
      },
      "rule deleted": () => ip("rule", "del", "priority", "5000"),
      "next hops flushed": () => ip("nexthop", "flush", "proto", OURS),
      "cable out and in": () => host.cable("down").then(() => host.cable("up")),
      "link down and up": () =>
        ip("link", "set", "eth0", "down").then(() => ip("link", "set", "eth0", "up")),
      "agent killed": async () => {
        agent = await agent.restart();
      },
      "router killed": async () => {
        const which = dice(2);
        const node = nodes[which] ?? one;
        await routers[which]?.stop("SIGKILL");
        routers[which] = await startBird(node, planOf(node));
      },
    };
    const names = Object.keys(faults);
    for (let count = 0; count < FAULTS; count += 1) {
      const name = names[dice(names.length)] ?? "";
      done.push(name);
      await faults[name]?.();
      if ((count + 1) % GROUP === 0) await asWanted("the tables");
    }
    await asWanted("the end");
    await agent.stop();
    expect(await shown(host)).toBe("");
  },
);

test("a virtual IP is announced while it is bound, by us or by another, and not before", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await startBird(far, {
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [{ name: "host", address: host.ipv4, asn: 64512, families: ["ipv4"] }],
  });
  const config = `${ALWAYS}kernel: {bindAddresses: vip0}\n`;
  await using agent = await startAgent(host, { config });
  const [a, b] = ["203.0.113.1", "203.0.113.2"];
  await agent.apply(
    documents(
      poolManifest(["203.0.113.0/24"]),
      advertisementManifest(),
      peerManifest({ localAs: 64512, remoteAs: 64999, address: far.ipv4 }),
      serviceManifest("a", { loadBalancerIP: a }),
    ),
  );
  const explain = async () => `${await agent.explain()}\n${await router.explain()}`;
  const has = (...wanted: string[]) =>
    until(
      async () => {
        const seen = (await router.routes()).map(({ prefix }) => prefix).toSorted();
        return seen.join() === wanted.map((one) => `${one}/32`).join();
      },
      { what: `${wanted.join()} at the router`, explain },
    );
  await until(async () => (await router.session(host.ipv4)).established, { what: "BGP", explain });
  const reason = expect.stringContaining("device vip0 is not there");
  expect(await agent.ask<object>("status")).toMatchObject({
    services: [{ name: "a", announced: false, reason }],
    kernel: { problems: [{ reason }] },
  });
  expect(await agent.ask<object>("why", a)).toMatchObject({
    announced: false,
    chain: expect.arrayContaining([expect.objectContaining({ step: "bind", reason })]),
  });
  await has();
  // Another program (kube-proxy, say) binds it somewhere on this host.
  await host.ip("address", "add", `${a}/32`, "dev", "lo");
  await has(a);
  await agent.apply(serviceManifest("b", { loadBalancerIP: b }));
  await has(a);
  await host.ip("address", "del", `${a}/32`, "dev", "lo");
  await has();
  await host.ip("link", "add", "vip0", "type", "bridge");
  await has(a, b);
  expect(await host.ip("address", "show", "dev", "vip0")).toMatch(/203\.0\.113\.1\/32/);
});
