/**
 * The router's daemon dies and comes back while the whole agent has its routes in the kernel (RFC 4724 §4.2, RFC 5882 §4.3).
 *
 * FRR and BIRD restart, by kill -9; what counts is `ip monitor route` in the host's namespace. BFD beside them is FRR's bfdd, whose
 * C bit is clear, or our own process, which sets it. The rules one by one: test/rib/restarting-peer.test.ts.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Address } from "../../events/address.ts";
import { bfdKey } from "../../events/ids.ts";
import { skipUnless } from "../probe.ts";
import { type Agent, startAgent } from "./agent.ts";
import { startBfd } from "./bfd-process.ts";
import { startBfdd } from "./bfdd.ts";
import { startBird } from "./bird.ts";
import { startFrr } from "./frr.ts";
import { ALWAYS, documents, peerManifest } from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns", "frr", "bird"));

const FAR_AS = 64999;
const HOST_AS = 64512;
const NETWORKS = ["20.1.0.0/16", "20.2.0.0/16", "20.3.0.0/16", "2001:db8:7::/48"];
/** Longer than any test waits, so that no route that goes went for it. */
const LONG = 600;
const CONFIG = `${ALWAYS}\nbfd: {keepSeconds: 20}\n`;
const IMPORT = `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: all, namespace: metallb-system}\nspec: {}`;
const PROFILE = `apiVersion: metallb.io/v1beta1\nkind: BFDProfile\nmetadata: {name: fast, namespace: metallb-system}\nspec: {transmitInterval: 100, receiveInterval: 100, detectMultiplier: 10}`;

type Start = {
  readonly networks?: readonly string[];
  /** After a kill -9. */
  readonly again?: boolean;
  readonly graceful?: boolean;
  readonly restartSeconds?: number;
};

const startRouter = {
  bird: (node: Node, host: Node, given: Start): Promise<Router> => {
    const { networks = NETWORKS, again = false, graceful = true, restartSeconds = LONG } = given;
    const raw = [`graceful restart time ${restartSeconds};`];
    const to = { name: "host", address: host.ipv4, asn: HOST_AS, gracefulRestart: graceful, raw };
    const plan = { asn: FAR_AS, routerId: node.ipv4, networks, neighbours: [to] };
    return startBird(node, plan, { recovers: again });
  },
  frr: (node: Node, host: Node, given: Start): Promise<Router> => {
    const { networks = NETWORKS, graceful = true, restartSeconds = LONG } = given;
    const raw = graceful
      ? [
          "bgp graceful-restart preserve-fw-state",
          `bgp graceful-restart restart-time ${restartSeconds}`,
          `neighbor ${host.ipv4} graceful-restart`,
        ]
      : [`neighbor ${host.ipv4} graceful-restart-disable`];
    const to = { name: "host", address: host.ipv4, asn: HOST_AS, raw };
    return startFrr(node, { asn: FAR_AS, routerId: node.ipv4, networks, neighbours: [to] });
  },
};

/** Our routes in the host's main table. */
async function kernel(host: Node): Promise<readonly string[]> {
  const shown = await Promise.all(
    ["-4", "-6"].map((family) => host.ip(family, "route", "show", "proto", "82")),
  );
  return shown
    .flatMap((text) => text.split("\n"))
    .map((line) => line.trim().split(" ")[0] ?? "")
    .filter((one) => one.startsWith("20"))
    .toSorted();
}

/** The kernel may say that it is gone long after the others have begun. */
const PROBE = "20.99.0.0/16";

/** What the kernel says was deleted of ours. */
async function deletions(host: Node): Promise<readonly string[]> {
  const monitor = await host.start(["ip", "monitor", "route"]);
  const seen: string[] = [];
  let begun = false;
  monitor.onLine((line) => {
    const [, gone] = /^Deleted (20\S*)/.exec(line) ?? [];
    if (gone === PROBE) begun = true;
    else if (gone !== undefined) seen.push(gone);
  });
  // It says nothing when it has begun: a route of the test's own shows that it has.
  await until(
    async () => {
      await host.ip("route", "replace", PROBE, "dev", "lo");
      await host.ip("route", "del", PROBE, "dev", "lo");
      return begun;
    },
    { what: "ip monitor", everyMs: 50 },
  );
  return seen;
}

type Peer = { readonly state: string; readonly reason: string; readonly received: number };
const peerOf = async (agent: Agent): Promise<Peer> => {
  const [peer] = await agent.ask<Peer[]>("peers");
  if (peer === undefined) throw new Error("no peer");
  return peer;
};

