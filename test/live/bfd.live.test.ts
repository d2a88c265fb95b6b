/**
 * BFD with the whole agent: a profile makes a session, its end makes none, and BGP hears of a dead path at once.
 *
 * The peer is BIRD, whose own words on the session are what counts. The process alone is bfd-process.live.test.ts.
 */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startBird } from "./bird.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird"));

const profile = (spec: object) =>
  `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;
/** A process that a failed test leaves behind ends by itself soon. */
const CONFIG = `${ALWAYS}\nbfd: {keepSeconds: 20}\n`;
/** A second to detect: BIRD has no real-time priority, and a test beside other work must not blame it for that. */
const FAST = { transmitInterval: 100, receiveInterval: 100, detectMultiplier: 10 };
const DETECTION_MICROS = 1_000_000;
const base = documents(poolManifest(["203.0.113.0/24"]), advertisementManifest());
const peer = (address: string, extra: readonly string[]) =>
  peerManifest({ localAs: 64512, remoteAs: 64999, address, gracefulRestart: true, extra });

type Bfd = {
  readonly state: string;
  readonly detectionTime: number;
  readonly transitions: number;
  readonly localDiscriminator: number;
  readonly remoteDiscriminator: number;
};
type Fact = { readonly type: string; readonly body: Record<string, unknown> };

const bfdOf = (agent: Agent) => agent.ask<Bfd[] | Bfd>("bfd").then((all) => [all].flat());
const factsOf = async (agent: Agent, type: string): Promise<readonly Fact[]> => {
  const { stdout } = await agent.rutter("log", "--type", type, "-o", "json");
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Fact);
};

/** BIRD with BGP and BFD towards the host. */
const birdBeside = (far: Node, host: Node): Promise<Router> =>
  startBird(far, {
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [
      { name: "host", address: host.ipv4, asn: 64512, gracefulRestart: true, passive: true },
    ],
    raw: [
      `protocol bfd watch_host { interface "*" { interval 100 ms; multiplier 10; }; neighbor ${host.ipv4}; }`,
    ],
  });

const sessionAtBird = async (router: Router, host: Node): Promise<string> => {
  const line = (await router.ask("show bfd sessions"))
    .split("\n")
    .find((one) => one.includes(host.ipv4));
  return line?.trim().replace(/\s+/g, " ") ?? "";
};

async function established(agent: Agent, router: Router, host: Node): Promise<void> {
  await until(async () => (await router.session(host.ipv4)).established, {
    what: "BGP",
    explain: async () => `${await router.explain()}\n${await agent.explain()}`,
  });
}

test("a profile makes a session without a reset of BGP; taking it away leaves none", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await birdBeside(far, host);
  await using agent = await startAgent(host, { config: CONFIG });
  await agent.apply(documents(base, peer(far.ipv4, []), serviceManifest("a")));
  await established(agent, router, host);
  expect(await bfdOf(agent)).toEqual([]);

  await agent.apply(documents(profile(FAST), peer(far.ipv4, ["bfdProfile: fast"])));
  const explain = async () =>
    `${await router.ask("show bfd sessions")}\n${JSON.stringify(await bfdOf(agent))}\n${await agent.explain()}`;
  await until(async () => (await sessionAtBird(router, host)).includes(" Up "), {
    what: "BFD at BIRD",
    explain,
  });
  await until(async () => (await bfdOf(agent))[0]?.detectionTime === DETECTION_MICROS, {
    what: "the negotiated detection time",
    explain,
  });
  // Slower, while it is Up: a poll sequence and no flap (RFC 5880 §6.8.3).
  await agent.apply(profile({ ...FAST, receiveInterval: 200 }));
  await until(async () => (await bfdOf(agent))[0]?.detectionTime === 2 * DETECTION_MICROS, {
    what: "the new detection time",
    explain,
  });
  expect((await bfdOf(agent))[0]).toMatchObject({ state: "Up" });
  expect(await agent.ask<object>("peers")).toMatchObject([{ resets: 0, bfd: { state: "Up" } }]);

  await agent.apply(peer(far.ipv4, []));
  expect((await agent.rutter("delete", "bfdprofile", "fast", "-n", "metallb-system")).code).toBe(0);
  await until(async () => (await sessionAtBird(router, host)).includes(" Down "), {
    what: "the end of BFD at BIRD",
    explain,
  });
  expect(await bfdOf(agent)).toEqual([]);
  await until(async () => (await factsOf(agent, "bfd-applied")).at(-1)?.body["removed"], {
    what: "the end in the log",
    explain,
  });
  expect((await factsOf(agent, "bfd-applied")).at(-1)?.body).toMatchObject({
    added: [],
    removed: [`|${far.ipv4}|||single`],
    unwanted: [],
  });
  // AdminDown is no failure (RFC 5882 §4.2.1): BGP stands on both sides.
  expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
});

test("a dead path takes BGP down within the detection time, and comes back", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await birdBeside(far, host);
  await using agent = await startAgent(host, { config: CONFIG });
  await agent.apply(
    documents(base, profile(FAST), peer(far.ipv4, ["bfdProfile: fast"]), serviceManifest("a")),
  );
  const explain = async () => `${await router.explain()}\n${await agent.explain()}`;
  await established(agent, router, host);
  await until(async () => (await bfdOf(agent))[0]?.detectionTime === DETECTION_MICROS, {
    what: "BFD",
    explain,
  });
  await far.cable("down");
  const peers = () => agent.ask<{ state: string; reason: string }[]>("peers");
  await until(async () => (await peers())[0]?.state !== "Established", {
    what: "the end",
    explain,
  });
  expect((await peers())[0]?.reason).toContain("BFD");
  const down = (await factsOf(agent, "bfd-observed")).at(-1)?.body;
  expect(down).toMatchObject({
    from: "Up",
    to: "Down",
    diagnostic: "Control Detection Time Expired",
    detectionTimeMicros: DETECTION_MICROS,
  });
  expect(Number(down?.["detectedAfterMicros"])).toBeGreaterThanOrEqual(DETECTION_MICROS);
  await far.cable("up");
  await established(agent, router, host);
  await until(async () => (await bfdOf(agent))[0]?.state === "Up", { what: "BFD again", explain });
});

test("kill -9 of the agent: BIRD sees no change of BFD and keeps the route", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await birdBeside(far, host);
  const first = await startAgent(host, { config: CONFIG });
  await first.apply(
    documents(
      base,
      profile({ ...FAST, detectMultiplier: 5 }),
      peer(far.ipv4, ["bfdProfile: fast"]),
      serviceManifest("a"),
    ),
  );
  const explain = () => router.explain();
  await until(async () => (await sessionAtBird(router, host)).includes(" Up "), {
    what: "BFD at BIRD",
    explain,
  });
  await until(() => router.route("203.0.113.0/32"), { what: "the route", explain });
  const before = await sessionAtBird(router, host);
  const [known] = await bfdOf(first);
  await first.kill();
  await new Promise((done) => setTimeout(done, 1000));
  expect(await router.route("203.0.113.0/32")).toBeDefined();
  await using second = await first.restart();
  await established(second, router, host);
  await until(async () => (await bfdOf(second))[0]?.state === "Up", { what: "adoption", explain });
  const { localDiscriminator, remoteDiscriminator, transitions } = known ?? {};
  expect((await bfdOf(second))[0]).toMatchObject({
    localDiscriminator,
    remoteDiscriminator,
    transitions,
  });
  // The column "since" is the same moment: no change in between.
  expect((await sessionAtBird(router, host)).split(" ").slice(0, 4)).toEqual(
    before.split(" ").slice(0, 4),
  );
  expect(await router.route("203.0.113.0/32")).toBeDefined();
});

test("strict and authenticated: no BGP before BFD is Up, none without the right key, and none while it is Down", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  const plan = (password: string) => ({
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [{ name: "host", address: host.ipv4, asn: 64512 }],
    raw: [
      `protocol bfd watch_host {
         interface "*" { interval 100 ms; multiplier 10; authentication meticulous keyed sha1; password "${password}" { id 7; }; };
         neighbor ${host.ipv4};
       }`,
    ],
  });
  await using router = await startBird(far, plan("simsim"));
  await using agent = await startAgent(host, { config: CONFIG });
  const authentication = { type: "meticulous-keyed-sha1", keyId: 7, secretName: "bfd-key" };
  const inNamespace = "metadata: {name: fast, namespace: metallb-system}";
  const strict = `apiVersion: rutter/v1\nkind: BFDOptions\n${inNamespace}\nspec: ${JSON.stringify({ strictMode: true, authentication })}`;
  const key = `apiVersion: v1\nkind: Secret\ntype: kubernetes.io/basic-auth\n${inNamespace.replace("fast", "bfd-key")}\nstringData: {password: sesame}`;
  await agent.apply(
    documents(base, profile(FAST), strict, key, peer(far.ipv4, ["bfdProfile: fast"])),
  );
  const explain = async () => `${await router.explain()}\n${await agent.explain()}`;
  const peers = () => agent.ask<{ state: string; reason: string }[]>("peers");
  const isHeld = async () => (await peers())[0]?.reason.includes("waits for BFD");
  await until(isHeld, { what: "the wait", explain });
  // BIRD dials every second, and is not taken either.
  await new Promise((done) => setTimeout(done, 2500));
  expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 0 });
  await router.reconfigure(plan("sesame"));
  await established(agent, router, host);
  expect((await bfdOf(agent))[0]).toMatchObject({ state: "Up" });
  await router.reconfigure(plan("simsim"));
  await until(isHeld, { what: "the end", explain });
  await until(async () => !(await router.session(host.ipv4)).established, {
    what: "BIRD",
    explain,
  });
});

test("a BFD process that dies is started again, takes up its sessions, and BGP does not mind", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router: far } = network.nodes;
  await using router = await birdBeside(far, host);
  await using agent = await startAgent(host, { config: CONFIG });
  await agent.apply(
    documents(
      base,
      profile({ ...FAST, detectMultiplier: 50 }),
      peer(far.ipv4, ["bfdProfile: fast"]),
    ),
  );
  const explain = async () => `${await router.explain()}\n${await agent.explain()}`;
  await established(agent, router, host);
  await until(async () => (await bfdOf(agent))[0]?.state === "Up", { what: "BFD", explain });
  const [seen] = await factsOf(agent, "bfd-applied");
  const socket = join(host.directory, "bfd.sock");
  // The bracket keeps the pattern from finding itself.
  const found = await host.run(["sh", "-c", `pgrep -f '[b]fd serve --socket ${socket}'`]);
  process.kill(Number(found.stdout.trim().split("\n")[0]), "SIGKILL");
  await until(async () => (await factsOf(agent, "bfd-applied")).length > 1, {
    what: "the second process",
    explain,
  });
  expect((await factsOf(agent, "bfd-applied"))[1]?.body["added"]).toEqual(seen?.body["added"]);
  await until(async () => (await bfdOf(agent))[0]?.state === "Up", { what: "BFD again", explain });
  expect(await agent.ask<object>("peers")).toMatchObject([{ resets: 0 }]);
});
