/**
 * Two speakers of one host at once: each has its own peers, and neither pays for what befalls the other.
 *
 * The far ends are BIRD, whose own counts of lost sessions and own tables are what counts.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { serviceManifest } from "./manifests.ts";
import {
  fabricAndMonitor,
  FROM_FABRIC,
  FROM_MONITOR,
  monitorBy,
  type OUTSIDE,
  RECEIVED,
  startTwoSpeakers,
  type TwoSpeakers,
} from "./two-speakers.ts";

beforeEach(skipUnless("netns", "bird", "frr", "gobgp"));

const SLOW = 400_000;
const [VIP, OTHER] = ["198.51.100.10", "198.51.100.11"] as const;

type Peer = {
  readonly name: string;
  readonly backend: string;
  readonly state: string;
  readonly reason: string;
};
const peersOf = (one: TwoSpeakers) => one.agent().ask<readonly Peer[]>("peers");
const homes = async (one: TwoSpeakers) =>
  Object.fromEntries(
    (await peersOf(one)).map(({ name, backend, state }) => [name, `${backend} ${state}`]),
  );
/** As the agent sees it; of a daemon it asks now and then. */
const live = (one: TwoSpeakers, wanted: Readonly<Record<string, string>>) =>
  one.until(
    JSON.stringify(wanted),
    async () => JSON.stringify(await homes(one)) === JSON.stringify(wanted),
  );
type Routes = readonly { readonly prefix: string; readonly peer: string }[];
const received = async (one: TwoSpeakers) =>
  (await one.agent().ask<Routes>("routes", "received"))
    .map(({ peer, prefix }) => `${peer} ${prefix}`)
    .toSorted();
const serve = (name: string, address: string): string =>
  serviceManifest(name, { loadBalancerIP: address });
const hasAt = async (router: TwoSpeakers["fabric"], ...addresses: readonly string[]) => {
  const prefixes = (await router.routes()).map(({ prefix }) => prefix).toSorted();
  return prefixes.join() === addresses.map((address) => `${address}/32`).join();
};
const bothHave = async (one: TwoSpeakers, ...addresses: readonly string[]) =>
  (await hasAt(one.fabric, ...addresses)) && (await hasAt(one.monitor, ...addresses));
const bound = async (one: TwoSpeakers, address: string) =>
  (await one.host.ip("-4", "-o", "address", "show", "dev", "lo")).includes(` ${address}/32 `);
