/**
 * Peers that take too little or send too much: the others do not notice, memory stays bounded, and in the end everybody has
 * everything.
 *
 * BIRD stopped with SIGSTOP while 20,000 prefixes are to be told to it, and BIRD with 200,000 routes to tell.
 */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { apiOf } from "./api.ts";
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

const HOST_AS = 64512;
const PATIENCE_MS = 180_000;
/** What the agent may hold with the tables of these tests; more is a queue without a bound. */
const RESIDENT_MIB = 1024;

const routerAt = (node: Node, host: Node, asn: number, networks: readonly string[] = []) =>
  startBird(node, {
    asn,
    routerId: node.ipv4,
    networks,
    neighbours: [
      {
        name: "host",
        address: host.ipv4,
        asn: HOST_AS,
        gracefulRestart: false,
        families: ["ipv4"],
      },
    ],
  });

/** `10 of 10 routes for 10 networks in table master4`. */
async function countAt(router: Router): Promise<number> {
  const answer = await router.ask("show route table master4 protocol host count");
  return Number(/(\d+) of \d+ routes/.exec(answer)?.[1]);
}

function residentMib(agent: Agent): number {
  const status = readFileSync(`/proc/${agent.pid}/status`, "utf8");
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024);
}

type Peer = {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly sent: number;
  readonly received: number;
  readonly resets: number;
};
const waitFor = (what: string, look: () => Promise<boolean>, explain: () => Promise<string>) =>
  until(look, { what, explain, timeoutMs: PATIENCE_MS, everyMs: 100 });

test(
  "a peer that stops reading holds up nobody, is given up, and is told everything when it is back",
  { timeout: 300_000 },
  async () => {
    const PREFIXES = 20_000;
    await using network = await makeNetwork(["host", "slow", "router"]);
    const { host, slow: sleepy, router: far } = network.nodes;
    // Small buffers, so that what waits for the peer waits in the agent and not in the kernels.
    for (const [node, knob] of [
      [host, "tcp_wmem"],
      [sleepy, "tcp_rmem"],
    ] as const) {
      await node.run(["sh", "-c", `echo 4096 8192 16384 > /proc/sys/net/ipv4/${knob}`]);
    }
    await using slow = await routerAt(sleepy, host, 64998);
    await using router = await routerAt(far, host, 64999);
    await using agent = await startAgent(host, { config: ALWAYS });
    const api = apiOf(agent.socket);
    const explain = async () =>
      `${await agent.explain()}\n${await router.explain()}`.slice(0, 20_000);
    const peerNamed = async (name: string) =>
      (await api.get<Peer[]>("/v1/peers")).find((one) => one.name === name);
    const base = documents(
      poolManifest(["10.64.0.0/16"]),
      peerManifest({
        name: "slow",
        localAs: HOST_AS,
        remoteAs: 64998,
        address: sleepy.ipv4,
        extra: ["holdTime: 18s"],
      }),
      peerManifest({ name: "router", localAs: HOST_AS, remoteAs: 64999, address: far.ipv4 }),
      advertisementManifest(),
      serviceManifest("first"),
    );
    expect(await api.apply(base)).toBe(200);
    await waitFor(
      "the first route at both",
      async () => (await countAt(slow)) === 1 && (await countAt(router)) === 1,
      explain,
    );

    process.kill(slow.pid, "SIGSTOP");
    const many = Array.from({ length: PREFIXES - 1 }, (_, index) => serviceManifest(`s${index}`));
    expect(await api.apply(documents(...many))).toBe(200);
    let sent = 0;
    await waitFor(
      "all routes at the other",
      async () => {
        sent = Math.max(sent, (await peerNamed("slow"))?.sent ?? 0);
        return (await countAt(router)) === PREFIXES;
      },
      explain,
    );
    // Neither the kernels' buffers nor the socket's took all of it: the rest waits where it still coalesces.
    expect(sent).toBeLessThan(PREFIXES);
    expect(await api.deleteService("s7")).toBe(200);
    await waitFor(
      "a change at the other",
      async () => (await countAt(router)) === PREFIXES - 1,
      explain,
    );
    await waitFor(
      "the end of the slow session",
      async () => (await peerNamed("slow"))?.reason.includes("hold timer expired") === true,
      explain,
    );
    const resident = residentMib(agent);
    expect(resident).toBeLessThan(RESIDENT_MIB);
    expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });

    process.kill(slow.pid, "SIGCONT");
    await waitFor(
      "everything again at the slow one",
      async () => (await countAt(slow)) === PREFIXES - 1,
      explain,
    );
    expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
    console.log(
      `resident with ${PREFIXES} Services and a stalled peer that was sent ${sent}: ${resident} MiB`,
    );
  },
);

