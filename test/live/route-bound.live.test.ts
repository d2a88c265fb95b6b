/**
 * Virtual IPs of IPv4 as local routes (`kernel.bindAs: routes`): they take connections, programs bind to them, they outlive the
 * agent, and changing from one form to the other leaves none unbound.
 *
 * What counts is TCP and bind(2), not what `ip` shows. Read next: kernel-process.ts, ../../docs/decisions/011-bound-as-routes.md.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { startKernel } from "./kernel-process.ts";
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

beforeEach(skipUnless("netns"));

const VIP = "203.0.113.1";
const vip = (address = VIP, device = "lo", as: "address" | "route" = "route") => ({
  address: address as never,
  device,
  as,
  announcedAs: [],
  provenance: [],
});
const ROUTES = "kernel: { bindAs: routes }\n";
/** As `ip` prints local routes of ours. */
const locals = async (node: Node): Promise<string[]> =>
  (await node.ip("route", "show", "table", "local", "proto", "82"))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .toSorted();
const addresses = (node: Node): Promise<string> => node.ip("-o", "address", "show");

/** A program that binds a socket to the virtual IP over and over, and tells how often it could not. */
async function binding(node: Node) {
  const script = `
    const { createServer } = require("node:net");
    let tries = 0;
    const refused = [];
    const again = () => {
      tries += 1;
      const server = createServer().on("error", ({ code }) => {
        refused.push(code);
        setImmediate(again);
      });
      server.listen(0, "${VIP}", () => server.close(() => {
        if (tries === 1) console.log("first");
        setImmediate(again);
      }));
    };
    process.on("SIGTERM", () => {
      console.log(JSON.stringify({ enough: tries > 20, refused: refused.slice(0, 5) }));
      process.exit(0);
    });
    again();`;
  const daemon = await node.start([process.execPath, "-e", script]);
  await until(() => daemon.stdout().includes("first"), { what: "the first bind()" });
  return {
    async end(): Promise<unknown> {
      await daemon.stop("SIGTERM");
      return JSON.parse(daemon.stdout().split("\n")[1] ?? "");
    },
  };
}

test("it takes TCP, a program binds to it, it outlives kill -9, comes back when taken, and goes", async () => {
  await using network = await makeNetwork(["host", "far"]);
  const { host, far } = network.nodes;
  await far.ip("route", "add", `${VIP}/32`, "via", host.ipv4);
  const first = await startKernel(host);
  const intent = { addresses: [vip(), vip("2001:db8::1", "lo", "address")] };
  expect(await first.apply(intent)).toEqual({
    added: ["address 2001:db8::1/128 dev lo", `local ${VIP}/32 dev lo table 255`],
    removed: [],
    failed: [],
  });
  expect(await first.unusable()).toEqual([]);
  expect(await addresses(host)).not.toContain(VIP);
  // bind(2) to it, or it would not listen.
  await using stack = new AsyncDisposableStack();
  stack.use(await serve(host, { address: VIP }));
  expect(await call(far, VIP)).toBe(`host hears ${far.ipv4}`);
  // From the host itself, too; and it may be the source.
  expect(await call(host, VIP, { address: VIP })).toBe(`host hears ${VIP}`);
  await first.kill();
  expect(await call(far, VIP)).toBe(`host hears ${far.ipv4}`);

  await using second = await startKernel(host);
  expect(await second.apply(intent)).toEqual({ added: [], removed: [], failed: [] });
  await host.ip("route", "flush", "table", "local", "proto", "82");
  await until(async () => (await locals(host)).length === 1, {
    what: "the repair",
    explain: () => second.daemon.stderr(),
  });
  expect((await second.status()).drift).toBe(1);
  expect(await call(far, VIP)).toBe(`host hears ${far.ipv4}`);
  // A link that goes down takes its routes along, but not those to what is bound.
  await host.ip("link", "set", "lo", "down");
  expect(await locals(host)).toHaveLength(1);
  await host.ip("link", "set", "lo", "up");
  expect(await call(far, VIP)).toBe(`host hears ${far.ipv4}`);
  expect(await second.apply({})).toMatchObject({ failed: [] });
  expect(await locals(host)).toEqual([]);
  expect(await call(far, VIP)).not.toContain("host hears");
});

