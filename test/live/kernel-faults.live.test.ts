/**
 * The kernel backend where others change what is ours, links flap and news are lost (faults 60 to 62).
 *
 * Read next: kernel.live.test.ts, ../../backends/kernel/reading.ts.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { importRule, startKernel } from "./kernel-process.ts";
import { ALL, factsOf, many, ours, OURS, prefixesOf, shows } from "./kernel-shown.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns"));

describe("others' doings", () => {
  test("their routes, rules and addresses are never touched, and their place is not taken", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await host.ip("route", "add", "172.16.0.0/24", "via", "10.99.0.9", "metric", "20");
    await host.ip("-6", "route", "add", "fd00:5::/64", "via", "fd99::9", "metric", "20");
    await host.ip("rule", "add", "priority", "500", "table", "7");
    await host.ip("address", "add", "192.0.2.9/32", "dev", "lo");
    const theirs = async () =>
      (await host.ip("route", "show", "proto", "boot")) +
      (await host.ip("-6", "route", "show", "proto", "boot")) +
      (await host.ip("rule")) +
      (await host.ip("address", "show", "dev", "lo"));
    const before = await theirs();
    await using kernel = await startKernel(host);
    await kernel.apply(ALL);
    await kernel.learn(["172.16.0.0/24", "172.16.1.0/24"], [far.ipv4]);
    await kernel.learn(["fd00:5::/64"], [far.ipv6]);
    await kernel.complete();
    expect(await prefixesOf(host)).toEqual(["172.16.1.0/24"]);
    const { rules } = await kernel.status();
    expect(rules.flatMap(({ held }) => held)).toMatchObject([
      { reason: "refused-by-kernel", count: 1, example: "172.16.0.0/24" },
      { reason: "refused-by-kernel", count: 1, example: "fd00:5::/64" },
    ]);
    expect(await theirs()).toBe(before);
    // It goes, and ours comes.
    await host.ip("route", "del", "172.16.0.0/24", "metric", "20");
    await shows(host, ["172.16.0.0/24", "172.16.1.0/24"], kernel);
    await kernel.close("final");
    expect(await prefixesOf(host)).toEqual([]);
  });

  test("a route of ours that is deleted or altered by hand comes back, and is counted", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host);
    await kernel.apply(ALL);
    await kernel.learn(["172.16.0.0/24", "172.16.1.0/24"], [far.ipv4]);
    await kernel.learn(["fd00:1::/64"], [far.ipv6]);
    await host.ip("route", "del", "172.16.0.0/24", "proto", OURS);
    await host.ip("-6", "route", "del", "fd00:1::/64", "proto", OURS);
    await host.ip(
      "route",
      "replace",
      "172.16.1.0/24",
      "via",
      "10.99.0.66",
      "metric",
      "20",
      "proto",
      OURS,
    );
    await shows(host, ["172.16.0.0/24", "172.16.1.0/24", "fd00:1::/64"], kernel);
    await until(async () => !(await ours(host)).join().includes("10.99.0.66"), {
      what: "the repair",
    });
    await until(async () => (await kernel.status()).drift >= 3, { what: "the count" });
    const told = await until(async () => (await factsOf(kernel, "drift"))[0], { what: "the fact" });
    expect(told).toMatchObject({ what: "route", action: "repaired" });
  });

  test("or is only reported, where that is the policy", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host, { drift: "report" });
    await kernel.apply(ALL);
    await kernel.learn(["172.16.0.0/24", "172.16.1.0/24"], [far.ipv4]);
    await host.ip("route", "del", "172.16.0.0/24", "proto", OURS);
    const told = await until(async () => (await factsOf(kernel, "drift"))[0], {
      what: "the report",
    });
    expect(told).toMatchObject({ what: "route", action: "reported", count: 1 });
    expect(told.entry).toMatch(/^route 172\.16\.0\.0\/24/);
    expect(await prefixesOf(host)).toEqual(["172.16.1.0/24"]);
  });

  const nat = (name: string, to: string) =>
    ({ name, sources: ["10.1.0.0/16"], to, outgoing: "eth0", provenance: [] }) as never;
  const ruleset = async (host: Node): Promise<string> =>
    (await host.run(["nft", "list", "ruleset"])).stdout;

  test("our nft table: flushed, deleted, edited or switched off, it comes back, and is counted once each", async (context) => {
    skipUnless("nft")(context);
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await using kernel = await startKernel(host);
    await kernel.apply({ sourceNats: [nat("a", "192.0.2.1")] });
    const wanted = await ruleset(host);
    expect(wanted).toContain('snat ip to 192.0.2.1 comment "a"');
    const faults: readonly (readonly string[])[] = [
      ["flush", "ruleset"],
      ["delete", "table", "inet", "rutter"],
      ["flush", "chain", "inet", "rutter", "postrouting"],
      ["insert", "rule", "inet", "rutter", "postrouting", "accept"],
      ["add", "chain", "inet", "rutter", "postrouting", "{ policy drop; }"],
      ["add", "table", "inet", "rutter", "{ flags dormant; }"],
    ];
    const drift = async () => (await kernel.status()).drift;
    for (const [i, fault] of faults.entries()) {
      expect((await host.run(["nft", ...fault])).stderr).toBe("");
      await until(async () => (await drift()) > i, { what: `${fault.join(" ")} to be noticed` });
      await until(async () => (await ruleset(host)) === wanted, {
        what: `the table after ${fault.join(" ")}`,
        explain: () => ruleset(host),
      });
    }
    // Neither our own changes nor those of others' tables are any.
    await kernel.apply({ sourceNats: [nat("a", "192.0.2.1"), nat("b", "192.0.2.2")] });
    await host.run(["nft", "add", "table", "inet", "theirs"]);
    await host.run(["nft", "delete", "table", "inet", "theirs"]);
    await pause(2500);
    expect(await drift()).toBe(faults.length);
    expect((await factsOf(kernel, "drift"))[0]).toEqual({
      type: "drift",
      what: "nat",
      entry: "nft table inet rutter",
      count: 1,
      action: "repaired",
    });
    expect(await ruleset(host)).toContain('comment "b"');
  });

  test("or is only reported and left as it is, also by the readings that follow", async (context) => {
    skipUnless("nft")(context);
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await using kernel = await startKernel(host, { drift: "report", resyncMillis: 300 });
    await kernel.apply({ sourceNats: [nat("a", "192.0.2.1")] });
    await host.run(["nft", "flush", "ruleset"]);
    const told = await until(async () => (await factsOf(kernel, "drift"))[0], {
      what: "the report",
    });
    expect(told).toMatchObject({ what: "nat", action: "reported", count: 1 });
    const { resyncs } = await kernel.status();
    await until(async () => (await kernel.status()).resyncs > resyncs + 2, { what: "readings" });
    expect(await ruleset(host)).toBe("");
    expect((await kernel.status()).drift).toBe(1);
    // What is wanted anew is made whole.
    await kernel.apply({ sourceNats: [nat("b", "192.0.2.2")] });
    expect(await ruleset(host)).toContain('comment "b"');
  });

  test("also where the kernel's news of it were lost", async (context) => {
    skipUnless("nft")(context);
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await using kernel = await startKernel(host, { receiveOctets: 1, resyncMillis: 500 });
    const nats = Array.from({ length: 300 }, (_, i) => nat(`n${i}`, "192.0.2.1"));
    await kernel.apply({ sourceNats: nats });
    const wanted = await ruleset(host);
    await host.run(["nft", "flush", "ruleset"]);
    await until(async () => (await ruleset(host)) === wanted, {
      what: "the table again",
      explain: () => kernel.daemon.stderr(),
    });
    await until(async () => (await kernel.status()).drift === 1, { what: "the count" });
    const { resyncs } = await kernel.status();
    await until(async () => (await kernel.status()).resyncs > resyncs + 4, { what: "readings" });
    expect((await kernel.status()).drift).toBe(1);
  });

  test("who holds no source NAT hears nothing of nftables", async (context) => {
    skipUnless("nft")(context);
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await using kernel = await startKernel(host);
    const sockets = async () =>
      (await host.run(["cat", "/proc/net/netlink"])).stdout
        .split("\n")
        .filter((line) => /^\S+\s+12\s/.test(line)).length;
    const before = await sockets();
    await kernel.apply({ sourceNats: [nat("a", "192.0.2.1")] });
    expect(await sockets()).toBe(before + 2);
    await kernel.apply({});
    expect(await sockets()).toBe(before);
  });

  test("a next hop object of ours that is deleted takes its routes with it, and all come back", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host);
    await kernel.apply(ALL);
    await kernel.learn(many(100), [far.ipv4]);
    await host.ip("nexthop", "flush", "proto", OURS);
    await shows(host, many(100), kernel);
    expect((await factsOf(kernel, "resynced")).at(-1)).toMatchObject({ missing: 100 });
  });

  test("a link that flaps ten times", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host);
    await kernel.apply(ALL);
    await kernel.learn(many(200), [far.ipv4]);
    for (let i = 0; i < 10; i += 1) {
      await host.cable("down");
      await host.cable("up");
    }
    await host.ip("link", "set", "eth0", "down");
    await shows(host, [], kernel);
    const held = async () => (await kernel.status()).rules[0]?.held[0];
    await until(async () => (await held())?.count === 200, { what: "the routes held back" });
    await host.ip("link", "set", "eth0", "up");
    await shows(host, many(200), kernel);
    expect((await factsOf(kernel, "host")).length).toBeGreaterThan(0);
  });

  test("news that are lost (ENOBUFS) lead to a reading, at most once a second", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host, { receiveOctets: 1 });
    await kernel.apply(ALL);
    await kernel.learn(many(500), [far.ipv4]);
    const batch = many(500).map((one) => `route del ${one} proto ${OURS}`);
    const noise = many(3000, 20).map((one) => `route add ${one} dev eth0`);
    await host.run(["ip", "-batch", "-"], { input: [...batch, ...noise, ""].join("\n") });
    await shows(host, many(500), kernel);
    const readings = await factsOf(kernel, "resynced");
    expect(readings.map(({ reason }) => reason).join()).toContain("ENOBUFS");
    expect(readings.length).toBeLessThan(8);
  });
});

test("a script of random faults, after which the kernel holds what is wanted", async () => {
  await using network = await makeNetwork(["host", "far"]);
  const { host, far } = network.nodes;
  await using kernel = await startKernel(host);
  const vip = {
    address: "192.0.2.1" as never,
    device: "lo",
    as: "address" as const,
    announcedAs: [],
    provenance: [],
  };
  await kernel.apply({
    imports: [importRule({ preferredSource: { ipv4: "192.0.2.1" as never } })],
    addresses: [vip],
  });
  await kernel.learn(many(300), [far.ipv4]);
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  let state = seed;
  const dice = (sides: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % sides;
  };
  const faults: readonly (() => Promise<unknown>)[] = [
    () => host.run(["ip", "route", "del", many(300)[dice(300)] ?? "", "proto", OURS]),
    () => host.run(["ip", "route", "flush", "proto", OURS, "root", "172.1.0.128/25"]),
    () => host.cable("down").then(() => host.cable("up")),
    () => host.ip("link", "set", "eth0", "down").then(() => host.ip("link", "set", "eth0", "up")),
    () => host.run(["ip", "address", "del", "192.0.2.1/32", "dev", "lo"]),
    () => host.run(["ip", "nexthop", "flush", "proto", OURS]),
    () => host.ip("address", "replace", `${host.ipv4}/24`, "dev", "eth0"),
    () =>
      host.run([
        "ip",
        "route",
        "replace",
        many(300)[dice(300)] ?? "",
        "dev",
        "eth0",
        "metric",
        "20",
        "proto",
        OURS,
      ]),
    () => kernel.learn(many(300).slice(dice(150), 150 + dice(150)), [far.ipv4]),
  ];
  const done: number[] = [];
  for (let i = 0; i < 60; i += 1) {
    const which = dice(faults.length);
    done.push(which);
    await faults[which]?.();
  }
  console.log(`seed ${seed}: ${done.join(" ")}`);
  await shows(host, many(300), kernel);
  // It stays so when all that the faults set off has run its course.
  await pause(2000);
  await shows(host, many(300), kernel);
  await until(
    async () =>
      (await ours(host)).every((line) => line.includes(`via ${far.ipv4} dev eth0 src 192.0.2.1`)),
    {
      what: "the routes as wanted",
    },
  );
  expect(await host.ip("address", "show", "dev", "lo")).toContain("192.0.2.1/32");
});
