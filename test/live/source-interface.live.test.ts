/**
 * An interface as the source of a session (`sourceaddress: lo`): spoken from its address, from the next one when that changes, and
 * not at all while it has none. BIRD knows each address as a neighbour of its own, and says who is there.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { ALWAYS } from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { keyOf, spokenNeighbor, startSpeaker } from "./speaker.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "gobgp"));

const HOST_AS = 64512;
const FAR_AS = 64999;
const FIRST = "192.0.2.50";
const THEN = "192.0.2.51";
const PATIENCE_MS = 60_000;

const configuration = (router: Node): string =>
  JSON.stringify({
    apiVersion: "frrk8s.metallb.io/v1beta1",
    kind: "FRRConfiguration",
    metadata: { name: "far", namespace: "frr-k8s-system" },
    spec: {
      bgp: {
        routers: [
          {
            asn: HOST_AS,
            neighbors: [{ asn: FAR_AS, address: router.ipv4, sourceaddress: "lo" }],
          },
        ],
      },
    },
  });

const SPEAKERS = {
  native: ALWAYS,
  gobgp: `${ALWAYS}backend: gobgp\ngobgp: {supervise: {}}\n`,
};

test.each(Object.entries(SPEAKERS))(
  "%s: it follows the address, and waits with a reason while there is none",
  async (_, config) => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router } = network.nodes;
    for (const one of [FIRST, THEN]) {
      await router.ip("route", "add", `${one}/32`, "via", host.ipv4);
    }
    const neighbour = (name: string, address: string) => ({
      name,
      address,
      asn: HOST_AS,
      localAddress: router.ipv4,
      multihop: 2,
      passive: true,
    });
    await using bird = await startBird(router, {
      asn: FAR_AS,
      routerId: router.ipv4,
      neighbours: [neighbour("one", FIRST), neighbour("two", THEN)],
    });
    await using agent = await startAgent(host, { config });
    await agent.apply(configuration(router));
    type Seen = {
      readonly state: string;
      readonly reason: string;
      readonly localAddress: string | null;
    };
    const peer = async () => (await agent.ask<Seen[]>("peers"))[0];
    const explain = async () => `${JSON.stringify(await peer())}\n${await bird.explain()}`;
    const waitFor = (what: string, look: () => Promise<boolean>) =>
      until(look, { what, explain, timeoutMs: PATIENCE_MS });
    const isUp = (address: string) => async () => (await bird.session(address)).established;
    const waits = async () =>
      (await peer())?.reason ===
      "waits for an address to speak from: lo has no IPv4 one (sourceaddress)";

    await waitFor("the reason", waits);
    await host.ip("address", "add", `${FIRST}/32`, "dev", "lo");
    await waitFor("a session from the first address", isUp(FIRST));
    // It stays where it is as long as it can.
    await host.ip("address", "add", `${THEN}/32`, "dev", "lo");
    await host.ip("address", "delete", `${FIRST}/32`, "dev", "lo");
    await waitFor("a session from the other address", isUp(THEN));
    await host.ip("address", "delete", `${THEN}/32`, "dev", "lo");
    await waitFor("the reason again", waits);
    expect((await bird.session(FIRST)).timesEstablished).toBe(1);
    expect((await bird.session(THEN)).timesEstablished).toBe(1);
  },
);

test("a link-local peer is spoken to from the link-local address of that interface", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  const [near, far] = ["fe80::1", "fe80::2"];
  await host.ip("address", "add", `${near}/64`, "dev", "eth0", "nodad");
  await router.ip("address", "add", `${far}/64`, "dev", "eth0", "nodad");
  await using bird = await startBird(router, {
    asn: FAR_AS,
    routerId: router.ipv4,
    neighbours: [
      {
        name: "host",
        address: near,
        asn: HOST_AS,
        localAddress: far,
        families: ["ipv6"],
        passive: true,
        raw: ['interface "eth0";'],
      },
    ],
  });
  // The kernel's own link-local address would be the first one.
  const listed = await host.ip("-6", "-o", "address", "show", "dev", "eth0", "scope", "link");
  for (const own of listed.matchAll(/inet6 (\S+)/g)) {
    const [, text = ""] = own;
    if (text !== `${near}/64`) await host.ip("address", "delete", text, "dev", "eth0");
  }
  await using speaker = await startSpeaker(host);
  const neighbor = spokenNeighbor(far, { localInterface: "eth0", families: ["ipv6"] });
  await speaker.apply({ localAs: HOST_AS, routerId: host.ipv4, neighbors: [neighbor] });
  const isUp = async () => (await speaker.session(keyOf(far))).state === "Established";
  const explain = async () => `${await speaker.explain()}\n${await bird.explain()}`;
  await until(isUp, { what: "the session", explain, timeoutMs: PATIENCE_MS });
  expect((await speaker.session(keyOf(far))).localAddress).toBe(near);
});
