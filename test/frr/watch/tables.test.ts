/** Best paths, routes and BFD as the watcher tells them, against daemons that answer what the test says. */
import { describe, expect, test } from "vitest";
import type { BestPaths } from "../../../backends/best-paths.ts";
import { sayersOf, whoSaid } from "../../../backends/frr/watch/who-said.ts";
import { neighborKey } from "../../../events/ids.ts";
import { bench, NEIGHBORS } from "./bench.ts";
import { fakeDaemon, intentOf, neighbor, recorded, unreachable } from "./fake.ts";

describe("best paths", () => {
  const batches = (said: readonly BestPaths[]) =>
    said.flatMap((one) =>
      one.type === "batch"
        ? [{ family: one.family, count: one.count, sets: one.sets.length, chosen: [...one.chosen] }]
        : [],
    );

  test("are read when the table's version moved, and told as what changed", async () => {
    using one = await bench();
    const said: BestPaths[] = [];
    one.watcher.bestPaths((what) => said.push(what));
    await one.advance(1_200);
    expect(batches(said)).toEqual([{ family: "ipv4", count: 3, sets: 1, chosen: [0, 0, 0] }]);
    expect(said[0]).toMatchObject({
      sets: [{ paths: [{ neighbor: "|e0|", interface: "e0", external: true }] }],
    });
    said.length = 0;
    await one.advance(3_000);
    expect(batches(said)).toEqual([]);
    const reads = one.bgpd.asked.filter((what) => what.includes("ipv4 unicast json"));
    expect(reads).toHaveLength(1);
  });

  test("what is gone is taken back once the tables are settled, and complete is told once", async () => {
    using one = await bench(intentOf([neighbor("10.9.0.2"), neighbor("e0")]));
    const said: BestPaths[] = [];
    one.watcher.bestPaths((what) => said.push(what));
    await one.advance(15_000);
    expect(said.filter(({ type }) => type === "complete")).toHaveLength(2);
    said.length = 0;
    one.bgpd.answers.set(
      "show bgp vrf default ipv4 unicast json",
      '{"tableVersion":6,"routes":{}}',
    );
    const summary = recorded("summary.txt").replace('"tableVersion":5', '"tableVersion":6');
    one.bgpd.answers.set("show bgp vrf all summary json", summary);
    await one.advance(2_000);
    expect(batches(said)).toEqual([
      { family: "ipv4", count: 3, sets: 0, chosen: [0xffff_ffff, 0xffff_ffff, 0xffff_ffff] },
    ]);
  });

  test("a restarted bgpd's empty table takes nothing back before it is settled", async () => {
    using one = await bench(intentOf([neighbor("10.9.0.2"), neighbor("e0")]));
    const said: BestPaths[] = [];
    one.watcher.bestPaths((what) => said.push(what));
    await one.advance(15_000);
    said.length = 0;
    one.bgpd.answers.set("show modules", "pid: 7\n");
    one.bgpd.answers.set(
      "show bgp vrf default ipv4 unicast json",
      '{"tableVersion":0,"routes":{}}',
    );
    one.bgpd.answers.set(
      "show bgp vrf all summary json",
      '{"default":{"ipv4Unicast":{"tableVersion":0,"peers":{}}}}',
    );
    await one.advance(5_000);
    expect(batches(said)).toEqual([]);
    // Neighbours that do not come back in two minutes are waited for no longer.
    await one.advance(120_000);
    expect(batches(said)).toMatchObject([{ family: "ipv4", count: 3 }]);
  }, 60_000);
});

describe("a table", () => {
  test("that is too large is not read", async () => {
    using one = await bench();
    const summary = recorded("summary.txt").replace('"ribCount":7', '"ribCount":100001');
    one.bgpd.answers.set("show bgp vrf all summary json", summary);
    await one.advance(1_000);
    one.watcher.bestPaths(() => undefined);
    await one.advance(2_000);
    const reads = one.bgpd.asked.filter((what) => what.includes("unicast json"));
    expect(new Set(reads)).toEqual(new Set(["show bgp vrf default ipv6 unicast json"]));
  });

  test("needs its details where two interface neighbours have one address", () => {
    const sayer = (device: string) => ({
      key: neighborKey("", device, ""),
      name: `|${device}`,
      vrf: "",
      device,
      address: "fe80::1",
    });
    const [e0, e1] = [sayer("e0"), sayer("e1")];
    expect([sayersOf([e0]).isAmbiguous, sayersOf([e0, e1]).isAmbiguous]).toEqual([false, true]);
    const path = { peer: "fe80::1", leakedFrom: "" };
    expect([
      whoSaid(sayersOf([e0]), "", { ...path, interface: "" }),
      whoSaid(sayersOf([e0, e1]), "", { ...path, interface: "e0" }),
      whoSaid(sayersOf([]), "", { ...path, interface: "e2" }),
    ]).toEqual([
      { neighbor: "|e0|", device: "e0" },
      { neighbor: "|e0|", device: "e0" },
      { neighbor: "|e2|", device: "e2" },
    ]);
  });
});

