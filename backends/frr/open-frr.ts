/**
 * FRR as the agent opens it: the driver, the watcher, and the connections that they do not share.
 *
 * Nothing is sent before the first apply but questions. Reads next: frr-backend.ts, watch/watcher.ts.
 */
import { join } from "node:path";
import type { SpeakerBackend } from "../backend.ts";
import { frrCapabilities, type FrrFacts } from "./capabilities.ts";
import { createFrrBackend, type FrrOptions } from "./frr-backend.ts";
import { createMonitor } from "./io/bmp.ts";
import { openVty, type Vty } from "./io/vty.ts";
import { frrVersionOf } from "./version.ts";
import { createWatcher, type Watcher } from "./watch/watcher.ts";

export type OpenFrrOptions = Omit<
  FrrOptions,
  "watcher" | "capabilities" | "hasZebra" | "monitorPort"
> & {
  readonly facts: ProbedFrr;
};

export type ProbedFrr = FrrFacts & {
  readonly hasZebra: boolean;
  /** Why bgpd could not be asked; undefined where it answers. */
  readonly problem: string | undefined;
};

/** Asks which daemons answer, and bgpd for its version. Never rejects: FRR may come later than the agent. */
export async function probeFrr(
  options: Pick<FrrOptions, "directory" | "clock">,
): Promise<ProbedFrr> {
  const ask = async (daemon: string, command: string): Promise<string | Error> => {
    const vty = openDaemon(options, daemon);
    try {
      return await vty.show(command);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      vty.close();
    }
  };
  const [bgpd, bfdd, zebra] = await Promise.all([
    ask("bgpd", "show running-config"),
    ask("bfdd", "show version"),
    ask("zebra", "show version"),
  ]);
  return {
    version: typeof bgpd === "string" ? frrVersionOf(bgpd) : undefined,
    hasBfdd: typeof bfdd === "string",
    hasZebra: typeof zebra === "string",
    problem: typeof bgpd === "string" ? undefined : bgpd.message,
  };
}

export function openFrr(options: OpenFrrOptions): {
  readonly backend: SpeakerBackend;
  readonly watcher: Watcher;
} {
  const { clock, logger, facts } = options;
  const bgpd = openDaemon(options, "bgpd");
  const bfdd = facts.hasBfdd ? openDaemon(options, "bfdd") : undefined;
  const zebra = facts.hasZebra ? openDaemon(options, "zebra") : undefined;
  const watcher = createWatcher({ bgpd, bfdd, zebra, clock, logger });
  const capabilities = frrCapabilities(facts);
  const monitor = createMonitor({ logger, heard: watcher.heard });
  const backend = createFrrBackend({
    ...options,
    watcher,
    capabilities,
    hasZebra: facts.hasZebra,
    monitorPort: monitor.port,
  });
  return {
    watcher,
    backend: {
      ...backend,
      async close(mode) {
        await backend.close(mode);
        monitor.close();
        for (const vty of [bgpd, bfdd, zebra]) vty?.close();
      },
    },
  };
}

const openDaemon = (
  { directory, clock }: Pick<FrrOptions, "directory" | "clock">,
  daemon: string,
): Vty => openVty({ socketPath: join(directory, `${daemon}.vty`), clock });
