/**
 * The kernel backend against the machine's own kernel, in namespaces: learned routes, own entries, restart.
 *
 * The backend runs in a process inside the node. What needs a VRF is test/vm/kernel-vrf.live.test.ts, what others do to us
 * kernel-faults.live.test.ts. Read next: kernel-process.ts, ../../backends/kernel/kernel.ts.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { importRule, startKernel } from "./kernel-process.ts";
import { ALL, factsOf, many, ours, OURS, prefixesOf, shows } from "./kernel-shown.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns"));

describe("learned routes", () => {
  test("10,000 in, some changed, all out, and told in batches", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host);
    await kernel.apply(ALL);
    await kernel.learn(many(10_000), [far.ipv4]);
    expect((await ours(host)).length).toBe(10_000);
    await kernel.learn(many(100), ["10.99.0.77"]);
    const changed = (await ours(host)).filter((line) => line.includes("via 10.99.0.77"));
    expect(changed).toHaveLength(100);
    expect(changed[0]).toMatch(/nhid \d+ via 10\.99\.0\.77 dev eth0 metric 20/);
    await kernel.learn(many(10_000), null);
    expect(await ours(host)).toEqual([]);
    await until(async () => (await factsOf(kernel, "installed")).at(-1)?.routes === 0, {
      what: "the facts",
    });
    const facts = await factsOf(kernel, "installed");
    const sum = (key: "added" | "replaced" | "removed") =>
      facts.reduce((all, fact) => all + fact[key], 0);
    expect([sum("added"), sum("replaced"), sum("removed")]).toEqual([10_000, 100, 10_000]);
    expect(facts.length).toBeLessThan(20);
    // No next hop object is left behind.
    await until(async () => (await host.ip("nexthop", "show", "proto", OURS)) === "", {
      what: "the next hop objects to go",
    });
  });

  test.for([true, false])("ECMP, with next hop objects: %s", async (nexthopObjects) => {
    await using network = await makeNetwork(["host", "far"]);
    const { host } = network.nodes;
    await using kernel = await startKernel(host, { nexthopObjects });
    await kernel.apply(ALL);
    await kernel.learn(["172.16.0.0/24", "172.16.1.0/24"], ["10.99.0.2", "10.99.0.3"]);
    await kernel.learn(["fd00:1::/64"], ["fd99::2", "fd99::3"]);
    const text = (await ours(host)).join("\n") + (await ours(host, "-6")).join("\n");
    expect(text.match(/nexthop via 10\.99\.0\.2 dev eth0/g)).toHaveLength(2);
    expect(text.match(/nexthop via 10\.99\.0\.3 dev eth0/g)).toHaveLength(2);
    expect(text.match(/nexthop via fd99::[23] dev eth0/g)).toHaveLength(2);
    const groups = (await host.ip("nexthop", "show")).match(/group/g)?.length ?? 0;
    expect(groups).toBe(nexthopObjects ? 2 : 0);
    // One neighbour less, then none.
    await kernel.learn(["172.16.0.0/24"], ["10.99.0.3"]);
    expect((await ours(host)).join("\n")).toMatch(/172\.16\.0\.0\/24 .*via 10\.99\.0\.3 dev eth0/);
    await kernel.learn(["172.16.0.0/24", "172.16.1.0/24"], null);
    await kernel.learn(["fd00:1::/64"], null);
    expect(await prefixesOf(host)).toEqual([]);
  });

  test.for([true, false])(
    "IPv4 over an IPv6 next hop, with objects: %s",
    async (nexthopObjects) => {
      await using network = await makeNetwork(["host", "far"]);
      const { host, far } = network.nodes;
      await using kernel = await startKernel(host, { nexthopObjects });
      await kernel.apply(ALL);
      await kernel.learn(["172.16.0.0/24"], [far.ipv6]);
      await kernel.learn(["172.16.1.0/24"], ["fe80::1%eth0"]);
      const lines = (await ours(host)).join("\n");
      expect(lines).toMatch(/172\.16\.0\.0\/24 .*via inet6 fd99::2 dev eth0/);
      expect(lines).toMatch(/172\.16\.1\.0\/24 .*via inet6 fe80::1 dev eth0/);
      const [route] = await kernel.routes();
      expect(route).toMatchObject({ rule: "all", hops: [{ device: "eth0" }] });
    },
  );

  test("into the tables that the rules name, with a preferred source, and over when a rule changes", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using kernel = await startKernel(host);
    const first = importRule({
      name: "tens",
      prefixes: [{ prefix: "172.16.0.0/16" as never, atLeast: 24, atMost: 32 }],
      table: 100,
      preferredSource: { ipv4: host.ipv4 as never },
    });
    await kernel.apply({ imports: [first, importRule({ metric: 30 })] });
    await kernel.learn(["172.16.5.0/24", "172.17.5.0/24"], [far.ipv4]);
    expect((await ours(host)).join("\n")).toMatch(
      /172\.16\.5\.0\/24 .*table 100 .*src 10\.99\.0\.1 metric 20\n172\.17\.5\.0\/24 .*dev eth0 metric 30/,
    );
    await kernel.apply({ imports: [{ ...first, table: 101, metric: 7, preferredSource: {} }] });
    await kernel.settled();
    await shows(host, ["172.16.5.0/24"]);
    expect((await ours(host)).join("\n")).toMatch(/^172\.16\.5\.0\/24 .*table 101 metric 7$/);
  });

  test("what is held back, and why", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await host.ip("route", "add", "192.0.2.0/24", "via", far.ipv4);
    await using kernel = await startKernel(host, { protectedPrefixes: ["192.0.2.7/32" as never] });
    await kernel.apply({ imports: [importRule({ maximum: 3 })] });
    await kernel.learn(
      ["172.16.0.0/24", "0.0.0.0/0", "10.99.0.0/24", "192.0.2.0/28", "192.0.0.0/8"],
      [far.ipv4],
    );
    await kernel.learn(["172.16.1.0/24"], ["203.0.113.1"]);
    await kernel.learn(["172.16.2.0/24"], [host.ipv4]);
    await kernel.learn(["172.18.1.0/24", "172.18.2.0/24"], ["192.0.2.99"]);
    await shows(host, ["172.16.0.0/24", "172.18.1.0/24", "192.0.0.0/8"]);
    const [status] = (await kernel.status()).rules;
    expect(status?.installed).toBe(3);
    expect(
      Object.fromEntries((status?.held ?? []).map(({ reason, example }) => [reason, example])),
    ).toEqual({
      "default-route": "0.0.0.0/0",
      connected: "10.99.0.0/24",
      protected: "192.0.2.0/28",
      "no-route": "172.16.1.0/24",
      "own-address": "172.16.2.0/24",
      maximum: "172.18.2.0/24",
    });
    // A static route over another: the gateway that is on the link.
    expect((await ours(host)).join("\n")).toMatch(/172\.18\.1\.0\/24 .*via 10\.99\.0\.2 dev eth0/);
    // The way to what was not reachable comes up.
    await host.ip("route", "add", "203.0.113.0/24", "via", far.ipv4);
    await kernel.apply({ imports: [importRule()] });
    await shows(host, [
      "172.16.0.0/24",
      "172.16.1.0/24",
      "172.18.1.0/24",
      "172.18.2.0/24",
      "192.0.0.0/8",
    ]);
  });
});

describe("restart", () => {
  test("kill -9: what is still wanted stays untouched, leftovers go after the speakers said all", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    const first = await startKernel(host);
    await first.apply(ALL);
    await first.learn(many(1000), ["10.99.0.2", "10.99.0.3"]);
    await first.learn(["fd00:1::/64", "fd00:2::/64"], [far.ipv6]);
    await first.kill();
    expect((await prefixesOf(host)).length).toBe(1002);
    const monitor = await host.start(["ip", "-4", "monitor", "route"]);
    const nexthops = await host.ip("nexthop");

    await using second = await startKernel(host);
    await second.apply(ALL);
    await second.learn(many(900), ["10.99.0.2", "10.99.0.3"]);
    await second.learn(["fd00:1::/64"], [far.ipv6]);
    expect((await prefixesOf(host)).length).toBe(1002);
    expect(monitor.stdout()).toBe("");
    expect(await host.ip("nexthop")).toBe(nexthops);
    await second.complete();
    await shows(host, [...many(900), "fd00:1::/64"], second);
    // Continuation lines of a multipath route are indented.
    const lines = monitor
      .stdout()
      .split("\n")
      .filter((line) => /^\S/.test(line));
    expect(lines).toHaveLength(100);
    expect(lines.every((line) => line.startsWith("Deleted"))).toBe(true);
  });

  test("leave keeps everything, final takes ours away", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    const intent = {
      ...ALL,
      addresses: [
        {
          address: "192.0.2.1" as never,
          device: "lo",
          as: "address" as const,
          announcedAs: [],
          provenance: [],
        },
      ],
    };
    const first = await startKernel(host);
    await first.apply(intent);
    await first.learn(many(10), [far.ipv4]);
    await first.close("leave");
    expect((await prefixesOf(host)).length).toBe(10);
    const second = await startKernel(host);
    expect(await second.apply(intent)).toEqual({ added: [], removed: [], failed: [] });
    await second.close("final");
    expect(await prefixesOf(host)).toEqual([]);
    expect(await host.ip("nexthop")).toBe("");
    expect(await host.ip("address", "show", "dev", "lo")).not.toContain("192.0.2.1");
  });
});

describe("own entries", () => {
  const address = (text: string, device = "lo") => ({
    address: text as never,
    device,
    as: "address" as const,
    announcedAs: [],
    provenance: [],
  });
  const intent = {
    addresses: [address("192.0.2.1"), address("2001:db8::1")],
    routes: [
      { type: "blackhole", prefix: "192.0.2.0/24", vrf: "", metric: 100, provenance: [] },
      { type: "unreachable", prefix: "2001:db8::/48", vrf: "", metric: 0, provenance: [] },
    ] as never,
    rules: [
      {
        priority: 700,
        family: "ipv4",
        from: "192.0.2.0/24",
        to: undefined,
        incoming: "",
        mark: undefined,
        table: 100,
        provenance: [],
      },
      {
        priority: 701,
        family: "ipv6",
        from: undefined,
        to: "2001:db8:1::/48",
        incoming: "eth0",
        mark: 5,
        table: 101,
        provenance: [],
      },
    ] as never,
  };

  test("come, stay over a restart, come back when taken, and go", async () => {
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    const first = await startKernel(host);
    const applied = await first.apply(intent);
    expect(applied.failed).toEqual([]);
    expect(applied.added.toSorted()).toEqual([
      "address 192.0.2.1/32 dev lo",
      "address 2001:db8::1/128 dev lo",
      "blackhole 192.0.2.0/24 table 254 metric 100",
      "rule 700 ipv4 from 192.0.2.0/24 table 100",
      "rule 701 ipv6 from all to 2001:db8:1::/48 iif eth0 fwmark 5 table 101",
      "unreachable 2001:db8::/48 table 254 metric 1024",
    ]);
    expect(await host.ip("-4", "rule")).toContain("from 192.0.2.0/24 lookup 100 proto 82");
    expect(await host.ip("-6", "rule")).toMatch(
      /to 2001:db8:1::\/48 fwmark 0x5 iif eth0 lookup 101/,
    );
    expect(await host.ip("route", "show", "type", "blackhole")).toContain(
      "192.0.2.0/24 proto 82 metric 100",
    );
    await first.kill();

    await using second = await startKernel(host);
    expect(await second.apply(intent)).toEqual({ added: [], removed: [], failed: [] });
    await host.ip("address", "del", "192.0.2.1/32", "dev", "lo");
    await host.ip("rule", "del", "priority", "700");
    await host.ip("route", "del", "blackhole", "192.0.2.0/24", "proto", OURS, "metric", "100");
    const back = async () =>
      (await host.ip("address", "show", "dev", "lo")).includes("192.0.2.1/32") &&
      (await host.ip("rule")).includes("from 192.0.2.0/24") &&
      (await host.ip("route", "show", "type", "blackhole")).includes("192.0.2.0/24");
    await until(back, { what: "the repair", explain: () => second.daemon.stderr() });
    await until(async () => (await second.status()).drift === 3, { what: "the count" });
    const less = await second.apply({ ...intent, rules: [], routes: [] });
    expect(less.removed).toHaveLength(4);
    await second.apply({});
    expect(await host.ip("address", "show", "dev", "lo")).not.toMatch(/192\.0\.2\.1|2001:db8/);
  });

  test("a rule that is wanted twice is one, and goes with the last that wants it", async () => {
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await using kernel = await startKernel(host);
    const rule = {
      priority: 700,
      family: "ipv4" as const,
      from: "192.0.2.0/24" as never,
      to: undefined,
      incoming: "",
      mark: undefined,
      table: 100,
    };
    const [one, other] = [rule, rule].map((same, at) => ({
      ...same,
      provenance: [`${at}` as never],
    }));
    const entry = "rule 700 ipv4 from 192.0.2.0/24 table 100";
    const same = { added: [], removed: [], failed: [] };
    expect(await kernel.apply({ rules: [one, other] as never })).toEqual({
      ...same,
      added: [entry],
    });
    expect(await kernel.apply({ rules: [other] as never })).toEqual(same);
    expect(await host.ip("rule")).toContain("from 192.0.2.0/24 lookup 100 proto 82");
    expect(await kernel.apply({ rules: [one] as never })).toEqual(same);
    expect(await kernel.apply({})).toEqual({ ...same, removed: [entry] });
  });

  test("an address that another device has counts as bound; a device that is not there is a problem in words", async () => {
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    await host.ip("address", "add", "192.0.2.5/24", "dev", "eth0");
    await using kernel = await startKernel(host);
    const wanted = [address("192.0.2.5"), address("192.0.2.6", "nowhere"), address("192.0.2.7")];
    const { added, failed } = await kernel.apply({ addresses: wanted });
    expect(added).toEqual(["address 192.0.2.7/32 dev lo"]);
    expect(failed.map(({ reason }) => reason)).toEqual(["device nowhere is not there"]);
    expect((await kernel.status()).problems).toHaveLength(1);
    expect(await kernel.unusable()).toEqual([["192.0.2.6", "device nowhere is not there"]]);
    await host.ip("link", "add", "nowhere", "type", "bridge");
    await until(async () => (await kernel.unusable()).length === 0, { what: "the device" });
    // What another put there goes, and ours takes its place.
    await host.ip("address", "del", "192.0.2.5/24", "dev", "eth0");
    await until(
      async () => (await host.ip("address", "show", "dev", "lo")).includes("192.0.2.5/32"),
      {
        what: "the address",
        explain: () => kernel.daemon.stderr(),
      },
    );
  });

  test("source NAT, replaced whole and gone at the end", async (context) => {
    skipUnless("nft")(context);
    await using network = await makeNetwork(["host"]);
    const { host } = network.nodes;
    const rules = async () => (await host.run(["nft", "list", "ruleset"])).stdout;
    await host.run(["nft", "add", "table", "inet", "theirs"]);
    const nat = (name: string, to: string, outgoing = "") =>
      ({ name, sources: ["10.1.0.0/16", "10.3.0.0/16"], to, outgoing, provenance: [] }) as never;
    const kernel = await startKernel(host);
    const { failed } = await kernel.apply({ sourceNats: [nat("egress", "192.0.2.1", "eth0")] });
    expect(failed).toEqual([]);
    expect(await rules()).toMatch(
      /ip saddr \{ 10\.1\.0\.0\/16, 10\.3\.0\.0\/16 \} oifname "eth0" snat ip to 192\.0\.2\.1 comment "egress"/,
    );
    await kernel.apply({ sourceNats: [nat("other", "192.0.2.2")] });
    expect(await rules()).not.toContain("egress");
    await kernel.close("final");
    expect((await rules()).trim()).toBe("table inet theirs {\n}");
  });
});

test("what the kernel can is found without making anything", async () => {
  await using network = await makeNetwork(["host"]);
  const { host } = network.nodes;
  const before = await host.ip("link");
  await using kernel = await startKernel(host, { nft: "/nowhere/nft" });
  const { has, missing, sysctls } = await kernel.capabilities();
  expect(has).toEqual(expect.arrayContaining(["nexthop-objects", "ipv4-via-ipv6"]));
  expect(new Map(missing).get("nft")).toContain("install nftables");
  expect(await host.ip("link")).toBe(before);
  const forward = sysctls.find(({ name }) => name === "net.ipv4.ip_forward");
  expect(forward?.fix).toBe("sysctl -w net.ipv4.ip_forward=1");
  const nat = { name: "a", sources: [], to: "192.0.2.1", outgoing: "", provenance: [] } as never;
  const { failed } = await kernel.apply({ sourceNats: [nat] });
  expect(failed[0]?.reason).toContain("install nftables");
});
