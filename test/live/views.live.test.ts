/**
 * Status kinds and the generated FRRConfiguration of a whole agent, with FRR as the far end: what is shown is what is on the
 * wire, and the generated manifest makes a second host speak alike.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
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
const VIP = "203.0.113.10";
type View = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly status: Readonly<Record<string, unknown>>;
};
const viewsOf = async (agent: Agent, kind: string): Promise<readonly View[]> =>
  agent.ask<View[]>("get", kind);
const statusesOf = async (agent: Agent, kind: string) =>
  (await viewsOf(agent, kind)).map(({ status }) => status);

test("what Kubernetes tooling asks for is what the wire has", async () => {
  await using network = await makeNetwork(["host", "second", "router"]);
  const { host, second, router } = network.nodes;
  const config = `${ALWAYS}node: {name: host-1}\n`;
  await using agent = await startAgent(host, { config });
  await using frr = await startFrr(router, {
    asn: ROUTER_AS,
    routerId: router.ipv4,
    neighbours: [host, second].map(({ name, ipv4 }) => ({
      name,
      address: ipv4,
      asn: HOST_AS,
      families: ["ipv4"],
    })),
  });
  const explain = async () => `${await agent.explain()}\n${await frr.explain()}`;
  const nobody = "192.0.2.99";
  const applied = await agent.apply(
    documents(
      poolManifest([`${VIP}/32`]),
      peerManifest({ localAs: HOST_AS, remoteAs: ROUTER_AS, address: router.ipv4 }),
      peerManifest({ name: "silent", localAs: HOST_AS, remoteAs: 1, address: nobody }),
      advertisementManifest(),
      serviceManifest("web", { loadBalancerIP: VIP }),
    ),
  );
  expect(applied).toMatchObject({ code: 0 });
  await until(() => frr.route(`${VIP}/32`), { what: "our VIP at the router", explain });

  expect(await statusesOf(agent, "servicebgpstatuses")).toEqual([
    { node: "host-1", serviceName: "web", serviceNamespace: "default", peers: ["router"] },
  ]);
  const sessions = await statusesOf(agent, "bgpsessionstates.frrk8s.metallb.io");
  expect(sessions.find(({ peer }) => peer === router.ipv4)).toEqual({
    bgpStatus: "Established",
    bfdStatus: "N/A",
    node: "host-1",
    peer: router.ipv4,
    vrf: "",
  });
  expect(sessions.find(({ peer }) => peer === nobody)?.["bgpStatus"]).not.toBe("Established");
  expect(await statusesOf(agent, "configurationstate")).toMatchObject([
    { result: "Valid", errorSummary: "" },
  ]);
  const aside = peerManifest({ name: "twin", localAs: HOST_AS, remoteAs: 1, address: nobody });
  expect((await agent.apply(aside)).stdout).toContain("same-neighbor");
  expect(await statusesOf(agent, "configurationstate")).toMatchObject([
    {
      result: "Invalid",
      errorSummary: expect.stringContaining("BGPPeer metallb-system/twin"),
      conditions: [
        { type: "ConfigurationValid", status: "False", lastTransitionTime: expect.any(String) },
        { type: "Applied", status: "True" },
      ],
    },
  ]);
  const none = await agent.rutter("get", "frrnodestate");
  expect(none.code).toBe(1);
  expect(none.stderr).toContain("the native speaker has no running configuration");
  const table = await agent.rutter("get", "servicebgpstatus");
  expect(table.stdout).toMatch(/SERVICE[^]*web +router/);

  // A host of the same name that has the manifest alone speaks as the first one does.
  const generated = await agent.rutter("get", "frrconfiguration", "--generated", "-o", "yaml");
  expect(generated.stdout).toContain("rutter/generated");
  await using other = await startAgent(second, { config });
  expect(await other.apply(generated.stdout)).toMatchObject({ code: 0 });
  await until(() => frr.session(second.ipv4).then((one) => one?.state === "Established"), {
    what: "the second host's session",
    explain: () => other.explain(),
  });
  await agent.stop();
  await until(() => frr.route(`${VIP}/32`).then((one) => one?.nextHop === second.ipv4), {
    what: "the VIP from the second host",
    explain: () => other.explain(),
  });
  const stored = await other.ask<unknown>("get", "frrconfiguration");
  expect(stored).toMatchObject([
    { metadata: { name: "metallb-host-1" }, status: { state: "accepted", notCarried: [] } },
  ]);
});
