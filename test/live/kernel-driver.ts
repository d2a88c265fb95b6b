/**
 * A process with a kernel backend in the namespace that it is started in, driven by JSON lines over a Unix socket.
 *
 * `node kernel-driver.ts SOCKET OPTIONS-AS-JSON`. Each line is an order, each answer a line; nothing is asserted here.
 * Read next: kernel-process.ts (who starts and drives it).
 */
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import type { BestPathBatch, PathSet } from "../../backends/best-paths.ts";
import { NO_PATHS } from "../../backends/best-paths.ts";
import { systemClock } from "../../backends/clock.ts";
import type { KernelFact } from "../../backends/kernel/facts.ts";
import { probeSysctls } from "../../backends/kernel/io/probe.ts";
import { createKernel } from "../../backends/kernel/kernel.ts";
import type { Address } from "../../events/address.ts";
import { neighborKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import { prefixOctets } from "../../backends/native/wire/nlri.ts";
import type { DriverIntent, DriverOrder, Flood } from "./kernel-process.ts";
import type { KernelIntent, KernelKey } from "../../backends/kernel/intent.ts";

const [, , socket = "", options = "{}"] = process.argv;
const logger = {
  info: () => {},
  warn: (fields: object, message: string) => console.error(message, JSON.stringify(fields)),
  error: (fields: object, message: string) => console.error(message, JSON.stringify(fields)),
};
const kernel = await createKernel({
  clock: systemClock,
  logger,
  protectedPrefixes: [],
  drift: "repair",
  ...(JSON.parse(options) as object),
});
const facts: KernelFact[] = [];
kernel.watch((fact) => void facts.push(fact));
const sets = new Map<string, PathSet>();

const mapOf = <T>(values: readonly T[] = []): PersistentMap<KernelKey, T> =>
  PersistentMap.from(values.map((value) => [JSON.stringify(value) as KernelKey, value] as const));
const intentOf = (plain: DriverIntent): KernelIntent => ({
  addresses: mapOf(plain.addresses),
  routes: mapOf(plain.routes),
  rules: mapOf(plain.rules),
  sourceNats: mapOf(plain.sourceNats),
  imports: plain.imports ?? [],
  exports: [],
});

function batchOf(order: Extract<DriverOrder, { do: "learn" }>): BestPathBatch {
  const { vrf, family, prefixes, paths } = order;
  const text = JSON.stringify(paths);
  let set = sets.get(text);
  if (set === undefined && paths !== null) {
    set = { paths };
    sets.set(text, set);
  }
  const nlri = Uint8Array.from(prefixes.flatMap((one) => [...prefixOctets(one, family)]));
  const chosen = new Uint32Array(prefixes.length).fill(set === undefined ? NO_PATHS : 0);
  const used = set === undefined ? [] : [set];
  return { type: "batch", vrf, family, count: prefixes.length, nlri, chosen, sets: used };
}

const BATCH = 2000;
const oneHop = new Map<string, PathSet>();

/** 11.0.0.0/32 and on, as a speaker would tell them: thousands at a time, with turns of the loop in between. */
async function flood({ count, nextHop }: Extract<DriverOrder, { do: "flood" }>): Promise<Flood> {
  const key = nextHop ?? "";
  const path = {
    neighbor: neighborKey("", key, ""),
    nextHop: key as Address,
    interface: "",
    external: true,
  };
  const set = oneHop.get(key) ?? { paths: [path] };
  oneHop.set(key, set);
  const chosen = new Uint32Array(BATCH).fill(nextHop === null ? NO_PATHS : 0);
  const batches: BestPathBatch[] = [];
  for (let from = 0; from < count; from += BATCH) {
    const size = Math.min(BATCH, count - from);
    const nlri = new Uint8Array(5 * size);
    for (let i = 0; i < size; i += 1) {
      nlri.set(
        [32, 11, ((from + i) >> 16) & 255, ((from + i) >> 8) & 255, (from + i) & 255],
        5 * i,
      );
    }
    batches.push({
      type: "batch",
      vrf: "",
      family: "ipv4",
      count: size,
      nlri,
      chosen,
      sets: [set],
    });
  }
  const memory = (): number => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = memory();
  let heldMillis = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    heldMillis = Math.max(heldMillis, now - last - 1);
    last = now;
  }, 1);
  const start = performance.now();
  for (const batch of batches) {
    kernel.learned(batch);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  await kernel.settled();
  const millis = performance.now() - start;
  clearInterval(watch);
  return { millis, heldMillis, octets: memory() - before };
}

async function obey(order: DriverOrder): Promise<unknown> {
  switch (order.do) {
    case "start":
      return kernel.start(new Set(order.ledger));
    case "apply":
      return kernel.apply(intentOf(order.intent));
    case "learn":
      return kernel.learned(batchOf(order));
    case "complete":
      return kernel.learned({ type: "complete", vrf: order.vrf, family: order.family });
    case "flood":
      return flood(order);
    case "settled":
      return kernel.settled();
    case "status":
      return kernel.status();
    case "routes":
      return [...kernel.routes()];
    case "facts":
      return facts;
    case "unusable":
      return [...(facts.findLast((fact) => fact.type === "unusable")?.addresses ?? [])];
    case "capabilities":
      return {
        has: [...kernel.capabilities.has],
        missing: [...kernel.capabilities.missing],
        sysctls: probeSysctls(),
      };
    case "close":
      await kernel.close(order.mode);
      setTimeout(() => process.exit(0), 10);
      return undefined;
    default:
      throw new Error("no such order");
  }
}

createServer((connection) => {
  let turn: Promise<void> = Promise.resolve();
  createInterface({ input: connection }).on("line", (line) => {
    turn = turn.then(async () => {
      const answer = await obey(JSON.parse(line) as DriverOrder).catch((error: unknown) => ({
        error: String(error),
      }));
      connection.write(`${JSON.stringify(answer ?? null)}\n`);
    });
  });
  connection.on("error", () => {});
}).listen(socket, () => console.log("ready"));
