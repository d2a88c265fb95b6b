/**
 * Manifests in, an answer out: reads what a request carries, has it decided and recorded, and says what became of each
 * resource.
 *
 * Parses with agent/manifests/, decides through agent/pipeline/commands.ts; knows no rule of its own. A request is one
 * change: all of it is recorded or nothing, unless the user asked to keep going.
 */
import type { Source } from "../../events/envelope.ts";
import { type EventId, type ResourceKey, resourceKeyParts, type Seq } from "../../events/ids.ts";
import { LogError } from "../../events/log/log.ts";
import { keyOf, type Resource } from "../../events/resources/kinds.ts";
import type { NotCarried } from "../../events/resources/resource.ts";
import type { DesiredState } from "../../events/state.ts";
import type { ApplyAnswer, ChangedResource, Complaint } from "../api/contract.ts";
import type { ApplyRequest } from "../api/core.ts";
import { heldResource } from "../decide/ownership.ts";
import type { Command } from "../decide/decide.ts";
import type { Change, Decision, Document, Refusal } from "../decide/decision.ts";
import { notCarriedHere } from "../plan/carried-here.ts";
import type { PlanOptions } from "../plan/options.ts";
import { type ManifestRead, readManifests } from "../manifests/read.ts";
import type { SecretBatch } from "../secrets/secrets.ts";
import { SecretsError } from "../secrets/vault-file.ts";

export type ReadRequest = {
  readonly documents: readonly Document[];
  readonly complaints: readonly Complaint[];
  readonly notApplicable: readonly ChangedResource[];
};

/** All files of a request. Complaints of severity `error` refuse it, unless it keeps going. */
export function readRequest(
  request: Pick<ApplyRequest, "files" | "owner" | "lenient">,
  secrets: Pick<SecretBatch, "seal">,
): ReadRequest {
  const reads = request.files.map(({ name, text }) =>
    readManifests(text, name, { seal: secrets.seal, lenient: request.lenient }),
  );
  const documents = reads.flatMap((read) => documentsOf(read, request.owner));
  return {
    documents,
    complaints: [...reads.flatMap((read) => read.complaints), ...twiceNamed(documents)],
    notApplicable: reads.flatMap((read) =>
      read.notApplicable.map(({ apiVersion, kind, name, reason }): ChangedResource => ({
        kind,
        apiVersion,
        namespace: "",
        name,
        result: "not-applicable",
        seq: null,
        notes: [reason],
      })),
    ),
  };
}

/** Brings a command's secrets to disk ahead of its facts; a disk that refuses them refuses the command. */
export const secretsFirst = (batch: SecretBatch) => async (): Promise<void> => {
  try {
    await batch.flush();
  } catch (error) {
    if (!(error instanceof SecretsError)) throw error;
    throw new LogError("NOT_RECORDED", `not recorded: ${error.message}`, { cause: error });
  }
};

export const documentsOf = (read: ManifestRead, owner: Document["owner"]): readonly Document[] =>
  read.documents.map(({ resource, location }) => ({ resource, owner, ...location }));

/** One file's doubles are found where it is read; these stand in two files. */
function twiceNamed(documents: readonly Document[]): readonly Complaint[] {
  const first = new Map<ResourceKey, Document>();
  const complaints: Complaint[] = [];
  for (const document of documents) {
    const key = keyOf(document.resource);
    const before = first.get(key);
    if (before === undefined) first.set(key, document);
    else if (before.file !== document.file) {
      complaints.push({
        file: document.file,
        line: document.line,
        column: 0,
        field: "metadata.name",
        rule: "duplicate",
        message: `${shortName(key)} stands in ${before.file}:${before.line} too: keep one of them`,
        severity: "error",
      });
    }
  }
  return complaints;
}

export const hasErrors = (complaints: readonly Complaint[]): boolean =>
  complaints.some(({ severity }) => severity === "error");

