/**
 * For programs in a guest: a host with a router beside it and another one in a VRF, as an operator has made it.
 *
 * The VRF's port is a VLAN on the same cable, the VRF's router is reached by it alone. Clients' addresses are on both routers, and
 * the host's own default route leads to the wrong one: what leaves the VRF by mistake finds nobody.
 * Reads next: agent-in-vrf.ts, ../../live/netns.ts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Agent, startAgent } from "../../live/agent.ts";
import { startBird } from "../../live/bird.ts";
import { startFrrDaemons } from "../../live/frr-daemons.ts";
import { ALWAYS } from "../../live/manifests.ts";
import type { Node } from "../../live/netns.ts";
import { SHARED } from "../../probes.ts";

/** The guest has one processor for everybody: a look that starts a program takes a fifth of a second from what is awaited. */
export const PATIENT = { timeoutMs: 60_000, everyMs: 500 };

export type Nodes = Readonly<Record<"host" | "far" | "near", Node>>;

export type VrfPlan = {
  readonly vrf: string;
  readonly table: number;
  /** The VRF's network, as /24: the router's address and the host's. */
  readonly router: string;
  readonly host: string;
};

/** Where the clients are, and the network that both routers announce for them. */
export const CLIENT = "198.51.100.1";
export const CLIENTS = "198.51.100.0/24";
const VLAN = "vlan1001";

const vlan = async (node: Node, address: string, master: readonly string[]): Promise<void> => {
  await node.ip("link", "add", "link", "eth0", "name", VLAN, "type", "vlan", "id", "1001");
  if (master.length > 0) await node.ip("link", "set", VLAN, ...master);
  await node.ip("address", "add", `${address}/24`, "dev", VLAN);
  await node.ip("link", "set", VLAN, "up");
};

/** Everything but the host's VRF device and its port. */
export async function prepare({ host, far, near }: Nodes, plan: VrfPlan): Promise<void> {
  await vlan(near, plan.router, []);
  for (const node of [far, near]) await node.ip("address", "add", `${CLIENT}/32`, "dev", "lo");
  await host.ip("route", "add", "default", "via", far.ipv4);
  // What `doctor` asks for where programs outside of the VRF serve what is inside.
  await host.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/tcp_l3mdev_accept"]);
}

export async function makeVrf({ host }: Nodes, plan: VrfPlan): Promise<void> {
  await host.ip("link", "add", plan.vrf, "type", "vrf", "table", String(plan.table));
  await host.ip("link", "set", plan.vrf, "up");
  await vlan(host, plan.host, ["master", plan.vrf]);
}

export type Origin = {
  readonly asn: number;
  readonly hostAsn: number;
  readonly hostAddress: string;
  readonly routerId: string;
  readonly networks: readonly string[];
};

export const routerPlan = ({ asn, hostAsn, hostAddress, routerId, networks }: Origin) => ({
  asn,
  routerId,
  networks,
  // It forwards by what it learns.
  raw: ["protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }"],
  neighbours: [{ name: "host", address: hostAddress, asn: hostAsn, families: ["ipv4" as const] }],
});

export const startRouter = (node: Node, origin: Origin) => startBird(node, routerPlan(origin));

const BACKENDS = ["native", "frr"] as const;
export type BackendName = (typeof BACKENDS)[number];

/** The program's argument. */
export function backendAsked(): BackendName {
  const [, , name = "native"] = process.argv;
  const found = BACKENDS.find((one) => one === name);
  if (found === undefined) throw new Error(`no backend ${name}`);
  return found;
}

/** With FRR's daemons beside it, where they speak; they end with it. The host's name is that of the examples. */
export async function startRutter(host: Node, backend: BackendName = "native"): Promise<Agent> {
  const plan = {
    config: `${ALWAYS}node: {name: wk3}\n`,
    readyTimeoutMs: 2 * PATIENT.timeoutMs,
  };
  if (backend === "native") return startAgent(host, plan);
  await using started = new AsyncDisposableStack();
  const { directory } = started.use(await startFrrDaemons(host, { kernel: true }));
  const config = `${plan.config}frr: {vtyDirectory: ${directory}}\n`;
  const agent = await startAgent(host, { ...plan, config, args: ["--backend", "frr"] });
  const daemons = started.move();
  return {
    ...agent,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await daemons.disposeAsync();
    },
  };
}

export const example = (name: string): string =>
  readFileSync(join(SHARED, "examples", name), "utf8");

export const routeImport = (name: string, spec: object): string =>
  `apiVersion: rutter/v1\nkind: RouteImport\nmetadata: {name: ${name}, namespace: metallb-system}\nspec: ${JSON.stringify(spec)}`;

/** Who brings learned routes into the kernel: the agent, or zebra. */
const PROTO: Readonly<Record<BackendName, string>> = { native: "82", frr: "bgp" };

/** Learned routes in a table, without what a reader does not care for. */
export async function learned(
  { host }: Pick<Nodes, "host">,
  table: number,
  backend: BackendName = "native",
): Promise<string[]> {
  const asked = ["table", String(table), "proto", PROTO[backend]];
  const { stdout } = await host.run(["ip", "route", "show", ...asked]);
  return stdout
    .split("\n")
    .map((line) => line.trim().replace(/nhid \d+ /, ""))
    .filter((line) => line !== "");
}

/** Full-length addresses, with the devices that they are on. */
export async function bound({ host }: Pick<Nodes, "host">, address: string): Promise<string[]> {
  const text = await host.ip("-o", "address", "show", "to", `${address}/32`);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(/\s+/)[1] ?? "");
}
