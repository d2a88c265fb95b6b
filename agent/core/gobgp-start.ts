/**
 * The GoBGP backend as agent.yaml asks for it: where gobgpd is, and whether it is ours to start.
 *
 * Reads next: ../config-schema.ts (GobgpConfig), ../../backends/gobgp/gobgp-backend.ts.
 */
import { join } from "node:path";
import type { RestartContext, RevealSecret, SpeakerBackend } from "../../backends/backend.ts";
import type { ReadAddresses } from "../../backends/host-address.ts";
import { type Logger, systemClock } from "../../backends/clock.ts";
import { createGobgpBackend } from "../../backends/gobgp/gobgp-backend.ts";
import type { AgentConfig } from "../config-schema.ts";

/** Beside the log, where nobody else may write: who can speak to this socket has the speaker. */
const OWN_SOCKET = "gobgpd.sock";

export function openGobgp(
  config: Pick<AgentConfig, "gobgp" | "listen" | "stateDirectory">,
  logger: Logger,
  reveal: RevealSecret,
  restart: RestartContext,
  addresses: ReadAddresses | undefined,
): SpeakerBackend {
  const { address, tls, supervise, takeOver } = config.gobgp;
  const own =
    supervise === undefined ? undefined : `unix:${join(config.stateDirectory, OWN_SOCKET)}`;
  return createGobgpBackend({
    clock: systemClock,
    logger,
    reveal,
    restart,
    listen: config.listen,
    gobgpd: { address: own ?? address, tls: own === undefined ? tls : undefined },
    takeOver,
    supervise,
    addresses,
  });
}
