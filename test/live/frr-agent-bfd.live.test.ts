/**
 * BFD for sessions of FRR: kept by its own bfdd, or by the agent's engine, whose Down ends a session and never shuts a neighbour.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { bfdProfile, type FrrHost, routerPeer, startFrrHost } from "./frr-host.ts";
import { advertisementManifest, documents, poolManifest, serviceManifest } from "./manifests.ts";

beforeEach(skipUnless("netns", "frr", "bird"));

const SLOW = 200_000;
/** A second to detect, as BIRD's own. */
const profile = bfdProfile({ transmitInterval: 100, receiveInterval: 100, detectMultiplier: 10 });

type Bfd = { readonly state: string; readonly localDiscriminator: number };
type Peer = { readonly state: string; readonly reason: string; readonly bfd: Bfd | null };
const peerOf = async (one: FrrHost) => (await one.agent().ask<readonly Peer[]>("peers"))[0];
const bfdIs = (one: FrrHost, state: string) =>
  one.until(`BFD ${state}`, async () => (await peerOf(one))?.bfd?.state === state);
const isUpThere = async ({ router, host }: FrrHost): Promise<boolean> =>
  (await router.session(host.ipv4)).established;

async function guarded(one: FrrHost): Promise<void> {
  const peer = routerPeer(one.routerNode, ["bfdProfile: fast"]);
  const service = serviceManifest("web", { loadBalancerIP: "198.51.100.10" });
  const pool = poolManifest(["198.51.100.0/24"]);
  await one.agent().apply(documents(pool, advertisementManifest(), service, profile, peer));
  await one.established();
  await bfdIs(one, "Up");
}

test("bfdd's Down ends the session; both come back with the path", { timeout: SLOW }, async () => {
  await using one = await startFrrHost();
  await one.startAgent();
  await guarded(one);
  expect(await one.running()).toContain(`neighbor ${one.routerNode.ipv4} bfd profile fast`);
  expect(await one.agent().ask<object[]>("bfd")).toMatchObject([{ state: "Up", multihop: false }]);
  await one.routerNode.cable("down");
  await one.until("the end", async () => (await peerOf(one))?.state !== "Established");
  expect((await peerOf(one))?.reason).toContain("BFD");
  await one.routerNode.cable("up");
  await bfdIs(one, "Up");
  await one.until("the session again", async () => (await peerOf(one))?.state === "Established");
  const { stdout } = await one.agent().rutter("log", "--type", "bfd-observed", "-o", "json");
  expect(stdout).toContain('"to":"Down"');
});

test(
  "the engine's Down ends the session, and no neighbour stays shut when the agent is killed then",
  {
    timeout: SLOW,
  },
  async () => {
    await using one = await startFrrHost();
    // Both take the same UDP port.
    await one.daemons.kill("bfdd");
    await one.startAgent(`frr: {vtyDirectory: ${one.daemons.directory}, bfd: engine}\n`);
    await guarded(one);
    const configured = await one.running();
    expect(configured).not.toContain("bfd");
    await one.routerNode.cable("down");
    await one.until("the end", async () => (await peerOf(one))?.state !== "Established");
    await bfdIs(one, "Down");
    await one.agent().kill();
    expect(await one.running()).toBe(configured);
    await one.routerNode.cable("up");
    await one.until("the session without any agent", () => isUpThere(one));
    await one.restartAgent();
    await bfdIs(one, "Up");
    await one.until(
      "the session as seen",
      async () => (await peerOf(one))?.state === "Established",
    );
  },
);
