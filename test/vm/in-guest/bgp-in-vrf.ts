/**
 * Run in a guest: the native speaker and two routers that have one address, one in VRF blue and one outside of it.
 *
 * The VRF's device comes only when the other session is up, and goes at the end. Prints what was seen as JSON; the router in
 * the VRF is passive or dials, by the argument, and each has a TCP-MD5 key of its own where one is given. Nothing is asserted here.
 * Read next: ../guest.live.test.ts, ../../live/speaker.ts.
 */
import { address } from "../../../events/address.ts";
import { startBird } from "../../live/bird.ts";
import { makeNetwork, type Node } from "../../live/netns.ts";
import { keyOf, spokenNeighbor, startSpeaker } from "../../live/speaker.ts";
import { until } from "../../live/until.ts";

/** The guest has one processor for everybody. */
const PATIENT = { timeoutMs: 60_000, everyMs: 100 };
const [, , who = "we-dial", shared = "0", password = ""] = process.argv;

await using network = await makeNetwork(["host", "far", "blue"]);
const { host, far, blue } = network.nodes;
await host.run(["sh", "-c", `echo ${shared} > /proc/sys/net/ipv4/tcp_l3mdev_accept`]);

const birdIn = (node: Node, asn: number, network: string) =>
  startBird(node, {
    asn,
    routerId: far.ipv4,
    networks: [network, "10.9.0.0/16"],
    neighbours: [
      {
        name: "host",
        address: host.ipv4,
        asn: 64512,
        passive: who === "we-dial",
        ...(password === "" ? {} : { password: `${password}-${asn}` }),
      },
    ],
  });

await blue.ip("link", "set", "eth0", "down");
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
await blue.ip("address", "add", `${far.ipv4}/24`, "dev", "blue1");
await blue.ip("link", "set", "blue1", "up");
await using birdFar = await birdIn(far, 64999, "10.1.0.0/16");
await using birdBlue = await birdIn(blue, 64998, "10.2.0.0/16");
await using speaker = await startSpeaker(host, who === "we-dial" ? [] : ["0.0.0.0:179", ":::179"]);
/** A port where nobody listens, where the router is to dial. */
const port = who === "we-dial" ? 179 : 9;
const remote = { type: "address", address: address(far.ipv4), port } as const;
/** Another one for each of the two, by the AS of the router. */
const signed = (asn: number) =>
  password === ""
    ? {}
    : {
        authentication: {
          type: "tcp-md5" as const,
          secret: { name: `${password}-${asn}`, version: "1", digest: "" },
        },
      };
await speaker.apply(
  {
    localAs: 64512,
    routerId: host.ipv4,
    neighbors: [spokenNeighbor(far.ipv4, { remote, ...signed(64999) })],
  },
  {
    vrf: "blue",
    localAs: 64512,
    routerId: host.ipv4,
    neighbors: [spokenNeighbor(far.ipv4, { vrf: "blue", remote, ...signed(64998) })],
  },
);
const inBlue = () => speaker.session(keyOf(far.ipv4, "blue"));
const outside = () => speaker.session(keyOf(far.ipv4));
const wait = (what: string, look: () => Promise<boolean>) =>
  until(look, {
    what,
    explain: async () =>
      `${await speaker.explain()}\n${await birdFar.explain()}\n${await birdBlue.explain()}`,
    ...PATIENT,
  });

await wait("the session outside", async () => (await outside()).received === 2);
const before = await inBlue();

await host.ip("link", "add", "blue", "type", "vrf", "table", "10");
await host.ip("link", "set", "blue0", "master", "blue");
await host.ip("address", "add", `${host.ipv4}/24`, "dev", "blue0");
await host.ip("link", "set", "blue0", "up");
await host.ip("link", "set", "blue", "up");
const since = performance.now();
await wait("the session in the VRF", async () => (await inBlue()).received === 2);
const seconds = (performance.now() - since) / 1000;
await wait("all paths", async () => (await speaker.view()).best.length === 4);
const { best, listenProblem } = await speaker.view();
const received = await speaker.received();

await host.ip("link", "delete", "blue");
await wait("the end in the VRF", async () => (await inBlue()).state === "Refused");
const after = await inBlue();
console.log(
  JSON.stringify({
    before: [before.state, before.reason],
    seconds,
    best: best.map(({ vrf, prefix, paths }) => `${vrf} ${prefix} ${paths[0]?.neighbor}`).toSorted(),
    listenProblem,
    routes: received.map(({ neighbor, prefix }) => `${neighbor} ${prefix}`).toSorted(),
    after: [after.state, after.reason, after.received],
    outside: [(await outside()).state, (await outside()).resets],
  }),
);
