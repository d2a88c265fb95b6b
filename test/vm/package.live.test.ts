/**
 * The package in a booted Debian: installed by dpkg, run by systemd, peering with FRR; killed, stalled, upgraded, removed, purged.
 *
 * Two versions of it are built from these very sources. What counts is the router's table and systemd's own word.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ALWAYS, documents, poolManifest } from "../live/manifests.ts";
import { makeNetwork } from "../live/netns.ts";
import { cannot, skipUnless } from "../probe.ts";
import { type Booted, bootDebian } from "./booted.ts";
import {
  buildDebs,
  type Debs,
  installed as installedFrom,
  services,
  SLOW_MS,
  type World,
} from "./packaged.ts";

beforeEach(skipUnless("netns", "frr", "booted"));

const VERSIONS = ["1.0.0", "1.0.1"] as const;

let debs: Debs | undefined;
beforeAll(async () => {
  if (!cannot("booted")) debs = await buildDebs(VERSIONS);
}, SLOW_MS);
afterAll(() => debs?.[Symbol.dispose]());

const built = (): Debs => {
  if (debs === undefined) throw new Error("no package was built");
  return debs;
};
const installed = () => installedFrom(built());

/** One host for all tests of a group, each of which says itself what it needs of it. */
function sharedHost(): () => World {
  let world: World | undefined;
  beforeAll(async () => {
    if (!cannot("netns", "frr", "booted")) world = await installed();
  }, SLOW_MS);
  afterAll(() => world?.[Symbol.asyncDispose]());
  return () => {
    if (world === undefined) throw new Error("no host was booted");
    return world;
  };
}

/** Restarts by systemd itself since it was booted. */
const restartsOf = async (booted: Booted): Promise<number> =>
  Number(await booted.property("rutter", "NRestarts"));

