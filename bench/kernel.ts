/**
 * Routes into and out of the kernel: `node bench/kernel.ts [ROUTES] [ROUNDS]`, by default 100,000 routes, 5 rounds.
 *
 * Ours beside `ip -batch`, BIRD's kernel protocol and zebra (fed by bgpd), each in a namespace of its own, round after round
 * in the same minutes. All are measured alike, by the kernel's own count of the table's routes (fib_triestat). For ours also from
 * the first best path that it is told to the last acknowledgement (`first`: by a process that did it never before), the longest
 * that its loop was held up, and the memory that the routes take.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startBird } from "../test/live/bird.ts";
import { startFrr } from "../test/live/frr.ts";
import { importRule, startKernel } from "../test/live/kernel-process.ts";
import { makeNetwork, type Node } from "../test/live/netns.ts";
import { until } from "../test/live/until.ts";
import { lacking } from "../test/probes.ts";
import { median, print, type Row } from "./subject.ts";

const [routes = 100_000, rounds = 5] = process.argv.slice(2).map(Number);
const NEXT_HOP = "10.99.0.2";
const LOOK_MILLIS = 25;

const prefix = (i: number): string => `11.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`;
const all = (line: (prefix: string) => string): string[] =>
  Array.from({ length: routes }, (_, i) => line(prefix(i)));

/** Routes in the main table of a process's namespace. */
function counted(pid: number): number {
  const text = readFileSync(`/proc/${pid}/net/fib_triestat`, "utf8");
  return Number(/Main:[\s\S]*?Prefixes:\s+(\d+)/.exec(text)?.[1] ?? 0);
}

type Subject = {
  add(): Promise<unknown>;
  remove(): Promise<unknown>;
};

/**
 * Routes a second while the table grows or shrinks: between the first look that saw a change and the last before it was done.
 * A look walks the table (7 ms at 100,000 routes), so there are few.
 */
async function rate(pid: number, act: () => Promise<unknown>): Promise<number> {
  const from = counted(pid);
  const looks: { readonly at: number; readonly moved: number }[] = [];
  const acting = act();
  const look = (): boolean => {
    const moved = Math.abs(counted(pid) - from);
    if (moved > 0) looks.push({ at: performance.now(), moved });
    return moved >= routes;
  };
  await until(look, { what: `${routes} routes`, everyMs: LOOK_MILLIS, timeoutMs: 120_000 });
  await acting;
  const [first] = looks;
  const last = looks.findLast(({ moved }) => moved < routes);
  if (first === undefined || last === undefined || last === first) {
    throw new Error("too few routes to measure by");
  }
  return ((last.moved - first.moved) / (last.at - first.at)) * 1000;
}

const told: {
  readonly added: number[];
  readonly removed: number[];
  readonly held: number[];
  readonly memory: number[];
} = {
  added: [],
  removed: [],
  held: [],
  memory: [],
};

async function ours(node: Node): Promise<Subject> {
  const kernel = await startKernel(node);
  await kernel.apply({ imports: [importRule()] });
  const flood = async (into: number[], nextHop: string | null): Promise<void> => {
    const { millis, heldMillis, octets } = await kernel.flood(routes, nextHop);
    into.push((routes / millis) * 1000);
    told.held.push(heldMillis);
    told.memory.push(octets);
  };
  return {
    add: () => flood(told.added, NEXT_HOP),
    remove: () => flood(told.removed, null),
  };
}

async function ipBatch(node: Node): Promise<Subject> {
  const files = { add: join(node.directory, "add"), del: join(node.directory, "del") };
  for (const [word, path] of Object.entries(files)) {
    writeFileSync(path, `${all((one) => `route ${word} ${one} via ${NEXT_HOP}`).join("\n")}\n`);
  }
  const run = (path: string) => () => node.run(["ip", "-batch", path]);
  return { add: run(files.add), remove: run(files.del) };
}

