/**
 * What `ip` shows of ours in a node, and waiting for it: shared by the kernel's live tests.
 *
 * What counts is the kernel's own answer, never what the backend believes. Read next: kernel-process.ts.
 */
import type { KernelFact } from "../../backends/kernel/facts.ts";
import { importRule, type KernelDriver } from "./kernel-process.ts";
import type { Node } from "./netns.ts";
import { until } from "./until.ts";

export const OURS = "82";
/** As `ip` prints them, in order. */
export const ours = async (node: Node, family: "-4" | "-6" = "-4"): Promise<string[]> =>
  (await node.ip(family, "route", "show", "table", "all", "proto", OURS))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .toSorted();
export const prefixesOf = async (node: Node): Promise<string[]> =>
  [...(await ours(node)), ...(await ours(node, "-6"))]
    .filter((line) => !line.startsWith("nexthop"))
    .map((line) => line.split(" ")[0] ?? "")
    .toSorted();

export const many = (count: number, second = 1): string[] =>
  Array.from(
    { length: count },
    (_, i) => `172.${second + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`,
  );

/** Waits until `ip` shows exactly these prefixes as ours. */
export const shows = (node: Node, prefixes: readonly string[], driver?: KernelDriver) =>
  until(
    async () => {
      const seen = await prefixesOf(node);
      return (
        seen.join() ===
        prefixes
          .map((one) => one.replace(/\/32$|\/128$/, ""))
          .toSorted()
          .join()
      );
    },
    {
      what: "the routes",
      everyMs: 50,
      explain: async () =>
        `wanted ${prefixes.slice(0, 20).join(" ")}\nseen ${(await prefixesOf(node)).slice(0, 20).join(" ")}\n${driver?.daemon.stderr() ?? ""}\n${JSON.stringify(await driver?.status())}`,
    },
  );

export const factsOf = async <T extends KernelFact["type"]>(
  driver: KernelDriver,
  type: T,
): Promise<Extract<KernelFact, { type: T }>[]> =>
  (await driver.facts()).filter(
    (fact): fact is Extract<KernelFact, { type: T }> => fact.type === type,
  );

export const ALL = { imports: [importRule()] };