const line = (text: string, key: string): string =>
  new RegExp(`^${key}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";

/** What a check sees of its own rights. */
const CHECK = `#!/bin/sh
grep -c '^Cap\\(Inh\\|Prm\\|Eff\\|Amb\\):.0000000000000000$' /proc/self/status >/tmp/check.caps
`;

describe("installed and started", () => {
  const host = sharedHost();
  test("it runs as its own user with three capabilities, its units are without a fault, and its BFD has the right priority", async () => {
    const { booted } = host();
    const units = ["rutter.service", "rutter-bfd.service"];
    const verified = await booted.run(["systemd-analyze", "verify", "--man=no", ...units]);
    expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });

    const agent = await booted.property("rutter", "MainPID");
    const status = await booted.must(["cat", `/proc/${agent}/status`]);
    // CAP_NET_BIND_SERVICE 10, CAP_NET_ADMIN 12, CAP_NET_RAW 13.
    const three = "0000000000003400";
    expect([line(status, "CapEff"), line(status, "CapBnd"), line(status, "CapAmb")]).toEqual([
      three,
      three,
      three,
    ]);
    expect(line(status, "NoNewPrivs")).toBe("1");
    expect(await booted.must(["stat", "-c", "%U", `/proc/${agent}`])).toBe("rutter");
    expect(await booted.must(["stat", "-c", "%U %a", "/var/lib/rutter"])).toBe("rutter 700");

    const bfd = await booted.property("rutter-bfd", "MainPID");
    expect(await booted.must(["chrt", "--pid", bfd])).toContain("SCHED_FIFO");
    expect(await booted.must(["rutter", "doctor"])).not.toContain("priority");
  });

  test("members of its groups may ask or change, and others may not", async () => {
    const { booted } = host();
    const groups = { reader: "rutter", writer: "rutter,rutter-admin", other: "users" };
    const answers: Record<string, readonly number[]> = {};
    for (const [name, list] of Object.entries(groups)) {
      await booted.must(["useradd", "--groups", list, name]);
      const as = ["setpriv", `--reuid=${name}`, `--regid=${name}`, "--init-groups", "rutter"];
      const asked = await booted.run([...as, "status"]);
      const changed = await booted.run([...as, "apply", "-f", "-"], poolManifest(["10.9.0.0/24"]));
      answers[name] = [asked.code, changed.code];
    }
    expect(answers).toEqual({ reader: [0, 1], writer: [0, 0], other: [1, 1] });
  });

  test("an installation alone runs nothing", async () => {
    await using network = await makeNetwork(["host"]);
    await using booted = await bootDebian(network.nodes.host, built().files);
    const said = await booted.must(["dpkg", "--install", built().first]);
    expect(said).toContain("systemctl enable --now rutter-bfd rutter");
    const states = await booted.run(["systemctl", "is-active", "rutter", "rutter-bfd"]);
    expect(states.stdout).toBe("inactive\ninactive\n");
    const enabled = await booted.run(["systemctl", "is-enabled", "rutter", "rutter-bfd"]);
    expect(enabled.stdout).toBe("disabled\ndisabled\n");
  });

  test("a check of agent.yaml runs without capabilities, and a reload brings it", async () => {
    const world = host();
    const { booted } = world;
    const restarts = await restartsOf(booted);
    await booted.must(["tee", "/usr/local/bin/check"], CHECK);
    await booted.must(["chmod", "755", "/usr/local/bin/check"]);
    const endpoint = `apiVersion: rutter/v1\nkind: ServiceEndpoint\nmetadata: {name: s0}\nspec: {check: {type: exec, name: look}}`;
    await world.apply(documents(services(1), endpoint));
    const config = `${ALWAYS}node: {labels: {rack: r7}}\nchecks: {look: {command: [/usr/local/bin/check]}}\n`;
    await booted.must(["tee", "/etc/rutter/agent.yaml"], config);
    await booted.must(["systemctl", "reload", "rutter"]);
    await world.until("the route", async () => (await world.seen()).routes === 1);
    // PrivateTmp: the agent's /tmp is its own.
    const agent = await booted.property("rutter", "MainPID");
    expect(await booted.must(["cat", `/proc/${agent}/root/tmp/check.caps`])).toBe("4");
    expect(await booted.must(["journalctl", "-u", "rutter"])).toContain('"msg":"reloaded"');
    expect(await restartsOf(booted)).toBe(restarts);
  });
});

describe("an agent that ends", () => {
  const host = sharedHost();
  test("by kill -9 is started again, and the router keeps its routes", async () => {
    const world = host();
    const { booted } = world;
    await world.apply(services(20));
    await world.until("the routes", async () => (await world.seen()).routes === 20);
    const { drops } = await world.seen();
    const restarts = await restartsOf(booted);
    await booted.must(["systemctl", "kill", "--signal=KILL", "--kill-who=main", "rutter"]);
    await world.until("the next run", async () => (await restartsOf(booted)) === restarts + 1);
    await world.established();
    await world.until(
      "systemd's word",
      async () => (await booted.property("rutter", "ActiveState")) === "active",
    );
    expect(await world.seen()).toEqual({ routes: 20, drops: drops + 1 });
  });

  test("standing still is found by the watchdog and started again", async () => {
    const world = host();
    const { booted } = world;
    await world.apply(services(20));
    await world.until("the routes", async () => (await world.seen()).routes === 20);
    const restarts = await restartsOf(booted);
    await booted.must(["systemctl", "kill", "--signal=STOP", "--kill-who=main", "rutter"]);
    await world.until("the watchdog", async () => (await restartsOf(booted)) === restarts + 1);
    expect(await booted.must(["journalctl", "-u", "rutter"])).toContain("Watchdog timeout");
    await world.established();
    await world.until("the routes", async () => (await world.seen()).routes === 20);
  });
});

test("an upgrade under graceful restart costs one session and no route of a thousand, and leaves BFD alone", async () => {
  await using world = await installed();
  const { booted } = world;
  await world.apply(services(1000));
  await world.until("the routes", async () => (await world.seen()).routes === 1000);
  const before = await world.seen();
  const bfd = await booted.property("rutter-bfd", "MainPID");
  const agent = await booted.property("rutter", "MainPID");
  let fewest = before.routes;
  const upgraded = new AbortController();
  const watching = (async () => {
    while (!upgraded.signal.aborted) fewest = Math.min(fewest, (await world.seen()).routes);
  })();
  await booted.must(["dpkg", "--install", `/job/${VERSIONS[1]}.deb`]);
  await world.established();
  upgraded.abort();
  await watching;
  const after = await world.seen();
  const resets = after.drops - before.drops;
  console.log(`upgrade: ${resets} session reset, ${1000 - fewest} of 1000 routes lost`);
  expect({ resets, fewest, routes: after.routes }).toEqual({
    resets: 1,
    fewest: 1000,
    routes: 1000,
  });
  expect(await booted.property("rutter", "MainPID")).not.toBe(agent);
  expect(await booted.property("rutter-bfd", "MainPID")).toBe(bfd);
  expect(await booted.must(["rutter", "--version"])).toBe(VERSIONS[1]);
});

test("removed, it has stopped and its log is there; purged, nothing of it is", async () => {
  await using world = await installed();
  const { booted } = world;
  await world.apply(services(5));
  await world.until("the routes", async () => (await world.seen()).routes === 5);
  await booted.must(["dpkg", "--remove", "rutter"]);
  await world.until("the end", async () => (await world.seen()).routes === 0);
  expect(await booted.must(["ls", "/var/lib/rutter"])).toContain("log.db");
  expect(await booted.must(["ip", "-4", "-o", "address", "show", "dev", "lo"])).not.toContain(
    "10.20.",
  );
  await booted.must(["dpkg", "--install", `/job/${VERSIONS[1]}.deb`]);
  expect(await booted.must(["rutter", "log", "verify", "--log", "/var/lib/rutter/log.db"])).toMatch(
    /\d+/,
  );
  await booted.must(["dpkg", "--purge", "rutter"]);
  const places = ["/etc", "/run", "/usr/bin", "/usr/lib", "/usr/share", "/var/cache", "/var/lib"];
  const left = await booted.run(["find", ...places, "-xdev", "-name", "*rutter*"]);
  expect(left.stdout).toBe("");
});
