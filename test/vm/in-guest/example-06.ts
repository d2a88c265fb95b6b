/**
 * Run in a guest: example 06 by the whole agent, a router outside and one in vrf1, each with more to say than it may.
 *
 * The argument says who speaks. Prints what was seen as JSON; nothing is asserted here. Reads next: vrf.ts, ../vrf-examples.live.test.ts.
 */
import { apiOf } from "../../live/api.ts";
import { makeNetwork } from "../../live/netns.ts";
import { until } from "../../live/until.ts";
import {
  backendAsked,
  example,
  learned,
  makeVrf,
  PATIENT,
  prepare,
  routerPlan,
  startRouter,
  startRutter,
} from "./vrf.ts";

const plan = { vrf: "vrf1", table: 11, router: "172.19.11.1", host: "172.19.11.2" };
const outsideRouter = "172.18.20.1";
const outsideHost = "172.18.20.2";
/** Each announces both host routes and a network: the filter of its session lets one in. */
const networks = ["172.19.20.181/32", "172.19.20.190/32", "198.51.100.0/24"];
const backend = backendAsked();
/** bgpd counts what it took in, and not what its filter refused. */
const counted = backend === "frr" ? 1 : networks.length;

await using network = await makeNetwork(["host", "far", "near"]);
const { host, far, near } = network.nodes;
await prepare(network.nodes, plan);
await makeVrf(network.nodes, plan);
await far.ip("address", "add", `${outsideRouter}/24`, "dev", "eth0");
await host.ip("address", "add", `${outsideHost}/24`, "dev", "eth0");
const outside = {
  asn: 65102,
  hostAsn: 65801,
  hostAddress: outsideHost,
  routerId: outsideRouter,
  networks,
};
const inside = {
  asn: 65103,
  hostAsn: 65801,
  hostAddress: plan.host,
  routerId: plan.router,
  networks,
};
await using birdOutside = await startRouter(far, outside);
await using birdInside = await startRouter(near, inside);
await using agent = await startRutter(host, backend);
const api = apiOf(agent.socket);
const explain = async () =>
  `${await host.ip("route", "show", "table", "all")}\n${await agent.explain()}\n${await birdOutside.explain()}\n${await birdInside.explain()}`;
const wait = (what: string, look: () => Promise<boolean>) =>
  until(look, { what, explain, ...PATIENT });
type Peer = { readonly vrf: string; readonly received: number; readonly accepted: number };

const text = example("06-generated-frrconfiguration.yaml");
const { code } = await agent.apply(text);
await wait("what both routers say", async () =>
  (await api.get<Peer[]>("/v1/peers")).every(({ received }) => received === counted),
);
const told = async (bird: typeof birdInside) =>
  (await bird.routes()).map(({ prefix, nextHop }) => `${prefix} via ${nextHop}`);
await wait("what each is told", async () =>
  (await Promise.all([birdOutside, birdInside].map(told))).every(({ length }) => length === 1),
);
const tables = async () => ({
  main: await learned(network.nodes, 254, backend),
  vrf1: await learned(network.nodes, 11, backend),
});
const both = (count: number) =>
  wait(`${count} learned in each table`, async () =>
    Object.values(await tables()).every(({ length }) => length === count),
  );
// To bgpd a prefix that it originates itself is better than what it learns of it.
await both(backend === "frr" ? 0 : 1);
const peers = async () =>
  (await api.get<Peer[]>("/v1/peers")).map(({ vrf, accepted }) => `${vrf}: ${accepted}`).toSorted();
const asItStands = {
  peers: await peers(),
  tables: await tables(),
  outside: await told(birdOutside),
  inside: await told(birdInside),
  problems: (await api.get<{ kernel: { problems: object[] } }>("/v1/status")).kernel.problems,
};
const announcingNothing = text
  .replaceAll(/^ +prefixes: .*\n/gm, "")
  .replaceAll(/^ +toAdvertise: .*\n/gm, "");
await agent.apply(announcingNothing);
await wait("that nothing is told", async () =>
  (await Promise.all([birdOutside, birdInside].map(told))).every(({ length }) => length === 0),
);
await both(1);
const announcing = { nothing: await tables(), peers: await peers() };
await birdInside.reconfigure(routerPlan({ ...inside, networks: [] }));
await wait("the withdrawal", async () => (await tables()).vrf1.length === 0);
console.log(JSON.stringify({ code, asItStands, announcing, after: await tables() }));
