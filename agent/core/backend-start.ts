/**
 * Opens the speaker that the configuration names, and says what the plan has to know of it.
 *
 * A new speaker is one row here. Nothing is applied yet: capabilities are known when this resolves, for the first plan needs them.
 */
import { join } from "node:path";
import type { RestartContext, RevealSecret, SpeakerBackend } from "../../backends/backend.ts";
import { type Logger, systemClock } from "../../backends/clock.ts";
import { openFrr, type OpenFrrOptions, probeFrr } from "../../backends/frr/open-frr.ts";
import type { BackendName } from "../../backends/intent.ts";
import { createNativeBackend } from "../../backends/native/native-backend.ts";
import type { State } from "../../events/state.ts";
import type { AgentConfig } from "../config-schema.ts";
import type { PlanOptions } from "../plan/options.ts";

export type BackendParts = {
  readonly config: Pick<AgentConfig, "backend" | "listen" | "gracefulRestart" | "frr">;
  readonly logger: Logger;
  readonly reveal: RevealSecret;
  readonly restart: RestartContext;
  /** Everything committed before this run, folded. */
  readonly before: Pick<State, "wires">;
};

type Open = (parts: BackendParts) => Promise<SpeakerBackend>;

const notYet = (name: BackendName) => (): Promise<never> =>
  Promise.reject(new Error(`backend ${name} is not in this version: use --backend native`));

/** What the frr backend is told; neighbours that an earlier run of this agent made there need no leave to be taken over. */
export const frrOptions = ({
  config: { frr },
  logger,
  reveal,
  before,
}: Pick<BackendParts, "config" | "logger" | "reveal" | "before">): Omit<
  OpenFrrOptions,
  "facts"
> => ({
  directory: join(frr.vtyDirectory, frr.pathspace),
  clock: systemClock,
  logger,
  reveal,
  takeOver: frr.takeOver,
  ours: new Set(before.wires["frr"]?.neighbors.keys()),
});

/** FRR may start later than the agent: without an answer, what every version has is what the plan goes by. */
async function openFrrSpeaker(parts: BackendParts): Promise<SpeakerBackend> {
  const options = frrOptions(parts);
  const asked = await probeFrr(options);
  if (asked.problem !== undefined)
    parts.logger.warn({ problem: asked.problem }, "FRR does not answer yet");
  const isOurs = parts.config.frr.bfd === "engine";
  const facts = isOurs ? { ...asked, hasBfdd: false } : asked;
  return openFrr({ ...options, facts }).backend;
}

const SPEAKERS: Readonly<Record<BackendName, Open>> = {
  native: ({ config, logger, reveal, restart }) =>
    Promise.resolve(
      createNativeBackend({
        clock: systemClock,
        logger,
        reveal,
        restart,
        listen: config.listen,
        stalePathSeconds: config.gracefulRestart.stalePathTimeSeconds,
      }),
    ),
  frr: openFrrSpeaker,
  gobgp: notYet("gobgp"),
};

/** Rejects where the speaker can't be had: the agent does not start then. */
export const openBackend: Open = (parts) => SPEAKERS[parts.config.backend](parts);

/** A speaker with a BFD daemon of its own keeps BFD, unless the configuration has the engine do it. */
export const planOptionsOf = (
  { name, capabilities, bfd }: Pick<SpeakerBackend, "name" | "capabilities" | "bfd">,
  { frr }: Pick<AgentConfig, "frr">,
): PlanOptions => ({
  backend: name,
  capabilities,
  bfd: bfd !== undefined && frr.bfd !== "engine" ? "speaker" : "engine",
});