const manifests = (router: Node, more: { graceful?: boolean; bfd?: boolean } = {}): string =>
  documents(
    PROFILE,
    IMPORT,
    peerManifest({
      localAs: HOST_AS,
      remoteAs: FAR_AS,
      address: router.ipv4,
      gracefulRestart: more.graceful ?? true,
      dualStack: true,
      extra: more.bfd === true ? ["bfdProfile: fast"] : [],
    }),
  );

const waiting = (host: Node, agent: Agent) => (what: string, look: () => Promise<boolean>) =>
  until(look, {
    what,
    explain: async () =>
      `${await host.ip("route")}\n${JSON.stringify(await agent.ask("peers"))}\n${await agent.explain()}`,
    timeoutMs: 60_000,
  });
const has = (host: Node, networks: readonly string[]) => async () =>
  (await kernel(host)).join() === networks.toSorted().join();
/** The peer is there again, and nothing of before is waited for. */
const isSettled = (agent: Agent) => async () => {
  const { state, reason } = await peerOf(agent);
  return state === "Established" && reason === "";
};

describe.each(["frr", "bird"] as const)("%s dies by kill -9", (kind) => {
  test("and comes back: no kernel route is deleted but those it no longer announces", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router } = network.nodes;
    const first = await startRouter[kind](router, host, {});
    await using agent = await startAgent(host, { config: CONFIG });
    const waitFor = waiting(host, agent);
    await agent.apply(manifests(router));
    await waitFor("the routes", has(host, NETWORKS));
    await waitFor("End-of-RIB", isSettled(agent));
    const deleted = await deletions(host);
    await first.stop("SIGKILL");
    await waitFor("the end", async () => (await peerOf(agent)).reason.startsWith("restarting: "));
    expect((await peerOf(agent)).reason).toContain("4 routes kept until it is back, 600 s at most");
    const shown = await agent.ask<{ accepted: boolean; reason: string }[]>("routes", "received");
    expect(shown.map(({ accepted, reason }) => [accepted, reason.split(":")[0]])).toEqual(
      NETWORKS.map(() => [true, "stale"]),
    );
    await pause(1500);
    expect([deleted, await kernel(host)]).toEqual([[], NETWORKS.toSorted()]);

    const left = NETWORKS.filter((one) => one !== "20.2.0.0/16");
    await using second = await startRouter[kind](router, host, { networks: left, again: true });
    await waitFor("what is gone to go", has(host, left));
    await waitFor("the end of the restart", isSettled(agent));
    expect(deleted, await second.explain()).toEqual(["20.2.0.0/16"]);
    const again = await agent.ask<{ reason: string }[]>("routes", "received");
    expect(again.map(({ reason }) => reason)).toEqual(left.map(() => ""));
  });

  test("and does not come back: its routes go after its Restart Time", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router } = network.nodes;
    const first = await startRouter[kind](router, host, { restartSeconds: 4 });
    await using agent = await startAgent(host, { config: CONFIG });
    const waitFor = waiting(host, agent);
    await agent.apply(manifests(router));
    await waitFor("the routes", has(host, NETWORKS));
    await first.stop("SIGKILL");
    await waitFor("the end", async () => (await peerOf(agent)).reason.startsWith("restarting: "));
    await waitFor("no routes", has(host, []));
    expect((await peerOf(agent)).reason).not.toContain("restarting");
  });

  test.each(["the router", "this host"])(
    "without graceful restart at %s: they go at once",
    async (who) => {
      await using network = await makeNetwork(["host", "router"]);
      const { host, router } = network.nodes;
      const first = await startRouter[kind](router, host, { graceful: who !== "the router" });
      await using agent = await startAgent(host, { config: CONFIG });
      const waitFor = waiting(host, agent);
      await agent.apply(manifests(router, { graceful: who !== "this host" }));
      await waitFor("the routes", has(host, NETWORKS));
      await first.stop("SIGKILL");
      await waitFor("no routes", has(host, []));
      expect((await peerOf(agent)).reason).not.toContain("restarting");
    },
  );
});

test("the peer is taken out of the configuration while it restarts: its routes go", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  const first = await startRouter.bird(router, host, {});
  await using agent = await startAgent(host, { config: CONFIG });
  const waitFor = waiting(host, agent);
  await agent.apply(manifests(router));
  await waitFor("the routes", has(host, NETWORKS));
  await first.stop("SIGKILL");
  await waitFor("the end", async () => (await peerOf(agent)).reason.startsWith("restarting: "));
  expect(await kernel(host)).toEqual(NETWORKS.toSorted());
  const where = ["bgppeers.metallb.io", "router", "-n", "metallb-system"];
  expect((await agent.rutter("delete", ...where)).code).toBe(0);
  await waitFor("no routes", has(host, []));
});

