/**
 * gobgpd in a node, and the backend that drives it from here over its Unix socket.
 *
 * The daemon is in the node's namespace, its socket in the node's directory, so the backend runs in the test's own process.
 * Read next: gobgp.live.test.ts.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { SessionStatus, ShownRoute, SpeakerBackend } from "../../backends/backend.ts";
import { systemClock } from "../../backends/clock.ts";
import { createGobgpBackend, type GobgpOptions } from "../../backends/gobgp/gobgp-backend.ts";
import type {
  NeighborIntent,
  OwnRoute,
  RouterIntent,
  SpeakerIntent,
} from "../../backends/intent.ts";
import { address } from "../../events/address.ts";
import { asn, type NeighborKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import { type Prefix, prefix } from "../../events/prefix.ts";
import type { Daemon } from "./daemon.ts";
import type { Node } from "./netns.ts";
import { serving, until } from "./until.ts";

export type Gobgpd = AsyncDisposable & {
  readonly socket: string;
  readonly daemon: () => Daemon;
  /** The command line, as somebody at the host uses it; throws where it refuses. */
  cli(...argv: readonly string[]): Promise<string>;
  /** After an end: another one in the same place. */
  restart(): Promise<void>;
};

export async function startGobgpd(node: Node): Promise<Gobgpd> {
  const socket = join(node.directory, "gobgpd.sock");
  const cli = async (...argv: readonly string[]): Promise<string> => {
    const done = await node.run(["gobgp", "--target", `unix://${socket}`, ...argv]);
    if (done.code !== 0) throw new Error(`gobgp ${argv.join(" ")}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  };
  const start = async (): Promise<Daemon> => {
    rmSync(socket, { force: true });
    const started = await node.start([
      "gobgpd",
      "--api-hosts",
      `unix://${socket}`,
      "--pprof-disable",
    ]);
    await serving(started, () => cli("neighbor"), {
      what: `gobgpd in ${node.name}`,
      explain: () => started.stdout() + started.stderr(),
    });
    return started;
  };
  let daemon = await start();
  return {
    socket,
    cli,
    daemon: () => daemon,
    async restart() {
      await daemon.ended;
      daemon = await start();
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop("SIGKILL");
    },
  };
}

export type Driven = AsyncDisposable & {
  readonly backend: SpeakerBackend;
  /** What the backend logged, oldest first. */
  readonly log: readonly string[];
  session(key: NeighborKey): SessionStatus;
  established(key: NeighborKey): Promise<SessionStatus>;
  received(): Promise<readonly ShownRoute[]>;
  advertised(): Promise<readonly ShownRoute[]>;
  explain(): string;
};

export function driveGobgpd(
  socket: string,
  {
    listen = "0.0.0.0",
    ...given
  }: Partial<Omit<GobgpOptions, "listen">> & { readonly listen?: string } = {},
): Driven {
  const log: string[] = [];
  const keep = (fields: object, message: string): void => {
    log.push(`${message} ${JSON.stringify(fields)}`);
  };
  const backend = createGobgpBackend({
    clock: systemClock,
    logger: { info: keep, warn: keep, error: keep },
    // A test's secret is no secret: its name is its value.
    reveal: ({ name }) => name,
    restart: { restarting: false, forwardingPreserved: false },
    listen: [{ address: address(listen), port: 179 }],
    gobgpd: { address: `unix:${socket}`, tls: undefined },
    takeOver: "none",
    supervise: undefined,
    ...given,
  });
  const all = async (direction: "received" | "advertised"): Promise<readonly ShownRoute[]> => {
    const routes: ShownRoute[] = [];
    for await (const one of backend.routes(direction)) routes.push(one);
    return routes;
  };
  const session = (key: NeighborKey): SessionStatus => {
    const found = backend.sessions().find(({ neighbor }) => neighbor === key);
    if (found === undefined) throw new Error(`no session ${key}`);
    return found;
  };
  const explain = (): string =>
    `${JSON.stringify(backend.sessions(), undefined, 1)}\n${log.join("\n")}`;
  return {
    backend,
    log,
    session,
    established: (key) =>
      until(() => session(key).state === "Established" && session(key), {
        what: `the session ${key}`,
        timeoutMs: 60_000,
        explain,
      }),
    received: () => all("received"),
    advertised: () => all("advertised"),
    explain,
    [Symbol.asyncDispose]: () => backend.close("graceful"),
  };
}

export type IntentPlan = {
  readonly localAs?: number;
  readonly routerId?: string;
  readonly neighbors: readonly NeighborIntent[];
  /** By prefix, what is told to whom. */
  readonly routes?: Readonly<Record<string, OwnRoute["exports"]>>;
};

export function intentOf({
  localAs = 64512,
  routerId = "10.99.0.1",
  neighbors,
  routes = {},
}: IntentPlan): SpeakerIntent {
  let map = PersistentMap.empty<Prefix, OwnRoute>();
  for (const [text, exports] of Object.entries(routes)) {
    map = map.set(prefix(text), { prefix: prefix(text), exports, provenance: [] });
  }
  const router: RouterIntent = {
    key: `|${localAs}|${routerId}`,
    vrf: "",
    localAs: asn(localAs),
    routerId: address(routerId),
    neighbors,
    routes: map,
    imports: [],
    evpn: undefined,
  };
  return { routers: [router], raw: [] };
}

/** Nothing is said beyond the prefix. */
export const plainly = {
  localPref: undefined,
  med: undefined,
  communities: [],
  largeCommunities: [],
  nextHop: undefined,
} as const;

export const never = (): AbortSignal => new AbortController().signal;
