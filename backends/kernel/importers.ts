/**
 * All importers: of each VRF, and of each VRF that it is leaked into, fed with the same paths.
 *
 * Judges in portions, so that other work gets its turn in between. Reads next: importer.ts (one of them), imports.ts (lanes).
 */
import type { Family } from "../../events/address.ts";
import type { BestPathBatch } from "../best-paths.ts";
import type { Words } from "./host.ts";
import { createImporter, type Importer, type ImporterOptions } from "./importer.ts";
import { laneOf, rulesText, vrfOfLane } from "./imports.ts";
import type { ImportRule } from "./intent.ts";

export type Importers = {
  /** By `lane|family`. */
  readonly all: ReadonlyMap<string, Importer>;
  learn(batch: BestPathBatch): void;
  /** Resolves when those whose rules changed have judged all anew. */
  setRules(rules: readonly ImportRule[]): Promise<void>;
  /** What was learned in the VRF is forgotten: another speaker feeds it from now on, and says all. */
  forget(vrf: string): Promise<void>;
  /** What the host says of their tables and next hops is not what it was; `moved` as connectedPrefixes() has it. */
  hostChanged(moved: readonly string[]): Promise<void>;
  /** A table that one of them wants was another's when it was looked at last. */
  contested(): boolean;
  clear(): void;
};

export type ImportersOptions = Omit<ImporterOptions, "seed"> & {
  readonly seed: () => number;
  /** Something may have to be sent. */
  readonly kick: () => void;
  readonly closing: () => boolean;
};

/** Prefixes judged in a turn of the loop: some 2 ms. */
const JUDGED_AT_ONCE = 1000;
const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

export function createImporters({ seed, kick, closing, ...common }: ImportersOptions): Importers {
  const all = new Map<string, Importer>();
  /** Of each importer: its rules as text, so that only those are judged anew whose rules changed. */
  const rulesOf = new Map<string, string>();
  let rules: readonly ImportRule[] = [];

  const importerOf = (lane: string, family: Family): Importer => {
    const key = `${lane}|${family}`;
    let one = all.get(key);
    if (one === undefined) {
      one = createImporter(lane, family, { ...common, seed: seed() });
      all.set(key, one);
      const vrf = vrfOfLane(lane);
      if (vrf === lane) {
        one.setRules(rules);
        rulesOf.set(key, rulesText(rules, lane));
      } else one.learnFrom(importerOf(vrf, family));
    }
    return one;
  };

  const judgeAll = async (importer: Importer, words: readonly Words[]): Promise<void> => {
    for (let from = 0; from < words.length && !closing(); from += JUDGED_AT_ONCE) {
      for (const one of words.slice(from, from + JUDGED_AT_ONCE)) importer.judge(one);
      kick();
      if (from + JUDGED_AT_ONCE < words.length) await turn();
    }
    kick();
  };

  return {
    all,
    learn(batch) {
      importerOf(batch.vrf, batch.family);
      for (const one of all.values()) {
        if (one.vrf === batch.vrf && one.family === batch.family) one.learn(batch);
      }
    },
    async setRules(wanted) {
      rules = wanted;
      for (const rule of wanted) for (const family of FAMILIES) importerOf(laneOf(rule), family);
      for (const [key, importer] of all) {
        const text = rulesText(wanted, importer.lane);
        if (text === rulesOf.get(key)) continue;
        rulesOf.set(key, text);
        await judgeAll(importer, importer.setRules(wanted));
      }
    },
    async forget(vrf) {
      for (const importer of all.values())
        if (importer.vrf === vrf) await judgeAll(importer, importer.forget());
    },
    async hostChanged(moved) {
      for (const importer of all.values()) await judgeAll(importer, importer.hostChanged());
      for (const importer of all.values()) {
        const words = moved.flatMap((text): Words[] => {
          const [family, , length = 0, a = 0, b = 0, c = 0, d = 0] = text
            .split(" ")
            .map((part, i) => (i === 0 ? part : Number(part))) as [string, ...number[]];
          return family === importer.family ? [[length, a, b, c, d]] : [];
        });
        await judgeAll(importer, words);
      }
    },
    contested: () => [...all.values()].some((one) => one.contested()),
    clear() {
      for (const one of all.values()) one.setRules([]);
    },
  };
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