describe("routes", () => {
  test("received: the accepted ones, and the refused ones that bgpd kept", async () => {
    using one = await bench();
    one.bgpd.answers.delete("show bgp vrf default ipv4 unicast json");
    one.bgpd.answers.set(
      "show bgp vrf default ipv4 unicast json detail",
      recorded("table-detail.txt"),
    );
    one.bgpd.answers.set(
      "show bgp vrf default ipv4 unicast neighbors 10.9.0.2 filtered-routes json",
      recorded("filtered-routes.txt"),
    );
    const routes = await Array.fromAsync(one.watcher.routes("received", NEIGHBORS[0]?.key));
    expect(
      routes.map(({ prefix, accepted, reason, communities }) => [
        prefix,
        accepted,
        reason,
        communities.length,
      ]),
    ).toEqual([
      ["192.0.2.0/24", true, "", 3],
      ["203.0.113.0/24", true, "", 3],
      ["192.0.2.8/32", false, "refused by the neighbour's policy in bgpd", 0],
    ]);
  });

  test("advertised: as bgpd told them, from the session's own address", async () => {
    using one = await bench();
    one.bgpd.answers.set(
      "show bgp vrf default ipv4 unicast neighbors 10.9.0.2 advertised-routes json",
      recorded("advertised-routes.txt"),
    );
    const routes = await Array.fromAsync(one.watcher.routes("advertised", NEIGHBORS[0]?.key));
    expect(routes).toHaveLength(5);
    expect(routes.find(({ prefix }) => prefix === "198.51.100.7/32")).toMatchObject({
      nextHop: "10.9.0.1",
      asPath: "",
      accepted: true,
    });
  });

  test("a bgpd that does not answer rejects the walk", async () => {
    using one = await bench();
    one.bgpd.fault = unreachable("ECONNREFUSED");
    await expect(Array.fromAsync(one.watcher.routes("received"))).rejects.toMatchObject({
      name: "BackendError",
      message: "bgpd does not answer: ECONNREFUSED",
    });
  });
});

describe("BFD of the speaker's own", () => {
  test("is shown by the intent's key, and its changes are told", async () => {
    const bfdd = fakeDaemon({
      "show modules": "pid: 5\n",
      "show bfd peers json": recorded("bfd-peers.txt"),
      "show bfd peers counters json": recorded("bfd-counters.txt"),
    });
    using one = await bench(intentOf([neighbor("10.9.0.2", { bfd: true })]), bfdd);
    const moves: string[] = [];
    one.watcher.onBfd((fact) => {
      if (fact.type === "sessions") return moves.push("sessions");
      const { key, from, to, diagnostic } = fact.transition;
      return moves.push(`${key} ${from} ${to} ${diagnostic}`);
    });
    await one.advance(1_000);
    expect([...one.watcher.bfd()].map(([key, { state }]) => [key, state])).toEqual([
      ["|10.9.0.2|||single", "Up"],
    ]);
    bfdd.answers.set("show bfd peers json", recorded("bfd-peers-down.txt"));
    bfdd.answers.set("show bfd peers counters json", recorded("bfd-counters-down.txt"));
    await one.advance(1_000);
    expect(moves).toEqual(["|10.9.0.2|||single Up Down 1"]);
    bfdd.fault = unreachable("ECONNREFUSED");
    await one.advance(1_000);
    expect([one.watcher.bfd().size, one.watcher.problems()]).toEqual([
      0,
      ["bfdd does not answer: ECONNREFUSED"],
    ]);
    expect(moves.at(-1)).toBe("sessions");
  });
});
