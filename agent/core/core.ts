/**
 * What the API asks of the running agent, answered from the log, the plan and the speaker.
 *
 * Holds no state of its own and no rule: it reads, has decided and recorded (pipeline/commands.ts), and shows. Reads next:
 * changes.ts (apply and delete), the views beside this file.
 */
import type { BfdClient } from "../../backends/bfd/client.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { Actor, Source } from "../../events/envelope.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { envelopeJson, rfc3339 } from "../../events/log/export.ts";
import { type EventLog, LogError } from "../../events/log/log.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { State } from "../../events/state.ts";

import { keyNamed, keyOfType, kindNamed } from "../api/kind-names.ts";
import type { ApplyAnswer, DoctorJson, EnvelopeJson } from "../api/contract.ts";
import {
  type ApplyRequest,
  type Caller,
  type ChangeOptions,
  type Core,
  CoreError,
  type DeleteRequest,
  type Moment,
  type ResourceQuery,
} from "../api/core.ts";
import type { Command } from "../decide/decide.ts";
import type { Answer, Commands } from "../pipeline/commands.ts";
import { withOffers } from "../pipeline/exports.ts";
import type { Planned } from "../pipeline/reconcile.ts";
import type { Applies } from "../pipeline/speaker.ts";
import type { Unexplained } from "../pipeline/upgrade.ts";
import type { PlanOptions } from "../plan/options.ts";
import type { Plan } from "../plan/plan.ts";
import { preview } from "../plan/preview.ts";
import { asRecorded } from "../pipeline/upgrade.ts";
import { shadowOf, type ShadowSpeaker } from "../plan/shadow.ts";
import { why } from "../plan/why.ts";
import type { SecretBatch, Secrets } from "../secrets/secrets.ts";
import {
  answerOf,
  applyCommand,
  hasErrors,
  type ReadRequest,
  readRequest,
  refusedAnswer,
  secretsFirst,
  sourceOf,
} from "./changes.ts";
import { type SeenParts, seenNow } from "./seen.ts";
import { figures, readiness } from "./figures.ts";
import { daemonViews } from "./daemon-view.ts";
import { holdView, whyHeld, whyWithheld } from "./hold-view.ts";
import { whyLearned } from "./why-learned.ts";
import { kernelView } from "./kernel-view.ts";
import { intentView } from "./intent-view.ts";
import { type AtMoment, stateAt } from "./moments.ts";
import { resourceViews, type SeqOf } from "./resource-view.ts";
import { neighborName, neighborNamed, routeViews } from "./route-view.ts";
import type { LastApply } from "./state-kinds.ts";
import { views } from "./views.ts";
import { type Now, recordedStatus, serviceViews, statusView } from "./status-view.ts";

export type CoreParts = SeenParts & {
  readonly log: EventLog;
  readonly commands: Commands;
  readonly secrets: Secrets;
  /** undefined: this agent leaves the kernel alone. */
  readonly kernel: Kernel | undefined;
  readonly bfd: SeenParts["bfd"] & Pick<BfdClient, "refresh">;
  /** Everything committed, folded. */
  readonly recorded: () => State;
  /** Resolves when what was observed up to now is in the log, or could not be. */
  readonly allRecorded: () => Promise<void>;
  readonly planOptions: PlanOptions;
  /** What is known of a speaker, whether it runs or not. */
  readonly shadow: (backend: BackendName) => Promise<ShadowSpeaker>;
  readonly replan: (before: Planned, desired: Planned["desired"]) => Plan;
  readonly lastApply: () => LastApply & Applies;
  /** Manifests that could not be read, each in words. */
  readonly complaints: () => readonly string[];
  /** Resolves when the speaker has what is planned now; false where that took too long. */
  readonly onTheWire: () => Promise<boolean>;
  /** What a new program version plans and may not do before it is confirmed. */
  readonly held: () => Unexplained;
  /** Prefixes that are planned and not announced, for this host receives nothing for them. */
  readonly withheld: () => ReadonlyMap<Prefix, string>;
  readonly confirm: (
    what: string | undefined,
    actor: Actor,
  ) => Promise<{ readonly confirmed: readonly string[]; readonly seq: number | null }>;
  readonly doctor: () => Promise<DoctorJson>;
  readonly logFile: string;
  readonly now: () => Pick<Now, "state" | "notRecording" | "fleet">;
};

