/**
 * Opens the speakers that the configuration names, and says what the plan has to know of them.
 *
 * A new speaker is one row here. Nothing is applied yet: capabilities are known when this resolves, for the first plan needs them.
 */
import type { RestartContext, RevealSecret, SpeakerBackend } from "../../backends/backend.ts";
import { type Logger, systemClock } from "../../backends/clock.ts";
import type { OpenFrrOptions } from "../../backends/frr/open-frr.ts";
import type { ReadAddresses } from "../../backends/host-address.ts";
import type { BackendName } from "../../backends/intent.ts";
import { createNativeBackend } from "../../backends/native/native-backend.ts";
import type { State } from "../../events/state.ts";
import type { AgentConfig } from "../config-schema.ts";
import { besideEachOther, type PlanOptions, type SpeakerOptions } from "../plan/options.ts";
import type { AllSpeakers } from "./speakers.ts";
import { HANDOVER } from "../stop-signal.ts";

export type BackendParts = {
  readonly config: Pick<
    AgentConfig,
    "backend" | "besides" | "listen" | "gracefulRestart" | "frr" | "gobgp" | "stateDirectory"
  >;
  readonly logger: Logger;
  readonly reveal: RevealSecret;
  readonly restart: RestartContext;
  /** undefined: nobody watches the kernel, and the speaker asks the system itself. */
  readonly addresses?: ReadAddresses | undefined;
  /** Everything committed before this run, folded. */
  readonly before: Pick<State, "wires">;
};

type Open = (parts: BackendParts) => Promise<SpeakerBackend>;

const SPEAKERS: Readonly<Record<BackendName, Open>> = {
  native: ({ config, logger, reveal, restart, addresses }) =>
    Promise.resolve(
      createNativeBackend({
        clock: systemClock,
        logger,
        reveal,
        restart,
        listen: config.listen,
        addresses,
        stalePathSeconds: config.gracefulRestart.stalePathTimeSeconds,
      }),
    ),
  // What this host does not run is not loaded: gRPC alone took a tenth of a second of each start.
  async frr(parts) {
    const { openFrr, probeFrr } = await import("../../backends/frr/open-frr.ts");
    const options = frrOptions(parts);
    return openFrr({ ...options, facts: await probeFrr(options) });
  },
  async gobgp({ config, logger, reveal, restart, addresses }) {
    const { openGobgp } = await import("./gobgp-start.ts");
    return openGobgp(config, logger, reveal, restart, addresses);
  },
};

/** The first one, and those beside it, which listen nowhere. Rejects where one can't be had: the agent does not start then. */
export async function openBackends(parts: BackendParts): Promise<AllSpeakers> {
  const { config } = parts;
  const first = await SPEAKERS[config.backend](parts);
  const others: SpeakerBackend[] = [];
  for (const name of config.besides) {
    others.push(await SPEAKERS[name]({ ...parts, config: { ...config, listen: [] } }));
  }
  return [first, ...others];
}

/** All that open-frr.ts is given but what it finds out itself. */
export const frrOptions = ({
  config,
  logger,
  reveal,
  before,
}: BackendParts): Omit<OpenFrrOptions, "facts"> => ({
  ...config.frr,
  clock: systemClock,
  logger,
  reveal,
  ours: new Set(before.wires["frr"]?.neighbors.keys()),
});

/**
 * FRR works on where its agent is stopped, unless the configuration wants it undone; another speaker says Cease, unless the
 * configuration wants its peers to wait for the next start. Whoever replaces the agent (HANDOVER) never takes anything back.
 */
export const stopMode = (
  { backend, frr, stop }: Pick<AgentConfig, "backend" | "frr" | "stop">,
  signal: string,
): "graceful" | "final" => {
  if (signal === HANDOVER) return "graceful";
  if (backend === "frr") return frr.onStop === "keep" ? "graceful" : "final";
  return stop === "graceful" ? "graceful" : "final";
};

/** A speaker with a BFD daemon of its own keeps BFD, unless the configuration has the engine do it. */
export function planOptionsOf(
  [first, ...others]: readonly [Known, ...Known[]],
  { frr }: Pick<AgentConfig, "frr">,
  kernel: PlanOptions["kernel"],
): PlanOptions {
  const of = ({ name, capabilities, bfd }: Known): SpeakerOptions => ({
    backend: name,
    capabilities,
    bfd: bfd !== undefined && frr.bfd !== "engine" ? "speaker" : "engine",
    kernel,
  });
  return besideEachOther(of(first), others.map(of));
}

type Known = Pick<SpeakerBackend, "name" | "capabilities" | "bfd">;
