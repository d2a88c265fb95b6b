/**
 * A fleet as its operator sees it: one command, and every host announces; servers go and come, and routing stays.
 *
 * Method: real nats-servers, whole agents, FRR and BIRD as routers. What counts is what stands in the routers' tables.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startBird } from "./bird.ts";
import { fleetOf, hasGeneration, makeFleet } from "./fleet.ts";
import { startFrr } from "./frr.ts";
import {
  advertisementManifest,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats", "bird", "frr"));

const HOST_AS = 64512;
const [FRR_AS, BIRD_AS] = [65001, 65002];

const neighbours = (hosts: readonly Node[]) =>
  hosts.map(({ name, ipv4 }) => ({ name, address: ipv4, asn: HOST_AS }));

/** Next hops of a route in a node's kernel, in order. */
async function nextHops(node: Node, prefix: string): Promise<readonly string[]> {
  const shown = await node.ip("route", "show", prefix);
  return [...shown.matchAll(/via (\S+)/g)].map(([, hop = ""]) => hop).toSorted();
}

test("one apply, and two routers spread a VIP over three hosts; two of three servers die, and nothing moves", async () => {
  await using network = await makeNetwork(["n1", "n2", "n3", "h1", "h2", "h3", "frr", "bird"]);
  const { n1, n2, n3, h1, h2, h3, frr: inner, bird: outer } = network.nodes;
  const hosts = [h1, h2, h3];
  await using frr = await startFrr(
    inner,
    { asn: FRR_AS, routerId: inner.ipv4, neighbours: neighbours(hosts) },
    { kernel: true },
  );
  await using bird = await startBird(outer, {
    asn: BIRD_AS,
    routerId: outer.ipv4,
    neighbours: neighbours(hosts),
    raw: ["protocol kernel kernel4 { merge paths on; ipv4 { export all; }; }"],
  });
  await using fleet = await makeFleet([n1, n2, n3], n1, hosts);
  const agents = await Promise.all(hosts.map((host) => fleet.agent(host)));
  const explain = async (): Promise<string> =>
    (await Promise.all(agents.map((agent) => agent.explain()))).join("\n") +
    (await frr.explain()) +
    (await bird.explain());
  const spread = (node: Node, prefix: string) =>
    until(async () => (await nextHops(node, prefix)).length === 3 && nextHops(node, prefix), {
      what: `three next hops of ${prefix} in ${node.name}`,
      timeoutMs: 120_000,
      explain,
    });
  const all = hosts.map(({ ipv4 }) => ipv4);

  const said = await fleet.apply(
    documents(
      peerManifest({ name: "frr", localAs: HOST_AS, remoteAs: FRR_AS, address: inner.ipv4 }),
      peerManifest({ name: "bird", localAs: HOST_AS, remoteAs: BIRD_AS, address: outer.ipv4 }),
      poolManifest(["203.0.113.0/24"]),
      advertisementManifest(),
      serviceManifest("web"),
    ),
  );
  expect(said).toContain("service/default/web: 203.0.113.0");
  expect(await spread(inner, "203.0.113.0/32")).toEqual(all);
  expect(await spread(outer, "203.0.113.0")).toEqual(all);
  const [first] = await Promise.all(agents.map((agent) => hasGeneration(agent, 1)));
  for (const agent of agents) {
    expect(await fleetOf(agent)).toMatchObject({
      connected: true,
      generation: 1,
      diverged: null,
      stateDigest: first?.stateDigest,
    });
  }

  // Without one server everything goes on.
  await fleet.servers[2]?.kill();
  await fleet.apply(serviceManifest("two"));
  expect(await spread(inner, "203.0.113.1/32")).toEqual(all);

  // Without two nothing can be published, and nothing that was is touched.
  await fleet.servers[1]?.kill();
  const refused = await fleet.rutter(
    ["apply", "-f", "-", "--timeout", "5"],
    serviceManifest("three"),
  );
  expect(refused.code).toBe(1);
  expect(await nextHops(inner, "203.0.113.0/32")).toEqual(all);
  expect(await nextHops(outer, "203.0.113.1")).toEqual(all);
  const flaps = async (): Promise<number> =>
    (await Promise.all(all.map((ipv4) => frr.session(ipv4)))).reduce(
      (sum, { timesLost }) => sum + timesLost,
      0,
    );
  expect(await flaps()).toBe(0);

  await Promise.all([fleet.servers[1]?.restart(), fleet.servers[2]?.restart()]);
  await fleet.apply(serviceManifest("three"));
  expect(await spread(inner, "203.0.113.2/32")).toEqual(all);
  expect(await spread(outer, "203.0.113.2")).toEqual(all);
  expect(await flaps()).toBe(0);
}, 400_000);
