/**
 * What this host's kernel can't do is said by plan and apply, before anything is tried.
 *
 * Read next: ../plan/kernel-refusals.test.ts (each case, without a kernel), ../vm/ (a kernel with VRFs and without nftables).
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork } from "./netns.ts";

beforeEach(skipUnless("netns"));

type Lack = { readonly resource: string; readonly field: string; readonly reason: string };
type Planned = {
  readonly notCarried: readonly Lack[];
  readonly kernel: { readonly add: readonly string[] };
};

const base = documents(
  poolManifest(["192.0.2.0/24"]),
  advertisementManifest(),
  serviceManifest("s"),
);
const peer = peerManifest({ name: "p1", localAs: 64512, remoteAs: 64999, address: "10.99.0.77" });
const red = `apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: red, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64999, peerAddress: 10.99.0.78, vrf: red}`;
const rutter = (kind: string, spec: string): string =>
  `apiVersion: rutter/v1\nkind: ${kind}\nmetadata: {name: all, namespace: metallb-system}\nspec: ${spec}`;
const egress = (spec: string): string =>
  `apiVersion: k8s.ovn.org/v1\nkind: EgressService\nmetadata: {name: s, namespace: default}\nspec: ${spec}`;

test("a kernel without VRFs: plan, apply, peers and doctor say what is refused for it", async (context) => {
  skipUnless("no-vrf")(context);
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  await using agent = await startAgent(host, { config: ALWAYS });
  await agent.apply(documents(base, peer));
  const text = documents(red, rutter("RouteImport", "{vrf: red}"), egress("{network: red}"));
  const path = `${host.directory}/red.yaml`;
  await host.run(["sh", "-c", `cat > ${path}`], { input: text });
  const why = "this kernel has no VRF devices (CONFIG_NET_VRF)";
  const planned = await agent.ask<Planned>("plan", "-f", path);
  expect(planned.notCarried).toEqual([
    {
      resource: "k8s.ovn.org/EgressService/default/s",
      field: "spec.network",
      reason: `not carried on this host: ${why}`,
    },
    {
      resource: "metallb.io/BGPPeer/metallb-system/red",
      field: "spec.vrf",
      reason: `not carried on this host: VRF red: ${why}`,
    },
    {
      resource: "rutter/RouteImport/metallb-system/all",
      field: "spec.vrf",
      reason: `not carried on this host: ${why}`,
    },
  ]);
  expect(planned.kernel.add).toEqual([]);
  const said = (await agent.rutter("apply", "-f", path)).stdout;
  expect(said).toContain(`accepted, not carried on this host: VRF red: ${why} (spec.vrf)`);
  expect(await agent.ask<object[]>("peers")).toMatchObject([
    { name: "p1" },
    { name: "red", state: "Refused", reason: `VRF red: ${why}` },
  ]);
  expect((await agent.rutter("get", "routeimports")).stdout).toContain(why);
  expect((await agent.rutter("doctor")).stdout).toContain(`warning  kernel: ${why}`);
});

test("a host without nft: the source address is refused, the way out is not", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  await using agent = await startAgent(host, {
    config: ALWAYS,
    under: ["env", "PATH=/nowhere"],
  });
  await agent.apply(documents(base, peer));
  const said = await agent.apply(egress('{sourceIPBy: Network, network: "77"}'));
  expect(said.stdout).toMatch(
    /accepted, not carried on this host: nft is not to be had .*install nftables \(spec\.sourceIPBy\)/,
  );
  expect(await agent.ask("get", "intent")).toMatchObject({
    kernel: {
      entries: [
        { entry: "address 192.0.2.0 dev lo" },
        { entry: "rule 5000 from 192.0.2.0/32 lookup 77" },
      ],
    },
  });
  expect((await agent.rutter("doctor")).stdout).toContain("install nftables");
});

test("a kernel that another agent has: only what needs it is refused", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  await using first = await startAgent(host, { name: "first", config: ALWAYS });
  await using second = await startAgent(host, {
    name: "second",
    config: ALWAYS,
    listen: "127.0.0.1:1790",
  });
  await second.apply(documents(base, peer));
  const said = await second.apply(documents(rutter("RouteImport", "{}")));
  expect(said.stdout).toContain("accepted, not carried on this host: another agent has");
  expect(await second.ask("get", "intent")).toMatchObject({
    routers: [{ routes: [{ prefix: "192.0.2.0/32" }] }],
  });
  const mine = await first.apply(documents(rutter("RouteImport", "{}")));
  expect(mine.stdout).not.toContain("not carried");
});