test(
  "two hundred thousand routes from a peer are held and shown, and changes go on",
  { timeout: 300_000 },
  async () => {
    const ROUTES = 200_000;
    await using network = await makeNetwork(["host", "big", "router"]);
    const { host, big: large, router: far } = network.nodes;
    const networks = Array.from(
      { length: ROUTES },
      (_, index) => `${20 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.0/24`,
    );
    await using big = await routerAt(large, host, 64998, networks);
    await using router = await routerAt(far, host, 64999);
    await using agent = await startAgent(host, { config: ALWAYS });
    const api = apiOf(agent.socket);
    const explain = async () => `${await agent.explain()}\n${router.log()}`.slice(0, 20_000);
    const peerNamed = async (name: string) =>
      (await api.get<Peer[]>("/v1/peers")).find((one) => one.name === name);
    const base = documents(
      poolManifest(["203.0.113.0/24"]),
      peerManifest({ name: "big", localAs: HOST_AS, remoteAs: 64998, address: large.ipv4 }),
      peerManifest({ name: "router", localAs: HOST_AS, remoteAs: 64999, address: far.ipv4 }),
      advertisementManifest(),
      serviceManifest("first"),
    );
    expect(await api.apply(base)).toBe(200);
    await waitFor("the first route", async () => (await countAt(router)) === 1, explain);
    await waitFor("the table", async () => (await peerNamed("big"))?.received === ROUTES, explain);

    const delays: number[] = [];
    const end = new AbortController();
    const asking = (async () => {
      while (!end.signal.aborted) {
        const asked = performance.now();
        await api.get("/healthz");
        delays.push(performance.now() - asked);
      }
    })();
    const streamed = api.ask("GET", "/v1/routes/received?peer=big&stream=1");
    expect(await api.apply(serviceManifest("second"))).toBe(200);
    await waitFor("a change at the other", async () => (await countAt(router)) === 2, explain);
    const lines = (await streamed).body.trimEnd().split("\n");
    end.abort();
    await asking;
    expect(lines).toHaveLength(ROUTES);
    const told = lines.map((line) => (JSON.parse(line) as { prefix: string }).prefix);
    expect(new Set(told)).toEqual(new Set(networks));
    // The same as one array, and from the command line, line by line.
    expect(await api.get<object[]>("/v1/routes/received?peer=big")).toHaveLength(ROUTES);
    const counted = await agent.rutter(
      "routes",
      "received",
      "--peer",
      "big",
      "--stream",
      "-o",
      "json",
    );
    expect(counted.stdout.trimEnd().split("\n").at(-1)).toContain("/24");
    expect(await peerNamed("big")).toMatchObject({ state: "Established", resets: 0 });
    expect(await big.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
    expect(await router.session(host.ipv4)).toMatchObject({ timesEstablished: 1, timesLost: 0 });
    const resident = residentMib(agent);
    expect(resident).toBeLessThan(RESIDENT_MIB);
    const worst = Math.round(Math.max(...delays));
    console.log(
      `resident with ${ROUTES} routes: ${resident} MiB; ${delays.length} answers meanwhile, the slowest after ${worst} ms`,
    );
  },
);
