/**
 * Learned routes in the kernel and virtual IPs on the host, by the whole agent, with FRR and BIRD as routers.
 *
 * What counts is what `ip` says in the host's namespace, and what traffic does. The kernel backend alone is kernel.live.test.ts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { SHARED, skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
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
import { makeNetwork, type Node } from "./netns.ts";
import { call, serve } from "./tcp.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr", "bird"));

type KernelRoute = {
  readonly dst: string;
  readonly gateway?: string;
  readonly metric?: number;
  readonly protocol?: string;
  readonly nexthops?: readonly { readonly gateway: string }[];
};

const tableOf = async (node: Node, ...args: string[]): Promise<readonly KernelRoute[]> =>
  JSON.parse((await node.ip("-j", "route", "show", ...args)) || "[]");
const learned = async (node: Node, ...args: string[]): Promise<readonly KernelRoute[]> =>
  (await tableOf(node, ...args)).filter(({ metric }) => metric === 20);
const addresses = (node: Node): Promise<string> => node.ip("address", "show", "dev", "lo");
const explaining = (host: Node, agent: Agent) => async () =>
  `${await host.ip("route")}\n${await host.ip("address", "show", "dev", "lo")}\n${await agent.explain()}`;

test("example 05: the router's routes are in the main table, the VIP answers, and both go as they came", async (context) => {
  skipUnless("shared-examples")(context);
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await router.ip("address", "add", "198.51.100.1/32", "dev", "lo");
  const networks = ["198.51.100.0/24", "203.0.113.0/24"];
  const plan = (announced: readonly string[]) => ({
    asn: 65102,
    routerId: router.ipv4,
    networks: announced,
    neighbours: [{ name: "agent", address: host.ipv4, asn: 65801, families: ["ipv4" as const] }],
  });
  await using frr = await startFrr(router, plan(networks), { kernel: true });
  const config = `${ALWAYS}node: {name: wk3, labels: {node-role.kubernetes.io/worker-virt: ""}}\n`;
  await using agent = await startAgent(host, { config });
  const explain = explaining(host, agent);
  const example = readFileSync(join(SHARED, "examples", "05-receive-routes.yaml"), "utf8");
  await agent.apply(example.replaceAll("172.18.20.1", router.ipv4));

  await until(async () => (await learned(host)).length === 2, { what: "two routes", explain });
  expect(await learned(host)).toEqual(
    networks.map((dst) => expect.objectContaining({ dst, metric: 20 })),
  );
  expect(await addresses(host)).toContain("172.19.20.181/32");
  await until(() => frr.route("172.19.20.181/32"), { what: "the VIP at the router", explain });
  await using server = await serve(host, { address: "172.19.20.181" });
  // There and back by what was learned on both sides.
  expect(await call(router, "172.19.20.181", { address: "198.51.100.1" })).toBe(
    "host hears 198.51.100.1",
  );
  await server[Symbol.asyncDispose]();
  const shown = await agent.ask<{ prefix: string; kernel: object }[]>("routes", "kernel");
  const kernel = { table: 254, metric: 20, rule: "toReceive" };
  expect(shown.toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1))).toMatchObject(
    networks.map((prefix) => ({ prefix, nextHop: router.ipv4, kernel })),
  );
  const why = await agent.rutter("why", "198.51.100.77");
  expect(why.stdout).toMatch(
    /session .* bgppeer-r2[^]*import .* toReceive[^]*table 254 metric 20 via/,
  );

  await frr.reconfigure(plan(networks.slice(0, 1)));
  await until(async () => (await learned(host)).length === 1, { what: "one route less", explain });
  await agent.rutter("delete", "frrconfiguration", "receive-all", "-n", "openshift-frr-k8s");
  await until(async () => (await learned(host)).length === 0, { what: "no route", explain });
  await agent.rutter("delete", "service", "hello-lb-l3");
  await until(async () => !(await addresses(host)).includes("172.19.20.181"), {
    what: "no VIP",
    explain,
  });
});

test("a VIP that a check asks is bound before it is announced, and announced once it answers", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await using bird = await startBird(router, {
    asn: 64999,
    routerId: router.ipv4,
    neighbours: [{ name: "host", address: host.ipv4, asn: 64512, families: ["ipv4"] }],
  });
  await using agent = await startAgent(host);
  const explain = explaining(host, agent);
  const endpoint = `apiVersion: rutter/v1\nkind: ServiceEndpoint\nmetadata: {name: web, namespace: default}\nspec: {check: {type: tcp, port: 8080}, intervalSeconds: 0.5, rise: 1}`;
  await agent.apply(
    documents(
      poolManifest(["203.0.113.7/32"]),
      advertisementManifest(),
      peerManifest({ localAs: 64512, remoteAs: 64999, address: router.ipv4 }),
      serviceManifest("web"),
      endpoint,
    ),
  );
  await until(async () => (await addresses(host)).includes("203.0.113.7/32"), {
    what: "the VIP",
    explain,
  });
  expect(await bird.route("203.0.113.7/32")).toBeUndefined();
  const server = await serve(host, { address: "203.0.113.7" });
  await until(() => bird.route("203.0.113.7/32"), { what: "the route", explain });
  await server[Symbol.asyncDispose]();
  await until(async () => (await bird.route("203.0.113.7/32")) === undefined, {
    what: "no route",
    explain,
  });
});

const routeImport = (name: string, spec: object): string =>
  `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;
const MANY = 10_000;
const many = Array.from({ length: MANY }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`);

test("kill -9 with 10,000 routes: none leaves the table, no packet is lost, and afterwards it is what the peer says", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await router.ip("address", "add", "20.0.5.1/32", "dev", "lo");
  await using bird = await startBird(router, {
    asn: 64999,
    routerId: router.ipv4,
    networks: many,
    neighbours: [
      { name: "host", address: host.ipv4, asn: 64512, gracefulRestart: true, families: ["ipv4"] },
    ],
  });
  const first = await startAgent(host, { config: ALWAYS });
  const explain = explaining(host, first);
  await first.apply(
    documents(
      peerManifest({
        localAs: 64512,
        remoteAs: 64999,
        address: router.ipv4,
        gracefulRestart: true,
      }),
      routeImport("all", {}),
    ),
  );
  const count = async () => (await learned(host)).length;
  await until(async () => (await count()) === MANY, { what: "all routes", explain });

  const monitor = await host.start(["ip", "monitor", "route"]);
  const deleted: string[] = [];
  monitor.onLine((line) => {
    if (line.startsWith("Deleted 20.")) deleted.push(line);
  });
  await using echoes = await echoing(host, router, "20.0.5.1");
  await first.kill();
  await new Promise((done) => setTimeout(done, 1500));
  expect(await count()).toBe(MANY);
  // Meanwhile the router changes its mind about one, which the new agent has to find out.
  await bird.reconfigure({
    asn: 64999,
    routerId: router.ipv4,
    networks: many.slice(0, -1),
    neighbours: [
      { name: "host", address: host.ipv4, asn: 64512, gracefulRestart: true, families: ["ipv4"] },
    ],
  });
  await using second = await first.restart();
  await until(async () => (await count()) === MANY - 1, {
    what: "the leftover swept",
    explain: explaining(host, second),
  });
  const { sent, lost } = await echoes.stop();
  console.log(`kill -9 with ${MANY} routes: ${sent} packets sent 10 ms apart, ${lost} lost`);
  await monitor.stop();
  expect(deleted).toEqual([expect.stringContaining("20.39.15.0/24")]);
  expect(lost).toBe(0);
  expect(sent).toBeGreaterThan(100);
});

test("ECMP: two routers tell the same prefix, both next hops are used, one dies (BFD), the other carries on", async () => {
  await using network = await makeNetwork(["host", "one", "two"]);
  const { host, one, two } = network.nodes;
  const router = (node: Node) =>
    startBird(node, {
      asn: 64999,
      routerId: node.ipv4,
      networks: ["203.0.113.0/24"],
      neighbours: [{ name: "host", address: host.ipv4, asn: 64512, families: ["ipv4"] }],
      raw: [
        `protocol bfd watch_host { interface "*" { interval 100 ms; multiplier 10; }; neighbor ${host.ipv4}; }`,
      ],
    });
  await using birdOne = await router(one);
  await using birdTwo = await router(two);
  await using agent = await startAgent(host, { config: `${ALWAYS}\nbfd: {keepSeconds: 20}\n` });
  const explain = async () =>
    `${await explaining(host, agent)()}\n${await birdOne.explain()}\n${await birdTwo.explain()}`;
  const profile = `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {transmitInterval: 100, receiveInterval: 100, detectMultiplier: 10}`;
  const peer = (name: string, { ipv4 }: Node) =>
    peerManifest({
      name,
      localAs: 64512,
      remoteAs: 64999,
      address: ipv4,
      extra: ["bfdProfile: fast"],
    });
  await agent.apply(
    documents(profile, peer("one", one), peer("two", two), routeImport("both", {})),
  );
  const gateways = async (): Promise<readonly string[]> => {
    const [route] = await learned(host, "203.0.113.0/24");
    return (route?.nexthops ?? [{ gateway: route?.gateway ?? "" }]).map(({ gateway }) => gateway);
  };
  await until(async () => (await gateways()).toSorted().join() === `${one.ipv4},${two.ipv4}`, {
    what: "both next hops",
    explain,
  });
  await until(
    async () =>
      (await agent.ask<{ state: string }[]>("bfd")).filter(({ state }) => state === "Up").length ===
      2,
    { what: "BFD to both", explain },
  );
  // Flows to many addresses of the prefix are spread over both.
  const ways = await Promise.all(
    Array.from({ length: 32 }, (_, i) => host.ip("route", "get", `203.0.113.${i + 1}`)),
  );
  expect(new Set(ways.map((way) => /via (\S+)/.exec(way)?.[1]))).toEqual(
    new Set([one.ipv4, two.ipv4]),
  );
  await one.cable("down");
  await until(async () => (await gateways()).join() === two.ipv4, { what: "one left", explain });
  expect(await agent.ask<object[]>("peers")).toMatchObject([
    { name: "one", reason: expect.stringContaining("BFD") },
    { name: "two", state: "Established" },
  ]);
});

type Echoes = AsyncDisposable & {
  /** Ends it: how many were sent, and how many never came back. */
  stop(): Promise<{ readonly sent: number; readonly lost: number }>;
};

