/**
 * Manifests that users have today, on FRR end to end: what their first lines promise, at a router and in the kernel.
 *
 * Their addresses are somebody else's network, so the host and its router are given those. What needs VRFs is in the guest.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { SHARED, skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startFrrDaemons } from "./frr-daemons.ts";
import { startFrr } from "./frr.ts";
import { ALWAYS, peerManifest } from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr", "shared-examples"));

const SLOW = 200_000;

type Played = {
  readonly host: Node;
  readonly agent: Agent;
  readonly router: Router;
  readonly running: () => Promise<string>;
  readonly until: (what: string, look: () => unknown) => Promise<unknown>;
  readonly accepted: () => Promise<string>;
};
type Link = {
  readonly host: string;
  readonly router: string;
  readonly hostAs: number;
  readonly routerAs: number;
  readonly networks: readonly string[];
};

async function played(
  link: Link,
  name: string,
  act: (played: Played) => Promise<void>,
  more = "",
): Promise<void> {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: routerNode } = network.nodes;
  await host.ip("address", "add", `${link.host}/24`, "dev", "eth0");
  await routerNode.ip("address", "add", `${link.router}/24`, "dev", "eth0");
  await using daemons = await startFrrDaemons(host, { kernel: true });
  const { hostAs: asn, networks } = link;
  const host1 = { name: "host", address: link.host, asn, localAddress: link.router };
  await using router = await startFrr(routerNode, {
    asn: link.routerAs,
    routerId: routerNode.ipv4,
    networks,
    neighbours: [{ ...host1, families: ["ipv4"] }],
  });
  const labels = "labels: {node-role.kubernetes.io/worker-virt: ''}";
  const config = `${ALWAYS}node: {name: wk3, ${labels}}\nfrr: {vtyDirectory: ${daemons.directory}}\n`;
  await using agent = await startAgent(host, { config, args: ["--backend", "frr"] });
  const running = async () => (await daemons.ask("bgpd", ["show running-config"]))[0]?.text ?? "";
  const explain = async () =>
    `${await agent.explain()}\n${await running()}\n${await router.explain()}`;
  const example = readFileSync(join(SHARED, "examples", name), "utf8");
  const { code, stderr } = await agent.apply(`${example}\n---\n${more}`);
  expect(code, stderr).toBe(0);
  type Heard = { readonly prefix: string; readonly accepted: boolean };
  await act({
    host,
    agent,
    router,
    running,
    until: (what, look) => until(async () => look(), { what, explain, timeoutMs: 60_000 }),
    accepted: async () =>
      (await agent.ask<readonly Heard[]>("routes", "received"))
        .flatMap((one) => (one.accepted ? [one.prefix] : []))
        .toSorted()
        .join(" "),
  });
}

const NETWORKS = ["203.0.113.0/24", "172.16.1.0/24", "172.16.2.128/25"];
const RACK: Link = {
  host: "172.18.20.7",
  router: "172.18.20.1",
  hostAs: 65_801,
  routerAs: 65_102,
  networks: NETWORKS,
};
const kernelHas = async (host: Node, proto: string) =>
  (await host.ip("route", "show", "proto", proto))
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .filter((prefix) => prefix !== "")
    .toSorted()
    .join(" ");

test(
  "05: one neighbour announces the Service and accepts everything into the main table",
  { timeout: SLOW },
  () =>
    played(RACK, "05-receive-routes.yaml", async ({ host, router, until: wait, accepted }) => {
      await wait("the Service", () =>
        router.route("172.19.20.181/32").then((one) => one?.from === RACK.host),
      );
      await wait("all that it announces", async () =>
        (await accepted()).includes("203.0.113.0/24"),
      );
      await wait("the kernel's", async () =>
        (await kernelHas(host, "bgp")).includes("203.0.113.0/24"),
      );
      expect(await host.ip("route", "show", "203.0.113.0/24")).toContain(
        `via ${RACK.router} dev eth0 proto bgp metric 20`,
      );
    }),
);

test(
  "06: what MetalLB generates means the same; vrf1 waits with its reason where there is no such device",
  { timeout: SLOW },
  () =>
    played(
      RACK,
      "06-generated-frrconfiguration.yaml",
      async ({ agent, router, running, until: wait }) => {
        await wait("the host route", () => router.route("172.19.20.181/32"));
        expect(await running()).toContain(
          "ip prefix-list 172.18.20.1-inpl-ipv4 seq 1 permit 172.19.20.181/32",
        );
        expect(await agent.ask<object[]>("peers")).toContainEqual(
          expect.objectContaining({ vrf: "vrf1", state: expect.not.stringMatching("Established") }),
        );
        const received = await agent.ask<readonly { prefix: string; accepted: boolean }[]>(
          "routes",
          "received",
        );
        expect(received.filter((one) => one.accepted && one.prefix !== "172.19.20.181/32")).toEqual(
          [],
        );
      },
    ),
);

test(
  "07: the VRF's session waits with its reason where there is no such device, and nothing is refused",
  { timeout: SLOW },
  () =>
    played(RACK, "07-vrf-egress.yaml", async ({ agent }) => {
      expect(await agent.ask<object[]>("peers")).toMatchObject([
        {
          name: "bgppeer-vrf1",
          vrf: "vrf1",
          state: expect.stringMatching(/^(?:Refused|Idle)$/),
          reason: expect.stringContaining("VRF"),
        },
      ]);
    }),
);

test(
  "11: raw lines open the inbound side of a session for two prefixes only",
  { timeout: SLOW },
  () => {
    const link = { ...RACK, host: "192.168.1.7", router: "192.168.1.5" };
    const peer = peerManifest({
      localAs: link.hostAs,
      remoteAs: link.routerAs,
      address: link.router,
      extra: ['connectTime: "1s"'],
    });
    return played(
      link,
      "11-bgpextras.yaml",
      async ({ running, until: wait, accepted }) => {
        await wait(
          "the two prefixes",
          async () => (await accepted()) === "172.16.1.0/24 172.16.2.128/25",
        );
        expect(await running()).toContain(
          "route-map 192.168.1.5-in permit 20\n match ip address prefix-list filtered",
        );
      },
      peer,
    );
  },
);
