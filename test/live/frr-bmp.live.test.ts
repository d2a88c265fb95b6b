/**
 * bgpd with its BMP module: it is told where we listen, and what it says makes us look at once. Without the module it is told nothing.
 *
 * Times are printed, and judged by nobody. Read next: frr-process.ts (the backend in a node), frr-watch.live.test.ts.
 */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import type { Daemon } from "./daemon.ts";
import { type FrrDaemons, startFrrDaemons } from "./frr-daemons.ts";
import type { Line } from "./frr-process.ts";
import { askVty, startFrr } from "./frr.ts";
import { makeNetwork, type Node } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "frr"));

const PROGRAM = join(import.meta.dirname, "frr-process.ts");
const PATIENCE = { timeoutMs: 60_000 };

type Stage = AsyncDisposable & {
  readonly daemons: FrrDaemons;
  /** Starts the backend; it ends with the stage. */
  drive(): Promise<{ readonly driven: Daemon; readonly lines: readonly Line[] }>;
  running(): Promise<string>;
  explain(): Promise<string>;
  established(): Promise<unknown>;
  /** Lines for the router at the far end, and how long until the loss of the session was told. */
  lose(lines: readonly string[], told: readonly Line[]): Promise<{ line: Line; millis: number }>;
};

async function stage(modules: readonly string[]): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const network = stack.use(await makeNetwork(["host", "far"]));
  const { host, far } = network.nodes;
  const daemons = stack.use(await startFrrDaemons(host, { modules }));
  const peer = stack.use(
    await startFrr(far, {
      asn: 64_513,
      routerId: far.ipv4,
      neighbours: [{ name: "host", address: host.ipv4, asn: 64_512, families: ["ipv4"] }],
      networks: [],
    }),
  );
  const running = async (): Promise<string> =>
    (await daemons.ask("bgpd", ["show running-config"]))[0]?.text ?? "";
  const explain = async (): Promise<string> => `${await running()}\n${await peer.explain()}`;
  return {
    daemons,
    running,
    explain,
    async drive() {
      const lines: Line[] = [];
      const driven = await startProcess(host, daemons.directory, far.ipv4);
      stack.defer(async () => void (await driven.stop("SIGKILL")));
      driven.onLine((line) => lines.push(JSON.parse(line)));
      await until(() => driven.stdout().includes("ready") || !driven.running(), {
        ...PATIENCE,
        what: "the backend",
      });
      expect(driven.stdout()).toContain('"ready":true');
      return { driven, lines };
    },
    established: () =>
      until(async () => (await peer.session(host.ipv4)).established, {
        ...PATIENCE,
        what: "an Established session",
        explain,
      }),
    async lose(lines, told) {
      const from = told.length;
      const began = Date.now();
      await askVty(join(far.directory, "frr", "bgpd.vty"), ["enable", ...lines]);
      const line = await until(
        () =>
          told.slice(from).find(({ state, reason }) => state !== "Established" && reason !== ""),
        { ...PATIENCE, what: "the loss", explain },
      );
      return { line, millis: line.atMillis - began };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const startProcess = (host: Node, directory: string, peer: string): Promise<Daemon> =>
  host.start([process.execPath, PROGRAM, directory, "64512", "64513", peer]);

const SHUTDOWN = [
  "configure terminal",
  "router bgp 64513",
  "neighbor 10.99.0.1 shutdown message maintenance",
];
const CONNECT = /^ {2}bmp connect 127\.0\.0\.1 port (\d+) min-retry 100 max-retry 60000$/gm;

test("bgpd with the module tells the session's end by itself; its lines follow the agent, and go with it", async () => {
  await using on = await stage(["bmp"]);
  const first = await on.drive();
  const before = [...(await on.running()).matchAll(CONNECT)];
  expect(before).toHaveLength(1);
  await on.established();
  const isHeard = async (): Promise<boolean> =>
    ((await on.daemons.ask("bgpd", ["show bmp"]))[0]?.text ?? "").includes("1 connected clients");
  await until(isHeard, { ...PATIENCE, what: "bgpd's connection", explain: on.explain });

  // Killed, it takes nothing back, and the next one listens elsewhere.
  await first.driven.stop("SIGKILL");
  const second = await on.drive();
  const after = [...(await on.running()).matchAll(CONNECT)];
  expect(after).toHaveLength(1);
  expect(after[0]?.[1]).not.toBe(before[0]?.[1]);
  await until(isHeard, { ...PATIENCE, what: "bgpd's next connection", explain: on.explain });
  await until(() => second.lines.some(({ state }) => state === "Established"), {
    ...PATIENCE,
    what: "the session as seen",
    explain: on.explain,
  });

  const { line, millis } = await on.lose(SHUTDOWN, second.lines);
  process.stdout.write(`with BMP, a session that the peer ended was told after ${millis} ms\n`);
  expect(line.reason).toBe("the peer sent Cease/Administrative Shutdown: maintenance");
  // Nothing of routes is sent: an Initiation, ups and downs.
  expect(await on.running()).not.toContain("bmp monitor");

  await second.driven.stop("SIGTERM");
  expect(await on.running()).not.toContain("bmp");
  expect(second.driven.stderr()).not.toContain("refused");
});

test("in a router that somebody else made, their BMP stays and ours goes", async () => {
  await using on = await stage(["bmp"]);
  const theirs = ["router bgp 64512", "bmp targets theirs", "bmp stats interval 60000"];
  await on.daemons.ask("bgpd", ["configure terminal", ...theirs, "end"]);
  const before = await on.running();
  const { driven } = await on.drive();
  expect([...(await on.running()).matchAll(CONNECT)]).toHaveLength(1);
  await driven.stop("SIGTERM");
  expect(await on.running()).toBe(before);
});

test("bgpd without the module is told nothing of BMP", async () => {
  await using on = await stage([]);
  const { driven, lines } = await on.drive();
  await on.established();
  await until(() => lines.some(({ state }) => state === "Established"), {
    ...PATIENCE,
    what: "the session as seen",
    explain: on.explain,
  });
  expect(await on.running()).not.toContain("bmp");
  const { line, millis } = await on.lose(SHUTDOWN, lines);
  process.stdout.write(`without BMP, a session that the peer ended was told after ${millis} ms\n`);
  expect(line.reason).toBe("the peer sent Cease/Administrative Shutdown: maintenance");
  expect(driven.stderr()).not.toContain("BMP");
});