/** UDP datagrams from one node to an address of another and back, one every 10 ms. */
async function echoing(from: Node, to: Node, address: string): Promise<Echoes> {
  const server = `const s = require("node:dgram").createSocket("udp4"); s.on("message", (m, r) => s.send(m, r.port, r.address)); s.bind(7007, "${address}", () => console.log("ready"));`;
  const client = `
    const s = require("node:dgram").createSocket("udp4");
    let sent = 0; const back = new Set();
    s.on("message", (m) => back.add(m.readUInt32BE()));
    s.on("error", () => {});
    const timer = setInterval(() => { const m = Buffer.alloc(4); m.writeUInt32BE(sent++); s.send(m, 7007, "${address}", () => {}); }, 10);
    process.on("SIGTERM", () => { clearInterval(timer); setTimeout(() => { console.log(JSON.stringify({ sent, lost: sent - back.size })); process.exit(); }, 500); });
    console.log("ready");`;
  const start = async (node: Node, script: string) => {
    const daemon = await node.start([process.execPath, "-e", script]);
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      daemon.onLine((line) => {
        lines.push(line);
        resolve();
      });
      void daemon.ended.then(() => reject(new Error(daemon.stderr())));
    });
    return { daemon, lines };
  };
  const far = await start(to, server);
  const near = await start(from, client);
  return {
    async stop() {
      await near.daemon.stop();
      return JSON.parse(near.lines.at(-1) ?? "") as { sent: number; lost: number };
    },
    async [Symbol.asyncDispose]() {
      await near.daemon.stop("SIGKILL");
      await far.daemon.stop("SIGKILL");
    },
  };
}