async function bird(node: Node): Promise<Subject> {
  const plan = (lines: readonly string[]) => ({
    asn: 64512,
    routerId: node.ipv4,
    neighbours: [],
    raw: [
      "protocol kernel { scan time 3600; ipv4 { export all; }; }",
      "protocol static many {",
      "ipv4;",
      ...lines,
      "}",
    ],
  });
  const router = await startBird(node, plan([]));
  const lines = all((one) => `route ${one} via ${NEXT_HOP};`);
  return {
    add: () => router.reconfigure(plan(lines)),
    remove: () => router.reconfigure(plan([])),
  };
}

/** bgpd hands it what BIRD announces from the other node; staticd takes minutes to read so many lines. */
async function zebra(node: Node, far: Node): Promise<Subject> {
  const near = { asn: 64512, routerId: node.ipv4 };
  const plan = (networks: readonly string[]) => ({
    asn: 64999,
    routerId: far.ipv4,
    networks,
    neighbours: [{ name: "near", address: node.ipv4, asn: near.asn }],
  });
  const neighbours = [{ name: "far", address: far.ipv4, asn: 64999 }];
  await startFrr(node, { ...near, neighbours }, { kernel: true });
  const router = await startBird(far, plan([]));
  const up = async () => (await router.session(node.ipv4)).state === "Established";
  await until(up, { what: "the session", explain: router.explain });
  const networks = all((one) => one);
  return {
    add: () => router.reconfigure(plan(networks)),
    remove: () => router.reconfigure(plan([])),
  };
}

const absent = lacking("netns");
if (absent !== undefined) throw new Error(absent);
const makers: readonly (readonly [string, (node: Node, far: Node) => Promise<Subject>])[] = [
  ["rutter", ours],
  ["ip -batch", ipBatch],
  ...(lacking("bird") === undefined ? [["bird", bird] as const] : []),
  ...(lacking("frr") === undefined && lacking("bird") === undefined
    ? [["zebra", zebra] as const]
    : []),
];
const figures = new Map<string, { readonly added: number[]; readonly removed: number[] }>();
await using stack = new AsyncDisposableStack();
const subjects: { readonly name: string; readonly pid: number; readonly subject: Subject }[] = [];
for (const [name, make] of makers) {
  const network = stack.use(await makeNetwork(["host", "far"]));
  const { host, far } = network.nodes;
  const { pid } = await host.start(["sleep", "100000"]);
  subjects.push({ name, pid, subject: await make(host, far) });
  figures.set(name, { added: [], removed: [] });
}
let cold = { added: 0, octets: 0 };
for (let round = 0; round <= rounds; round += 1) {
  for (const { name, pid, subject } of subjects) {
    const added = await rate(pid, () => subject.add());
    const removed = await rate(pid, () => subject.remove());
    // The first round warms everybody up.
    if (round > 0) figures.get(name)?.added.push(added);
    if (round > 0) figures.get(name)?.removed.push(removed);
  }
  if (round === 0) {
    cold = { added: told.added[0] ?? 0, octets: told.memory[0] ?? 0 };
    for (const list of Object.values(told)) list.length = 0;
  }
  process.stderr.write(`round ${round} of ${rounds}\n`);
}

const text = (rates: readonly number[]): readonly string[] =>
  [median(rates), Math.min(...rates), Math.max(...rates)].map((one) => Math.round(one).toString());
const base = figures.get("rutter");
const rows: Row[] = [...figures].map(([name, { added, removed }]) => [
  name,
  ...text(added),
  (median(added) / median(base?.added ?? [1])).toFixed(2),
  ...text(removed),
  (median(removed) / median(base?.removed ?? [1])).toFixed(2),
]);
console.log(
  `${routes} routes, median, lowest and highest of ${rounds} rounds, routes/s and the ratio to ours`,
);
print(["by", "added", "lowest", "highest", "ratio", "removed", "lowest", "highest", "ratio"], rows);
console.log("rutter, from the first best path told to the last acknowledgement");
print(
  ["first", "added", "lowest", "highest", "removed", "lowest", "highest", "held ms", "MB"],
  [
    [
      Math.round(cold.added),
      ...text(told.added),
      ...text(told.removed),
      Math.max(...told.held).toFixed(1),
      (cold.octets / 1e6).toFixed(1),
    ],
  ],
);