test("where others' changes are only reported, one that is taken is of no use, and is not put back", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  await using kernel = await startKernel(host, { drift: "report" });
  await kernel.apply({ addresses: [vip(), vip("203.0.113.2")] });
  await host.ip("route", "del", "local", VIP, "table", "local", "proto", "82");
  await until(async () => (await kernel.unusable()).length === 1, { what: "the report" });
  expect(await kernel.unusable()).toEqual([[VIP, `${VIP} is not bound`]]);
  expect(await locals(host)).toHaveLength(1);
});

test("to another device or form it moves in one step; what another program has bound is left to it", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  await host.ip("address", "add", "203.0.113.9/32", "dev", "eth0");
  await using kernel = await startKernel(host);
  await kernel.apply({ addresses: [vip(), vip("203.0.113.9")] });
  expect(await locals(host)).toEqual([`local ${VIP} dev lo scope host metric 1`]);
  const bound = await binding(host);
  await kernel.apply({ addresses: [vip(VIP, "eth0"), vip("203.0.113.9")] });
  expect(await locals(host)).toEqual([`local ${VIP} dev eth0 scope host metric 1`]);
  await kernel.apply({ addresses: [vip(VIP, "lo", "address")] });
  expect(await locals(host)).toEqual([]);
  expect(await addresses(host)).toContain(`${VIP}/32`);
  await kernel.apply({ addresses: [vip()] });
  expect(await addresses(host)).not.toContain(`${VIP}/32`);
  expect(await bound.end()).toEqual({ enough: true, refused: [] });
  expect(await addresses(host)).toContain("203.0.113.9/32");
});

test("the old form stays where the new one is refused", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  const route = ["local", `${VIP}/32`, "dev", "lo", "table", "local"];
  await host.ip("route", "add", ...route, "proto", "4", "metric", "1");
  await using kernel = await startKernel(host);
  await kernel.apply({ addresses: [vip(VIP, "lo", "address")] });
  const { removed, failed } = await kernel.apply({ addresses: [vip()] });
  expect(removed).toEqual([]);
  expect(failed).toEqual([
    {
      entry: `local ${VIP}/32 dev lo table 255`,
      reason: "something of another program is in its place",
    },
  ]);
  expect(await addresses(host)).toContain(`${VIP}/32`);
});

test("an agent that is told to change the form does so at its start, and what is announced stays bound and announced", async (context) => {
  skipUnless("bird")(context);
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await startBird(far, {
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [{ name: "host", address: host.ipv4, asn: 64512, families: ["ipv4"] }],
  });
  const first = await startAgent(host, { config: ALWAYS });
  await first.apply(
    documents(
      poolManifest([`${VIP}/32`]),
      advertisementManifest(),
      peerManifest({ localAs: 64512, remoteAs: 64999, address: far.ipv4 }),
      serviceManifest("a"),
    ),
  );
  const announced = async () =>
    (await router.routes()).some(({ prefix }) => prefix === `${VIP}/32`);
  const explain = async () => `${await first.explain()}\n${await router.explain()}`;
  await until(announced, { what: "the announcement", explain });
  expect(await addresses(host)).toContain(`${VIP}/32`);
  const bound = await binding(host);
  await first.kill();
  // By `listen`: the program that serves it says that it lives, whatever the form.
  await using stack = new AsyncDisposableStack();
  stack.use(await serve(host, { address: VIP, port: 80 }));
  await using second = await first.restart({ config: ROUTES });
  const changed = async () =>
    (await locals(host)).length === 1 && !(await addresses(host)).includes(VIP);
  await until(changed, { what: "the change of form", explain: second.explain });
  await until(announced, { what: "the announcement again", explain: second.explain });
  expect(await second.ask<object>("status")).toMatchObject({
    services: [{ name: "a", announced: true }],
    kernel: { problems: [] },
  });
  expect(await second.ask<object>("why", VIP)).toMatchObject({ announced: true });
  await second.kill();
  const third = await second.restart({ config: ALWAYS });
  const back = async () =>
    (await locals(host)).length === 0 && (await addresses(host)).includes(`${VIP}/32`);
  await until(back, { what: "the change back", explain: third.explain });
  expect(await bound.end()).toEqual({ enough: true, refused: [] });
  await third.stop();
  expect(await addresses(host)).not.toContain(VIP);
});