test("a router that is shut down says so: its routes go at once", async () => {
  await using network = await makeNetwork(["host", "router"]);
  const { host, router } = network.nodes;
  await using first = await startRouter.bird(router, host, {});
  await using agent = await startAgent(host, { config: CONFIG });
  const waitFor = waiting(host, agent);
  await agent.apply(manifests(router));
  await waitFor("the routes", has(host, NETWORKS));
  await first.ask("disable host");
  await waitFor("no routes", has(host, []));
  expect((await peerOf(agent)).reason).not.toContain("restarting");
  // The reason that shows is that of the newest try.
  expect((await agent.rutter("log")).stdout).toContain("the peer said");
});

describe("BFD that shares fate with the control plane (C bit clear)", () => {
  const lines = (host: Node): string[] => [
    `peer ${host.ipv4}`,
    "receive-interval 100",
    "transmit-interval 100",
    "detect-multiplier 10",
    "exit",
  ];

  test("dies with the daemon, or alone: no kernel route is deleted", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router } = network.nodes;
    const first = await startRouter.frr(router, host, {});
    const bfdd = await startBfdd(router, lines(host));
    await using agent = await startAgent(host, { config: CONFIG });
    const waitFor = waiting(host, agent);
    await agent.apply(manifests(router, { bfd: true }));
    await waitFor("the routes", has(host, NETWORKS));
    const bfd = async () => (await agent.ask<{ state: string }[]>("bfd"))[0]?.state;
    await waitFor("BFD", async () => (await bfd()) === "Up");
    const deleted = await deletions(host);

    await first.stop("SIGKILL");
    await bfdd[Symbol.asyncDispose]();
    await waitFor("BFD Down", async () => (await bfd()) === "Down");
    await pause(1000);
    expect([deleted, await kernel(host)]).toEqual([[], NETWORKS.toSorted()]);
    await using second = await startRouter.frr(router, host, { again: true });
    const secondBfdd = await startBfdd(router, lines(host));
    await waitFor("the end of the restart", isSettled(agent));
    await waitFor("BFD again", async () => (await bfd()) === "Up");

    const { timesLost } = await second.session(host.ipv4);
    await secondBfdd[Symbol.asyncDispose]();
    await waitFor("the end", async () => (await second.session(host.ipv4)).timesLost > timesLost);
    // Not a word: FRR would show a NOTIFICATION that it received.
    expect((await second.session(host.ipv4)).lastError).not.toMatch(/Cease|NOTIFICATION received/i);
    await waitFor("the end of the second", isSettled(agent));
    expect(deleted).toEqual([]);
  });
});

describe("BFD that does not (C bit set)", () => {
  const sessionTo = (host: Node) => ({
    key: bfdKey("", host.ipv4, "", "", false),
    vrf: "",
    remote: host.ipv4 as Address,
    local: undefined,
    interface: "",
    multihop: false,
    localDiscriminator: 0x1234_5678,
    timing: {
      transmitIntervalMillis: 100,
      receiveIntervalMillis: 100,
      detectMultiplier: 10,
      echoIntervalMillis: undefined,
      passive: false,
      minimumTimeToLive: 255,
    },
    authentication: undefined,
  });

  test.each(["restarts", "lives"])(
    "dies while the daemon %s: the routes go at once",
    async (how) => {
      await using network = await makeNetwork(["host", "router"]);
      const { host, router } = network.nodes;
      await using first = await startRouter.frr(router, host, {});
      await using process = await startBfd(router);
      await using driver = await process.connect();
      await driver.hold([sessionTo(host)]);
      await using agent = await startAgent(host, { config: CONFIG });
      const waitFor = waiting(host, agent);
      await agent.apply(manifests(router, { bfd: true }));
      await waitFor("the routes", has(host, NETWORKS));
      const bfd = async () => (await agent.ask<{ state: string }[]>("bfd"))[0]?.state;
      await waitFor("BFD", async () => (await bfd()) === "Up");
      const deleted = await deletions(host);
      if (how === "restarts") {
        await first.stop("SIGKILL");
        await waitFor("the end", async () =>
          (await peerOf(agent)).reason.startsWith("restarting: "),
        );
        await pause(2000);
      }
      expect([deleted, await bfd()]).toEqual([[], "Up"]);
      await process.daemon.stop("SIGKILL");
      await waitFor("the deletion", async () => new Set(deleted).size === NETWORKS.length);
      expect((await peerOf(agent)).reason).not.toContain("restarting");
    },
  );
});
