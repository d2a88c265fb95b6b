/**
 * FRR as the driven speaker, with another FRR as the far end, whose table and counters say what came of it.
 *
 * Read next: frr-configurator.live.test.ts (every intent), frr-watch.live.test.ts (what is seen).
 */
import { beforeEach, expect, test } from "vitest";
import { systemClock } from "../../backends/clock.ts";
import type { SpeakerBackend } from "../../backends/backend.ts";
import type { TakeOver } from "../../backends/frr/choice.ts";
import { openFrr, probeFrr } from "../../backends/frr/open-frr.ts";
import type { NeighborIntent, RawSnippet, SpeakerIntent } from "../../backends/intent.ts";
import { asn, resourceKey } from "../../events/ids.ts";
import { keyOf, neighbor, router, routes, speaker, timing, to } from "../frr/intents.ts";
import { plain, treeOf } from "../frr/text.ts";
import { skipUnless } from "../probe.ts";
import { type FrrDaemons, startFrrDaemons } from "./frr-daemons.ts";
import { startFrr } from "./frr.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const SIGNAL = new AbortController().signal;
const PATIENCE = { timeoutMs: 60_000 };

type Driven = AsyncDisposable & {
  readonly far: Router;
  readonly daemons: FrrDaemons;
  readonly host: Node;
  readonly farNode: Node;
  readonly warnings: string[];
  open(takeOver?: TakeOver): Promise<Opened>;
  running(): Promise<string>;
  established(): Promise<unknown>;
  learned(prefix: string): Promise<Awaited<ReturnType<Router["route"]>>>;
};
type Opened = { readonly backend: SpeakerBackend };

