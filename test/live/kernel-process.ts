/**
 * A kernel backend in a node, driven over its socket as the agent would drive it in its own process.
 *
 * The netlink socket belongs to the namespace of its process, so the backend can't run in the test's. Read next:
 * kernel-driver.ts (the process), kernel.live.test.ts.
 */
import { createConnection } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Path } from "../../backends/best-paths.ts";
import type {
  KernelApplied,
  KernelFact,
  KernelRoute,
  KernelStatus,
} from "../../backends/kernel/facts.ts";
import type {
  ImportRule,
  OwnAddress,
  OwnKernelRoute,
  PolicyRule,
  SourceNat,
} from "../../backends/kernel/intent.ts";
import type { Sysctl } from "../../backends/kernel/io/probe.ts";
import type { KernelOptions } from "../../backends/kernel/kernel.ts";
import { type Address, type Family } from "../../events/address.ts";
import { neighborKey } from "../../events/ids.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import type { Daemon } from "./daemon.ts";
import type { Node } from "./netns.ts";

export type DriverIntent = {
  readonly addresses?: readonly OwnAddress[];
  readonly routes?: readonly OwnKernelRoute[];
  readonly rules?: readonly PolicyRule[];
  readonly sourceNats?: readonly SourceNat[];
  readonly imports?: readonly ImportRule[];
};

export type DriverOrder =
  | { readonly do: "start"; readonly ledger: readonly string[] }
  | { readonly do: "apply"; readonly intent: DriverIntent }
  | {
      readonly do: "learn";
      readonly vrf: string;
      readonly family: Family;
      readonly prefixes: readonly Prefix[];
      readonly paths: readonly Path[] | null;
    }
  | { readonly do: "complete"; readonly vrf: string; readonly family: Family }
  | { readonly do: "flood"; readonly count: number; readonly nextHop: Address | null }
  | { readonly do: "settled" | "status" | "routes" | "facts" | "unusable" | "capabilities" }
  | { readonly do: "close"; readonly mode: "leave" | "final" };

export type Flood = {
  readonly millis: number;
  /** The longest that the driver's loop was held up meanwhile. */
  readonly heldMillis: number;
  /** Memory that the routes took: of the heap and of typed arrays. */
  readonly octets: number;
};

export type KernelDriver = AsyncDisposable & {
  readonly daemon: Daemon;
  apply(intent: DriverIntent): Promise<KernelApplied>;
  /** null: withdrawn. All prefixes of one family. */
  learn(
    prefixes: readonly string[],
    nextHops: readonly string[] | null,
    vrf?: string,
  ): Promise<void>;
  /** So many host routes in batches as a speaker makes them; resolves when they are in the kernel. */
  flood(count: number, nextHop: string | null): Promise<Flood>;
  complete(vrf?: string): Promise<void>;
  settled(): Promise<void>;
  status(): Promise<KernelStatus>;
  routes(): Promise<readonly KernelRoute[]>;
  facts(): Promise<readonly KernelFact[]>;
  /** As last told. */
  unusable(): Promise<readonly (readonly [address: string, reason: string])[]>;
  capabilities(): Promise<{
    readonly has: readonly string[];
    readonly missing: readonly (readonly [string, string])[];
    readonly sysctls: readonly Sysctl[];
  }>;
  close(mode: "leave" | "final"): Promise<void>;
  kill(): Promise<void>;
};

const PROGRAM = join(import.meta.dirname, "kernel-driver.ts");

export const importRule = (rest: Partial<ImportRule> = {}): ImportRule => ({
  name: "all",
  vrf: "",
  neighbors: undefined,
  prefixes: [],
  table: undefined,
  metric: 20,
  preferredSource: {},
  maximum: 1_000_000,
  acceptDefault: false,
  provenance: [],
  ...rest,
});

let count = 0;

export async function startKernel(
  node: Node,
  options: Partial<KernelOptions> = {},
  ledger: readonly string[] = [],
): Promise<KernelDriver> {
  count += 1;
  const path = join(node.directory, `kernel${count}.sock`);
  const daemon = await node.start([
    process.execPath,
    "--expose-gc",
    PROGRAM,
    path,
    JSON.stringify(options),
  ]);
  await new Promise<void>((resolve, reject) => {
    daemon.onLine((line) => {
      if (line === "ready") resolve();
    });
    void daemon.ended.then(() => reject(new Error(daemon.stderr())));
  });
  const socket = createConnection(path);
  const waiting: ((answer: unknown) => void)[] = [];
  createInterface({ input: socket }).on("line", (line) => waiting.shift()?.(JSON.parse(line)));
  socket.on("error", () => {});
  const ask = (order: DriverOrder): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.push((answer) => {
        const { error } = (answer ?? {}) as { error?: string };
        if (error === undefined) resolve(answer);
        else reject(new Error(error));
      });
      void daemon.ended.then(() => reject(new Error(`the driver ended: ${daemon.stderr()}`)));
      socket.write(`${JSON.stringify(order)}\n`);
    });
  await ask({ do: "start", ledger });
  return {
    daemon,
    apply: async (intent) => (await ask({ do: "apply", intent })) as KernelApplied,
    async learn(prefixes, nextHops, vrf = "") {
      const [first] = prefixes as readonly Prefix[];
      if (first === undefined) return;
      const paths = nextHops?.map((one) => {
        const [nextHop = "", device = ""] = one.split("%");
        return {
          neighbor: neighborKey(vrf, nextHop, ""),
          nextHop: nextHop as Address,
          interface: device,
          external: true,
        };
      });
      const family = prefixFamily(first);
      await ask({
        do: "learn",
        vrf,
        family,
        prefixes: prefixes as readonly Prefix[],
        paths: paths ?? null,
      });
      await ask({ do: "settled" });
    },
    flood: async (count, nextHop) =>
      (await ask({ do: "flood", count, nextHop: nextHop as Address | null })) as Flood,
    async complete(vrf = "") {
      for (const family of ["ipv4", "ipv6"] as const) await ask({ do: "complete", vrf, family });
      await ask({ do: "settled" });
    },
    settled: async () => void (await ask({ do: "settled" })),
    status: async () => (await ask({ do: "status" })) as KernelStatus,
    routes: async () => (await ask({ do: "routes" })) as readonly KernelRoute[],
    facts: async () => (await ask({ do: "facts" })) as readonly KernelFact[],
    unusable: async () =>
      (await ask({ do: "unusable" })) as Awaited<ReturnType<KernelDriver["unusable"]>>,
    capabilities: async () =>
      (await ask({ do: "capabilities" })) as Awaited<ReturnType<KernelDriver["capabilities"]>>,
    async close(mode) {
      await ask({ do: "close", mode });
      await daemon.ended;
    },
    kill: async () => void (await daemon.stop("SIGKILL")),
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await daemon.stop("SIGKILL");
    },
  };
}