/** Programs that listen on BGP's port there. */
const listeners = async (one: TwoSpeakers): Promise<readonly string[]> => {
  const { stdout } = await one.host.run(["ss", "-Hltnp", "sport = :179"]);
  return [...new Set(stdout.match(/(?<=\(\(")[^"]+/g) ?? [])];
};

describe.each([
  { first: "frr", program: "bgpd", proto: "bgp" },
  { first: "gobgp", program: "gobgpd", proto: "82" },
] as const satisfies readonly {
  readonly first: keyof typeof OUTSIDE;
  readonly program: string;
  readonly proto: string;
}[])("$first has the fabric, native dials", ({ first, program, proto }) => {
  test(
    "both far ends hold what they should, whatever happens to one",
    { timeout: SLOW },
    async () => {
      await using one = await startTwoSpeakers(first);
      await one.apply(
        fabricAndMonitor(one.addresses),
        monitorBy("native"),
        serve("web", VIP),
        RECEIVED,
      );
      await one.until("the VIP at both", () => bothHave(one, VIP));
      await live(one, {
        fabric: `${first} Established`,
        monitor: "native Established",
      });
      expect(await listeners(one)).toEqual([program]);
      expect(await one.agent().ask("status")).toMatchObject({
        backend: first,
        besides: ["native"],
      });

      // One speaker feeds the kernel; what the other one hears is shown.
      await one.until("the fabric's route in the kernel", async () =>
        (await one.host.ip("-4", "route", "show", "proto", proto)).includes(FROM_FABRIC),
      );
      await one.until(
        "what both say",
        async () =>
          (await received(one)).join() === `fabric ${FROM_FABRIC},monitor ${FROM_MONITOR}`,
      );
      expect(await one.host.ip("-4", "route", "show")).not.toContain(FROM_MONITOR);
      const { stdout: why } = await one.agent().rutter("why", "monitor");
      expect(why).toContain("gives monitor to the native speaker");
      expect(why).toContain("is not installed");

      // A second VIP costs nobody anything, and is bound before it is told.
      await one.apply(serve("more", OTHER));
      await one.until("both VIPs at both", () => bothHave(one, VIP, OTHER));
      expect(await bound(one, OTHER)).toBe(true);
      await one.remove("service", "more", "-n", "default");
      await one.until("one VIP at both", () => bothHave(one, VIP));
      await one.until("the address unbound", async () => !(await bound(one, OTHER)));
      expect(await one.lost()).toEqual({ fabric: 0, monitor: 0 });

      // Only who is moved has a new session, there and back.
      await one.apply(monitorBy(first));
      await live(one, { fabric: `${first} Established`, monitor: `${first} Established` });
      await one.until("the VIP at both again", () => bothHave(one, VIP));
      expect(await one.lost()).toEqual({ fabric: 0, monitor: 1 });
      await one.apply(monitorBy("native"));
      await live(one, { fabric: `${first} Established`, monitor: "native Established" });
      await one.until("the VIP at both once more", () => bothHave(one, VIP));
      expect(await one.lost()).toEqual({ fabric: 0, monitor: 2 });

      // The daemon's sessions outlive the agent.
      await one.restartAgent();
      await live(one, { fabric: `${first} Established`, monitor: "native Established" });
      await one.until("the VIP at both after the restart", () => bothHave(one, VIP));
      expect(await one.lost()).toEqual({ fabric: 0, monitor: 3 });

      // The agent's outlive the daemon.
      await one.outside.kill();
      await one.until(
        "the fabric's session down",
        async () => (await homes(one))["fabric"] !== `${first} Established`,
      );
      expect(await hasAt(one.monitor, VIP)).toBe(true);
      await one.apply(serve("more", OTHER));
      await one.until("another VIP at the monitor", () => hasAt(one.monitor, VIP, OTHER));
      await one.outside.start();
      await one.until("both VIPs at both at last", () => bothHave(one, VIP, OTHER));
      expect((await one.lost()).monitor).toBe(3);
    },
  );
});

test(
  "a neighbour that its daemon can't let go of is not opened by another one",
  { timeout: SLOW },
  async () => {
    await using one = await startTwoSpeakers("frr");
    await one.apply(fabricAndMonitor(one.addresses), serve("web", VIP));
    await one.until("the VIP at both", () => bothHave(one, VIP));
    await one.outside.kill();
    await one.apply(monitorBy("native"));
    await one.until("the reason", async () =>
      (await peersOf(one)).some(
        ({ name, reason }) => name === "monitor" && reason === "the frr speaker has it still",
      ),
    );
    await one.outside.start();
    await one.until("the VIP at both again", () => bothHave(one, VIP));
    await live(one, { fabric: "frr Established", monitor: "native Established" });
    expect((await one.lost()).monitor).toBe(1);
  },
);

test(
  "learned routes follow the speaker that has all peers, and go with one that ends",
  { timeout: SLOW },
  async () => {
    await using one = await startTwoSpeakers("frr");
    const installed = async (proto: "bgp" | "82") => {
      const text = await one.host.ip("-4", "route", "show", "proto", proto);
      return [FROM_FABRIC, FROM_MONITOR].filter((prefix) => text.includes(prefix));
    };
    const both = [FROM_FABRIC, FROM_MONITOR].join();
    const all =
      "apiVersion: rutter/v1\nkind: PeerBackend\nmetadata: {name: all}\nspec: {backend: native}";
    await one.apply(fabricAndMonitor(one.addresses), serve("web", VIP), RECEIVED, all);
    await one.until("both by the agent", async () => (await installed("82")).join() === both);
    expect(await installed("bgp")).toEqual([]);
    await one.remove("peerbackend", "all");
    await one.until("both by zebra", async () => (await installed("bgp")).join() === both);
    await one.until("none by the agent", async () => (await installed("82")).length === 0);
    await one.apply(all);
    await one.until("both by the agent again", async () => (await installed("82")).join() === both);
    await one.agent().stop();
    // FRR works on, and so what is bound stays; the agent's own sessions are over.
    expect(await installed("82")).toEqual([]);
    expect(await bound(one, VIP)).toBe(true);
  },
);

test.each(["frr", "gobgp"] as const)(
  "native has the fabric and the listener, %s dials and takes nothing in",
  { timeout: SLOW },
  async (other) => {
    await using one = await startTwoSpeakers(other, "native");
    await one.apply(fabricAndMonitor(one.addresses), monitorBy(other), serve("web", VIP), RECEIVED);
    await one.until("the VIP at both", () => bothHave(one, VIP));
    await live(one, {
      fabric: "native Established",
      monitor: `${other} Established`,
    });
    expect(await listeners(one)).not.toContain(other === "frr" ? "bgpd" : "gobgpd");
    await one.until("the fabric's route in the kernel", async () =>
      (await one.host.ip("-4", "route", "show", "proto", "82")).includes(FROM_FABRIC),
    );
    await one.outside.kill();
    await one.apply(serve("more", OTHER));
    await one.until("another VIP at the fabric", () => hasAt(one.fabric, VIP, OTHER));
    await one.outside.start();
    await one.until("both VIPs at both", () => bothHave(one, VIP, OTHER));
    expect(await one.host.ip("-4", "route", "show")).not.toContain(FROM_MONITOR);
    expect((await one.lost()).fabric).toBe(0);
  },
);
