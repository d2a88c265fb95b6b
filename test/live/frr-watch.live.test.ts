/**
 * The watcher against real daemons of FRR: what a peer does is seen, and so is what becomes of bgpd, bfdd and zebra.
 *
 * The other end is another FRR, which is told to flap, shut down and come back. Times are printed, and judged by nobody.
 */
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { RouteBatch, SessionFact } from "../../backends/backend.ts";
import { systemClock } from "../../backends/clock.ts";
import { createWatcher, type Watcher } from "../../backends/frr/watch/watcher.ts";
import type { SpeakerIntent } from "../../backends/intent.ts";
import { intentOf, neighbor } from "../frr/watch/fake.ts";
import { skipUnless } from "../probe.ts";
import { startBfdd } from "./bfdd.ts";
import { askVty, daemonArguments, startFrr } from "./frr.ts";
import { vtyConnection } from "./frr-vty.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { RouterPlan } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const planOf = (own: Node, far: Node, asn: number, farAsn: number): RouterPlan => ({
  asn,
  routerId: own.ipv4,
  neighbours: [{ name: "far", address: far.ipv4, asn: farAsn, families: ["ipv4"] }],
  networks: [asn === 64512 ? "198.51.100.0/24" : "203.0.113.0/24"],
  tag: { communities: [`${asn}:7`], largeCommunities: [`${asn}:8:9`] },
});

type Seen = Disposable & {
  readonly watcher: Watcher;
  readonly facts: (SessionFact | RouteBatch)[];
  readonly news: string[];
  readonly state: () => string | undefined;
};

function watch(node: Node, intent: SpeakerIntent, names = { bgpd: "frr", bfdd: "" }): Seen {
  const connect = (folder: string, daemon: string) =>
    vtyConnection(join(node.directory, folder, `${daemon}.vty`));
  const bgpd = connect(names.bgpd, "bgpd");
  const zebra = connect(names.bgpd, "zebra");
  const bfdd = names.bfdd === "" ? undefined : connect(names.bfdd, "bfdd");
  const watcher = createWatcher({ bgpd, bfdd, zebra, clock: systemClock, logger: silent });
  const facts: (SessionFact | RouteBatch)[] = [];
  const news: string[] = [];
  watcher.watch((fact) => facts.push(fact));
  watcher.onDaemon((what, _reason, daemon) => news.push(`${daemon} ${what}`));
  watcher.neighbors(intent);
  return {
    watcher,
    facts,
    news,
    state: () => watcher.sessions()[0]?.state,
    [Symbol.dispose]() {
      watcher.close();
      for (const one of [bgpd, zebra, bfdd]) one?.[Symbol.dispose]();
    },
  };
}

const established = (seen: Seen) =>
  until(() => seen.state() === "Established", {
    what: "an Established session",
    timeoutMs: 60_000,
    explain: () => JSON.stringify([seen.watcher.sessions(), seen.news]),
  });
const elapsed = (since: number): string => `${(performance.now() - since).toFixed(0)} ms`;

describe("a peer of bgpd's", () => {
  test("is seen to come, to say routes and to go, with its own words", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using own = await startFrr(host, planOf(host, far, 64512, 64513), { kernel: true });
    await using peer = await startFrr(far, planOf(far, host, 64513, 64512));
    using seen = watch(host, intentOf([neighbor(far.ipv4)]));
    const { watcher } = seen;
    const prefixes: string[] = [];
    watcher.bestPaths((told) => {
      if (told.type === "batch") prefixes.push([...told.nlri].join("."));
    });
    await established(seen);
    expect(watcher.sessions()).toMatchObject([
      { remoteAs: 64513, remoteRouterId: far.ipv4, localAddress: host.ipv4, families: ["ipv4"] },
    ]);
    const explain = async () => `${await own.explain()}\n${await peer.explain()}`;
    await until(() => prefixes.includes("24.203.0.113"), { what: "the best path", explain });
    const installed = await until(async () => (await watcher.installed("", "ipv4"))?.[0], {
      what: "zebra's route",
      explain,
    });
    expect(installed).toMatchObject({ prefix: "203.0.113.0/24", installed: true });
    const received = await Array.fromAsync(watcher.routes("received"));
    expect(received).toMatchObject([
      {
        prefix: "203.0.113.0/24",
        nextHop: far.ipv4,
        asPath: "64513",
        communities: ["64513:7"],
        largeCommunities: ["64513:8:9"],
        accepted: true,
      },
    ]);
    const advertised = await until(
      async () => (await Array.fromAsync(watcher.routes("advertised")))[0],
      { what: "an advertised route", explain },
    );
    expect(advertised).toMatchObject({ prefix: "198.51.100.0/24", asPath: "" });

    const atPeer = (line: string) =>
      askVty(join(far.directory, "frr", "bgpd.vty"), [
        "enable",
        "configure terminal",
        "router bgp 64513",
        line,
      ]);
    const shut = performance.now();
    await atPeer(`neighbor ${host.ipv4} shutdown message maintenance tonight`);
    const fact = await until(
      () => seen.facts.find((one) => one.type === "session" && one.status.resets === 1),
      { what: "the end of the session", everyMs: 1, explain },
    );
    process.stdout.write(`a session that the peer ended was told after ${elapsed(shut)}\n`);
    expect(fact).toMatchObject({
      status: {
        state: expect.not.stringContaining("Established"),
        reason: "the peer sent Cease/Administrative Shutdown: maintenance tonight",
      },
    });
    await atPeer(`no neighbor ${host.ipv4} shutdown`);
    await established(seen);
  });
});

