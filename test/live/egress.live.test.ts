/**
 * EgressServices by the whole agent, with packets: by which router and from which address a Service's own traffic leaves.
 *
 * What counts is who the far end hears. A Service's senders are its VIP, for programs that bind it, and the container that its
 * check names. Read next: ../../agent/plan/egress.ts; with VRFs: ../vm/vrf-examples.live.test.ts.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import {
  advertisementManifest,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { startBird } from "./bird.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { call, serve } from "./tcp.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "nft"));

const VIP = "203.0.113.1";
const CLIENT = "198.51.100.1";
const CONTAINER = "172.17.0.2";
/** Of the host on the way out: the device's own address there. */
const OUTWARD = "192.0.2.1";
const TABLE = 77;

/** The main table leads to `router`, table 77 to `uplink` by a network of its own; the client's address is on both. */
async function makeWorld() {
  await using made = new AsyncDisposableStack();
  const network = made.use(await makeNetwork(["host", "router", "uplink", "container"]));
  const { host, router, uplink, container } = network.nodes;
  await host.ip("address", "add", `${OUTWARD}/24`, "dev", "eth0");
  await uplink.ip("address", "add", "192.0.2.2/24", "dev", "eth0");
  // The first that the kernel would take for what goes by the loopback.
  await host.ip("address", "add", "203.0.113.9/32", "dev", "lo");
  await host.ip("route", "add", "default", "via", router.ipv4);
  await host.ip("route", "add", "default", "via", "192.0.2.2", "table", String(TABLE));
  await host.ip("address", "add", "172.17.0.1/24", "dev", "eth0");
  await container.ip("address", "add", `${CONTAINER}/24`, "dev", "eth0");
  await container.ip("route", "add", "default", "via", "172.17.0.1");
  await host.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  await host.run(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects"]);
  for (const node of [router, uplink]) {
    await node.ip("address", "add", `${CLIENT}/32`, "dev", "lo");
    made.use(await serve(node, { address: CLIENT }));
  }
  await router.ip("route", "add", `${VIP}/32`, "via", host.ipv4);
  await router.ip("route", "add", "172.17.0.0/24", "via", host.ipv4);
  await uplink.ip("route", "add", `${VIP}/32`, "via", OUTWARD);
  made.use(await serve(container, { address: CONTAINER }));
  const bird = made.use(
    await startBird(router, {
      asn: 64999,
      routerId: router.ipv4,
      neighbours: [{ name: "host", address: host.ipv4, asn: 64512 }],
    }),
  );
  const agent = made.use(await startAgent(host));
  await agent.apply(
    documents(
      poolManifest([`${VIP}/32`]),
      advertisementManifest(),
      peerManifest({ localAs: 64512, remoteAs: 64999, address: router.ipv4 }),
      serviceManifest("web"),
      `apiVersion: rutter/v1\nkind: ServiceEndpoint\nmetadata: {name: web}\nspec: {check: {type: tcp, port: 8080, address: ${CONTAINER}}}`,
    ),
  );
  await until(() => bird.route(`${VIP}/32`), { what: "the VIP", explain: agent.explain });
  const kept = made.move();
  return { host, container, agent, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const egress = (spec: object): string =>
  `apiVersion: k8s.ovn.org/v1\nkind: EgressService\nmetadata: {name: web}\nspec: ${JSON.stringify(spec)}`;
const ruleset = async (host: Node): Promise<string> =>
  (await host.run(["nft", "list", "ruleset"])).stdout;
const rules = async (host: Node): Promise<readonly string[]> =>
  (await host.ip("rule"))
    .split("\n")
    .map((line) => line.replaceAll(/\s+/g, " ").trim())
    .filter((line) => line.endsWith("proto 82"));
/** Who is heard: of the VIP's own traffic, and of the container's. */
const heard = async (host: Node, container: Node) => ({
  vip: await call(host, CLIENT, { address: VIP }),
  container: await call(container, CLIENT),
});
const BOTH = [
  `5000: from ${CONTAINER} lookup ${TABLE} proto 82`,
  `5000: from ${VIP} lookup ${TABLE} proto 82`,
];
async function settled(agent: Agent, host: Node, wanted: readonly string[]): Promise<void> {
  await until(async () => (await rules(host)).join() === wanted.join(), {
    what: "the rules",
    explain: async () =>
      `${await host.ip("rule")}\n${await ruleset(host)}\n${await agent.explain()}`,
  });
}

test("Network: what leaves has the way out's own address; kill -9 and a restart change nothing; all of it goes with the resource", async () => {
  await using world = await makeWorld();
  const { host, container, agent } = world;
  const theirs = "table inet theirs {\n}";
  await host.run(["nft", "add", "table", "inet", "theirs"]);
  const before = await heard(host, container);
  expect(before).toEqual({
    vip: `router hears ${VIP}`,
    container: `router hears ${CONTAINER}`,
  });

  await agent.apply(egress({ sourceIPBy: "Network", network: String(TABLE) }));
  await settled(agent, host, BOTH);
  const outward = { vip: `uplink hears ${OUTWARD}`, container: `uplink hears ${OUTWARD}` };
  expect(await heard(host, container)).toEqual(outward);
  // To the host itself nothing leaves.
  await using own = await serve(host, { address: OUTWARD });
  expect(await call(host, OUTWARD, { address: VIP })).toBe(`host hears ${VIP}`);
  await own[Symbol.asyncDispose]();

  const table = await ruleset(host);
  await agent.kill();
  expect(await rules(host)).toEqual(BOTH);
  expect(await ruleset(host)).toBe(table);
  expect(await heard(host, container)).toEqual(outward);
  await using second = await agent.restart();
  await until(async () => (await second.rutter("peers")).stdout.includes("Established"), {
    what: "the session again",
    explain: second.explain,
  });
  expect(await rules(host)).toEqual(BOTH);
  expect(await ruleset(host)).toBe(table);
  expect(await heard(host, container)).toEqual(outward);

  await second.rutter("delete", "egressservice", "web");
  await settled(second, host, []);
  await until(async () => (await ruleset(host)).trim() === theirs, {
    what: "their table alone",
    explain: () => ruleset(host),
  });
  expect(await heard(host, container)).toEqual(before);
});

test("a rule set that another program flushes is noticed: the source address is back, and the log says so", async () => {
  await using world = await makeWorld();
  const { host, container, agent } = world;
  await agent.apply(egress({ sourceIPBy: "Network", network: String(TABLE) }));
  await settled(agent, host, BOTH);
  const table = await ruleset(host);
  await host.run(["nft", "flush", "ruleset"]);
  await until(async () => (await ruleset(host)) === table, {
    what: "the table again",
    explain: agent.explain,
  });
  expect((await heard(host, container)).vip).toBe(`uplink hears ${OUTWARD}`);
  const drifted = async () =>
    (await agent.rutter("log", "--type", "kernel-drifted", "-o", "json")).stdout.trim();
  await until(drifted, { what: "the fact", explain: agent.explain });
  expect(JSON.parse(await drifted())).toMatchObject({
    body: { what: "nat", entry: "nft table inet rutter", count: 1, action: "repaired" },
  });
  expect(await agent.ask("status")).toMatchObject({ kernel: { drift: 1 } });
});

test("LoadBalancerIP: the container leaves as the VIP, and replies find back to it", async () => {
  await using world = await makeWorld();
  const { host, container, agent } = world;
  await agent.apply(egress({ sourceIPBy: "LoadBalancerIP", network: String(TABLE) }));
  await settled(agent, host, BOTH);
  expect(await heard(host, container)).toEqual({
    vip: `uplink hears ${VIP}`,
    container: `uplink hears ${VIP}`,
  });

  // By the main table's way, without a rule of ours.
  await agent.apply(egress({ sourceIPBy: "LoadBalancerIP" }));
  await settled(agent, host, []);
  expect(await heard(host, container)).toEqual({
    vip: `router hears ${VIP}`,
    container: `router hears ${VIP}`,
  });

  // A Service that is not served here sends nothing either: its rules go with its announcement.
  await agent.rutter("delete", "service", "web");
  await until(async () => (await ruleset(host)).trim() === "", {
    what: "no table of ours",
    explain: () => ruleset(host),
  });
});
