/**
 * Peers without an address of their own in the manifests: found by router advertisements, spoken to over link-local addresses,
 * with IPv4 routes over IPv6 next hops (RFC 4861, RFC 8950). The whole agent, with FRR as the router.
 *
 * What counts is what `ip` says on both sides, and that traffic arrives where the two share no IPv4 network at all.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startBfdd } from "./bfdd.ts";
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
import type { RouterPlan } from "./router.ts";
import { call, serve } from "./tcp.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const HOST_AS = 64512;
const FAR_AS = 64999;
const VIP = "10.0.0.1";
const VIP6 = "2001:db8:9::1";
const FAR4 = "10.77.1.1";
const FAR6 = "2001:db8:77::1";
const PATIENCE_MS = 60_000;

type KernelRoute = {
  readonly dst: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly via?: { readonly host: string };
};

/** Takes all IPv4 and global IPv6 addresses off the link: what is left is link-local. */
async function bare(node: Node): Promise<void> {
  await node.ip("-4", "address", "flush", "dev", "eth0");
  await node.ip("-6", "address", "flush", "dev", "eth0", "scope", "global");
}

async function linkLocal(node: Node): Promise<string> {
  const answer = await node.ip("-j", "-6", "address", "show", "dev", "eth0", "scope", "link");
  const [link] = JSON.parse(answer) as [{ addr_info: readonly { local?: string }[] }];
  // ip leaves an empty object where it filtered one out.
  return link.addr_info.find(({ local }) => local !== undefined)?.local ?? "";
}

async function wayTo(node: Node, prefix: string): Promise<KernelRoute | undefined> {
  const family = prefix.includes(":") ? "-6" : "-4";
  const routes = JSON.parse(await node.ip("-j", family, "route", "show", prefix)) as KernelRoute[];
  return routes[0];
}

/** FRR's own words for a neighbour that is known by its interface. */
const farPlan = (node: Node): RouterPlan => ({
  asn: FAR_AS,
  routerId: node.ipv4,
  networks: [`${FAR4}/32`, `${FAR6}/128`],
  neighbours: [],
  raw: [
    `router bgp ${FAR_AS}`,
    "  no bgp ebgp-requires-policy",
    "  no bgp default ipv4-unicast",
    "  no bgp network import-check",
    "  neighbor eth0 interface remote-as external",
    "  neighbor eth0 timers connect 1",
    "  address-family ipv4 unicast",
    "    neighbor eth0 activate",
    "  exit-address-family",
    "  address-family ipv6 unicast",
    "    neighbor eth0 activate",
    "  exit-address-family",
    "exit",
  ],
});

/** The neighbour as the BGPPeer has it, and that everything is taken from it. */
const receives = (...neighbour: readonly string[]): string =>
  [
    "apiVersion: frrk8s.metallb.io/v1beta1",
    "kind: FRRConfiguration",
    "metadata: {name: receives, namespace: frr-k8s-system}",
    "spec:",
    "  bgp:",
    "    routers:",
    `      - asn: ${HOST_AS}`,
    "        neighbors:",
    "          - toReceive: {allowed: {mode: all}}",
    ...neighbour.map((line) => `            ${line}`),
  ].join("\n");

const unnumberedPeer = (more = ""): string =>
  [
    "apiVersion: metallb.io/v1beta2",
    "kind: BGPPeer",
    "metadata: {name: router, namespace: metallb-system}",
    `spec: {myASN: ${HOST_AS}, dynamicASN: external, interface: eth0${more}}`,
  ].join("\n");
const watched = unnumberedPeer(", bfdProfile: fast");
const unnumbered = documents(unnumberedPeer(), receives("interface: eth0", "dynamicASN: external"));
const wanted = documents(
  poolManifest([`${VIP}/32`, `${VIP6}/128`]),
  advertisementManifest(),
  serviceManifest("web", { ipFamilyPolicy: "RequireDualStack" }),
);

const session = async (agent: Agent) => {
  const [peer] =
    await agent.ask<{ state: string; reason: string; address: string | null }[]>("peers");
  return peer;
};

