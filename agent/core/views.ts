/**
 * Gathers what the status kinds and the generated FRRConfiguration show, from the running agent, whenever somebody asks.
 *
 * Views are no resources: nothing of them is stored, applied or deleted. Reads next: state-kinds.ts, ../plan/generated.ts.
 */
import { BackendError, type ShownRoute, type SpeakerBackend } from "../../backends/backend.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { rfc3339 } from "../../events/log/export.ts";
import type { EventLog } from "../../events/log/log.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { State } from "../../events/state.ts";
import type { PeerJson } from "../api/contract.ts";
import type { ViewJson } from "../api/view-json.ts";
import { CoreError, type ResourceQuery } from "../api/core.ts";
import { type ViewKind, viewNamed } from "../api/kind-names.ts";
import type { Planned } from "../pipeline/reconcile.ts";
import { generatedConfiguration } from "../plan/generated.ts";
import { redactValues } from "../secrets/redact.ts";
import type { Secrets } from "../secrets/secrets.ts";
import {
  configurationState,
  type LastApply,
  nodeState,
  serviceStates,
  sessionStates,
} from "./state-kinds.ts";

/** A speaker may be asked over a socket, so its routes may come one after the other. */
type Told = {
  routes(direction: "advertised"): Iterable<ShownRoute> | AsyncIterable<ShownRoute>;
};

export type ViewParts = {
  readonly backend: Told & Pick<SpeakerBackend, "name" | "runningConfig">;
  readonly planned: () => Planned;
  readonly recorded: () => State;
  readonly log: Pick<EventLog, "read" | "seqOf">;
  readonly secrets: Pick<Secrets, "reveal">;
  readonly lastApply: () => LastApply;
  /** Manifests that could not be read, each in words. */
  readonly complaints: () => readonly string[];
};

/** Throws NOT_FOUND for a name that is not there, and where the speaker has nothing of the kind. */
export async function views(
  parts: ViewParts,
  peers: () => readonly PeerJson[],
  { kind, namespace, name }: ResourceQuery,
): Promise<readonly ViewJson[]> {
  const wanted = viewNamed(kind);
  if (wanted === undefined) throw new CoreError("BAD_REQUEST", `${kind} is no view`);
  const all = await answered(ofKind(parts, peers, wanted));
  const found = all.filter(
    ({ metadata }) =>
      (namespace === undefined || metadata.namespace === namespace) &&
      (name === undefined || metadata.name === name),
  );
  if (name !== undefined && found.length === 0)
    throw new CoreError("NOT_FOUND", `there is no ${kind} ${name}`);
  return found;
}

/** A speaker that does not answer is the world's fault. */
async function answered<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    throw new CoreError("NOT_READY", error.message, { cause: error });
  }
}

async function ofKind(
  parts: ViewParts,
  peers: () => readonly PeerJson[],
  kind: ViewKind,
): Promise<readonly ViewJson[]> {
  const { desired, plan } = parts.planned();
  const node = desired.host?.facts.node ?? "";
  switch (kind) {
    case "FRRConfiguration": {
      const made = generatedConfiguration(desired);
      return [{ ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels } } }];
    }
    case "FRRNodeState":
      return [nodeState(node, await runningConfig(parts), desired, parts.lastApply())];
    case "BGPSessionState":
      return sessionStates(node, peers());
    case "ServiceBGPStatus": {
      const names = new Map([...plan.neighbors].map(([key, { neighbor }]) => [key, neighbor.name]));
      const told = await toldOf(parts.backend);
      return serviceStates(node, plan.verdicts, told, (key) => names.get(key) ?? key);
    }
    case "ConfigurationState":
      return [
        configurationState(node, {
          desired,
          complaints: parts.complaints(),
          last: parts.lastApply(),
          since: since(parts, desired),
        }),
      ];
  }
}

async function runningConfig({ backend, planned, secrets }: ViewParts): Promise<string> {
  if (backend.runningConfig === undefined) {
    const message = `the ${backend.name} speaker has no running configuration: FRRNodeState is of the frr backend`;
    throw new CoreError("NOT_FOUND", message);
  }
  const speakers = Object.values(planned().plan.speakers).flatMap((speaker) => speaker ?? []);
  const neighbors = speakers.flatMap(({ routers }) => routers.flatMap((one) => one.neighbors));
  const values = [
    ...neighbors.flatMap(({ authentication }) => authentication?.secret ?? []),
    ...speakers.flatMap(({ raw }) => raw.flatMap((snippet) => snippet.raw.secrets)),
  ].flatMap((ref) => secrets.reveal(ref) ?? []);
  return redactValues(await backend.runningConfig(), values);
}

/** As the wire has it. */
async function toldOf(backend: Told): Promise<ReadonlyMap<Prefix, ReadonlySet<NeighborKey>>> {
  const told = new Map<Prefix, Set<NeighborKey>>();
  for await (const { prefix, neighbor } of backend.routes("advertised")) {
    const known = told.get(prefix);
    if (known === undefined) told.set(prefix, new Set([neighbor]));
    else known.add(neighbor);
  }
  return told;
}

/** The newest quarantine's time, or that of the agent's start. */
function since({ log, recorded }: ViewParts, desired: Planned["desired"]): string | undefined {
  const seqs = [...desired.quarantined.values()].flatMap(({ fact }) => log.seqOf(fact) ?? []);
  const newest = Math.max(0, ...seqs);
  if (newest === 0) {
    const started = recorded().run?.startedAt.wall;
    return started === undefined ? undefined : rfc3339(started);
  }
  for (const { at } of log.read({ from: newest, to: newest })) return rfc3339(at.wall);
  return undefined;
}
