/**
 * FRR as the agent opens it: the driver, the watcher, and the connections that they do not share.
 *
 * Nothing is sent before the first apply but questions. Reads next: frr-backend.ts, watch/watcher.ts.
 */
import { join } from "node:path";
import type { NeighborKey } from "../../events/ids.ts";
import { BackendError, type RevealSecret, type SpeakerBackend } from "../backend.ts";
import type { Clock, Logger } from "../clock.ts";
import { frrCapabilities, type FrrFacts } from "./capabilities.ts";
import type { FrrChoice, FrrPlace } from "./choice.ts";
import { createFrrBackend } from "./frr-backend.ts";
import { createMonitor } from "./io/bmp.ts";
import { openVty, type Vty } from "./io/vty.ts";
import { frrVersionOf } from "./version.ts";
import type { DaemonName } from "./watch/daemon.ts";
import { watchBfddInTheWay } from "./watch/in-the-way.ts";
import { createWatcher, type Watcher } from "./watch/watcher.ts";

export type OpenFrrOptions = FrrChoice & {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reveal: RevealSecret;
  /** Neighbours that an earlier run of this agent made there: taking them over needs no leave. */
  readonly ours: ReadonlySet<NeighborKey>;
  readonly facts: ProbedFrr;
};

export type ProbedFrr = FrrFacts & {
  /** Why bgpd could not be asked; undefined where it answers. */
  readonly problem: string | undefined;
  /** bfdd runs and is not to keep BFD: it has the UDP port that the BFD engine needs. */
  readonly isBfddInTheWay: boolean;
};

type Probe = FrrPlace & Pick<FrrChoice, "bfd"> & { readonly clock: Clock };

const SHOW = "show running-config";

/** Asks which daemons answer, and bgpd for its version. Never rejects: FRR may come later than the agent. */
export async function probeFrr(options: Probe): Promise<ProbedFrr> {
  const ask = async (daemon: DaemonName, command: string): Promise<string | BackendError> => {
    const vty = opener(options)(daemon);
    try {
      return await vty.show(command);
    } catch (error) {
      if (error instanceof BackendError) return error;
      throw error;
    } finally {
      vty.close();
    }
  };
  const [bgpd, bfdd, zebra] = await Promise.all([
    ask("bgpd", SHOW),
    ask("bfdd", "show version"),
    ask("zebra", "show version"),
  ]);
  const answers = typeof bgpd === "string";
  return {
    version: answers ? frrVersionOf(bgpd) : undefined,
    hasBfdd: options.bfd === "auto" ? typeof bfdd === "string" : options.bfd === "bfdd",
    // Where nothing of FRR answers yet, it is expected to come as a whole.
    hasZebra: typeof zebra === "string" || !answers,
    problem: answers ? undefined : bgpd.message,
    isBfddInTheWay: options.bfd === "engine" && typeof bfdd === "string",
  };
}

export function openFrr(options: OpenFrrOptions): SpeakerBackend {
  const { clock, logger, facts } = options;
  const open = opener(options);
  const bgpd = open("bgpd");
  const bfdd = facts.hasBfdd ? open("bfdd") : undefined;
  const zebra = facts.hasZebra ? open("zebra") : undefined;
  const watcher = createWatcher({ bgpd, bfdd, zebra, clock, logger });
  const capabilities = frrCapabilities(facts);
  const { hasBfdd, hasZebra, problem } = facts;
  const stranger = options.bfd === "engine" ? open("bfdd") : undefined;
  const inTheWay = stranger && watchBfddInTheWay(stranger, clock, facts.isBfddInTheWay);
  const monitor = createMonitor({ logger, heard: watcher.heard });
  const backend = createFrrBackend({
    ...options,
    open,
    watcher,
    capabilities,
    hasZebra,
    hasBfdd,
    monitorPort: monitor.port,
  });
  if (problem !== undefined)
    logger.warn({ problem }, "FRR's bgpd does not answer yet: it is told everything when it comes");
  if (facts.isBfddInTheWay)
    logger.warn({}, "frr.bfd is engine, and bfdd runs and has BFD's UDP port: stop it");
  return {
    ...backend,
    daemons: watcher.daemons(() => inTheWay?.all() ?? []),
    ...(bfdd === undefined ? {} : { bfd: sessionsOf(watcher) }),
    runningConfig: () => running([zebra, bfdd], bgpd),
    async close(mode) {
      await backend.close(mode);
      monitor.close();
      inTheWay?.close();
      for (const vty of [bgpd, bfdd, zebra, stranger]) vty?.close();
    },
  };
}

const sessionsOf = (watcher: Watcher): NonNullable<SpeakerBackend["bfd"]> => ({
  all: () => [...watcher.bfd().values()],
  watch: watcher.onBfd,
  problems: () => watcher.problems().filter((problem) => problem.startsWith("bfdd ")),
});

/** As `vtysh` prints it: one daemon's behind the other's. Without bgpd's it would be none, without another's it is what there is. */
async function running(others: readonly (Vty | undefined)[], bgpd: Vty): Promise<string> {
  const texts = await Promise.all(
    others.map(async (vty) => {
      try {
        return (await vty?.show(SHOW)) ?? "";
      } catch (error) {
        if (error instanceof BackendError) return "";
        throw error;
      }
    }),
  );
  return [...texts, await bgpd.show(SHOW)].filter((text) => text !== "").join("");
}

const opener =
  ({ vtyDirectory, pathspace, clock }: FrrPlace & { readonly clock: Clock }) =>
  (daemon: DaemonName, onLost?: () => void): Vty =>
    openVty({
      socketPath: join(vtyDirectory, pathspace, `${daemon}.vty`),
      clock,
      ...(onLost === undefined ? {} : { onLost }),
    });
