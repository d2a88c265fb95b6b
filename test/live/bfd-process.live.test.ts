/**
 * `rutter bfd serve` against FRR's bfdd and against BIRD, each with its own idea of the RFC.
 *
 * What counts is what the other side says of the session. The whole agent is bfd.live.test.ts.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { BfdParameters } from "../../backends/bfd/parameters.ts";
import { type Address } from "../../events/address.ts";
import { bfdKey } from "../../events/ids.ts";
import { skipUnless } from "../probe.ts";
import { type BfdDriver, startBfd } from "./bfd-process.ts";
import { startBfdd } from "./bfdd.ts";
import { startBird } from "./bird.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { pause, until } from "./until.ts";

beforeEach(skipUnless("netns", "bird", "frr"));

const TIMING: BfdParameters["timing"] = {
  transmitIntervalMillis: 100,
  receiveIntervalMillis: 100,
  detectMultiplier: 10,
  echoIntervalMillis: undefined,
  passive: false,
  minimumTimeToLive: 255,
};

/** Ten times what both sides agree on: a peer without real-time priority is not blamed for a busy machine. */
const DETECTION_MICROS = 1_000_000;

function sessionTo(remote: string, rest: Partial<BfdParameters> = {}): BfdParameters {
  const multihop = rest.multihop ?? false;
  return {
    key: bfdKey("", remote, rest.local ?? "", rest.interface ?? "", multihop),
    vrf: "",
    remote: remote as Address,
    local: undefined,
    interface: "",
    multihop,
    localDiscriminator: 0x1234_5678,
    timing: TIMING,
    authentication: undefined,
    ...rest,
  };
}

const isUp = (bfd: BfdDriver, explain: () => Promise<string>) =>
  until(async () => (await bfd.session())?.state === "Up", {
    what: "BFD",
    explain: async () => `${JSON.stringify(await bfd.status())}\n${await explain()}`,
  });

/** BIRD hears of it a packet later. */
const isUpAt = (bird: Router) =>
  until(async () => (await bird.ask("show bfd sessions")).includes(" Up "), {
    what: "BFD at BIRD",
    explain: bird.explain,
  });

/** What ends a session that was Up: the cable is cut. */
async function seesTheCut(bfd: BfdDriver, far: Node): Promise<void> {
  const settled = async () => {
    const session = await bfd.session();
    return session?.detectionTimeMicros === DETECTION_MICROS && session.counters.received > 20;
  };
  await until(settled, { what: "the negotiated rate" });
  await far.cable("down");
  const down = await until(() => bfd.transitions().find(({ to }) => to === "Down"), {
    what: "the cut",
  });
  expect(down).toMatchObject({ from: "Up", diagnostic: 1, detectionTimeMicros: DETECTION_MICROS });
  expect(down.detectedAfterMicros).toBeGreaterThanOrEqual(DETECTION_MICROS);
  expect(down.arrivalsMicros).toHaveLength(8);
}

