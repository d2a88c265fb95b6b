/**
 * A whole agent on top of FRR: what changes costs no session, and nothing is lost when either of them is killed or hangs.
 *
 * The peer is BIRD, whose own count of sessions that ended is what counts. BFD is frr-agent-bfd.live.test.ts.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import {
  bfdProfile,
  extras,
  type FrrHost,
  hostRoutes,
  routerConfiguration,
  routerPeer,
  startFrrHost,
} from "./frr-host.ts";
import { advertisementManifest, documents, poolManifest, serviceManifest } from "./manifests.ts";

beforeEach(skipUnless("netns", "frr", "bird"));

const VIP = "198.51.100.10/32";
const [LEARNED, OTHER] = ["203.0.113.0/24", "203.0.114.0/24"] as const;
const MANY = hostRoutes(1_000);
const SLOW = 300_000;

const service = documents(
  poolManifest(["198.51.100.0/24"]),
  advertisementManifest(),
  serviceManifest("web", { loadBalancerIP: "198.51.100.10" }),
);
type Peer = { readonly state: string; readonly reason: string; readonly resets: number };
const peersOf = (one: FrrHost) => one.agent().ask<readonly Peer[]>("peers");
type Heard = { readonly prefix: string; readonly accepted: boolean };
const accepted = async (one: FrrHost) =>
  (await one.agent().ask<readonly Heard[]>("routes", "received"))
    .filter((route) => route.accepted)
    .map(({ prefix }) => prefix)
    .toSorted()
    .join(" ");
/** States that the log has of a daemon, oldest first. */
const becameOf = async (one: FrrHost, daemon: string): Promise<readonly string[]> => {
  const asked = ["log", "--type", "speaker-daemon-observed", "-o", "json"];
  type Line = { readonly body: { readonly daemon: string; readonly state: string } };
  return (await one.agent().rutter(...asked)).stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line): Line => JSON.parse(line))
    .flatMap(({ body }) => (body.daemon === daemon ? [body.state] : []));
};
const apply = async (one: FrrHost, ...manifests: readonly string[]): Promise<void> => {
  const { code, stderr } = await one.agent().apply(documents(...manifests));
  if (code !== 0) throw new Error(stderr);
};
const remove = async (one: FrrHost, ...names: readonly string[]): Promise<void> => {
  const { code, stderr } = await one.agent().rutter("delete", ...names);
  if (code !== 0) throw new Error(stderr);
};
const since = (started: number): string => `${Math.round(performance.now() - started)} ms`;
const isSame = (one: readonly string[], other: readonly string[]) => one.join() === other.join();
const up = async (one: FrrHost): Promise<void> => {
  await apply(one, service, routerPeer(one.routerNode));
  await one.established();
};

test("no change and no restart of the agent costs the session", { timeout: SLOW }, async () => {
  await using one = await startFrrHost([LEARNED, OTHER]);
  const { routerNode } = one;
  await one.startAgent();
  await up(one);
  await one.until("the Service", async () => isSame(await one.told(), [VIP]));

  const every = [...MANY, VIP].toSorted();
  await apply(one, routerConfiguration(routerNode, MANY));
  await one.until("1,000 prefixes more", async () => isSame(await one.told(), every));
  await apply(one, routerConfiguration(routerNode, []));
  await one.until("1,000 prefixes less", async () => isSame(await one.told(), [VIP]));

  const filtered = (prefix: string) => ({
    toReceive: { allowed: { mode: "filtered", prefixes: [{ prefix }] } },
  });
  await apply(one, routerConfiguration(routerNode, [], filtered(LEARNED)));
  await one.until("one prefix let in", async () => (await accepted(one)) === LEARNED);
  await apply(one, routerConfiguration(routerNode, [], filtered(OTHER)));
  await one.until("the other let in", async () => (await accepted(one)) === OTHER);

  await apply(one, advertisementManifest({ communities: ["64512:7"], localPref: 200 }));
  const isColoured = async () => (await one.router.route(VIP))?.communities.join() === "64512:7";
  await one.until("the community", isColoured);

  const says = (line: string, daemon: "bgpd" | "bfdd" = "bgpd") =>
    one.until(`"${line}" in ${daemon}`, async () => (await one.running(daemon)).includes(line));
  await apply(one, bfdProfile({ detectMultiplier: 10 }));
  await apply(one, routerPeer(routerNode, ["bfdProfile: fast"]));
  await says(`neighbor ${routerNode.ipv4} bfd profile fast`);
  await apply(one, bfdProfile({ detectMultiplier: 20 }));
  await says("detect-multiplier 20", "bfdd");
  await apply(one, routerPeer(routerNode));
  await remove(one, "bfdprofile", "fast", "-n", "metallb-system");
  await one.until("no profile", async () => !(await one.running()).includes("bfd"));

  await apply(one, extras(routerNode));
  await says("ip prefix-list filtered seq 5 permit 203.0.113.0/24 le 32");
  await one.until("what they let in", async () => (await accepted(one)) === `${LEARNED} ${OTHER}`);
  await apply(one, extras(routerNode, ["ip prefix-list added seq 5 permit 192.0.2.0/24"]));
  await says("ip prefix-list added seq 5 permit 192.0.2.0/24");
  await remove(one, "configmap", "bgpextras", "-n", "metallb-system");
  await one.until("no raw lines", async () => !(await one.running()).includes("filtered"));

  const before = await one.running();
  await apply(one, routerPeer(routerNode));
  await one.agent().stop();
  expect(await one.running()).toBe(before);
  const seen = async () => (await peersOf(one))[0]?.state === "Established";
  await one.restartAgent();
  await one.until("the session as the next agent sees it", seen);
  await one.restartAgent();
  await one.until("the session as the third agent sees it", seen);
  expect(await one.running()).toBe(before);
  expect((await peersOf(one))[0]).toMatchObject({ resets: 0 });
  expect(await one.router.session(one.host.ipv4)).toMatchObject({
    timesEstablished: 1,
    timesLost: 0,
  });
});

