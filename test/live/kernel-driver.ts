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
import { PersistentMap } from "../../events/persistent-map.ts";
import { prefixOctets } from "../../backends/native/wire/nlri.ts";
import type { DriverIntent, DriverOrder } from "./kernel-process.ts";
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

async function obey(order: DriverOrder): Promise<unknown> {
  switch (order.do) {
    case "start":
      return kernel.start(order.ledger);
    case "apply":
      return kernel.apply(intentOf(order.intent));
    case "learn":
      return kernel.learned(batchOf(order));
    case "complete":
      return kernel.learned({ type: "complete", vrf: order.vrf, family: order.family });
    case "settled":
      return kernel.settled();
    case "status":
      return kernel.status();
    case "routes":
      return [...kernel.routes()];
    case "facts":
      return facts;
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