describe("FRR's bfdd", () => {
  const lines = (peer: string, more: readonly string[] = []): string[] => [
    `peer ${peer}`,
    "receive-interval 100",
    "transmit-interval 100",
    "detect-multiplier 10",
    ...more,
    "exit",
  ];
  test.for(["ipv4", "ipv6"] as const)("%s: up, a change by poll, down", async (family) => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using frr = await startBfdd(far, lines(host[family]));
    await using bfd = await startBfd(host);
    await using agent = await bfd.connect();
    await agent.hold([sessionTo(far[family])]);
    await isUp(agent, frr.explain);
    await until(async () => (await frr.peer())?.status === "up", { what: "bfdd", ...frr });
    await agent.hold([
      sessionTo(far[family], { timing: { ...TIMING, transmitIntervalMillis: 250 } }),
    ]);
    await until(async () => (await frr.peer())?.["remote-transmit-interval"] === 250, {
      what: "the new interval at bfdd",
      ...frr,
    });
    await until(async () => (await frr.peer())?.status === "up", { what: "bfdd", ...frr });
    expect(await frr.peer()).toMatchObject({ "session-down": 0 });
    await seesTheCut(agent, far);
  });

  const forwards = (node: Node, value: 0 | 1) =>
    node.run(["sh", "-c", `echo ${value} > /proc/sys/net/ipv4/ip_forward`]);
  const echoing = { ...TIMING, echoIntervalMillis: 100 };
  const echoLines = ["echo-mode", "echo transmit-interval 100", "echo receive-interval 100"];

  test.for([
    ["kernel", 1],
    ["process", 0],
  ] as const)(
    "echo, sent back to bfdd by the %s; its loss is diagnostic 2",
    async ([, forwarding]) => {
      await using network = await makeNetwork(["host", "far"]);
      const { host, far } = network.nodes;
      await forwards(far, 1);
      await forwards(host, forwarding);
      await using frr = await startBfdd(far, lines(host.ipv4, echoLines), { zebra: true });
      await using bfd = await startBfd(host);
      await using agent = await bfd.connect();
      await agent.hold([sessionTo(far.ipv4, { timing: echoing })]);
      const explain = async () => `${JSON.stringify(await agent.status())}\n${await frr.explain()}`;
      await until(async () => (await agent.session())?.echo === "active", {
        what: "echo",
        explain,
      });
      await until(async () => ((await agent.session())?.counters.echoReceived ?? 0) > 30, {
        what: "echoes",
        explain,
      });
      const both = async () => ((await frr.peer())?.["echo-packet-input"] ?? 0) > 30;
      await until(both, { what: "echoes at bfdd", explain });
      expect(await agent.session()).toMatchObject({ state: "Up", transmitIntervalMicros: 1e6 });
      expect(await frr.peer()).toMatchObject({ status: "up", "session-down": 0 });
      // The far end's forwarding plane fails, and its control plane does not notice.
      await forwards(far, 0);
      const down = await until(() => agent.transitions().find(({ to }) => to === "Down"), {
        what: "the loss",
        explain,
      });
      expect(down).toMatchObject({ diagnostic: 2, detectionTimeMicros: DETECTION_MICROS });
      // Without echoes it comes back, and stays.
      await isUp(agent, explain);
      await until(async () => ((await agent.session())?.counters.received ?? 0) > 30, {
        what: "control packets",
        explain,
      });
      expect(await agent.session()).toMatchObject({ state: "Up", echo: "unanswered" });
    },
  );

  test("link-local addresses, each with its interface", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    const linkLocal = async (node: Node): Promise<string> => {
      const found = /inet6 (fe80:[^/]*)/.exec(await node.ip("address", "show", "dev", "eth0"));
      if (found?.[1] === undefined) throw new Error(`no link-local address in ${node.name}`);
      return found[1];
    };
    const [ours, theirs] = [await linkLocal(host), await linkLocal(far)];
    const name = `${ours} local-address ${theirs} interface eth0`;
    await using frr = await startBfdd(far, [], { zebra: true });
    await using bfd = await startBfd(host);
    await using agent = await bfd.connect();
    await agent.hold([sessionTo(theirs, { interface: "eth0" })]);
    // bfdd tries to bind such an address once, which may be before zebra has told it of the interface.
    const isUpByNow = async (): Promise<boolean> => {
      await frr.configure(["bfd", ...lines(name)]);
      for (let look = 0; look < 30; look += 1) {
        if ((await agent.session())?.state === "Up") return true;
        await pause(100);
      }
      await frr.configure(["bfd", `no peer ${name}`]);
      return false;
    };
    await until(isUpByNow, { what: "BFD", ...frr });
    await until(async () => (await frr.peer())?.status === "up", { what: "bfdd", ...frr });
    expect(agent.transitions().at(-1)).toMatchObject({ to: "Up" });
    await seesTheCut(agent, far);
  });

  test("what is taken back is AdminDown there, and gone here", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using frr = await startBfdd(far, lines(host.ipv4));
    await using bfd = await startBfd(host);
    await using agent = await bfd.connect();
    await agent.hold([sessionTo(far.ipv4)]);
    await isUp(agent, frr.explain);
    expect((await agent.hold([])).keys).toEqual([]);
    await until(async () => (await frr.peer())?.["remote-diagnostic"] === "administratively down", {
      what: "AdminDown at bfdd",
      ...frr,
    });
  });

  test("its shutdown is AdminDown here", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using frr = await startBfdd(far, lines(host.ipv4));
    await using bfd = await startBfd(host);
    await using agent = await bfd.connect();
    await agent.hold([sessionTo(far.ipv4)]);
    await isUp(agent, frr.explain);
    await frr.configure(["bfd", `peer ${host.ipv4}`, "shutdown"]);
    const down = await until(() => agent.transitions().find(({ to }) => to === "Down"), {
      what: "the shutdown",
      ...frr,
    });
    expect(down).toMatchObject({ remoteState: "AdminDown", diagnostic: 3 });
  });
});