describe("bgpd", () => {
  test("stopped is hung, and Established again when it goes on; killed and started is another", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using own = await startFrr(host, planOf(host, far, 64512, 64513));
    await using peer = await startFrr(far, planOf(far, host, 64513, 64512));
    using seen = watch(host, intentOf([neighbor(far.ipv4)]));
    const has = (what: string) => () => seen.news.includes(what);
    await established(seen);
    const explain = peer.explain;

    const stopped = performance.now();
    process.kill(own.pid, "SIGSTOP");
    try {
      await until(has("bgpd down"), { what: "a hang", everyMs: 1, explain });
      process.stdout.write(`a stopped bgpd was told after ${elapsed(stopped)}\n`);
      expect(seen.watcher.sessions()).toMatchObject([
        { state: "Idle", reason: "bgpd does not answer: no answer for 2.5 s" },
      ]);
    } finally {
      process.kill(own.pid, "SIGCONT");
    }
    await established(seen);
    expect(seen.news).not.toContain("bgpd restarted");

    const killed = performance.now();
    process.kill(own.pid, "SIGKILL");
    await until(() => seen.state() === "Idle", { what: "a death", everyMs: 1, explain });
    process.stdout.write(`a killed bgpd was told after ${elapsed(killed)}\n`);
    expect(seen.watcher.problems()).toMatchObject([expect.stringMatching(/^bgpd does not answer/)]);
    await host.start([...daemonArguments(join(host.directory, "frr"), "bgpd"), "--no_kernel"]);
    await until(has("bgpd restarted"), { what: "a restart", everyMs: 1, explain });
    process.stdout.write(
      `a bgpd that was started again was told ${elapsed(killed)} after its end\n`,
    );
    await established(seen);
    expect(seen.watcher.problems()).toEqual([]);
  });
});

describe("bfdd", () => {
  test("is shown by the intent's key, and what becomes of a session is told", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    const lines = (to: Node) => [`peer ${to.ipv4}`, "exit"];
    await using own = await startBfdd(host, lines(far), { zebra: true });
    await using peer = await startBfdd(far, lines(host));
    using seen = watch(host, intentOf([neighbor(far.ipv4, { bfd: true })]), {
      bgpd: "bfdd",
      bfdd: "bfdd",
    });
    const explain = async () => `${await own.explain()}\n${JSON.stringify(seen.news)}`;
    const moves: string[] = [];
    seen.watcher.onBfd((fact) => {
      if (fact.type === "sessions") return;
      const { from, to, diagnostic } = fact.transition;
      moves.push(`${from} ${to} ${diagnostic}`);
    });
    const key = `|${far.ipv4}|||single`;
    const stateNow = () => [...seen.watcher.bfd()].map(([one, { state }]) => `${one} ${state}`);
    await until(() => stateNow().includes(`${key} Up`), { what: "BFD up", explain });
    const cut = performance.now();
    process.kill(peer.pid, "SIGKILL");
    await until(() => moves.includes("Up Down 1"), { what: "BFD down", everyMs: 1, explain });
    process.stdout.write(`a dead path was told after ${elapsed(cut)} (detection takes 900)\n`);
    expect(stateNow()).toEqual([`${key} Down`]);
  });
});