async function drive(): Promise<Driven> {
  const stack = new AsyncDisposableStack();
  const network = stack.use(await makeNetwork(["host", "far"]));
  const { host, far: farNode } = network.nodes;
  const daemons = stack.use(await startFrrDaemons(host));
  const far = stack.use(
    await startFrr(farNode, {
      asn: 64_513,
      routerId: farNode.ipv4,
      neighbours: [{ name: "host", address: host.ipv4, asn: 64_512, families: ["ipv4"] }],
      networks: ["203.0.113.0/24", "203.0.114.0/24"],
    }),
  );
  const warnings: string[] = [];
  const logger = {
    info: () => undefined,
    warn: (fields: object, message: string) => {
      warnings.push(`${message} ${JSON.stringify(fields)}`);
    },
    error: () => undefined,
  };
  const running = async (): Promise<string> =>
    (await daemons.ask("bgpd", ["show running-config"]))[0]?.text ?? "";
  const explain = async (): Promise<string> =>
    `${await running()}\n${warnings.join("\n")}\n${await far.explain()}`;
  return {
    far,
    daemons,
    host,
    farNode,
    warnings,
    running,
    async open(takeOver = "none") {
      const place = {
        vtyDirectory: daemons.directory,
        pathspace: "",
        bfd: "auto",
        clock: systemClock,
      } as const;
      const facts = await probeFrr(place);
      const backend = openFrr({
        ...place,
        logger,
        reveal: () => undefined,
        facts,
        ours: new Set(),
        takeOver,
      });
      stack.defer(() => backend.close("graceful"));
      return { backend };
    },
    established: () =>
      until(async () => (await far.session(host.ipv4)).established, {
        ...PATIENCE,
        what: "an Established session",
        explain,
      }),
    learned: (prefix) =>
      until(() => far.route(prefix), { ...PATIENCE, what: `${prefix} at the far end`, explain }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const PREFIXES = ["198.51.100.1/32", "198.51.100.2/32"] as const;

function intentOf(
  remote: string,
  {
    prefixes = PREFIXES,
    communities = [64_512 * 65_536 + 7],
    raw = [],
    ...said
  }: Partial<NeighborIntent> & {
    readonly prefixes?: readonly string[];
    readonly communities?: readonly number[];
    readonly raw?: readonly RawSnippet[];
  } = {},
): SpeakerIntent {
  const one = neighbor(remote, { connectRetrySeconds: 1, ...said });
  const told = routes([to([keyOf(remote)], { communities }), ...prefixes]);
  return { ...speaker([router([one], { routes: told })]), raw };
}

const snippet = (name: string, text: string): RawSnippet => ({
  owner: resourceKey("", "ConfigMap", "metallb-system", name),
  raw: { text, secrets: [] },
  provenance: [],
});

test("routes come, change and go, and so do policies, while the session stays", async () => {
  await using driven = await drive();
  const { far, host, farNode } = driven;
  const { backend } = await driven.open();
  await backend.apply(intentOf(farNode.ipv4), SIGNAL);
  await driven.established();
  expect(await driven.learned(PREFIXES[0])).toMatchObject({
    communities: ["64512:7"],
    nextHop: host.ipv4,
    asPath: [64_512],
  });

  const { timesLost } = await far.session(host.ipv4);
  const more = intentOf(farNode.ipv4, { prefixes: [...PREFIXES, "198.51.100.3/32"] });
  await backend.apply(more, SIGNAL);
  await driven.learned("198.51.100.3/32");
  const recoloured = intentOf(farNode.ipv4, { communities: [64_512 * 65_536 + 8] });
  await backend.apply(recoloured, SIGNAL);
  await until(async () => (await far.route(PREFIXES[0]))?.communities.includes("64512:8"), {
    ...PATIENCE,
    what: "the new community",
  });
  await until(async () => (await far.route("198.51.100.3/32")) === undefined, {
    ...PATIENCE,
    what: "the withdrawal",
  });
  await backend.apply(intentOf(farNode.ipv4, { receive: { type: "everything" } }), SIGNAL);
  await until(() => backend.sessions()[0]?.accepted === 2, {
    ...PATIENCE,
    what: "two accepted routes",
    explain: () => JSON.stringify(backend.sessions()),
  });
  expect((await far.session(host.ipv4)).timesLost).toBe(timesLost);
});

test("another hold time is agreed in a new session, another connect time in none", async () => {
  await using driven = await drive();
  const { far, host, farNode } = driven;
  const { backend } = await driven.open();
  await backend.apply(intentOf(farNode.ipv4), SIGNAL);
  await driven.established();
  await backend.apply(intentOf(farNode.ipv4, { connectRetrySeconds: 2 }), SIGNAL);
  expect((await far.session(host.ipv4)).timesLost).toBe(0);
  await backend.apply(
    intentOf(farNode.ipv4, { holdTimeSeconds: 30, keepaliveTimeSeconds: 10 }),
    SIGNAL,
  );
  await until(() => backend.sessions()[0]?.holdTimeSeconds === 30, {
    ...PATIENCE,
    what: "the new hold time",
    explain: () => JSON.stringify(backend.sessions()),
  });
  expect((await far.session(host.ipv4)).timesLost).toBe(1);
});

test("a neighbour configured by hand is left alone until it is handed over", async () => {
  await using driven = await drive();
  const { daemons, farNode } = driven;
  await daemons.ask("bgpd", [
    "configure terminal",
    "router bgp 64512",
    `neighbor ${farNode.ipv4} remote-as 64513`,
    `neighbor ${farNode.ipv4} description by hand`,
    "neighbor 10.99.0.77 remote-as 64999",
  ]);
  const before = await driven.running();
  const { backend } = await driven.open();
  const { delta, refused } = await backend.apply(intentOf(farNode.ipv4, { prefixes: [] }), SIGNAL);
  expect(refused).toMatchObject([{ subject: keyOf(farNode.ipv4) }]);
  expect(refused?.[0]?.reason).toContain("frr: {takeOver: [");
  expect(delta.neighborsAdded).toEqual([]);
  const mark = "route-map rutter-guest-default permit 1";
  expect(plain(treeOf(await driven.running()))).toEqual({
    ...(plain(treeOf(before)) as object),
    [mark]: {},
  });
  await backend.close("final");
  expect(plain(treeOf(await driven.running()))).toEqual(plain(treeOf(before)));

  const { backend: taking } = await driven.open([farNode.ipv4]);
  const taken = await taking.apply(intentOf(farNode.ipv4), SIGNAL);
  expect(taken.refused).toBeUndefined();
  expect(taken.delta.neighborsAdded).toEqual([keyOf(farNode.ipv4)]);
  const after = await driven.running();
  expect(after).not.toContain("by hand");
  expect(after).toContain("neighbor 10.99.0.77 remote-as 64999");
  expect(after).not.toContain("no bgp default ipv4-unicast");
  await driven.established();
  await taking.close("final");
  expect(await driven.running()).not.toContain(farNode.ipv4);
  expect(await driven.running()).toContain("neighbor 10.99.0.77 remote-as 64999");
});

test("a restarted agent knows its own, and sends nothing again", async () => {
  await using driven = await drive();
  const { far, host, farNode } = driven;
  const first = await driven.open();
  const intent = intentOf(farNode.ipv4, { raw: [snippet("extras", EXTRAS(farNode.ipv4))] });
  expect((await first.backend.apply(intent, SIGNAL)).refused).toBeUndefined();
  await driven.established();
  const before = await driven.running();
  await first.backend.close("graceful");

  // Killed before its log had it: bgpd itself says whose it is.
  const second = await driven.open();
  expect((await second.backend.apply(intent, SIGNAL)).refused).toBeUndefined();
  expect(await driven.running()).toBe(before);
  expect((await far.session(host.ipv4)).timesLost).toBe(0);
  await second.backend.close("final");
  const after = await driven.running();
  expect(after).not.toContain("router bgp");
  expect(after).not.toContain("route-map");
  expect(after).not.toContain("prefix-list");
});

/** shared/examples/11-bgpextras.yaml, for another neighbour. */
const EXTRAS = (remote: string): string => `ip prefix-list filtered permit 203.0.113.0/24 le 32
ip prefix-list filtered permit 172.16.2.0/24 le 32
route-map ${remote}-in permit 20
match ip address prefix-list filtered
`;

test("raw lines are added, changed and removed, and a refused one stops nothing", async () => {
  await using driven = await drive();
  const { far, host, farNode } = driven;
  const { backend } = await driven.open();
  const extras = snippet("extras", EXTRAS(farNode.ipv4));
  const accepted = (count: number) =>
    until(() => backend.sessions()[0]?.accepted === count, {
      ...PATIENCE,
      what: `${count} accepted routes`,
      explain: () => JSON.stringify(backend.sessions()),
    });
  await backend.apply(intentOf(farNode.ipv4, { raw: [extras] }), SIGNAL);
  await driven.established();
  await accepted(1);

  const wrong = snippet(
    "wrong",
    "router bgp 64512\n neighbor 10.9.9.9 nonsense\n bgp router-id x\n",
  );
  const both = await backend.apply(intentOf(farNode.ipv4, { raw: [extras, wrong] }), SIGNAL);
  expect(both.refused).toMatchObject([{ subject: wrong.owner }, { subject: wrong.owner }]);
  await accepted(1);

  const wider = snippet(
    "extras",
    `${EXTRAS(farNode.ipv4)}ip prefix-list filtered permit 203.0.114.0/24\n`,
  );
  expect(
    (await backend.apply(intentOf(farNode.ipv4, { raw: [wider] }), SIGNAL)).refused,
  ).toBeUndefined();
  await accepted(2);
  await backend.apply(intentOf(farNode.ipv4), SIGNAL);
  await accepted(0);
  expect(await driven.running()).not.toContain("filtered");
  expect((await far.session(host.ipv4)).timesLost).toBe(0);
});

test("bgpd gets everything again after kill -9, and a hand's change is put right", async () => {
  await using driven = await drive();
  const { daemons, farNode } = driven;
  const { backend } = await driven.open();
  const many = Array.from({ length: 1_000 }, (_, at) => `198.18.${at >> 8}.${at & 255}/32`);
  await backend.apply(intentOf(farNode.ipv4, { prefixes: many }), SIGNAL);
  await driven.established();
  await driven.learned("198.18.3.231/32");
  const before = await driven.running();

  const at = performance.now();
  await daemons.kill("bgpd");
  await until(() => backend.sessions()[0]?.state === "Idle", { ...PATIENCE, what: "the loss" });
  await daemons.start("bgpd");
  const started = performance.now();
  await until(async () => (await driven.running()) === before, { ...PATIENCE, what: "the same" });
  const restored = performance.now();
  await driven.established();
  await driven.learned("198.18.3.231/32");
  console.log(
    `bgpd was away ${(started - at).toFixed(0)} ms; configured ${(restored - started).toFixed(0)} ms after its start, routes back ${(performance.now() - started).toFixed(0)} ms after it`,
  );

  const warnedBefore = driven.warnings.length;
  await daemons.ask("bgpd", [
    "configure terminal",
    "router bgp 64512",
    `neighbor ${farNode.ipv4} shutdown`,
    "address-family ipv4 unicast",
    "no network 198.18.0.1/32",
  ]);
  await backend.apply(intentOf(farNode.ipv4, { prefixes: many.slice(1) }), SIGNAL);
  await until(async () => !(await driven.running()).includes("shutdown"), {
    ...PATIENCE,
    what: "the repair",
  });
  await driven.established();
  const repairs = driven.warnings.slice(warnedBefore).filter((one) => one.includes("is again"));
  expect(repairs).toHaveLength(1);
});

test("a stopped bgpd is an error within the time limit, and applied to when it goes on", async () => {
  await using driven = await drive();
  const { daemons, farNode } = driven;
  const { backend } = await driven.open();
  await backend.apply(intentOf(farNode.ipv4), SIGNAL);
  await driven.established();
  process.kill(daemons.pid("bgpd"), "SIGSTOP");
  const intent = intentOf(farNode.ipv4, { prefixes: [...PREFIXES, "198.51.100.3/32"] });
  try {
    await expect(backend.apply(intent, SIGNAL)).rejects.toMatchObject({ code: "SPEAKER_TIMEOUT" });
    await until(() => backend.sessions()[0]?.state === "Idle", { ...PATIENCE, what: "the loss" });
  } finally {
    process.kill(daemons.pid("bgpd"), "SIGCONT");
  }
  // Without another apply: what was asked for is kept by the backend itself.
  await driven.learned("198.51.100.3/32");
});

test("BFD's Down ends a session at once, and leaves the neighbour able to come back", async () => {
  await using driven = await drive();
  const { far, host, farNode } = driven;
  const { backend } = await driven.open();
  await backend.apply(intentOf(farNode.ipv4), SIGNAL);
  await driven.established();
  const down = { type: "down", reason: "no packets", remoteControlPlaneIndependent: true } as const;
  backend.path(keyOf(farNode.ipv4), down);
  await until(async () => (await far.session(host.ipv4)).timesLost === 1, {
    ...PATIENCE,
    what: "the end of the session",
  });
  await driven.established();
  expect(await driven.running()).not.toContain("shutdown");
});

test("one router that bgpd refuses keeps no other from being applied", async () => {
  await using driven = await drive();
  const { daemons, farNode } = driven;
  await daemons.ask("bgpd", ["configure terminal", "router bgp 65000 vrf red"]);
  const { backend } = await driven.open();
  const good = intentOf(farNode.ipv4);
  const red = router([neighbor("192.0.2.9", { vrf: "red" })], { vrf: "red", localAs: asn(64_512) });
  const { refused } = await backend.apply({ ...good, routers: [...good.routers, red] }, SIGNAL);
  expect(refused).toMatchObject([{ subject: keyOf("192.0.2.9", "red") }]);
  expect(refused?.[0]?.reason).toContain("router bgp 65000 vrf red");
  await driven.established();
  await driven.learned(PREFIXES[0]);
});

test("a dead bfdd is said, keeps bgpd from nothing, and has its profiles when it is back", async () => {
  await using driven = await drive();
  const { daemons, farNode } = driven;
  const { backend } = await driven.open();
  await daemons.kill("bfdd");
  const speakerBfd = { profile: "fast", multihop: false, timing: timing({ detectMultiplier: 5 }) };
  const { refused } = await backend.apply(intentOf(farNode.ipv4, { speakerBfd }), SIGNAL);
  expect(refused).toMatchObject([{ subject: undefined }]);
  expect(refused?.[0]?.reason).toContain("bfdd.vty");
  expect(await driven.running()).toContain(`neighbor ${farNode.ipv4} bfd profile fast`);
  await daemons.start("bfdd");
  await until(
    async () =>
      (await daemons.ask("bfdd", ["show running-config"]))[0]?.text.includes("detect-multiplier 5"),
    { ...PATIENCE, what: "the profile" },
  );
});
