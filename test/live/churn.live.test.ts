/**
 * What changes on the wire is what was asked, and nothing else: sessions stand while prefixes come and go, and a new program
 * version takes nothing away without being told to.
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
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

beforeEach(skipUnless("netns", "bird"));

const base = (address: string): string =>
  documents(
    poolManifest(["203.0.113.0/24"]),
    peerManifest({ localAs: 64512, remoteAs: 64999, address }),
    advertisementManifest(),
  );
const ROUTER = { name: "host", asn: 64512, gracefulRestart: false } as const;

test("fifty Services come and go, a peer is added, and the first session never resets", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await startBird(far, {
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [{ ...ROUTER, address: host.ipv4 }],
  });
  await using agent = await startAgent(host, { config: ALWAYS });
  await agent.apply(base(far.ipv4));
  const explain = () => router.explain();
  const count = (wanted: number) =>
    until(async () => (await router.routes()).length === wanted, {
      what: `${wanted} routes`,
      explain,
    });
  const services = Array.from({ length: 50 }, (_, i) => serviceManifest(`s${i}`));
  await agent.apply(documents(...services));
  await count(50);
  await agent.apply(
    peerManifest({ name: "other", localAs: 64512, remoteAs: 64998, address: "192.0.2.9" }),
  );
  await agent.apply(advertisementManifest({ communities: ["64512:9"] }));
  const tagged = async () =>
    (await router.route("203.0.113.7/32"))?.communities.includes("64512:9") === true;
  await until(tagged, { what: "the community", explain });
  for (let i = 0; i < 50; i += 1) {
    if (i % 10 === 0) await agent.apply(documents(...services.slice(0, i + 1)));
  }
  expect((await agent.rutter("delete", "service", "s1", "-n", "default")).code).toBe(0);
  await count(49);
  expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
  const peers = await agent.ask<{ name: string; resets: number }[]>("peers");
  expect(peers.find(({ name }) => name === "router")).toMatchObject({ resets: 0 });
});

test("a version that would announce less holds the old routes until it is confirmed", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await startBird(far, {
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [{ ...ROUTER, address: host.ipv4 }],
  });
  const first = await startAgent(host, { config: ALWAYS });
  await first.apply(documents(base(far.ipv4), serviceManifest("a"), serviceManifest("b")));
  const explain = () => router.explain();
  const has = (wanted: readonly string[]) =>
    until(
      async () =>
        (await router.routes())
          .map(({ prefix }) => prefix)
          .toSorted()
          .join() === wanted.join(),
      { what: wanted.join(), explain },
    );
  await has(["203.0.113.0/32", "203.0.113.1/32"]);
  await first.kill();

  const program = otherVersion(host.directory);
  await using second = await first.restart({ program });
  await has(["203.0.113.0/32", "203.0.113.1/32"]);
  expect(await second.ask<object>("status")).toMatchObject({
    state: "held",
    held: [{ what: "plan" }],
  });
  const log = await second.ask<{ type: string; body: object }[]>(
    "log",
    "--type",
    "plan-changed-by-version",
  );
  expect([log].flat()[0]?.body).toMatchObject({
    withdrawals: ["|64512| 203.0.113.1/32"],
    held: true,
  });
  expect(await second.ask<object>("why", "203.0.113.1")).toMatchObject({
    announced: true,
    chain: expect.arrayContaining([expect.objectContaining({ step: "hold" })]),
  });
  const same = join(host.directory, "same.yaml");
  writeFileSync(same, serviceManifest("a"));
  const planned = await second.ask<{ held: object }>("plan", "-f", same);
  expect(planned.held).toEqual({ remove: ["203.0.113.1/32"], resets: [] });
  expect((await second.rutter("confirm", "plan")).code).toBe(0);
  await has(["203.0.113.0/32"]);
});

/** This program as another version that never announces a Service called `b`. */
function otherVersion(directory: string): string {
  const root = join(import.meta.dirname, "../..");
  const copy = join(directory, "other-version");
  for (const part of ["agent", "backends", "events", "migrations", "package.json"]) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const change = (file: string, from: string, to: string): void => {
    const text = readFileSync(join(copy, file), "utf8");
    expect(text).toContain(from);
    writeFileSync(join(copy, file), text.replace(from, to));
  };
  change("package.json", '"version": "0.1.0"', '"version": "0.2.0"');
  change(
    "agent/plan/announce.ts",
    'if (spec.type !== "LoadBalancer")',
    'if (spec.type !== "LoadBalancer" || metadata.name === "b")',
  );
  return join(copy, "agent/main.ts");
}
