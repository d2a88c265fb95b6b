/**
 * Run in a guest: example 03 by the whole agent. The VRF comes late, goes, and comes back under another number.
 *
 * Prints what was seen as JSON; nothing is asserted here. Reads next: vrf.ts, ../vrf-examples.live.test.ts.
 */
import { apiOf } from "../../live/api.ts";
import { documents } from "../../live/manifests.ts";
import { makeNetwork } from "../../live/netns.ts";
import { call, serve } from "../../live/tcp.ts";
import { until } from "../../live/until.ts";
import {
  bound,
  CLIENT,
  CLIENTS,
  example,
  learned,
  makeVrf,
  PATIENT,
  prepare,
  routeImport,
  routerPlan,
  startRouter,
  startRutter,
} from "./vrf.ts";

const VIP = "192.169.10.0";
const plan = { vrf: "ens4vrf", table: 10, router: "192.168.130.1", host: "192.168.130.2" };
const origin = {
  asn: 200,
  hostAsn: 100,
  hostAddress: plan.host,
  routerId: plan.router,
  networks: [CLIENTS],
};
const inside = ["ip", "vrf", "exec", plan.vrf];

await using network = await makeNetwork(["host", "far", "near"]);
const { host, near } = network.nodes;
await prepare(network.nodes, plan);
await using bird = await startRouter(near, origin);
await using agent = await startRutter(host);
const api = apiOf(agent.socket);
const explain = async () =>
  `${await agent.explain()}\n${await host.ip("route", "show", "table", "10")}\n${await bird.explain()}`;
const wait = (what: string, look: () => Promise<unknown>) =>
  until(async () => (await look()) as boolean, { what, explain, ...PATIENT });
type Status = {
  readonly peers: readonly { readonly reason: string }[];
  readonly kernel: { readonly problems: readonly { entry: string; reason: string }[] };
};
const status = async () => {
  const { peers, kernel } = await api.get<Status>("/v1/status");
  return { peers: peers.map(({ reason }) => reason), problems: kernel.problems };
};

const imports = routeImport("clients", {
  vrf: plan.vrf,
  prefixes: [{ prefix: CLIENTS, le: 32 }],
});
const { code } = await agent.apply(documents(example("03-vrf.yaml"), imports));
const missing = () =>
  wait("what is missing, said of the VIP and of the peer", async () => {
    const { peers, problems } = await status();
    return problems.length > 0 && peers.some((reason) => reason.includes("VRF device"));
  });
await missing();
const before = await status();

await makeVrf(network.nodes, plan);
await wait("the VIP at the router", () => bird.route(`${VIP}/32`));
await wait("the clients' network", async () => (await learned(network.nodes, 10)).length === 1);
const during = {
  ...(await status()),
  routes: await learned(network.nodes, 10),
  bound: await bound(network.nodes, VIP),
  nextHop: (await bird.route(`${VIP}/32`))?.nextHop,
  // Both sockets of a session are named with the device that they are bound to.
  sockets: (await host.run(["ss", "-Htn", "state", "established", "dst", plan.router])).stdout,
};
await wait("the way to the VIP", async () =>
  (await near.ip("route", "get", VIP)).includes(plan.host),
);
const outside = await serve(host, {});
const toProgramOutside = await call(near, VIP, { address: CLIENT });
await outside[Symbol.asyncDispose]();
await using servers = new AsyncDisposableStack();
servers.use(await serve(host, { address: VIP, under: inside }));
const toProgramInside = await call(near, VIP, { address: CLIENT });
servers.use(await serve(near, { address: CLIENT }));
const fromVip = await call(host, CLIENT, { address: VIP, under: inside });
const fromHost = await call(host, CLIENT, { under: inside });

await bird.reconfigure(routerPlan({ ...origin, networks: [] }));
await wait("no route", async () => (await learned(network.nodes, 10)).length === 0);
await bird.reconfigure(routerPlan(origin));
await wait("the route again", async () => (await learned(network.nodes, 10)).length === 1);

await host.ip("link", "delete", plan.vrf);
await host.ip("link", "delete", "vlan1001");
await missing();
const after = await status();
await makeVrf(network.nodes, { ...plan, table: 12 });
// It would keep the old session for as long as its hold time.
await bird.ask("restart host");
const ups = async () => (await bird.session(plan.host)).timesEstablished;
await wait("the session again", async () => (await ups()) === 2);
await wait("the VIP at the router again", () => bird.route(`${VIP}/32`));
await wait("the route in its new table", async () => (await learned(network.nodes, 12)).length > 0);
console.log(
  JSON.stringify({
    code,
    before,
    during,
    traffic: { toProgramOutside, toProgramInside, fromVip, fromHost },
    after,
    again: { ...(await status()), bound: await bound(network.nodes, VIP) },
  }),
);
