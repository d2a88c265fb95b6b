/** FRR's daemons as the seam has them: which one hangs, is gone or is another, since when, and the bfdd that is not to run. */
import { expect, test } from "vitest";
import type { DaemonFact } from "../../../backends/daemons.ts";
import { watchBfddInTheWay } from "../../../backends/frr/watch/in-the-way.ts";
import { virtualClock } from "../../virtual-clock.ts";
import { bench } from "./bench.ts";
import { fakeDaemon, recorded, settle, unreachable } from "./fake.ts";

test("a hang, an end and another process are told apart, each with what mends it", async () => {
  using one = await bench();
  const { all, watch } = one.watcher.daemons(() => []);
  const facts: DaemonFact[] = [];
  watch((fact) => facts.push(fact));
  expect(all()).toMatchObject([{ daemon: "bgpd", state: "up", reason: "", fix: "" }]);

  const modules = recorded("modules.txt");
  for (const command of one.bgpd.answers.keys()) one.bgpd.answers.set(command, undefined);
  await one.advance(4000);
  expect(all()).toMatchObject([
    {
      state: "hung",
      reason: "no answer for 2.5 s",
      fix: expect.stringMatching(/^look at its log/),
    },
  ]);
  const since = all()[0]?.sinceMillis ?? 0;
  expect(since).toBeLessThan(one.clock.monotonicMillis() - 2500);
  expect(facts).toEqual([{ daemon: "bgpd", state: "hung", reason: "no answer for 2.5 s" }]);

  using two = await bench();
  const other = two.watcher.daemons(() => []);
  const told: DaemonFact[] = [];
  other.watch((fact) => told.push(fact));
  two.bgpd.fault = unreachable("connection refused");
  await two.advance(1500);
  expect(other.all()).toMatchObject([
    {
      state: "ended",
      reason: "connection refused",
      fix: expect.stringMatching(/^systemctl start/),
    },
  ]);
  using three = await bench();
  three.bgpd.fault = unreachable("bgpd.vty: connect EACCES bgpd.vty");
  await three.advance(1500);
  expect(three.watcher.daemons(() => []).all()).toMatchObject([
    { state: "ended", fix: expect.stringContaining("SupplementaryGroups=frrvty") },
  ]);
  two.bgpd.fault = undefined;
  two.bgpd.answers.set("show modules", modules.replace(/^pid: \d+$/m, "pid: 4242"));
  await two.advance(1500);
  expect(other.all()).toMatchObject([{ state: "up", reason: "" }]);
  expect(told.map(({ state }) => state)).toEqual(["ended", "restarted"]);
});

test("a bfdd that is not to run is shown while it does, also one that comes later", async () => {
  const clock = virtualClock();
  const bfdd = fakeDaemon({ "show version": "FRRouting 8.4.4" });
  const { all, close } = watchBfddInTheWay(bfdd, clock, false);
  const pass = async () => {
    clock.advance(10_000);
    await settle();
  };
  expect(all()).toEqual([]);
  await pass();
  expect(all()).toMatchObject([
    { daemon: "bfdd", state: "in-the-way", fix: expect.stringContaining("bfdd=no") },
  ]);
  bfdd.fault = unreachable("connection refused");
  await pass();
  expect(all()).toEqual([]);
  close();
  expect(clock.pending()).toBe(0);
});