export function createCore(parts: CoreParts): Core {
  const { log, commands, planned } = parts;
  const seqOf: SeqOf = (fact) => log.seqOf(fact) ?? null;
  const { sessions, bfd, peers } = seenNow(parts);
  const change = (
    read: ReadRequest,
    command: Command,
    options: ChangeOptions,
    caller: Caller,
    batch = parts.secrets.batch(),
  ) => changed(parts, read, command, options, caller, batch);

  return {
    async apply(request, caller) {
      const batch = parts.secrets.batch();
      const read = readRequest(request, batch);
      if (hasErrors(read.complaints) && !request.keepGoing) {
        return refusedAnswer(read, request.dryRun);
      }
      return change(read, applyCommand(request, read), request, caller, batch);
    },

    async delete(request, caller) {
      const { read, keys } = deletedKeys(parts, request);
      if (hasErrors(read.complaints)) return refusedAnswer(read, request.dryRun);
      const { owner, takeOver } = request;
      return change(read, { type: "delete", keys, owner, takeOver }, request, caller);
    },

    async plan(request) {
      const other = request.backend && (await parts.shadow(request.backend));
      // What was told a moment ago may be on its way into the log.
      if (other !== undefined) await parts.allRecorded();
      const read = readRequest(request, parts.secrets.batch());
      const refused = hasErrors(read.complaints) && !request.keepGoing;
      const command = applyCommand({ ...request, ...previewOptions }, read);
      const decision = commands.preview(command);
      const answer = answerOf(decision, read, new Map(), {
        dryRun: true,
        options: other?.options ?? parts.planOptions,
      });
      const before = planned();
      const wireNow = () => asRecorded(before.plan, parts.recorded().wires);
      const foreseen = withOffers(parts.kernel, decision.after);
      const foreseeing =
        other === undefined || refused
          ? {
              ...preview(before.plan, refused ? before.plan : parts.replan(before, foreseen)),
              shadow: null,
            }
          : shadowOf(wireNow(), parts.backend.name, foreseen, other);
      const { resources, complaints } = refused ? refusedAnswer(read, true) : answer;
      const outcome = refused || decision.type === "refused" ? "refused" : "planned";
      const held = holdView(parts.held(), (key) => neighborName(parts, key));
      return { ...foreseeing, held, outcome, resources, complaints };
    },

    async confirm(what, { actor }) {
      const { confirmed, seq } = await parts.confirm(what, actor);
      const outcome = confirmed.length > 0 ? "confirmed" : "nothing-held";
      return { outcome, confirmed: [...confirmed], seq };
    },

    get(query) {
      const views = resourceViews(commands.current(), selectionOf(query), seqOf, parts.planOptions);
      if (query.name !== undefined && views.length === 0) {
        throw new CoreError("NOT_FOUND", `there is no ${query.kind} ${query.name}`);
      }
      return views;
    },

    views: (query) => views(parts, peers, query),

    intent: () => intentView(planned().plan),
    peers,
    async bfd() {
      await parts.bfd.refresh();
      return bfd(planned().plan);
    },

    status() {
      const { desired, plan } = planned();
      const services = serviceViews(desired, plan, parts.withheld());
      const now = {
        ...parts.now(),
        backend: parts.backend.name,
        besides: parts.backend.besides,
        peers: peers(),
        bfd: bfd(plan),
        daemons: daemonViews(parts.backend.daemons(), parts.wallOf),
        services,
        kernel: kernelView(parts.kernel),
      };
      return statusView(parts.recorded(), desired, now, seqOf);
    },

    routes: ({ direction, peer, raw }) =>
      routeViews(
        parts,
        direction,
        peer === undefined ? undefined : neighborNamed(parts, peer),
        raw,
      ),

    why(subject, peer) {
      const { desired, plan } = planned();
      const known = {
        kernel: parts.kernel,
        plan,
        recorded: parts.recorded(),
        sessions: sessions(),
      };
      const asPlanned = whyLearned(
        subject,
        why({ subject, peer }, desired, plan, known.sessions),
        known,
      );
      const asHeld = whyHeld(asPlanned, parts.held(), parts.recorded());
      const { chain, ...answer } = whyWithheld(asHeld, parts.withheld());
      return {
        ...answer,
        chain: chain.map(({ fact, ...step }) => ({
          ...step,
          seq: fact === undefined ? null : seqOf(fact),
        })),
      };
    },

    *log({ last, ...filter }) {
      const unfiltered = Object.values(filter).every((one) => one === undefined);
      // Without a filter every fact matches, so the newest ones are known by their place.
      const from =
        last !== undefined && unfiltered ? Math.max(1, log.head().seq - last + 1) : filter.from;
      const facts = log.read(withoutUndefined({ ...filter, from }));
      if (last === undefined) for (const fact of facts) yield envelopeJson(fact) as EnvelopeJson;
      else for (const fact of newest(facts, last)) yield envelopeJson(fact) as EnvelopeJson;
    },

    head: () => log.head().seq,
    logFile: () => parts.logFile,
    followLog: (listener) => log.follow(() => listener(log.head().seq)),

    statusAt(moment) {
      const at = atMoment(log, moment);
      return { ...position(at), status: recordedStatus(at.state, at.seqOf) };
    },

    resourcesAt(moment, query) {
      const at = atMoment(log, moment);
      const views = resourceViews(at.state.desired, selectionOf(query), at.seqOf, undefined);
      return { ...position(at), resources: [...views] };
    },

    doctor: parts.doctor,
    figures: () => figures(parts, peers(), bfd(planned().plan)),
    ready: () => readiness(parts),
  };
}

