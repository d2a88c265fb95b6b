/**
 * Run in a guest: the agent beside BIRD, by the live tests' own harness, over a cable with a delay of 20 ms each way.
 *
 * Prints the agent's peers as JSON once BIRD has the route. Nothing is asserted here.
 * Read next: ../guest.live.test.ts, ../../contract/announcements.ts (more of it, without a guest).
 */
import { startAgent } from "../../live/agent.ts";
import { startBird } from "../../live/bird.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "../../live/manifests.ts";
import { makeNetwork } from "../../live/netns.ts";
import { until } from "../../live/until.ts";

await using network = await makeNetwork(["host", "router"]);
const { host, router: far } = network.nodes;
for (const node of [host, far]) {
  await node.run(["tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "20ms"]);
}
await using bird = await startBird(far, {
  asn: 64999,
  routerId: far.ipv4,
  neighbours: [{ name: "host", address: host.ipv4, asn: 64512 }],
});
await using agent = await startAgent(host, { config: ALWAYS });
await agent.apply(
  documents(
    poolManifest(["203.0.113.1-203.0.113.9"]),
    advertisementManifest(),
    peerManifest({ localAs: 64512, remoteAs: 64999, address: far.ipv4 }),
    serviceManifest("web"),
  ),
);
const route = await until(() => bird.route("203.0.113.1/32"), {
  what: "the route at BIRD",
  timeoutMs: 40_000,
  explain: () => bird.explain(),
});
// A port where nobody listens: the refusal comes back after one round trip.
const knock = `const since = performance.now();
require("node:net").connect(9, "${far.ipv4}").on("error", () => console.log(performance.now() - since));`;
const { stdout } = await host.run([process.execPath, "-e", knock]);
console.log(
  JSON.stringify({
    peers: await agent.ask("peers"),
    asPath: route.asPath,
    roundTripMs: Number(stdout),
  }),
);