/** What a decision means for each resource. `positions` is empty for one that was not recorded. */
export function answerOf(
  decision: Decision,
  read: ReadRequest,
  positions: ReadonlyMap<EventId, Seq>,
  { dryRun, options }: { readonly dryRun: boolean; readonly options: PlanOptions },
): ApplyAnswer {
  const carried = (resource: Resource): readonly NotCarried[] =>
    notCarriedHere(decision.after, resource, options);
  const byKey = new Map(read.documents.map((document) => [keyOf(document.resource), document]));
  const refusals = new Map(decision.refusals.map((refusal) => [refusal.key, refusal]));
  const resources = decision.changes.map((change) =>
    changedResource(
      change,
      byKey.get(change.key)?.resource,
      decision,
      refusals,
      positions,
      carried,
    ),
  );
  const newest = Math.max(0, ...decision.facts.map(({ id }) => positions.get(id) ?? 0));
  return {
    outcome:
      decision.type === "refused" ? "refused" : decision.facts.length > 0 ? "applied" : "unchanged",
    dryRun,
    seq: newest === 0 ? null : newest,
    resources: [...resources, ...read.notApplicable],
    complaints: [...read.complaints, ...decision.refusals.map(complaintOf)],
    notCarried: read.documents.flatMap(({ resource }) =>
      carried(resource).map(({ field, reason }) => ({
        resource: keyOf(resource),
        field,
        reason,
      })),
    ),
    warnings: [],
  };
}

function changedResource(
  change: Change,
  resource: Resource | undefined,
  decision: Decision,
  refusals: ReadonlyMap<ResourceKey, Refusal>,
  positions: ReadonlyMap<EventId, Seq>,
  carried: (resource: Resource) => readonly NotCarried[],
): ChangedResource {
  const { kind, namespace, name } = resourceKeyParts(change.key);
  const refusal = refusals.get(change.key);
  const state = stateOf(decision.after, change.key);
  return {
    kind,
    apiVersion:
      resource?.apiVersion ?? heldResource(decision.after, change.key)?.resource.apiVersion ?? "",
    namespace,
    name,
    result:
      refusal !== undefined
        ? "refused"
        : state.quarantined && change.result !== "deleted"
          ? "quarantined"
          : change.result,
    seq: change.fact === undefined ? null : (positions.get(change.fact) ?? null),
    notes: [
      ...(refusal === undefined ? [] : [refusal.message]),
      ...state.notes,
      ...(resource === undefined ? [] : carried(resource).map(carriedNote)),
    ],
  };
}

function stateOf(
  desired: DesiredState,
  key: ResourceKey,
): { readonly quarantined: boolean; readonly notes: readonly string[] } {
  const quarantine = desired.quarantined.get(key);
  if (quarantine !== undefined) {
    return { quarantined: true, notes: [`quarantined (${quarantine.rule}): ${quarantine.reason}`] };
  }
  const allocation = desired.allocations.get(key);
  const awaited = desired.awaiting.get(key);
  return {
    quarantined: false,
    notes: [
      ...(allocation === undefined
        ? []
        : [`address ${allocation.addresses.map(({ address }) => address).join(", ")}`]),
      ...(awaited === undefined ? [] : [`waits for an address: ${awaited.reason}`]),
    ],
  };
}

const carriedNote = ({ field, reason }: { field: string; reason: string }): string =>
  `accepted, ${reason.startsWith("not carried") ? "" : "not carried yet: "}${reason} (${field})`;

const complaintOf = ({ key, rule, message, document }: Refusal): Complaint => ({
  file: document?.file ?? "",
  line: document?.line ?? 0,
  column: 0,
  field: shortName(key),
  rule,
  message,
  severity: "error",
});

/** `BGPPeer metallb-system/peer1`, as a person says it. */
export function shortName(key: ResourceKey): string {
  const { kind, namespace, name } = resourceKeyParts(key);
  return `${kind} ${namespace === "" ? "" : `${namespace}/`}${name}`;
}

export const refusedAnswer = (read: ReadRequest, dryRun: boolean): ApplyAnswer => ({
  outcome: "refused",
  dryRun,
  seq: null,
  resources: [...read.notApplicable],
  complaints: [...read.complaints],
  notCarried: [],
  warnings: [],
});

export const applyCommand = (request: ApplyRequest, read: ReadRequest): Command => ({
  type: "apply",
  documents: read.documents,
  owner: request.owner,
  takeOver: request.takeOver,
  keepGoing: request.keepGoing,
  prune: request.prune,
});

/** The idempotency key is the position in the caller's source: a second fact of the same one can't enter the log. */
export const sourceOf = (name: "cli" | "api", idempotencyKey: string | undefined): Source =>
  idempotencyKey === undefined ? { name } : { name, position: idempotencyKey };
