/**
 * A peer that restarts gracefully: what stays in force without it, until when, and what goes when it is back (RFC 4724 §4.2).
 *
 * Method: inbound-stage.ts. Reads next: restarting-model.test.ts (any sequence).
 */
import { describe, expect, test } from "vitest";
import { DEFAULT_STALE_PATH_SECONDS } from "../../backends/native/restarting-peer.ts";
import { address } from "../../events/address.ts";
import { prefix } from "../../events/prefix.ts";
import { hosts, quiet, stage } from "./inbound-stage.ts";
import { neighborOf } from "./neighbors.ts";
import { shownIn } from "../../backends/native/shown-routes.ts";

const BOTH = ["ipv4", "ipv6"] as const;
const graceful = {
  gracefulRestart: true,
  peerRestartSeconds: 120,
  restartFamilies: BOTH,
  forwardingKept: BOTH,
};
const SIX = prefix("2001:db8:1::/48");

/** A peer that said ten routes and went without a NOTIFICATION. */
async function away(given: Partial<typeof graceful> = {}) {
  const all = stage();
  const told = all.listen();
  const router = all.peer();
  router.comes({ ...graceful, ...given });
  router.says(hosts(9));
  router.says([SIX], "2001:db8::1");
  router.ends("ipv4");
  router.ends("ipv6");
  await quiet();
  expect(told.routes.size).toBe(10);
  const { count } = told;
  router.down(true);
  await quiet();
  /** Changes told since the session ended. */
  return { ...all, router, told, moved: () => told.count - count };
}

describe("while it is away", () => {
  test("nothing is told, and the routes are shown as stale", async () => {
    const { router, moved } = await away();
    expect([moved(), router.count("received"), router.isKeeping()]).toEqual([0, 10, true]);
    expect(router.words()).toBe(
      "restarting: 10 routes kept until it is back, 120 s at most (RFC 4724)",
    );
    const rib = router.rib();
    const shown = rib === undefined ? [] : [...shownIn(rib, neighborOf())];
    expect(shown.map(({ accepted, reason }) => `${accepted} ${reason.split(":")[0]}`)).toEqual(
      Array.from({ length: 10 }, () => "true stale"),
    );
  });
  test("for longer than its Restart Time, all go", async () => {
    const { router, told, clock, changes } = await away();
    clock.advance(119_999);
    await quiet();
    expect(told.routes.size).toBe(10);
    clock.advance(1);
    await quiet();
    expect([told.routes.size, router.words(), changes]).toEqual([0, "", [router.key]]);
    clock.advance(10_000_000);
    expect(changes).toHaveLength(1);
  });
  test("another rule is heeded", async () => {
    const { router, told } = await away();
    const one = { prefix: prefix("10.0.0.3/32"), atLeast: 32, atMost: 32 };
    router.update(neighborOf({ receive: { type: "prefixes", prefixes: [one] } }));
    await quiet();
    expect([...told.routes.keys()]).toEqual(["10.0.0.3/32"]);
  });
  test("a maximum below what is held counts", async () => {
    const { router } = await away();
    const maximum = { count: 8, warnAtPercent: undefined, beyond: { type: "idle" } } as const;
    const receiveGuard = {
      alwaysBlock: [],
      maximumPrefixes: { ipv4: maximum },
      checkFirstAs: true,
    };
    expect(router.update(neighborOf({ receiveGuard }))).toEqual({ family: "ipv4", limit: 8 });
  });
  test("only families of its capability stay", async () => {
    const { told } = await away({ restartFamilies: ["ipv6"] as never });
    expect([...told.routes.keys()]).toEqual([SIX]);
  });
  test("nothing stays of one that says a Restart Time of 0", async () => {
    const { told, router } = await away({ peerRestartSeconds: 0 });
    expect([told.routes.size, router.isKeeping()]).toEqual([0, false]);
  });
});

test("a NOTIFICATION ends all (RFC 4724 §4.2)", async () => {
  const { peer, listen } = stage();
  const [router, told] = [peer(), listen()];
  router.comes(graceful);
  router.says(hosts(9));
  router.down(false);
  await quiet();
  expect([told.routes.size, router.words()]).toEqual([0, ""]);
});

