/**
 * What is known of a speaker that is not opened, so that it can be planned for.
 *
 * Asks the kernel (native) or the daemons (FRR), and tells nobody anything. Reads next: backend-start.ts (what is opened),
 * ../plan/shadow.ts (what comes of it).
 */
import { systemClock } from "../../backends/clock.ts";
import { capabilities as gobgpCapabilities } from "../../backends/gobgp/capabilities.ts";
import type { BackendName } from "../../backends/intent.ts";
import { nativeCapabilities } from "../../backends/native/native-backend.ts";
import type { AgentConfig } from "../config-schema.ts";
import { besideEachOther, type PlanOptions, speakersOf } from "../plan/options.ts";
import type { ShadowSpeaker } from "../plan/shadow.ts";

type Ask = (frr: AgentConfig["frr"], kernel: PlanOptions["kernel"]) => Promise<ShadowSpeaker>;

const SPEAKERS: Readonly<Record<BackendName, Ask>> = {
  native: (_frr, kernel) =>
    Promise.resolve({
      options: { backend: "native", capabilities: nativeCapabilities(), bfd: "engine", kernel },
      warnings: [],
    }),
  async frr(frr, kernel) {
    const [{ probeFrr }, { frrCapabilities }] = await Promise.all([
      import("../../backends/frr/open-frr.ts"),
      import("../../backends/frr/capabilities.ts"),
    ]);
    const facts = await probeFrr({ ...frr, clock: systemClock });
    const bfd = facts.hasBfdd ? "speaker" : "engine";
    return {
      options: { backend: "frr", capabilities: frrCapabilities(facts), bfd, kernel },
      warnings:
        facts.problem === undefined
          ? []
          : [
              `bgpd does not answer (${facts.problem}): what every supported version of FRR has is assumed`,
            ],
    };
  },
  gobgp: (_frr, kernel) =>
    Promise.resolve({
      options: { backend: "gobgp", capabilities: gobgpCapabilities, bfd: "engine", kernel },
      warnings: [],
    }),
};

/**
 * In place of the first speaker. `running`: what the plan knows of those that run, of whom nothing is asked; the others stay beside it.
 * Never rejects.
 */
export async function shadowSpeaker(
  backend: BackendName,
  { frr }: Pick<AgentConfig, "frr">,
  running: PlanOptions,
): Promise<ShadowSpeaker> {
  if (backend === running.backend) return { options: running, warnings: [] };
  const known = running.besides?.find((one) => one.backend === backend);
  const { options, warnings } =
    known === undefined
      ? await SPEAKERS[backend](frr, running.kernel)
      : { options: known, warnings: [] };
  const others = speakersOf(running)
    .slice(1)
    .filter((one) => one !== known);
  return { options: besideEachOther(options, others), warnings };
}
