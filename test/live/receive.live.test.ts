/**
 * What real routers announce: accepted or not, with the reason; what is used of it; and what follows when it is too much.
 *
 * FRR and BIRD announce, the native speaker hears, behind the seam: manifests cannot say all of this.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { MaximumPrefixes, NeighborIntent, ReceiveGuard } from "../../backends/intent.ts";
import { prefix } from "../../events/prefix.ts";
import { skipUnless } from "../probe.ts";
import { startBird } from "./bird.ts";
import { startFrr } from "./frr.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router, RouterPlan } from "./router.ts";
import { keyOf, type Speaker, spokenNeighbor, startSpeaker } from "./speaker.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "frr"));

const HOST_AS = 64512;
const FAR_AS = 64999;
const start = { bird: startBird, frr: startFrr };
const NETWORKS = [
  "10.1.0.0/16",
  "10.1.2.0/24",
  "10.1.2.128/25",
  "192.168.7.0/24",
  "2001:db8:7::/48",
  "2001:db8:7:1::/64",
];
const guard: ReceiveGuard = { alwaysBlock: [], maximumPrefixes: {}, checkFirstAs: true };

const planOf = (node: Node, host: Node, more: Partial<RouterPlan> = {}): RouterPlan => ({
  asn: FAR_AS,
  routerId: node.ipv4,
  networks: NETWORKS,
  neighbours: [{ name: "host", address: host.ipv4, asn: HOST_AS }],
  ...more,
});
const applyTo = (speaker: Speaker, host: Node, ...neighbors: NeighborIntent[]): Promise<void> =>
  speaker.apply({ localAs: HOST_AS, routerId: host.ipv4, neighbors });

/** As `prefix` or `prefix (reason)`, sorted. */
async function verdicts(speaker: Speaker): Promise<readonly string[]> {
  const routes = await speaker.received();
  return routes
    .map((one) => (one.accepted ? one.prefix : `${one.prefix} (${one.reason.split(/[:(]/)[0]})`))
    .toSorted();
}
const waitFor = (what: string, speaker: Speaker, look: () => Promise<unknown>) =>
  until(async () => Boolean(await look()), {
    what,
    explain: async () => `${JSON.stringify(await verdicts(speaker))}\n${await speaker.explain()}`,
    timeoutMs: 60_000,
  });
const hasReceived = (speaker: Speaker, node: Node, count: number) => async () =>
  (await speaker.session(keyOf(node.ipv4))).received === count;

describe("what is accepted", () => {
  test.for(["bird", "frr"] as const)(
    "of %s: nothing, all, a list, and never what is blocked",
    async (kind) => {
      await using network = await makeNetwork(["host", "router"]);
      const { host, router: far } = network.nodes;
      await using router: Router = await start[kind](far, planOf(far, host));
      expect(router.kind).toBe(kind);
      await using speaker = await startSpeaker(host);
      const judged = async (given: Partial<NeighborIntent>): Promise<readonly string[]> => {
        await applyTo(speaker, host, spokenNeighbor(far.ipv4, given));
        await waitFor("the routes", speaker, hasReceived(speaker, far, NETWORKS.length));
        // What is judged anew is judged in turns.
        let last = "";
        await waitFor("a verdict that stays", speaker, async () => {
          const before = last;
          last = JSON.stringify(await verdicts(speaker));
          return before === last;
        });
        return verdicts(speaker);
      };
      const prefixes = [
        { prefix: prefix("10.1.0.0/16"), atLeast: 24, atMost: 24 },
        { prefix: prefix("2001:db8::/32"), atLeast: 32, atMost: 48 },
      ];
      expect(await judged({ receive: { type: "nothing" } })).toEqual(
        NETWORKS.map((one) => `${one} (nothing is accepted from this peer )`).toSorted(),
      );
      expect((await speaker.view()).best).toEqual([]);
      expect(await judged({ receive: { type: "everything" } })).toEqual(NETWORKS.toSorted());
      expect(await judged({ receive: { type: "prefixes", prefixes } })).toEqual([
        "10.1.0.0/16 (not in the receive list)",
        "10.1.2.0/24",
        "10.1.2.128/25 (not in the receive list)",
        "192.168.7.0/24 (not in the receive list)",
        "2001:db8:7:1::/64 (not in the receive list)",
        "2001:db8:7::/48",
      ]);
      const alwaysBlock = [prefix("10.1.2.0/24"), prefix("2001:db8:7:1::/64")];
      expect(await judged({ receiveGuard: { ...guard, alwaysBlock } })).toEqual([
        "10.1.0.0/16",
        "10.1.2.0/24 (always blocked)",
        "10.1.2.128/25 (always blocked)",
        "192.168.7.0/24",
        "2001:db8:7:1::/64 (always blocked)",
        "2001:db8:7::/48",
      ]);
      await waitFor("the best paths", speaker, async () => (await speaker.best()).length === 3);
      expect(await speaker.best()).toEqual([
        `10.1.0.0/16: ${far.ipv4}`,
        `192.168.7.0/24: ${far.ipv4}`,
        `2001:db8:7::/48: ${far.ipv6}`,
      ]);
      // All of that without a new session.
      const { state, resets, accepted } = await speaker.session(keyOf(far.ipv4));
      expect({ state, resets, accepted }).toEqual({ state: "Established", resets: 0, accepted: 3 });
    },
  );

  test("a route that comes back to us is not", async () => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    const raw = [
      "protocol static looped { ipv4; route 10.5.0.0/16 blackhole { bgp_path.prepend(64512); }; }",
      "protocol static ours { ipv4; route 10.6.0.0/16 blackhole; }",
    ];
    await using router = await startBird(far, planOf(far, host, { networks: [], raw }));
    await using speaker = await startSpeaker(host);
    await applyTo(speaker, host, spokenNeighbor(far.ipv4));
    await waitFor("the routes", speaker, hasReceived(speaker, far, 2));
    expect(await verdicts(speaker), await router.explain()).toEqual([
      "10.5.0.0/16 (our own AS is in AS_PATH)",
      "10.6.0.0/16",
    ]);
  });
});

