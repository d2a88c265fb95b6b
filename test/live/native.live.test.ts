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
      timeoutMs: 25_000,
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
