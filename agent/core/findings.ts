/**
 * Gathers what `rutter doctor` judges (doctor.ts) from the running agent and its host. Changes nothing.
 */
import { statfsSync } from "node:fs";
import { BackendError } from "../../backends/backend.ts";
import { systemClock } from "../../backends/clock.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { Core } from "../api/core.ts";
import type { AgentConfig } from "../config-schema.ts";
import { complaintText } from "../manifests/complaint.ts";
import type { Planned } from "../pipeline/reconcile.ts";
import type { Recorder } from "../pipeline/recorder.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Findings } from "./doctor.ts";
import { kernelFindings } from "./kernel-findings.ts";
import { type NotInstalled, notInstalled } from "./not-installed.ts";
import type { Speakers } from "./speakers.ts";
import type { ManifestSources } from "./manifest-source.ts";

type Parts = {
  readonly config: AgentConfig;
  readonly program: string;
  readonly backend: Speakers;
  readonly kernel: Kernel | undefined;
  readonly kernelProblem: string | undefined;
  readonly core: Pick<Core, "peers" | "status">;
  readonly recorder: Recorder;
  readonly sources: ManifestSources;
  readonly secrets: Secrets;
  readonly planned: () => Planned;
};

/** What is wrong with manifests that are read by themselves, in words. */
export const complaintsOf = (sources: ManifestSources): readonly string[] =>
  sources
    .states()
    .flatMap(({ complaints, problems }) => [...complaints.map(complaintText), ...problems]);

export async function findings(parts: Parts): Promise<Findings> {
  const {
    config,
    program,
    backend,
    kernel,
    kernelProblem,
    core,
    recorder,
    sources,
    secrets,
    planned,
  } = parts;
  const { bavail, bsize } = statfsSync(config.stateDirectory, { bigint: true });
  const neighbors = Object.values(planned().plan.speakers)
    .flatMap((speaker) => speaker?.routers ?? [])
    .flatMap((router) => router.neighbors);
  return {
    program,
    nodeVersion: process.version,
    lacking: backend.missing(),
    listenProblem: backend.listenProblem(),
    daemons: backend.daemons().map((one) => ({
      ...one,
      forSeconds: Math.round((systemClock.monotonicMillis() - one.sinceMillis) / 1000),
    })),
    peers: core.peers(),
    quarantined: core.status().quarantined,
    sourceComplaints: complaintsOf(sources),
    missingSecrets: neighbors.flatMap(({ authentication }) =>
      authentication !== undefined && secrets.reveal(authentication.secret) === undefined
        ? [authentication.secret.name]
        : [],
    ),
    notRecording: recorder.notRecording()?.reason,
    freeOctets: bavail * bsize,
    stateDirectory: config.stateDirectory,
    kernel: kernel === undefined ? (kernelProblem ?? "") : kernelFindings(kernel, planned().plan),
    notInstalled: await installedOrWhy(parts),
  };
}

async function installedOrWhy({
  backend,
  kernel,
  planned,
}: Parts): Promise<Findings["notInstalled"]> {
  try {
    const { plan } = planned();
    const found: NotInstalled[] = [];
    for (const one of backend.all) {
      found.push(...(await notInstalled({ backend: one, kernel, plan })));
    }
    return found;
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    return error.message;
  }
}
