/**
 * The one network of all contract scenarios: a host, FRR and BIRD as its routers outside and inside of its AS, and a hop between.
 *
 *     host ──┬── frr, bird              AS 64999, AS 64998
 *            ├── frrInside, birdInside  AS 64512, as the host
 *            └── hop ── the same routers' loopback addresses
 *
 * A session is a lane: each lane has addresses of its own at both ends, so that one router can have several sessions with the
 * host and its table tells them apart. Addresses follow from the order of names here (../live/netns.ts), so scenarios are data.
 * Read next: scenario.ts, session.ts.
 */
import type { Family } from "../../events/address.ts";
import type { Network, Node } from "../live/netns.ts";

export const FAR_NAMES = ["frr", "bird", "frrInside", "birdInside"] as const;
export type FarName = (typeof FAR_NAMES)[number];
const NODE_NAMES = ["host", ...FAR_NAMES, "hop"] as const;
type NodeName = (typeof NODE_NAMES)[number];
export type World = Network<NodeName>;
export { NODE_NAMES };

export const HOST_AS = 64512;
export const AS_OF: Readonly<Record<FarName, number>> = {
  frr: 64999,
  bird: 64998,
  frrInside: HOST_AS,
  birdInside: HOST_AS,
};
export const isInside = (far: FarName): boolean => AS_OF[far] === HOST_AS;

/** Lane 0 has the addresses that every network of live tests has; where a lane `hops`, its routers are behind the hop. */
export const LANES = [
  { hops: false },
  { hops: false },
  { hops: true },
  { hops: true },
  { hops: false },
] as const;
export type Lane = 0 | 1 | 2 | 3 | 4;

const position = (name: NodeName): number => NODE_NAMES.indexOf(name) + 1;

/** A node's address of a lane on the link. */
export function linkAddress(name: NodeName, family: Family, lane: Lane): string {
  if (family === "ipv4") return `10.99.${lane}.${position(name)}`;
  return lane === 0 ? `fd99::${position(name)}` : `fd99:0:0:${lane}::${position(name)}`;
}

/** Where the host reaches a router in this lane. */
export function farAddress(far: FarName, family: Family, lane: Lane): string {
  if (!LANES[lane].hops) return linkAddress(far, family, lane);
  return family === "ipv4"
    ? `10.98.${lane}.${position(far)}`
    : `fd98:0:0:${lane}::${position(far)}`;
}

const FAMILIES = ["ipv4", "ipv6"] as const;

/** Gives the nodes the addresses and ways of all lanes but lane 0, which they have. */
export async function prepareLanes({ nodes }: World, lanes: readonly Lane[]): Promise<void> {
  const more = lanes.filter((lane) => lane !== 0);
  const batches = NODE_NAMES.map((name) => [nodes[name], linesOf(name, more)] as const);
  await Promise.all(
    batches.map(([node, lines]) =>
      mustRun(node, ["ip", "-batch", "-"], lines.map((line) => `${line}\n`).join("")),
    ),
  );
  // A hop that tells of shorter ways would be none.
  const knobs = [
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    "for each in /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $each; done",
  ];
  await mustRun(nodes.hop, ["sh", "-c", knobs.join("; ")]);
  await mustRun(nodes.host, [
    "sh",
    "-c",
    "for each in /proc/sys/net/ipv?/conf/*/accept_redirects; do echo 0 > $each; done",
  ]);
}

async function mustRun(node: Node, argv: readonly string[], input = ""): Promise<void> {
  const { code, stderr } = await node.run(argv, { input });
  if (code !== 0) throw new Error(`${argv.join(" ")} in ${node.name}: ${stderr}\n${input}`);
}

/** For `ip -batch`. */
const linesOf = (name: NodeName, lanes: readonly Lane[]): readonly string[] =>
  lanes.flatMap((lane) => FAMILIES.flatMap((family) => laneLines(name, family, lane)));

function laneLines(name: NodeName, family: Family, lane: Lane): readonly string[] {
  const [length, single, dad] = family === "ipv4" ? [24, 32, ""] : [64, 128, " nodad"];
  const own = `address add ${linkAddress(name, family, lane)}/${length} dev eth0${dad}`;
  if (!LANES[lane].hops) return [own];
  const isFar = name !== "host" && name !== "hop";
  if (isFar) return [own, `address add ${farAddress(name, family, lane)}/${single} dev lo${dad}`];
  const next = (far: FarName) => linkAddress(name === "host" ? "hop" : far, family, 0);
  const way = (far: FarName) => `${farAddress(far, family, lane)}/${single} via ${next(far)}`;
  return [own, ...FAR_NAMES.map((far) => `route add ${way(far)}`)];
}
