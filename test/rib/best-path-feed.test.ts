/**
 * Best paths as they are told: at once where little changes, in turns where much does, and complete when all have spoken.
 *
 * Method: inbound-stage.ts.
 */
import { describe, expect, test } from "vitest";
import { beyondOf } from "../../backends/native/maximum-prefixes.ts";
import type { MaximumPrefixes, NeighborIntent } from "../../backends/intent.ts";
import { prefix } from "../../events/prefix.ts";
import { hosts, quiet, stage, turnEnds } from "./inbound-stage.ts";
import { neighborOf } from "./neighbors.ts";
import { linesOf } from "./told.ts";

describe("a listener", () => {
  test("is told the first change within the turn that brought it", async () => {
    const { peer, listen } = stage();
    const [router, told] = [peer(), listen()];
    router.comes();
    await turnEnds();
    router.says([prefix("10.0.0.0/8")]);
    expect(told.routes.size).toBe(0);
    await turnEnds();
    expect(linesOf(told.routes)).toEqual(["10.0.0.0/8: |r0|>192.0.2.1"]);
  });

  test("that comes late is told all there is, then what changes; one that left, nothing", async () => {
    const { peer, listen } = stage();
    const [first, second] = [peer(), peer()];
    const early = listen();
    first.comes();
    second.comes();
    first.says(hosts(10_000));
    second.says(hosts(5000));
    await quiet();
    const late = listen();
    first.says(hosts(100), "192.0.2.3");
    await quiet();
    expect(linesOf(late.routes)).toEqual(linesOf(early.routes));
    expect(late.routes.get(prefix("10.0.0.7/32"))?.paths).toHaveLength(2);
    expect(late.routes.get(prefix("10.0.39.15/32"))?.paths).toHaveLength(1);
    const { count } = early;
    early.stop();
    second.down(false);
    await quiet();
    expect(early.count).toBe(count);
    expect(late.routes.get(prefix("10.0.0.7/32"))?.paths).toHaveLength(1);
  });

  test("hears of no more than some thousand prefixes at once", async () => {
    const { peer, listen } = stage();
    const [router, told] = [peer(), listen()];
    router.comes();
    router.says(hosts(20_000));
    await quiet();
    expect(told.routes.size).toBe(20_000);
    expect(told.batches).toBe(5);
  });

  test("is told the VRF with what it is told", async () => {
    const { peer, listen } = stage({ vrf: "blue" });
    const [router, told] = [peer(), listen()];
    router.comes();
    router.ends("ipv4");
    await quiet();
    expect(told.complete).toEqual(["blue|ipv4"]);
  });
});

test("much work leaves turns to others", async () => {
  const { peer, listen } = stage({ slow: 15 });
  const [router, told] = [peer(), listen()];
  router.comes();
  router.says(hosts(40_000));
  await turnEnds();
  const first = told.routes.size;
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThanOrEqual(3 * 4096);
  // Each batch took too long: they have become smaller since.
  const batches: number[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    const before = told.routes.size;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    batches.push(told.routes.size - before);
  }
  expect(Math.max(...batches.slice(0, 2))).toBeGreaterThan(2 * 512);
  expect(Math.max(...batches.slice(5))).toBeLessThanOrEqual(2 * 512);
  expect(told.routes.size).toBeLessThan(40_000);
  await quiet();
  expect(told.routes.size).toBe(40_000);
  router.down(false);
  await turnEnds();
  expect(told.routes.size).toBeGreaterThan(40_000 - 4 * 4096);
  await quiet();
  expect(told.routes.size).toBe(0);
});

test("another rule takes routes in and out, in turns as well", async () => {
  const { peer, listen } = stage({ slow: 15 });
  const [router, told] = [peer({ receive: { type: "nothing" } }), listen()];
  router.comes();
  router.says(hosts(30_000));
  await quiet();
  expect([told.count, router.count("received"), router.count("accepted")]).toEqual([0, 30_000, 0]);
  router.update(neighborOf({ receive: { type: "everything" } }));
  await quiet();
  expect([told.routes.size, router.count("accepted")]).toEqual([30_000, 30_000]);
  const one = { prefix: prefix("10.0.0.0/24"), atLeast: 32, atMost: 32 };
  router.update(neighborOf({ receive: { type: "prefixes", prefixes: [one] } }));
  router.says(hosts(300));
  await quiet();
  expect([told.routes.size, router.count("accepted")]).toEqual([256, 256]);
});

