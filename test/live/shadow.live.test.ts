/**
 * The whole agent on the native speaker, asked what GoBGP and FRR would do in its place: nothing is opened and nothing changes.
 */
import { beforeEach, expect, test } from "vitest";
import type { PlanAnswer } from "../../agent/api/contract.ts";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { peerManifest } from "./manifests.ts";
import { makeNetwork } from "./netns.ts";

beforeEach(skipUnless("netns"));

test("the one that runs goes on, and the others are compared with it", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await using agent = await startAgent(host, {
    config: `frr: {vtyDirectory: ${host.directory}}\n`,
  });
  const manifest = peerManifest({
    name: "router",
    localAs: 64512,
    remoteAs: 64999,
    address: router.ipv4,
  });
  const applied = await agent.apply(manifest, "--wait");
  expect(applied.stdout).toContain("created");
  const gobgp = await agent.ask<PlanAnswer>("plan", "--backend", "gobgp");
  expect(gobgp.resets).toEqual(["router"]);
  expect(gobgp.shadow).toMatchObject({ backend: "gobgp", running: "native", warnings: [] });
  const frr = await agent.ask<PlanAnswer>("plan", "--backend", "frr");
  expect(frr.resets).toEqual(["router"]);
  expect(frr.shadow?.warnings).toEqual([expect.stringContaining("bgpd does not answer")]);
  const same = await agent.ask<PlanAnswer>("plan", "--backend", "native");
  expect(same.resets).toEqual([]);
});
