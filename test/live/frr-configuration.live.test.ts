/**
 * A session of MetalLB's kinds that an FRRConfiguration opens for incoming routes, with FRR as the far end: one session, both
 * ways, and the second owner comes and goes without a reset. The far end's own counters say so.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { SHARED, skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startFrr } from "./frr.ts";
import { ALWAYS } from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr", "shared-examples"));

const CONFIG = `${ALWAYS}node: {name: wk3, labels: {node-role.kubernetes.io/worker-virt: ""}}\n`;
const VIP = "172.19.20.181/32";
const ROUTES = ["198.51.100.0/24", "203.0.113.0/24"];
type Peer = {
  readonly vrf: string;
  readonly name: string;
  readonly address: string;
  readonly received: number;
  readonly accepted: number;
};

/** FRR as the router of the example, at the address that the test's network gives it. */
const startRouter = (router: Node, host: Node): Promise<Router> =>
  startFrr(router, {
    asn: 65102,
    routerId: router.ipv4,
    networks: ROUTES,
    neighbours: [{ name: "agent", address: host.ipv4, asn: 65801, families: ["ipv4"] }],
  });
const example = (name: string, router: Node): string =>
  readFileSync(join(SHARED, "examples", name), "utf8").replaceAll("172.18.20.1", router.ipv4);
const peersOf = (agent: Agent): Promise<readonly Peer[]> => agent.ask<Peer[]>("peers");
const accepted = (agent: Agent, wanted: number) => () =>
  peersOf(agent).then((all) => {
    const one = all.find(({ vrf }) => vrf === "");
    return one?.received === ROUTES.length && one.accepted === wanted;
  });

test("05: one session, our VIP told, every route accepted; its second owner comes and goes without a reset", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await using agent = await startAgent(host, { config: CONFIG });
  await using frr = await startRouter(router, host);
  const explain = async () => `${await agent.explain()}\n${await frr.explain()}`;
  const documents = example("05-receive-routes.yaml", router).split(/^---$/m);
  const [opened = ""] = documents.slice(-1);
  const closed = documents.slice(0, -1).join("---");

  expect((await agent.apply(closed)).code).toBe(0);
  await until(() => frr.route(VIP), { what: "our VIP at the router", explain });
  await until(accepted(agent, 0), { what: "its routes, none accepted", explain });

  expect((await agent.apply(opened)).code).toBe(0);
  await until(accepted(agent, ROUTES.length), { what: "all of them accepted", explain });
  expect(await peersOf(agent)).toMatchObject([{ name: "bgppeer-r2", address: router.ipv4 }]);
  const received = await agent.ask<{ prefix: string; accepted: boolean }[]>("routes", "received");
  expect(received.filter((one) => one.accepted).map(({ prefix }) => prefix)).toEqual(
    expect.arrayContaining(ROUTES),
  );
  const { stdout } = await agent.rutter("why", "bgppeer-r2");
  expect(stdout).toContain("receive-all");
  expect(stdout).toContain("bgppeer.metallb.io/metallb-system/bgppeer-r2");

  expect(
    (await agent.rutter("delete", "frrconfiguration", "receive-all", "-n", "openshift-frr-k8s"))
      .code,
  ).toBe(0);
  await until(accepted(agent, 0), { what: "none accepted again", explain });
  expect((await agent.apply(opened)).code).toBe(0);
  await until(accepted(agent, ROUTES.length), { what: "all of them again", explain });

  const contradicting = opened.replace("receive-all", "contradicts").replace(/65102/, "65103");
  const { stdout: said } = await agent.apply(contradicting);
  expect(said).toContain("remote-asn-conflict");
  expect(said).toContain("AS 65103 here, 65102 in");
  expect(await peersOf(agent)).toHaveLength(1);

  expect(await frr.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
  expect(await frr.route(VIP)).toMatchObject({ nextHop: host.ipv4, asPath: [65801] });
});

test("06: the default VRF works, its filter holds, and vrf1 waits with its reason", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await using agent = await startAgent(host, { config: CONFIG });
  await using frr = await startRouter(router, host);
  const explain = async () => `${await agent.explain()}\n${await frr.explain()}`;

  const applied = await agent.apply(example("06-generated-frrconfiguration.yaml", router));
  expect(applied.code).toBe(0);
  await until(() => frr.route(VIP), { what: "the host route at the router", explain });
  await until(accepted(agent, 0), { what: "its routes, none accepted", explain });
  expect(await peersOf(agent)).toMatchObject([
    { name: router.ipv4, address: router.ipv4 },
    { vrf: "vrf1", reason: expect.stringContaining("vrf1") },
  ]);
  expect((await frr.routes()).map(({ prefix }) => prefix)).toEqual([VIP]);
  const shown = await agent.ask<{
    status: { state: string; notCarried: { field: string; reason: string }[] };
  }>("get", "frrconfiguration", "metallb-wk3");
  const status = [shown].flat()[0]?.status;
  expect(status).toMatchObject({ state: "accepted" });
  // Of VRFs a kernel without any has its say.
  expect(status?.notCarried.filter(({ reason }) => !reason.includes("on this host"))).toEqual([]);
});