describe("complete is told", () => {
  const told = async (
    play: (one: ReturnType<typeof stage>) => void,
    ...later: readonly number[]
  ): Promise<readonly number[]> => {
    const one = stage();
    const heard = one.listen();
    play(one);
    await quiet();
    const counts = [heard.complete.filter((name) => name === "|ipv4").length];
    for (const seconds of later) {
      one.clock.advance(1000 * seconds);
      one.feed.check();
      await quiet();
      counts.push(heard.complete.filter((name) => name === "|ipv4").length);
    }
    return counts;
  };
  const graceful = { gracefulRestart: true };

  test("once, when every neighbour has sent End-of-RIB (RFC 4724 §2)", async () => {
    const both = async (ends: number): Promise<readonly number[]> =>
      told(({ peer }) => {
        for (const [index, router] of [peer(), peer()].entries()) {
          router.comes(graceful);
          if (index < ends) router.ends("ipv4");
        }
      });
    expect(await both(1)).toEqual([0]);
    expect(await both(2)).toEqual([1]);
  });
  test("after all routes that came before", async () => {
    const { peer, feed } = stage();
    const seen: string[] = [];
    const router = peer();
    feed.listen(({ type }) => void seen.push(type));
    router.comes();
    router.says(hosts(10_000));
    router.ends("ipv4");
    await quiet();
    expect(seen).toEqual(["batch", "batch", "batch", "complete"]);
  });
  test("not anew when a neighbour goes and comes", async () => {
    const again = await told(({ peer }) => {
      const router = peer();
      router.comes();
      router.ends("ipv4");
      router.down(false);
      router.comes();
      router.ends("ipv4");
    }, 400);
    expect(again).toEqual([1, 1]);
  });
  test("where a neighbour does not speak the family", async () => {
    expect(await told(({ peer }) => peer().comes({ families: ["ipv6"] }))).toEqual([1]);
  });
  test("ten quiet seconds after the last route of a peer that need not send it", async () => {
    const play = ({ peer, clock }: ReturnType<typeof stage>): void => {
      const router = peer();
      router.comes();
      clock.advance(9000);
      router.says(hosts(3));
    };
    expect(await told(play, 9, 1)).toEqual([0, 0, 1]);
  });
  test("six minutes after the session at most, where End-of-RIB is due (RFC 4724 §4.1)", async () => {
    expect(await told(({ peer }) => peer().comes(graceful), 359, 1)).toEqual([0, 0, 1]);
  });
  test("two minutes after the start, where a neighbour does not come", async () => {
    expect(await told(({ peer }) => void peer(), 119, 1)).toEqual([0, 0, 1]);
    const given = { gracefulRestart: { restartTimeSeconds: 30 } };
    expect(await told(({ peer }) => void peer(given), 29, 1)).toEqual([0, 0, 1]);
  });
  test("to who comes late, after all there is", async () => {
    const { peer, listen } = stage();
    const router = peer();
    router.comes();
    router.says(hosts(5000));
    router.ends("ipv4");
    await quiet();
    const late = listen();
    expect(late.complete).toEqual([]);
    await quiet();
    expect([late.routes.size, late.complete]).toEqual([5000, ["|ipv4"]]);
  });
});

describe("the maximum of prefixes (RFC 4486 §4)", () => {
  const limited = (maximum: MaximumPrefixes): NeighborIntent =>
    neighborOf({
      receiveGuard: { alwaysBlock: [], maximumPrefixes: { ipv4: maximum }, checkFirstAs: true },
    });

  test("warns from its threshold on, and once only", () => {
    const { peer, warned } = stage();
    const router = peer(limited({ count: 100, warnAtPercent: 80, beyond: { type: "idle" } }));
    router.comes();
    router.says(hosts(79));
    expect([router.words(), warned]).toEqual(["", []]);
    router.says(hosts(80));
    router.says(hosts(90));
    expect(router.words()).toBe(
      "the peer sends ipv4 prefixes: 80 percent of the maximum of 100 or more",
    );
    expect(warned).toHaveLength(1);
  });
  test("ends the session with the first prefix beyond it", () => {
    const { peer } = stage();
    const router = peer(
      limited({ count: 100, warnAtPercent: undefined, beyond: { type: "idle" } }),
    );
    router.comes();
    expect(router.says(hosts(100)).exceeded).toBeUndefined();
    expect(router.says(hosts(101)).exceeded).toEqual({ family: "ipv4", limit: 100 });
  });
  test("only warns where that is wanted, and accepts as before", async () => {
    const { peer, warned, listen } = stage();
    const told = listen();
    const router = peer(limited({ count: 100, warnAtPercent: 80, beyond: { type: "warn" } }));
    router.comes();
    router.says(hosts(90));
    expect(router.says(hosts(250)).exceeded).toBeUndefined();
    await quiet();
    expect([told.routes.size, warned.length]).toEqual([250, 2]);
    expect(router.words()).toMatch(/more than the maximum of 100/);
    router.down(false);
    expect(router.words()).toBe("");
  });
  test("that is lowered below what is held counts at once", () => {
    const { peer } = stage();
    const router = peer();
    router.comes();
    router.says(hosts(100));
    const beyond = { type: "restart", afterSeconds: 300 } as const;
    const lowered = limited({ count: 99, warnAtPercent: undefined, beyond });
    expect(router.update(lowered)).toEqual({ family: "ipv4", limit: 99 });
    expect(beyondOf(lowered, "ipv4")).toEqual(beyond);
    expect(beyondOf(lowered, "ipv6")).toEqual({ type: "restart", afterSeconds: 60 });
  });
});
