/**
 * A whole agent on top of FRR: manifests and raw lines in, routes at the far end, and nothing lost when either of them is killed.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startFrrDaemons } from "./frr-daemons.ts";
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
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const [HOST_AS, ROUTER_AS] = [64512, 64999];
const VIP = "198.51.100.10";

/** shared/examples/11-bgpextras.yaml, for this network. */
const extras = (remote: string, name = "bgpextras", lines: readonly string[] = []): string =>
  [
    "apiVersion: v1",
    "kind: ConfigMap",
    `metadata: {namespace: metallb-system, name: ${name}}`,
    "data:",
    "  extras: |",
    "    ip prefix-list filtered permit 203.0.113.0/24 le 32",
    `    route-map ${remote}-in permit 20`,
    "    match ip address prefix-list filtered",
    ...lines.map((line) => `    ${line}`),
  ].join("\n");

test("announces, takes raw lines, and keeps the session over its own death", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await using daemons = await startFrrDaemons(host);
  await using far = await startFrr(router, {
    asn: ROUTER_AS,
    routerId: router.ipv4,
    neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS, families: ["ipv4"] }],
    networks: ["203.0.113.0/24"],
  });
  const config = `${ALWAYS}frr: {vtyDirectory: ${daemons.directory}}\n`;
  await using agent = await startAgent(host, { config, args: ["--backend", "frr"] });
  const running = async () => (await daemons.ask("bgpd", ["show running-config"]))[0]?.text ?? "";
  const explain = async () =>
    `${await agent.explain()}\n${await running()}\n${await far.explain()}`;
  const manifests = documents(
    poolManifest([`${VIP}/32`]),
    peerManifest({ localAs: HOST_AS, remoteAs: ROUTER_AS, address: router.ipv4 }),
    advertisementManifest(),
    serviceManifest("web", { loadBalancerIP: VIP }),
  );
  const patience = { timeoutMs: 60_000, explain };
  expect(await agent.apply(manifests)).toMatchObject({ code: 0 });
  await until(() => far.route(`${VIP}/32`), { ...patience, what: "our VIP at the router" });

  expect(await agent.apply(extras(router.ipv4))).toMatchObject({ code: 0 });
  await until(async () => (await running()).includes("prefix-list filtered"), {
    ...patience,
    what: "the raw lines in bgpd",
  });
  const accepted = async () =>
    JSON.parse(
      (await daemons.ask("bgpd", [`show bgp ipv4 unicast 203.0.113.0/24 json`]))[0]?.text ?? "{}",
    ).paths?.length === 1;
  await until(accepted, { ...patience, what: "the route that they let in" });
  const before = await running();

  await agent.kill();
  await using second = await agent.restart();
  await until(async () => (await second.rutter("peers")).stdout.includes("Established"), {
    ...patience,
    what: "the session as the second agent sees it",
  });
  expect(await running()).toBe(before);
  expect((await far.session(host.ipv4)).timesLost).toBe(0);
});
