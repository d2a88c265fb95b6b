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

/** A TCP server on this address of the node, for as long as it is not disposed of. */
async function serve(node: Node, address: string): Promise<AsyncDisposable> {
  const script = `require("node:net").createServer((s) => s.end("answered")).listen(8080, "${address}", () => console.log("listening"));`;
  const daemon = await node.start([process.execPath, "-e", script]);
  await new Promise<void>((resolve, reject) => {
    daemon.onLine(() => resolve());
    void daemon.ended.then(() => reject(new Error(daemon.stderr())));
  });
  return { [Symbol.asyncDispose]: async () => void (await daemon.stop()) };
}

/** What the server says, or why it can't be reached. */
async function connects(from: Node, local: string, to: string): Promise<string> {
  const script = `
    const socket = require("node:net").connect({ host: "${to}", port: 8080, localAddress: "${local}" });
    socket.setTimeout(3000, () => socket.destroy(new Error("no answer")));
    socket.on("data", (data) => console.log(String(data))).on("error", (error) => console.log(error.message));`;
  const { stdout } = await from.run([process.execPath, "-e", script]);
  return stdout.trim();
}

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
  await using _server = await serve(host, "172.19.20.181");
  // There and back by what was learned on both sides.
  expect(await connects(router, "198.51.100.1", "172.19.20.181")).toBe("answered");
  const shown = await agent.ask<{ prefix: string; kernel: object }[]>("routes", "kernel");
  expect(shown).toMatchObject([
    { prefix: "198.51.100.0/24", nextHop: router.ipv4, kernel: { table: 254, rule: "toReceive" } },
    { prefix: "203.0.113.0/24" },
  ]);

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