describe("when it is back", () => {
  test("what it says again changes nothing, and the rest goes at End-of-RIB", async () => {
    const { router, told, moved, clock, changes } = await away();
    router.comes(graceful);
    router.says(hosts(7));
    await quiet();
    expect([moved(), router.words()]).toEqual([
      0,
      "back from a restart: 3 routes kept until it has said all, 360 s at most (RFC 4724)",
    ]);
    router.ends("ipv4");
    await quiet();
    expect([moved(), told.routes.size, router.count("received")]).toEqual([2, 8, 8]);
    expect(router.words()).toMatch(/^back from a restart: 1 route /);
    router.ends("ipv6");
    await quiet();
    expect([moved(), told.routes.size, router.words()]).toEqual([3, 7, ""]);
    clock.advance(10_000_000);
    expect(changes).toEqual([]);
  });
  test.for<[string, Partial<typeof graceful>]>([
    ["whose F bit is clear", { forwardingKept: ["ipv4"] as never }],
    [
      "that it does not list",
      { restartFamilies: ["ipv4"] as never, forwardingKept: ["ipv4"] as never },
    ],
  ])("a family %s goes at once", async ([, given]) => {
    const { router, told } = await away();
    router.comes({ ...graceful, ...given });
    await quiet();
    expect(told.routes.has(SIX)).toBe(false);
    expect(told.routes.size).toBe(9);
  });
  test("without graceful restart, all goes at once", async () => {
    const { router, told } = await away();
    router.comes();
    await quiet();
    expect(told.routes.size).toBe(0);
  });
  test("as another speaker, all goes at once", async () => {
    for (const facts of [{ remoteRouterId: 7 }, { remoteAs: 65_007 }, { device: "eth7" }]) {
      const { router, told } = await away();
      router.comes(graceful, facts);
      await quiet();
      expect(told.routes.size).toBe(0);
    }
    const { router, told } = await away();
    router.comes(graceful, { localAddresses: new Set([address("198.51.100.7")]) });
    await quiet();
    expect(told.routes.size).toBe(10);
  });
  test("and never says End-of-RIB, the rest goes after six minutes", async () => {
    const { router, told, clock, changes } = await away();
    router.comes(graceful);
    router.says(hosts(4));
    clock.advance(1000 * DEFAULT_STALE_PATH_SECONDS - 1);
    await quiet();
    expect(told.routes.size).toBe(10);
    clock.advance(1);
    await quiet();
    expect([told.routes.size, router.words(), changes]).toEqual([4, "", [router.key]]);
  });
  test("and goes again before End-of-RIB, what it had not said again goes", async () => {
    const { router, told, moved } = await away();
    router.comes(graceful);
    router.says(hosts(4));
    router.down(true);
    await quiet();
    expect([told.routes.size, moved()]).toEqual([4, 6]);
    router.comes(graceful);
    router.says(hosts(4));
    router.ends("ipv4");
    await quiet();
    expect([told.routes.size, moved()]).toEqual([4, 6]);
  });
  test("a full table is swept in turns, and what is said meanwhile stays", async () => {
    const { peer, listen } = stage({ slow: 15 });
    const [router, told] = [peer(), listen()];
    router.comes(graceful);
    router.says(hosts(30_000));
    await quiet();
    router.down(true);
    router.comes(graceful);
    router.ends("ipv4");
    router.says(hosts(30_000).slice(-5));
    await Promise.resolve();
    expect(told.routes.size).toBeGreaterThan(15_000);
    await quiet();
    expect([...told.routes.keys()].toSorted()).toEqual(hosts(30_000).slice(-5).toSorted());
  });
});

describe("complete (best-paths.ts)", () => {
  test("waits for one that went before it had said all, and is told when it has", async () => {
    const { peer, listen, clock, feed } = stage();
    const [router, told] = [peer(), listen()];
    const look = async (seconds: number): Promise<number> => {
      clock.advance(1000 * seconds);
      feed.check();
      await quiet();
      return told.complete.filter((one) => one === "|ipv4").length;
    };
    router.comes({ ...graceful, peerRestartSeconds: 300 });
    router.says(hosts(5));
    router.down(true);
    expect(await look(200)).toBe(0);
    router.comes(graceful);
    router.says(hosts(5));
    expect(await look(1)).toBe(0);
    router.ends("ipv4");
    expect([await look(0), await look(500)]).toEqual([1, 1]);
  });
  test("does not wait for ever for one that restarts time and again", async () => {
    const { peer, listen, clock, feed } = stage();
    const [router, told] = [peer(), listen()];
    for (let minute = 0; minute < 7; minute += 1) {
      router.comes(graceful);
      router.says(hosts(5));
      router.down(true);
      clock.advance(60_000);
      feed.check();
      await quiet();
    }
    expect(told.complete).toContain("|ipv4");
  });
});
