/**
 * nats-server in a node, alone or as one of a cluster, with JetStream on a disk of the node's own directory.
 *
 * Clients reach it on the node's address; whoever speaks to it must be in a namespace of the same network. A server that was
 * killed is started again on its old store. Read next: fleet-client.ts (a client in a node).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "./daemon.ts";
import type { Node } from "./netns.ts";
import { lastLines } from "./router.ts";
import { serving, until } from "./until.ts";

const CLIENT_PORT = 4222;
const CLUSTER_PORT = 6222;
const MONITOR_PORT = 8222;

export type NatsPlan = {
  /** All members of the cluster, this one too; JetStream elects a leader among them. */
  readonly cluster?: readonly Node[];
  /** Further text of its configuration: an `authorization` block, `tls`, limits. */
  readonly config?: string;
};

export type NatsServer = AsyncDisposable & {
  readonly url: string;
  readonly running: () => boolean;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Again on the same store, where it ended or was killed. */
  restart(): Promise<void>;
  /** Takes another `config`, without a restart; connections that it no longer allows end. */
  reload(config: string): Promise<void>;
  /** JetStream has a leader, which this server knows. */
  led(): Promise<void>;
  log(): string;
};

const configOf = (node: Node, { cluster = [], config = "" }: NatsPlan): string => `
server_name: ${node.name}
host: 0.0.0.0
port: ${CLIENT_PORT}
http: "127.0.0.1:${MONITOR_PORT}"
jetstream { store_dir: "${join(node.directory, "jetstream")}", max_file_store: 2GB, max_memory_store: 256MB }
${
  cluster.length === 0
    ? ""
    : `cluster {
  name: test
  listen: "0.0.0.0:${CLUSTER_PORT}"
  routes: [${cluster.map(({ ipv4 }) => `"nats-route://${ipv4}:${CLUSTER_PORT}"`).join(", ")}]
}`
}
${config}
`;

export async function startNats(node: Node, plan: NatsPlan = {}): Promise<NatsServer> {
  const file = join(node.directory, "nats.conf");
  const monitor = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const script = `fetch("http://127.0.0.1:${MONITOR_PORT}/${path}").then(async (r) => console.log(await r.text()))`;
    const { stdout } = await node.run([process.execPath, "-e", script]);
    return JSON.parse(stdout) as Readonly<Record<string, unknown>>;
  };
  const start = async (): Promise<Daemon> => {
    const started = await node.start(["nats-server", "-c", file]);
    const isReady = (): Promise<unknown> =>
      started.stderr().includes("Server is ready")
        ? Promise.resolve()
        : Promise.reject(new Error("not ready"));
    await serving(started, isReady, {
      what: `nats-server in ${node.name}`,
      explain: () => lastLines(started.stderr()),
    });
    return started;
  };
  writeFileSync(file, configOf(node, plan));
  let daemon = await start();
  return {
    url: `nats://${node.ipv4}:${CLIENT_PORT}`,
    running: () => daemon.running(),
    async kill() {
      await daemon.stop("SIGKILL");
    },
    async restart() {
      await daemon.ended;
      daemon = await start();
    },
    async reload(config) {
      const reloads = () => daemon.stderr().split("Reloaded server configuration").length;
      const before = reloads();
      writeFileSync(file, configOf(node, { ...plan, config }));
      process.kill(daemon.pid, "SIGHUP");
      await until(() => reloads() > before, {
        what: `the reload of nats-server in ${node.name}`,
        explain: () => lastLines(daemon.stderr()),
      });
    },
    async led() {
      const look = async (): Promise<boolean> => {
        const { meta_cluster: meta } = await monitor("jsz");
        return (meta as { leader?: string } | undefined)?.leader !== undefined;
      };
      await until(look, {
        what: `a leader of JetStream, in ${node.name}`,
        timeoutMs: 60_000,
        explain: () => lastLines(daemon.stderr()),
      });
    },
    log: () => daemon.stderr(),
    async [Symbol.asyncDispose]() {
      await daemon.stop("SIGKILL");
    },
  };
}

/** One on each node. Resolves when they have elected a leader. */
export async function startCluster(
  nodes: readonly Node[],
  config = "",
): Promise<readonly NatsServer[]> {
  const servers = await Promise.all(
    nodes.map((node) => startNats(node, { cluster: nodes, config })),
  );
  await Promise.all(servers.map((server) => server.led()));
  return servers;
}
