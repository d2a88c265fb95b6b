/**
 * What the native speaker says of a session that does not come up, with BIRD as the far end: each cause in words to act on.
 *
 * What it does like every other speaker is the contract (../contract/); its own parts are tried in the files beside this one.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { ALWAYS, peerManifest } from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import type { Neighbour, RouterPlan } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "tcp-md5"));

const HOST_AS = 64512;

function routerPlan(asn: number, routerId: string, neighbour: Omit<Neighbour, "name">): RouterPlan {
  return { asn, routerId, neighbours: [{ name: "host", ...neighbour }] };
}

describe("what is wrong is named", () => {
  type Named = { readonly reason: string; readonly state: string };
  const reasonOf = async (
    spec: Partial<Parameters<typeof peerManifest>[0]>,
    router: (far: { ipv4: string }, host: { ipv4: string }) => RouterPlan,
    words: RegExp,
  ): Promise<void> => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using bird = await startBird(far, router(far, host));
    await using agent = await startAgent(host, { config: ALWAYS });
    await agent.apply(
      peerManifest({ localAs: HOST_AS, remoteAs: 64999, address: far.ipv4, ...spec }),
    );
    const peer = () => agent.ask<Named[]>("peers").then(([one]) => one);
    const explain = async () => `${JSON.stringify(await peer())}\n${await bird.explain()}`;
    await until(async () => words.test((await peer())?.reason ?? ""), {
      what: String(words),
      explain,
      timeoutMs: 60_000,
    });
  };
  const plain = (far: { ipv4: string }, host: { ipv4: string }): RouterPlan =>
    routerPlan(64999, far.ipv4, { address: host.ipv4, asn: HOST_AS, passive: true });

  test("a wrong AS", () =>
    reasonOf(
      { remoteAs: 64998 },
      plain,
      /wrong AS: the peer says it is AS 64999, expected AS 64998/,
    ));
  test("a wrong password", () =>
    reasonOf({ password: "other" }, plain, /no answer.*wrong password/));
  test("a peer that nobody is", () =>
    reasonOf({ address: "192.0.2.99" }, plain, /no route|unreachable|no answer/));
  test("a port where nobody listens", () =>
    reasonOf({ extra: ["peerPort: 1790"] }, plain, /connection refused: nobody listens/));

  test("a BGP port in use", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using bird = await startBird(
      host,
      routerPlan(1, host.ipv4, { address: far.ipv4, asn: 2 }),
    );
    await using agent = await startAgent(host, { config: ALWAYS, listen: "0.0.0.0:179" });
    const checks = await agent.ask<{ check: string; ok: boolean; detail: string }[]>("doctor");
    expect(checks.find(({ check }) => check === "listen")).toMatchObject({
      ok: false,
      detail: expect.stringContaining("in use by another program"),
    });
    expect(bird.pid).toBeGreaterThan(0);
  });
});

test("an external peer over a hop that dials us needs ebgpMultiHop, too", async () => {
  await using network = await makeNetwork(["host", "hop", "router"]);
  const { host, hop, router: far } = network.nodes;
  const FAR = "192.0.2.9";
  await hop.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  // A hop that tells of shorter ways would be none.
  await hop.run([
    "sh",
    "-c",
    "for each in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $each; done",
  ]);
  await far.ip("address", "add", `${FAR}/32`, "dev", "lo");
  await hop.ip("route", "add", `${FAR}/32`, "via", far.ipv4);
  await host.ip("route", "add", `${FAR}/32`, "via", hop.ipv4);
  await using bird = await startBird(
    far,
    routerPlan(64999, far.ipv4, {
      address: host.ipv4,
      asn: HOST_AS,
      localAddress: FAR,
      multihop: 64,
    }),
  );
  await using agent = await startAgent(host, { config: ALWAYS });
  const explain = async () => `${await agent.explain()}\n${await bird.explain()}`;
  const peer = peerManifest({
    localAs: HOST_AS,
    remoteAs: 64999,
    address: FAR,
    extra: ["holdTime: 3s", "keepaliveTime: 1s"],
  });
  await agent.apply(peer);
  type Seen = { readonly reason: string; readonly state: string };
  const seen: Seen[] = [];
  const look = async () => {
    seen.push(...(await agent.ask<Seen[]>("peers")));
    return seen.at(-1);
  };
  // The router's OPEN comes; ours goes no further than the hop.
  const isDead = async () => /hold timer expired/.test((await look())?.reason ?? "");
  await until(isDead, { what: "the router's connection to die", explain, timeoutMs: 60_000 });
  const isNamed = async () => /needs ebgpMultiHop/.test((await look())?.reason ?? "");
  await until(isNamed, { what: "the reason", explain, timeoutMs: 60_000 });
  expect(seen.map(({ state }) => state)).toContain("OpenConfirm");
  expect((await bird.session(host.ipv4)).timesEstablished).toBe(0);
  await agent.apply(`${peer}\n  ebgpMultiHop: true`);
  await until(async () => (await look())?.state === "Established", {
    what: "the session with ebgpMultiHop",
    explain,
    timeoutMs: 60_000,
  });
});
