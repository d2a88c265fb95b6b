/**
 * Who rests in bench/idle.ts: the agent with its BFD process, BIRD, FRR's daemons and gobgpd, each in a node of its own.
 *
 * Each has the same two peers and announces 100 prefixes of its own to both; with `bfd`, each that can guards both sessions
 * with BFD at 300 ms. Configured as its users have it: what a live test shortens for speed is put back. Reads next: idle.ts.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startAgent } from "../test/live/agent.ts";
import { startBird } from "../test/live/bird.ts";
import { startFrrDaemons } from "../test/live/frr-daemons.ts";
import { frrConfig } from "../test/live/frr-config.ts";
import { startGobgpd } from "../test/live/gobgpd.ts";
import {
  advertisementManifest,
  ALWAYS,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "../test/live/manifests.ts";
import type { Node } from "../test/live/netns.ts";
import type { RouterPlan } from "../test/live/router.ts";
import { until } from "../test/live/until.ts";

export const PREFIXES = 100;
export const NEAR_AS = 64512;
export const FAR_AS = 64999;
export const INTERVAL_MILLIS = 300;

export type Resting = { readonly name: string; readonly pid: number };

type Peers = readonly { readonly ipv4: string }[];

/** Resolves with the processes that belong to it. They end with their network. */
type Start = (node: Node, peers: Peers, bfd: boolean) => Promise<readonly Resting[]>;

/** `program`: another agent/main.ts or a bundle, where that is measured. */
const rutter =
  (name: string, config: string, program: string | undefined): Start =>
  async (node, peers, bfd) => {
    const ownBfd = bfd ? await packagedBfd(node, program) : "";
    const agent = await startAgent(node, {
      config: config + ownBfd,
      listen: "0.0.0.0:179",
      ...(program === undefined ? {} : { program }),
    });
    const profile = [
      "apiVersion: metallb.io/v1beta1",
      "kind: BFDProfile",
      "metadata: {name: guard, namespace: metallb-system}",
      `spec: {receiveInterval: ${INTERVAL_MILLIS}, transmitInterval: ${INTERVAL_MILLIS}}`,
    ].join("\n");
    const applied = await agent.apply(
      documents(
        poolManifest([`198.18.${node.ipv4.split(".")[3]}.0/24`]),
        advertisementManifest(),
        ...(bfd ? [profile] : []),
        ...peers.map(({ ipv4 }, i) =>
          peerManifest({
            name: `far${i}`,
            localAs: NEAR_AS,
            remoteAs: FAR_AS,
            address: ipv4,
            extra: bfd ? ["bfdProfile: guard"] : [],
          }),
        ),
        ...Array.from({ length: PREFIXES }, (_, i) => serviceManifest(`s${i}`)),
      ),
    );
    if (applied.code !== 0) throw new Error(applied.stderr);
    const held = bfd ? await bfdProcess(node) : [];
    return [{ name, pid: agent.pid }, ...held.map((pid) => ({ name: `${name} bfd`, pid }))];
  };

/** Started as rutter-bfd.service does, where the program is a package's; gives what agent.yaml says of it. */
async function packagedBfd(node: Node, program = ""): Promise<string> {
  const main = join(dirname(program), "../bfd/main.js");
  if (program === "" || !existsSync(main)) return "";
  const socket = join(node.directory, "bfd.sock");
  await node.start([process.execPath, "--single-threaded", main, "--socket", socket]);
  return `bfd: {socket: ${socket}, start: never}\n`;
}

/** Where it is no package's the agent starts it by itself, so that its pid is found by what it runs. */
function bfdProcess(node: Node): Promise<readonly number[]> {
  const isServing = (pid: string): boolean => {
    const command = `/proc/${pid}/cmdline`;
    // Whoever lists them is among them, and gone by now.
    return (
      existsSync(command) && /\0bfd\0serve\0|\/bfd\/main\.js\0/.test(readFileSync(command, "utf8"))
    );
  };
  return until(
    async () => {
      const { stdout } = await node.run(["ip", "netns", "pids", node.namespace]);
      const found = stdout.split("\n").filter((pid) => /^\d+$/.test(pid) && isServing(pid));
      return found.length > 0 && found.map(Number);
    },
    { what: "the BFD process" },
  );
}

const networks = ({ ipv4 }: Node): readonly string[] =>
  Array.from({ length: PREFIXES }, (_, i) => `198.18.${ipv4.split(".")[3]}.${i}/32`);

const planOf = (node: Node, peers: Peers, raw: readonly string[]): RouterPlan => ({
  asn: NEAR_AS,
  routerId: node.ipv4,
  networks: networks(node),
  neighbours: peers.map(({ ipv4 }, i) => ({
    name: `far${i}`,
    address: ipv4,
    asn: FAR_AS,
    families: ["ipv4"],
    raw,
  })),
});

export const birdBfd = [
  `protocol bfd { interface "*" { interval ${INTERVAL_MILLIS} ms; multiplier 3; }; }`,
];

const bird: Start = async (node, peers, bfd) => {
  const plan = planOf(node, peers, bfd ? ["bfd on;"] : []);
  const router = await startBird(node, bfd ? { ...plan, raw: birdBfd } : plan);
  await atRest(node, router);
  return [{ name: "bird", pid: router.pid }];
};

/** Live tests let BIRD look at the interfaces each second; its own default is a minute. */
export async function atRest(
  node: Node,
  router: { ask(command: string): Promise<string> },
): Promise<void> {
  const file = join(node.directory, "bird.conf");
  writeFileSync(file, readFileSync(file, "utf8").replace("scan time 1;", "scan time 60;"));
  await router.ask("configure");
}

const frr: Start = async (node, peers, bfd) => {
  const daemons = await startFrrDaemons(node);
  const raw = peers.map(({ ipv4 }) => `neighbor ${ipv4} bfd`);
  const { neighbours, ...plan } = planOf(node, peers, []);
  const own = {
    ...plan,
    neighbours: neighbours.map((one, i) => ({ ...one, raw: bfd ? [raw[i] ?? ""] : [] })),
  };
  const lines = frrConfig(own)
    .split("\n")
    .filter((line) => !line.includes("timers connect"));
  for (const { text, status } of await daemons.ask("bgpd", ["configure terminal", ...lines])) {
    if (status > 1) throw new Error(`bgpd refuses: ${text}`);
  }
  const names = bfd ? (["zebra", "bgpd", "bfdd"] as const) : (["zebra", "bgpd"] as const);
  return names.map((name) => ({ name, pid: daemons.pid(name) }));
};

const gobgp: Start = async (node, peers) => {
  const gobgpd = await startGobgpd(node);
  await gobgpd.cli("global", "as", `${NEAR_AS}`, "router-id", node.ipv4);
  for (const { ipv4 } of peers) await gobgpd.cli("neighbor", "add", ipv4, "as", `${FAR_AS}`);
  for (const one of networks(node)) await gobgpd.cli("global", "rib", "add", one);
  return [{ name: "gobgpd", pid: gobgpd.daemon().pid }];
};

/** In order of the nodes; a host whose Services have programs that listen, and one where they need none. */
export const subjects = (program: string | undefined): Readonly<Record<string, Start>> => ({
  rutter: rutter("rutter", ALWAYS, program),
  checking: rutter("checking", "endpoints: {default: listen}\n", program),
  bird,
  frr,
  gobgp,
});
