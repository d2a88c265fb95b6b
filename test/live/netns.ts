/**
 * A small network of namespaces on one bridge, made for one test and taken away after it.
 *
 * Everything is created inside namespaces with names that no other run has, so runs beside each other never meet, and
 * the machine's own network is never touched: no interface is made in it, no address, no route.
 *
 *     host ──eth0──┐
 *     bird ──eth0──┼── br0 (namespace "switch")      node n: 10.99.0.n/24 and fd99::n/64, in the order given
 *     frr  ──eth0──┘
 *
 * Read next: bird.ts, frr.ts, agent.ts (what runs in the nodes).
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, type Finished, run, startDaemon } from "./daemon.ts";

export type Node = {
  readonly name: string;
  /** The namespace's name, as `ip netns exec` takes it. */
  readonly namespace: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** A directory of this node alone, removed with the network. */
  readonly directory: string;
  run(argv: readonly string[], options?: Parameters<typeof run>[1]): Promise<Finished>;
  /** Starts a daemon that ends, at the latest, with the network. */
  start(argv: readonly string[], options?: Parameters<typeof startDaemon>[1]): Promise<Daemon>;
  /** `ip -n NAMESPACE …`; throws when ip refuses. */
  ip(...args: readonly string[]): Promise<string>;
  /** Cuts the node's cable or mends it; both ends keep their addresses. */
  cable(state: "up" | "down"): Promise<void>;
};

export type Network<Name extends string> = AsyncDisposable & {
  readonly nodes: Readonly<Record<Name, Node>>;
};

/** Each node is a namespace, a veth pair and a bridge port; a test that asks for more than this has a loop gone wild. */
const NODES_LIMIT = 32;

const living = new Set<string>();
process.once("exit", () => {
  for (const namespace of living) spawnSync("ip", ["netns", "delete", namespace]);
});

async function mustRun(argv: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await run(argv, { input });
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr.trim()}${input && `\n${input}`}`);
  return stdout;
}

async function addNamespace(namespace: string): Promise<void> {
  await mustRun(["ip", "netns", "add", namespace]);
  living.add(namespace);
  // Link-local addresses, too, shall be usable at once (RFC 4862 §5.4 asks for a second of silence before).
  const knob = "/proc/sys/net/ipv6/conf/default/accept_dad";
  await mustRun(["ip", "netns", "exec", namespace, "sh", "-c", `echo 0 > ${knob}`]);
}

async function removeNamespace(namespace: string): Promise<void> {
  await run(["ip", "netns", "delete", namespace]);
  living.delete(namespace);
}

/** Without duplicate address detection a v6 address can be bound at once; with it, only after more than a second. */
const nodeBatch = (ipv4: string, ipv6: string): string => `link set lo up
address add ${ipv4}/24 dev eth0
address add ${ipv6}/64 dev eth0 nodad
link set eth0 up
`;

const portBatch = (namespace: string, port: string): string =>
  `link add ${port} type veth peer name eth0 netns ${namespace}
link set ${port} master br0 up
`;

/** A directory that daemons which gave up root can pass through, and not list. */
function passable(directory: string): string {
  mkdirSync(directory);
  chmodSync(directory, 0o711);
  return directory;
}

type Wiring = { readonly switchName: string; readonly port: string; readonly directory: string };

function nodeOf(
  name: string,
  namespace: string,
  index: number,
  wiring: Wiring,
  started: Daemon[],
): Node {
  const inside = (argv: readonly string[]) => ["ip", "netns", "exec", namespace, ...argv];
  return {
    name,
    namespace,
    ipv4: `10.99.0.${index}`,
    ipv6: `fd99::${index.toString(16)}`,
    directory: passable(join(wiring.directory, name)),
    run: (argv, options) => run(inside(argv), options),
    start: async (argv, options) => {
      const daemon = await startDaemon(inside(argv), options);
      started.push(daemon);
      return daemon;
    },
    ip: (...args) => mustRun(["ip", "-n", namespace, ...args]),
    cable: async (state) => {
      await mustRun(["ip", "-n", wiring.switchName, "link", "set", wiring.port, state]);
    },
  };
}

function byName<Name extends string>(
  names: readonly Name[],
  nodes: readonly Node[],
): Readonly<Record<Name, Node>> {
  const find = (name: Name): Node => {
    const node = nodes[names.indexOf(name)];
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  };
  // Object.fromEntries forgets the keys' type.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(names.map((name) => [name, find(name)])) as Record<Name, Node>;
}

async function wire(nodes: readonly Node[], switchName: string): Promise<void> {
  const ports = nodes.map((node, index) => portBatch(node.namespace, `port${index + 1}`));
  // A bridge without spanning tree forwards at once.
  const bridge = "link set lo up\nlink add br0 type bridge stp_state 0 forward_delay 0\n";
  await mustRun(
    ["ip", "-n", switchName, "-batch", "-"],
    `${bridge}link set br0 up\n${ports.join("")}`,
  );
  for (const node of nodes) {
    await mustRun(["ip", "-n", node.namespace, "-batch", "-"], nodeBatch(node.ipv4, node.ipv6));
  }
}

async function endAll(namespace: string): Promise<void> {
  const { stdout } = await run(["ip", "netns", "pids", namespace]);
  for (const pid of stdout.split("\n").filter((line) => line !== "")) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}

/** Makes a namespace per name, all on one bridge. Needs root. On failure everything made so far is taken away again. */
export async function makeNetwork<const Name extends string>(
  names: readonly Name[],
): Promise<Network<Name>> {
  if (names.length > NODES_LIMIT) throw new Error(`${names.length} nodes are too many`);
  const prefix = `rutter-${process.pid}-${randomBytes(3).toString("hex")}`;
  const switchName = `${prefix}-switch`;
  const directory = passable(join(tmpdir(), prefix));
  const started: Daemon[] = [];
  const namespaces = [switchName, ...names.map((name) => `${prefix}-${name}`)];

  const dispose = async (): Promise<void> => {
    await Promise.all(started.map((daemon) => daemon.stop("SIGKILL")));
    // What outlives its starter by design (the BFD process) ends here: only this run's processes are in these namespaces.
    for (const namespace of namespaces) await endAll(namespace);
    await Promise.all(namespaces.map(removeNamespace));
    rmSync(directory, { recursive: true, force: true });
  };

  try {
    for (const namespace of namespaces) await addNamespace(namespace);
    const nodes = names.map((name, position) =>
      nodeOf(
        name,
        `${prefix}-${name}`,
        position + 1,
        { switchName, port: `port${position + 1}`, directory },
        started,
      ),
    );
    await wire(nodes, switchName);
    return { nodes: byName(names, nodes), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