const isUp = (agent: Agent, address: string) => async () => {
  const peer = await session(agent);
  return peer?.state === "Established" && peer.address === address;
};

test("both ways, over link-local addresses alone, IPv4 too; a peer that comes back under another address is followed", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await bare(host);
  await bare(far);
  await far.ip("address", "add", `${FAR4}/32`, "dev", "lo");
  await far.ip("address", "add", `${FAR6}/128`, "dev", "lo", "nodad");
  const router = await startFrr(far, farPlan(far), { kernel: true });
  await using agent = await startAgent(host, { config: ALWAYS });
  const explain = async () =>
    `${await agent.explain()}\n${await host.ip("route")}\n${await far.ip("route")}\n${router.log().slice(-3000)}`;
  const patience = (what: string) => ({ what, explain, timeoutMs: PATIENCE_MS });
  expect((await agent.apply(documents(unnumbered, wanted))).stderr).toBe("");

  const first = await linkLocal(far);
  await until(isUp(agent, first), patience("the session"));
  // RFC 8950 towards us: an IPv4 route through an IPv6 neighbour.
  await until(
    async () => (await wayTo(host, FAR4))?.via?.host === first,
    patience("the IPv4 route of the peer"),
  );
  await until(
    async () => (await wayTo(host, FAR6))?.gateway === first,
    patience("the IPv6 route of the peer"),
  );
  // And from us, in FRR's kernel.
  const own = await linkLocal(host);
  await until(
    async () => (await wayTo(far, VIP))?.via?.host === own,
    patience("the IPv4 VIP at the peer"),
  );
  await until(
    async () => (await wayTo(far, VIP6))?.gateway === own,
    patience("the IPv6 VIP at the peer"),
  );
  await using vip = await serve(host, { address: VIP });
  await using vip6 = await serve(host, { address: VIP6 });
  expect([vip, vip6]).toHaveLength(2);
  expect(await call(far, VIP, { address: FAR4 })).toBe(`host hears ${FAR4}`);
  expect(await call(far, VIP6, { address: FAR6 })).toBe(`host hears ${FAR6}`);

  // Another machine takes the router's place: another MAC address, and so another link-local one.
  await router.stop("SIGKILL");
  await far.ip("link", "set", "eth0", "down");
  await far.ip("link", "set", "eth0", "address", "02:00:5e:00:53:77");
  await far.ip("link", "set", "eth0", "up");
  await using another = await startFrr(far, farPlan(far), { kernel: true });
  const second = await linkLocal(far);
  expect(second).not.toBe(first);
  await until(isUp(agent, second), patience("the session with the new address"));
  await until(
    async () => (await wayTo(host, FAR4))?.via?.host === second,
    patience("the route through the new address"),
  );
  await until(async () => (await wayTo(far, VIP))?.via?.host === own, {
    ...patience("the VIP at the new peer"),
    explain: another.explain,
  });
  expect(await call(far, VIP, { address: FAR4 })).toBe(`host hears ${FAR4}`);
}, 240_000);

test("an interface that is not there yet is waited for, and one where nobody is, too; both say so", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await host.ip("link", "set", "eth0", "name", "uplink");
  await using agent = await startAgent(host, { config: ALWAYS });
  const patience = (what: string) => ({
    what,
    explain: agent.explain,
    timeoutMs: PATIENCE_MS,
  });
  await agent.apply(documents(unnumbered, wanted));
  const says = (pattern: RegExp) => async () => pattern.test((await session(agent))?.reason ?? "");
  await until(says(/^interface eth0 does not exist on this host$/), patience("its words"));
  expect(await session(agent)).toMatchObject({ state: "Refused", address: null });
  await host.ip("link", "set", "uplink", "down");
  await host.ip("link", "set", "uplink", "name", "eth0");
  await host.ip("link", "set", "eth0", "up");
  await until(says(/^waits for a router advertisement on eth0/), patience("its words"));
  await using router = await startFrr(far, farPlan(far));
  expect(router.kind).toBe("frr");
  await until(isUp(agent, await linkLocal(far)), patience("the session"));
  await host.ip("link", "set", "eth0", "down");
  await host.ip("link", "set", "eth0", "name", "uplink");
  await until(says(/^interface eth0 does not exist/), patience("its words again"));
}, 240_000);