test(
  "bgpd killed under 1,000 routes: all is there again by itself",
  { timeout: SLOW },
  async () => {
    await using one = await startFrrHost([LEARNED]);
    await one.startAgent();
    await up(one);
    await apply(
      one,
      routerConfiguration(one.routerNode, MANY, { toReceive: { allowed: { mode: "all" } } }),
    );
    const every = [...MANY, VIP].toSorted();
    const isWhole = async () =>
      isSame(await one.told(), every) && (await accepted(one).catch(String)) === LEARNED;
    await one.until("1,000 prefixes", isWhole);
    const before = await one.router.routes();
    const killed = performance.now();
    await one.daemons.kill("bgpd");
    await one.daemons.start("bgpd");
    const started = performance.now();
    await one.until(
      "the end of the old session",
      async () => (await one.router.session(one.host.ipv4)).timesLost > 0,
    );
    await one.until("1,000 prefixes again", isWhole);
    process.stdout.write(
      `bgpd killed under 1,000 routes: the same on the wire ${since(killed)} after, ${since(started)} after its start\n`,
    );
    expect(await one.router.routes()).toEqual(before);
    expect((await becameOf(one, "bgpd")).at(-1)).toBe("restarted");
  },
);

test(
  "an agent that starts before bgpd says so, and it is told when it comes",
  { timeout: SLOW },
  async () => {
    await using one = await startFrrHost();
    await one.daemons.kill("bgpd");
    await one.startAgent();
    await apply(one, service, routerPeer(one.routerNode));
    await one.until("the reason", async () =>
      (await peersOf(one))[0]?.reason.includes("bgpd does not answer"),
    );
    await one.daemons.start("bgpd");
    await one.established();
    await one.until("the Service", async () => isSame(await one.told(), [VIP]));
    const [peer] = await peersOf(one);
    expect(peer?.reason).not.toContain("does not answer");
  },
);

test(
  "a bgpd that hangs is shown as down within seconds, and as up when it goes on",
  { timeout: SLOW },
  async () => {
    await using one = await startFrrHost();
    await one.startAgent();
    await up(one);
    await one.until(
      "the session in peers",
      async () => (await peersOf(one))[0]?.state === "Established",
    );
    const pid = one.daemons.pid("bgpd");
    const hung = performance.now();
    process.kill(pid, "SIGSTOP");
    try {
      await one.until(
        "the session as down",
        async () => (await peersOf(one))[0]?.state !== "Established",
        { everyMs: 5, explain: () => "" },
      );
      process.stdout.write(`a hang of bgpd was shown after ${since(hung)}\n`);
      expect((await peersOf(one))[0]?.reason).toContain("bgpd does not answer");
      const { stdout: status } = await one.agent().rutter("status");
      expect(status).toContain("peers 0/1 Established");
      expect(status).toMatch(/^BGPD hung for \S+: no answer for 2\.5 s$/m);
      expect((await one.agent().rutter("doctor")).stdout).toMatch(
        /speaker: bgpd is hung: it runs and has not answered for \d+ s.*systemctl restart frr/s,
      );
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await one.until(
      "the session as up",
      async () => (await peersOf(one))[0]?.state === "Established",
    );
    expect((await one.router.session(one.host.ipv4)).timesLost).toBe(0);
    expect(await becameOf(one, "bgpd")).toEqual(["hung", "up"]);
  },
);

test("what Kubernetes tooling asks for is what FRR has", { timeout: SLOW }, async () => {
  await using one = await startFrrHost();
  const agent = await one.startAgent();
  await apply(one, service, routerPeer(one.routerNode, ['password: "s3cret-of-both"']));
  type View = {
    readonly metadata: { readonly name: string };
    readonly status: Record<string, unknown>;
  };
  const get = async (kind: string) =>
    (await agent.ask<View[]>("get", kind)).map(({ status }) => status);
  await one.until("the neighbour in bgpd", async () =>
    (await one.running()).includes("remote-as 64999"),
  );
  const [node] = await get("frrnodestate");
  expect(node).toMatchObject({ lastConversionResult: "success", lastReloadResult: "success" });
  expect(node?.["runningConfig"]).toContain(`neighbor ${one.routerNode.ipv4} remote-as 64999`);
  expect(node?.["runningConfig"]).not.toContain("s3cret-of-both");
  await apply(one, routerPeer(one.routerNode));
  await one.established();
  await one.until(
    "BGPSessionState",
    async () => (await get("bgpsessionstate"))[0]?.["bgpStatus"] === "Established",
  );
  await one.until(
    "ServiceBGPStatus",
    async () => JSON.stringify((await get("servicebgpstatus"))[0]?.["peers"]) === '["router"]',
  );
  expect(await get("configurationstate")).toMatchObject([{ result: "Valid" }]);
});
