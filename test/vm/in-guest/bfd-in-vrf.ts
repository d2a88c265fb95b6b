/**
 * Run in a guest: BFD with two routers that have one address, one in VRF blue and one outside of it.
 *
 * `rutter bfd serve` holds both sessions at once, by sockets that are bound to the VRF's device. When both are Up the
 * router in the VRF dies; then all that was seen is printed as JSON. Nothing is asserted here.
 * Read next: ../guest.live.test.ts, ../../live/bfd-process.live.test.ts (without a VRF).
 */
import type { BfdParameters } from "../../../backends/bfd/parameters.ts";
import type { Address } from "../../../events/address.ts";
import { bfdKey } from "../../../events/ids.ts";
import { startBfd } from "../../live/bfd-process.ts";
import { startBird } from "../../live/bird.ts";
import { makeNetwork, type Node } from "../../live/netns.ts";
import { until } from "../../live/until.ts";

const PATIENT = { timeoutMs: 60_000 };

/** The guest has one processor for everybody. */
const timing: BfdParameters["timing"] = {
  transmitIntervalMillis: 200,
  receiveIntervalMillis: 200,
  detectMultiplier: 20,
  echoIntervalMillis: undefined,
  passive: false,
  minimumTimeToLive: 255,
};
const sessionIn = (vrf: string, remote: string, localDiscriminator: number): BfdParameters => ({
  key: bfdKey(vrf, remote, "", "", false),
  vrf,
  remote: remote as Address,
  local: undefined,
  interface: "",
  multihop: false,
  localDiscriminator,
  timing,
  authentication: undefined,
});
const birdIn = (node: Node, device: string) =>
  startBird(node, {
    asn: 64999,
    routerId: "10.99.0.2",
    neighbours: [],
    raw: [
      `protocol bfd { interface "${device}" { interval 200 ms; multiplier 20; }; neighbor 10.99.0.1 dev "${device}"; }`,
    ],
  });

await using network = await makeNetwork(["host", "far", "blue"]);
const { host, far, blue } = network.nodes;
await host.ip("link", "add", "blue", "type", "vrf", "table", "10");
await host.ip(
  "link",
  "add",
  "blue0",
  "type",
  "veth",
  "peer",
  "name",
  "blue1",
  "netns",
  blue.namespace,
);
await host.ip("link", "set", "blue0", "master", "blue");
await host.ip("address", "add", `${host.ipv4}/24`, "dev", "blue0");
await host.ip("link", "set", "blue", "up");
await host.ip("link", "set", "blue0", "up");
await blue.ip("link", "set", "eth0", "down");
await blue.ip("address", "add", `${far.ipv4}/24`, "dev", "blue1");
await blue.ip("link", "set", "blue1", "up");

await using birdFar = await birdIn(far, "eth0");
await using birdBlue = await birdIn(blue, "blue1");
await using bfd = await startBfd(host);
await using agent = await bfd.connect();
await agent.hold([sessionIn("", far.ipv4, 4711), sessionIn("blue", far.ipv4, 4712)]);
const states = async (): Promise<readonly string[]> =>
  (await agent.status()).sessions.map(({ state }) => state);
await until(async () => (await states()).join() === "Up,Up", {
  what: "both sessions",
  explain: async () => JSON.stringify(await agent.status()),
  ...PATIENT,
});
for (const bird of [birdFar, birdBlue]) {
  const isUp = async () => / Up /.test(await bird.ask("show bfd sessions"));
  await until(isUp, { what: "BFD at BIRD", explain: bird.explain, ...PATIENT });
}
await blue.ip("link", "set", "blue1", "down");
await until(async () => (await states())[1] === "Down", { what: "the cut", ...PATIENT });
const { sessions, problems } = await agent.status();
console.log(JSON.stringify({ sessions, problems }));