describe("what is used", () => {
  test("two routers with the same prefix together, one where the other is worse or gone", async () => {
    await using network = await makeNetwork(["host", "left", "right"]);
    const { host, left, right } = network.nodes;
    const both = ["10.1.0.0/16", "2001:db8:7::/48"];
    await using one = await startFrr(
      left,
      planOf(left, host, { networks: [...both, "10.2.0.0/16"] }),
    );
    const other = await startBird(right, planOf(right, host, { asn: 64998, networks: both }));
    await using speaker = await startSpeaker(host);
    await applyTo(speaker, host, spokenNeighbor(left.ipv4), spokenNeighbor(right.ipv4));
    const all = [
      `10.1.0.0/16: ${left.ipv4} ${right.ipv4}`,
      `10.2.0.0/16: ${left.ipv4}`,
      `2001:db8:7::/48: ${left.ipv6} ${right.ipv6}`,
    ];
    const told = async (lines: readonly string[]) =>
      JSON.stringify(await speaker.best()) === JSON.stringify(lines);
    await waitFor("both", speaker, () => told(all));
    await waitFor("complete", speaker, async () => (await speaker.view()).complete.length === 2);
    await other.stop("SIGKILL");
    const alone = [
      `10.1.0.0/16: ${left.ipv4}`,
      `10.2.0.0/16: ${left.ipv4}`,
      `2001:db8:7::/48: ${left.ipv6}`,
    ];
    await waitFor("the left one alone", speaker, () => told(alone));
    expect((await one.session(host.ipv4)).timesLost).toBe(0);
  });
});

describe("the maximum of prefixes", () => {
  const many = Array.from({ length: 50 }, (_, i) => `10.77.${i}.0/24`);
  const stage = async (
    beyond: MaximumPrefixes["beyond"],
    play: (speaker: Speaker, far: Node, again: (count: number) => Promise<void>) => Promise<void>,
  ): Promise<void> => {
    await using network = await makeNetwork(["host", "router"]);
    const { host, router: far } = network.nodes;
    await using router = await startBird(far, planOf(far, host, { networks: many }));
    expect(router.pid).toBeGreaterThan(0);
    await using speaker = await startSpeaker(host);
    const again = (count: number): Promise<void> => {
      const maximum = { count, warnAtPercent: 80, beyond };
      const receiveGuard = { ...guard, maximumPrefixes: { ipv4: maximum } };
      return applyTo(speaker, host, spokenNeighbor(far.ipv4, { receiveGuard }));
    };
    await again(40);
    await play(speaker, far, again);
  };

  test("warn: the session stands, and the warning with it", () =>
    stage({ type: "warn" }, async (speaker, far) => {
      await waitFor("the routes", speaker, hasReceived(speaker, far, 50));
      const session = await speaker.session(keyOf(far.ipv4));
      expect(session).toMatchObject({ state: "Established", accepted: 50, resets: 0 });
      expect(session.reason).toMatch(/more than the maximum of 40/);
    }));

  test("restart: the session ends, and is tried again after its time", () =>
    stage({ type: "restart", afterSeconds: 2 }, async (speaker, far) => {
      const resets = async () => (await speaker.session(keyOf(far.ipv4))).resets;
      await waitFor("the first end", speaker, async () => (await resets()) === 1);
      const { state, reason } = await speaker.session(keyOf(far.ipv4));
      expect({ state, reason }).toEqual({
        state: "Idle",
        reason: "the peer sent more than 40 ipv4 prefixes; tried again after 2 s",
      });
      expect((await speaker.view()).best).toEqual([]);
      await waitFor("the second", speaker, async () => (await resets()) === 2);
    }));

  test("idle: the session ends, and stays down until the configuration changes", () =>
    stage({ type: "idle" }, async (speaker, far, again) => {
      const session = () => speaker.session(keyOf(far.ipv4));
      await waitFor("the end", speaker, async () => (await session()).resets === 1);
      await again(40);
      expect((await session()).state).toBe("Idle");
      expect((await session()).reason).toMatch(/40 ipv4 prefixes; down until/);
      await again(60);
      await waitFor("the routes", speaker, hasReceived(speaker, far, 50));
      expect((await session()).reason).toMatch(/80 percent of the maximum of 60 or more/);
    }));
});