const previewOptions = { dryRun: true, wait: false, idempotencyKey: undefined } as const;

async function changed(
  parts: CoreParts,
  read: ReadRequest,
  command: Command,
  options: ChangeOptions,
  caller: Caller,
  batch: SecretBatch,
): Promise<ApplyAnswer> {
  const as = { dryRun: options.dryRun, options: parts.planOptions };
  if (options.dryRun) return answerOf(parts.commands.preview(command), read, new Map(), as);
  const source = sourceOf(caller.source, options.idempotencyKey);
  const repeated = source.position === undefined ? undefined : parts.log.find(source);
  if (repeated !== undefined) {
    const decision = parts.commands.preview(command);
    return { ...answerOf(decision, read, new Map(), as), outcome: "unchanged", seq: repeated };
  }
  const answer = await submitted(parts, command, caller.actor, source, batch);
  if (options.wait && !(await parts.onTheWire())) {
    throw new CoreError(
      "WIRE_TIMEOUT",
      "recorded, but the speaker has not taken it yet: see rutter status",
    );
  }
  return answerOf(answer.decision, read, answer.positions, as);
}

async function submitted(
  parts: CoreParts,
  command: Command,
  actor: Actor,
  source: Source,
  batch: SecretBatch,
): Promise<Answer> {
  try {
    return await parts.commands.submit(command, actor, source, secretsFirst(batch));
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw new CoreError("NOT_RECORDED", `nothing changed: ${error.message}`, { cause: error });
  }
}

function deletedKeys(
  parts: CoreParts,
  request: DeleteRequest,
): { readonly read: ReadRequest; readonly keys: readonly ResourceKey[] } {
  const nothing: ReadRequest = { documents: [], complaints: [], notApplicable: [] };
  if (request.what.type === "names") {
    return { read: nothing, keys: request.what.names.map(keyNamed) };
  }
  const asApply: Pick<ApplyRequest, "files" | "owner" | "lenient"> = {
    files: request.what.files,
    owner: request.owner,
    lenient: true,
  };
  const read = readRequest(asApply, parts.secrets.batch());
  const keys = read.documents.map(({ resource: { type, metadata } }) =>
    keyOfType(type, metadata.namespace, metadata.name),
  );
  return { read: { ...read, documents: [] }, keys };
}

const selectionOf = ({ kind, namespace, name }: ResourceQuery) => ({
  types: kindNamed(kind).types,
  namespace,
  name,
});

function atMoment(log: EventLog, moment: Moment): AtMoment {
  const at = stateAt((filter) => log.read(filter), moment);
  if (at !== undefined) return at;
  const wanted = moment.type === "seq" ? `seq ${moment.seq}` : "that time";
  throw new CoreError(
    "NOT_FOUND",
    `the log does not reach ${wanted}: it has 1 to ${log.head().seq}`,
  );
}

const position = ({ state }: AtMoment) => ({
  seq: state.seq,
  at: state.at === undefined ? null : rfc3339(state.at.wall),
});

function newest<T>(facts: Iterable<T>, count: number): readonly T[] {
  const kept: T[] = [];
  for (const fact of facts) {
    kept.push(fact);
    if (kept.length > 2 * count) kept.splice(0, kept.length - count);
  }
  return kept.slice(-count);
}

const withoutUndefined = <T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