describe("BIRD", () => {
  const plan = (far: Node, lines: readonly string[]) => ({
    asn: 64999,
    routerId: far.ipv4,
    neighbours: [],
    raw: ["protocol bfd watch_host {", ...lines, "}"],
  });
  const EVERY_LINK = "interval 100 ms; multiplier 10;";

  test.for(["keyed md5", "meticulous keyed md5", "keyed sha1", "meticulous keyed sha1", "simple"])(
    "authentication: %s",
    async (name) => {
      const type = name === "simple" ? "simple-password" : name.replaceAll(" ", "-");
      await using network = await makeNetwork(["host", "far"]);
      const { host, far } = network.nodes;
      const key = `authentication ${name}; password "sesame" { id 1; };`;
      await using bird = await startBird(
        far,
        plan(far, [`interface "*" { ${EVERY_LINK} ${key} };`, `neighbor ${host.ipv4};`]),
      );
      await using bfd = await startBfd(host);
      await using agent = await bfd.connect();
      const authentication = { type, keyId: 1, key: "sesame" } as BfdParameters["authentication"];
      await agent.hold([sessionTo(far.ipv4, { authentication })]);
      await isUp(agent, bird.explain);
      await isUpAt(bird);
      expect(agent.transitions().at(-1)).toMatchObject({ to: "Up" });
    },
  );

  test("multihop", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using bird = await startBird(
      far,
      plan(far, [
        `multihop { ${EVERY_LINK} };`,
        `neighbor ${host.ipv4} local ${far.ipv4} multihop on;`,
      ]),
    );
    await using bfd = await startBfd(host);
    await using agent = await bfd.connect();
    const local = host.ipv4 as Address;
    // BIRD sends with the kernel's default of 64 here.
    const timing = { ...TIMING, minimumTimeToLive: 64 };
    await agent.hold([sessionTo(far.ipv4, { multihop: true, local, timing })]);
    await isUp(agent, bird.explain);
    await isUpAt(bird);
    expect(agent.transitions().at(-1)).toMatchObject({ to: "Up" });
    await seesTheCut(agent, far);
  });
});

describe("the process", () => {
  test("keeps its sessions for another agent, and says what it holds", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using frr = await startBfdd(far, [`peer ${host.ipv4}`, "detect-multiplier 10", "exit"]);
    await using bfd = await startBfd(host);
    const first = await bfd.connect();
    await first.hold([sessionTo(far.ipv4)]);
    await isUp(first, frr.explain);
    first.hangUp();
    await using second = await bfd.connect();
    const again = await second.hold([sessionTo(far.ipv4)]);
    expect(again).toMatchObject({ added: [], changed: [], removed: [] });
    expect(await second.session()).toMatchObject({ state: "Up" });
    await until(async () => (await frr.peer())?.status === "up", { what: "bfdd", ...frr });
    expect(await frr.peer()).toMatchObject({ "session-down": 0 });
  });

  test("lets them go when no agent comes back in time", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using frr = await startBfdd(far, [`peer ${host.ipv4}`, "detect-multiplier 10", "exit"]);
    await using bfd = await startBfd(host, 1);
    const first = await bfd.connect();
    await first.hold([sessionTo(far.ipv4)]);
    await isUp(first, frr.explain);
    first.hangUp();
    await until(async () => (await frr.peer())?.["remote-diagnostic"] === "administratively down", {
      what: "AdminDown at bfdd",
      ...frr,
    });
  });

  test("refuses a protocol from before its time, and says what to do", async () => {
    await using network = await makeNetwork(["host"]);
    await using bfd = await startBfd(network.nodes.host);
    await using agent = await bfd.connect(0);
    expect(agent.messages).toMatchObject([
      { type: "refused", reason: expect.stringContaining("protocol 1") },
    ]);
  });

  test("leaves another BFD speaker its ports, and says so", async () => {
    await using network = await makeNetwork(["host", "far"]);
    const { host, far } = network.nodes;
    await using frr = await startBfdd(host, [`peer ${far.ipv4}`, "exit"]);
    await using bfd = await startBfd(host);
    await using agent = await bfd.connect();
    await agent.hold([sessionTo(far.ipv4)]);
    const { problems } = await agent.status();
    expect(problems).toContainEqual(
      expect.stringContaining("UDP port 3784 (ipv4) belongs to another BFD speaker"),
    );
    await frr[Symbol.asyncDispose]();
    await until(async () => (await agent.status()).problems.length === 0, {
      what: "the ports, once they are free",
      explain: async () => JSON.stringify(await agent.status()),
    });
  });
});
