/**
 * `rutter bfd serve` beside a neighbour that sends what it should not (faults 40): a session stays Up and the counters tell.
 *
 * The neighbour has the address of the peer, so that nothing but the packets themselves gives it away.
 */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import type { BfdParameters } from "../../backends/bfd/parameters.ts";
import type { Address } from "../../events/address.ts";
import { bfdKey } from "../../events/ids.ts";
import { skipUnless } from "../probe.ts";
import { type BfdDriver, startBfd } from "./bfd-process.ts";
import { type Bfdd, startBfdd } from "./bfdd.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const OURS = 0x1234_5678;
const session = (remote: string): BfdParameters => ({
  key: bfdKey("", remote, "", "", false),
  vrf: "",
  remote: remote as Address,
  local: undefined,
  interface: "",
  multihop: false,
  localDiscriminator: OURS,
  timing: {
    transmitIntervalMillis: 300,
    receiveIntervalMillis: 300,
    detectMultiplier: 10,
    echoIntervalMillis: undefined,
    passive: false,
    minimumTimeToLive: 255,
  },
  authentication: undefined,
});

async function upTo(agent: BfdDriver, frr: Bfdd, far: Node): Promise<void> {
  await agent.hold([session(far.ipv4)]);
  await until(async () => (await agent.session())?.state === "Up", { what: "BFD", ...frr });
}

const UNHARMED = { ours: "Up", downs: 0, theirs: "up", theirDowns: 0 };
async function harm(agent: BfdDriver, frr: Bfdd): Promise<typeof UNHARMED> {
  await until(async () => (await frr.peer())?.status === "up", { what: "bfdd", ...frr });
  const peer = await frr.peer();
  return {
    ours: (await agent.session())?.state ?? "none",
    downs: agent.transitions().filter(({ to }) => to === "Down").length,
    theirs: peer?.status ?? "none",
    theirDowns: peer?.["session-down"] ?? -1,
  };
}

/** Sends each of these to the port of single-hop control packets, so many times over, from where the peer is. */
async function send(
  far: Node,
  to: string,
  packets: readonly { readonly hex: string; readonly ttl: number }[],
  times: number,
): Promise<void> {
  const script = `
    const { createSocket } = require("node:dgram");
    const packets = ${JSON.stringify(packets)};
    const sockets = new Map([...new Set(packets.map(({ ttl }) => ttl))].map((ttl) => [ttl, createSocket("udp4")]));
    let left = ${times};
    const more = () => {
      for (let i = 0; i < 250 && left > 0; i += 1, left -= 1) {
        for (const { hex, ttl } of packets) sockets.get(ttl).send(Buffer.from(hex, "hex"), 3784, "${to}");
      }
      if (left > 0) setTimeout(more, 1);
      else setTimeout(() => sockets.forEach((socket) => socket.close()), 200);
    };
    Promise.all([...sockets].map(([ttl, socket]) => new Promise((done) => {
      socket.bind(0, () => { socket.setTTL(ttl); done(); });
    }))).then(more);`;
  const { code, stderr } = await far.run([process.execPath, "-e", script], { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(stderr);
}

/** State Down to our session: believed, it would end it. */
const DOWN = {
  first: "20",
  flags: "40",
  multiplier: "03",
  length: "18",
  mine: "00000001",
  yours: OURS.toString(16),
};
const packet = (rest: Partial<typeof DOWN>, more = ""): string => {
  const { first, flags, multiplier, length, mine, yours } = { ...DOWN, ...rest };
  return `${first}${flags}${multiplier}${length}${mine}${yours}000f4240000f424000000000${more}`;
};

test("each sort of packet that must not be believed is discarded under its own name", async () => {
  const cases: Readonly<Record<string, { readonly hex: string; readonly ttl: number }>> = {
    "hop-limit": { hex: packet({}), ttl: 254 },
    version: { hex: packet({ first: "40" }), ttl: 255 },
    short: { hex: packet({}).slice(0, 46), ttl: 255 },
    length: { hex: packet({ length: "19" }), ttl: 255 },
    "multiplier-zero": { hex: packet({ multiplier: "00" }), ttl: 255 },
    multipoint: { hex: packet({ flags: "41" }), ttl: 255 },
    "my-discriminator-zero": { hex: packet({ mine: "00000000" }), ttl: 255 },
    "your-discriminator-zero": { hex: packet({ flags: "c0", yours: "00000000" }), ttl: 255 },
    "no-session": { hex: packet({ yours: "00000007" }), ttl: 255 },
    authentication: { hex: packet({ flags: "44", length: "1c" }, "01040041"), ttl: 255 },
  };
  await using network = await makeNetwork(["host", "far"]);
  const { host, far } = network.nodes;
  await using frr = await startBfdd(far, [`peer ${host.ipv4}`, "detect-multiplier 10", "exit"]);
  await using bfd = await startBfd(host);
  await using agent = await bfd.connect();
  await upTo(agent, frr, far);
  await send(far, host.ipv4, Object.values(cases), 50);
  const { discards } = await agent.status();
  expect(discards).toEqual(Object.fromEntries(Object.keys(cases).map((name) => [name, 50])));
  expect(await harm(agent, frr)).toEqual(UNHARMED);
});

test("a flood of junk is counted, changes nothing, and takes no more than a core's share", async () => {
  await using network = await makeNetwork(["host", "far"]);
  const { host, far } = network.nodes;
  await using frr = await startBfdd(far, [`peer ${host.ipv4}`, "detect-multiplier 10", "exit"]);
  await using bfd = await startBfd(host);
  await using agent = await bfd.connect();
  await upTo(agent, frr, far);
  const hello = agent.messages.find((one) => one.type === "hello");
  const stat = () => readFileSync(`/proc/${hello?.pid}/stat`, "utf8").split(" ");
  const cpu = () => Number(stat()[13]) + Number(stat()[14]);
  const [before, since] = [cpu(), performance.now()];
  await send(far, host.ipv4, [{ hex: packet({ first: "ff" }), ttl: 255 }], 100_000);
  const seconds = (performance.now() - since) / 1000;
  const { discards } = await agent.status();
  const counted = discards["version"] ?? 0;
  console.log(
    `flood: ${Math.round(100_000 / seconds)} packets/s sent, ${counted} counted, ${Math.round((cpu() - before) / seconds)} % of a core`,
  );
  expect(counted).toBeGreaterThan(10_000);
  expect(await harm(agent, frr)).toEqual(UNHARMED);
});
