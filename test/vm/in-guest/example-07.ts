/**
 * Run in a guest: example 07 by the whole agent. A VIP in vrf1, whose own traffic and replies leave through vrf1 alone.
 *
 * The same under a kernel without nft and one with it: the source of the VIP's own traffic is what differs. The VRF is the operator's,
 * its default route as in the example. The argument says who speaks. Prints what was seen as JSON; nothing is asserted here.
 * Reads next: vrf.ts, ../vrf-examples.live.test.ts, ../full/.
 */
import { apiOf } from "../../live/api.ts";
import { makeNetwork } from "../../live/netns.ts";
import { call, serve } from "../../live/tcp.ts";
import { until } from "../../live/until.ts";
import {
  backendAsked,
  bound,
  CLIENT,
  example,
  makeVrf,
  PATIENT,
  prepare,
  startRouter,
  startRutter,
} from "./vrf.ts";

const VIP = "172.19.20.190";
const plan = { vrf: "vrf1", table: 11, router: "172.19.11.1", host: "172.19.11.2" };
/** The Service's container, behind a cable of the host outside of the VRF, and the address that its check names. */
const CONTAINER = "172.17.0.2";
const inside = ["ip", "vrf", "exec", plan.vrf];

const backend = backendAsked();
await using network = await makeNetwork(["host", "far", "near", "container"]);
const { host, near, container } = network.nodes;
await prepare(network.nodes, plan);
await makeVrf(network.nodes, plan);
// The example's NodeNetworkConfigurationPolicy, which is the operator's.
await host.ip("route", "add", "default", "via", plan.router, "metric", "150", "table", "11");
await host.ip("rule", "add", "to", "172.17.0.0/24", "priority", "998", "lookup", "main");
await host.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
await host.ip("address", "add", "172.17.0.1/24", "dev", "eth0");
await container.ip("address", "add", `${CONTAINER}/24`, "dev", "eth0");
await container.ip("route", "add", "default", "via", "172.17.0.1");
await near.ip("route", "add", "172.17.0.0/24", "via", plan.host);
await using bird = await startRouter(near, {
  asn: 65103,
  hostAsn: 65801,
  hostAddress: plan.host,
  routerId: plan.router,
  networks: [],
});
await using agent = await startRutter(host, backend);
const api = apiOf(agent.socket);
const explain = async () =>
  `${await agent.explain()}\n${await host.ip("rule")}\n${await bird.explain()}`;
const wait = (what: string, look: () => Promise<unknown>) =>
  until(async () => (await look()) as boolean, { what, explain, ...PATIENT });
const rules = async (): Promise<string[]> =>
  (await host.ip("rule"))
    .split("\n")
    .map((line) => line.replaceAll(/\s+/g, " ").trim())
    .filter((line) => line.includes("from 17"));
type Told = { readonly kernel: { readonly problems: readonly { readonly reason: string }[] } };
const problems = async () =>
  (await api.get<Told>("/v1/status")).kernel.problems.map(({ reason }) => reason);
/** As the operator reads it. */
const said = async (command: string, about: RegExp): Promise<string[]> =>
  (await agent.rutter(command)).stdout.split("\n").filter((line) => about.test(line));

/** The Service's own check names where it runs; it listens there, so that it is announced. The guest may be slow to answer. */
await using endpoints = new AsyncDisposableStack();
endpoints.use(await serve(container, { address: CONTAINER }));
const endpoint = `
---
apiVersion: rutter/v1
kind: ServiceEndpoint
metadata: {name: lbsvc-vrf1}
spec: {check: {type: tcp, port: 8080, address: ${CONTAINER}}, timeoutSeconds: 2, fall: 10}
`;
const { code } = await agent.apply(example("07-vrf-egress.yaml") + endpoint);
await wait("the VIP at the router", () => bird.route(`${VIP}/32`));
await wait("both rules", async () => (await rules()).length === 2);
await wait("the way to the VIP", async () =>
  (await near.ip("route", "get", VIP)).includes(plan.host),
);

/** Who hears whom: clients to the VIP, and the other way from the VIP, the container and the host itself. */
async function traffic() {
  await using servers = new AsyncDisposableStack();
  servers.use(await serve(near, { address: CLIENT }));
  servers.use(await serve(host, { port: 8081 }));
  servers.use(await serve(host, { address: VIP, under: inside }));
  return {
    toProgramOutside: await call(near, VIP, { address: CLIENT, port: 8081 }),
    toProgramInside: await call(near, VIP, { address: CLIENT }),
    fromVip: await call(host, CLIENT, { address: VIP, under: inside }),
    fromContainer: await call(container, CLIENT),
  };
}
const byNumber = {
  rules: await rules(),
  bound: await bound(network.nodes, VIP),
  traffic: await traffic(),
  status: await said("status", /^KERNEL/),
  doctor: await said("doctor", /source NAT/),
};
// The same VRF by its name.
const named = example("07-vrf-egress.yaml").replace('network: "11"', "network: vrf1");
await api.apply(named + endpoint);
await wait("its rules", async () => (await rules()).length === 2);
const byName = { rules: await rules(), traffic: await traffic() };
await agent.rutter("delete", "egressservice", "lbsvc-vrf1");
await wait("no rule", async () => (await rules()).length === 0);
console.log(JSON.stringify({ code, byNumber, byName, after: await problems() }));