test("BFD runs to who was found, and its end is the session's", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await startFrr(far, farPlan(far));
  await using bfdd = await startBfdd(far, [], { zebra: true });
  await using agent = await startAgent(host, { config: `${ALWAYS}\nbfd: {keepSeconds: 20}\n` });
  const explain = async () =>
    `${await agent.explain()}\n${await bfdd.explain()}\n${router.log().slice(-2000)}`;
  const patience = (what: string) => ({ what, explain, timeoutMs: PATIENCE_MS });
  const profile =
    "apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {detectMultiplier: 10}";
  await agent.apply(documents(profile, watched));
  const [ours, theirs] = [await linkLocal(host), await linkLocal(far)];
  type Bfd = { readonly peer: string; readonly state: string };
  const bfd = async () => [await agent.ask<Bfd | Bfd[]>("bfd")].flat()[0];
  await until(async () => (await bfd())?.peer === theirs, patience("the session's peer"));
  const name = `${ours} local-address ${theirs} interface eth0`;
  // bfdd tries to bind such an address once, which may be before zebra has told it of the interface.
  const isUpByNow = async (): Promise<boolean> => {
    await bfdd.configure(["bfd", `peer ${name}`, "detect-multiplier 10", "no shutdown"]);
    for (let look = 0; look < 10; look += 1) {
      if ((await bfd())?.state === "Up") return true;
      await pause(300);
    }
    await bfdd.configure(["bfd", `no peer ${name}`]);
    return false;
  };
  await until(isUpByNow, patience("BFD"));
  await until(isUp(agent, theirs), patience("the session"));
  await far.cable("down");
  await until(async () => /BFD/.test((await session(agent))?.reason ?? ""), patience("its end"));
  expect((await session(agent))?.state).not.toBe("Established");
}, 240_000);

test("a session between global IPv6 addresses carries IPv4 where both offer it, and where one does not, none", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  for (const node of [host, far]) await node.ip("-4", "address", "flush", "dev", "eth0");
  await far.ip("address", "add", `${FAR4}/32`, "dev", "lo");
  const planned = (raw: readonly string[]): RouterPlan => ({
    asn: FAR_AS,
    routerId: far.ipv4,
    networks: [`${FAR4}/32`, `${FAR6}/128`],
    neighbours: [{ name: "host", address: host.ipv6, asn: HOST_AS, raw }],
  });
  const agreed = planned([`neighbor ${host.ipv6} capability extended-nexthop`]);
  await using router = await startFrr(far, agreed, { kernel: true });
  await using agent = await startAgent(host, { config: ALWAYS });
  const explain = async () => `${await agent.explain()}\n${await router.explain()}`;
  const patience = (what: string) => ({ what, explain, timeoutMs: PATIENCE_MS });
  await agent.apply(
    documents(
      peerManifest({
        localAs: HOST_AS,
        remoteAs: FAR_AS,
        address: far.ipv6,
        dualStack: true,
        extra: ["routerID: 10.99.0.1"],
      }),
      receives(`address: "${far.ipv6}"`, `asn: ${FAR_AS}`, "dualStackAddressFamily: true"),
      wanted,
    ),
  );
  await until(
    async () => (await wayTo(host, FAR4))?.via?.host === far.ipv6,
    patience("the IPv4 route of the peer"),
  );
  await until(
    async () => (await wayTo(far, VIP))?.via?.host === host.ipv6,
    patience("the IPv4 VIP at the peer"),
  );
  await using vip = await serve(host, { address: VIP });
  expect(vip).toBeDefined();
  expect(await call(far, VIP, { address: FAR4 })).toBe(`host hears ${FAR4}`);

  await router.reconfigure(planned([]));
  await until(
    async () => (await wayTo(host, FAR4)) === undefined && (await router.route(`${VIP6}/128`)),
    patience("the session without it"),
  );
  expect(await router.route(`${VIP}/32`)).toBeUndefined();
}, 240_000);
