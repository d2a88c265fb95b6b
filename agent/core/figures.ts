/**
 * Gathers the figures for `/metrics`, and whether the agent is ready, from the running agent, whenever somebody asks.
 *
 * Counts and never copies: with 100,000 Services it walks their verdicts once and makes no view of them. Changes nothing.
 * Reads next: agent/api/figures.ts (what the numbers mean).
 */
import { statSync } from "node:fs";
import type { SpeakerBackend } from "../../backends/backend.ts";
import { noRoutes } from "../../backends/backend.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { EventLog } from "../../events/log/log.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { State } from "../../events/state.ts";
import type { BfdJson } from "../api/bfd-json.ts";
import type { HealthJson, PeerJson, StatusJson } from "../api/contract.ts";
import type { Figures, PeerFigures } from "../api/figures.ts";
import type { Planned } from "../pipeline/reconcile.ts";
import type { Applies } from "../pipeline/speaker.ts";
import { BOUNDS_SECONDS } from "../pipeline/tally.ts";
import type { Plan } from "../plan/plan.ts";
import { kernelView } from "./kernel-view.ts";
import { heldViews, type Now } from "./status-view.ts";
import type { LastApply } from "./state-kinds.ts";

export type FigureParts = {
  readonly log: Pick<EventLog, "head" | "counts" | "seqOf" | "interruption">;
  readonly backend: Pick<SpeakerBackend, "name" | "sessions">;
  readonly kernel: Pick<Kernel, "status"> | undefined;
  readonly recorded: () => State;
  readonly planned: () => Planned;
  readonly lastApply: () => LastApply & Applies;
  readonly complaints: () => readonly string[];
  readonly withheld: () => ReadonlyMap<Prefix, string>;
  readonly logFile: string;
  readonly now: () => Pick<Now, "state" | "fleet">;
};

export function figures(
  parts: FigureParts,
  peers: readonly PeerJson[],
  bfd: readonly BfdJson[],
): Figures {
  const { desired, plan } = parts.planned();
  const recorded = parts.recorded();
  const { durations, failures, pending } = parts.lastApply();
  const { counts, head, interruption } = parts.log;
  const { state, fleet } = parts.now();
  return {
    node: desired.host?.facts.node ?? "",
    backend: parts.backend.name,
    program: recorded.run?.program ?? "",
    state,
    ready: readiness(parts).ok,
    peers: peerFigures(parts, peers),
    bfd,
    kernel: kernelView(parts.kernel),
    fleet,
    services: servicesOf(plan, parts.withheld()),
    endpoints: endpointsOf(desired),
    quarantined: desired.quarantined.size,
    held: heldViews(recorded, () => null).length,
    manifestProblems: parts.complaints().length,
    applies: { durations: { ...durations, boundsSeconds: BOUNDS_SECONDS }, failures, pending },
    log: {
      ...counts(),
      head: head().seq,
      octets: octetsOf(parts.logFile),
      recording: interruption() === undefined,
    },
  };
}

/** Whether the speaker has had a whole plan in this run: before that nothing of this host's state may be believed from outside. */
export function readiness({
  lastApply,
  now,
}: Pick<FigureParts, "lastApply"> & { readonly now: () => Pick<Now, "state"> }): HealthJson {
  const { applied, failure } = lastApply();
  const stopping: readonly StatusJson["state"][] = ["stopping", "stopped"];
  if (stopping.includes(now().state)) return { ok: false, reason: "the agent is stopping" };
  if (applied) return { ok: true, reason: "" };
  const reason =
    failure === undefined
      ? "the first plan is not applied yet"
      : `the first plan is not applied: ${failure}`;
  return { ok: false, reason };
}

/** In order of `peers`; one that the speaker does not know has no routes. */
function peerFigures(
  { backend, planned }: FigureParts,
  peers: readonly PeerJson[],
): readonly PeerFigures[] {
  const names = new Map([...planned().plan.neighbors].map(([key, one]) => [key, one.neighbor]));
  const found = new Map(
    backend.sessions().map(({ neighbor, name, byFamily }) => {
      const known = names.get(neighbor);
      return [`${known?.vrf ?? ""}|${known?.name ?? name}`, byFamily] as const;
    }),
  );
  return peers.map(({ name, vrf, state, since, resets }) => ({
    name,
    vrf,
    state,
    since,
    resets,
    families: found.get(`${vrf}|${name}`) ?? noRoutes,
  }));
}

function servicesOf(
  { verdicts }: Plan,
  withheld: ReadonlyMap<Prefix, string>,
): Figures["services"] {
  let announced = 0;
  for (const [, verdict] of verdicts) {
    if (verdict.announced && verdict.prefixes.some((prefix) => !withheld.has(prefix)))
      announced += 1;
  }
  return { all: verdicts.size, announced };
}

function endpointsOf({ endpoints }: Planned["desired"]): Figures["endpoints"] {
  let healthy = 0;
  for (const [, endpoint] of endpoints) if (endpoint.healthy) healthy += 1;
  return { healthy, unhealthy: endpoints.size - healthy };
}

/** SQLite keeps what is newest beside the database until it is written back. */
const octetsOf = (file: string): number =>
  [file, `${file}-wal`].reduce(
    (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
