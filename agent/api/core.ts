/**
 * What the API may ask of the agent: the seam that agent/compose.ts fills in, and a test with a plain object.
 *
 * Every answer is JSON of contract.ts already, so the server only checks who asks, what is asked, and how much. A function
 * throws CoreError where the world or the question is at fault; anything else it throws is our bug.
 * Reads next: contract.ts (the answers), routes.ts (who calls).
 */
import type { BackendName } from "../../backends/intent.ts";
import type { Actor } from "../../events/envelope.ts";
import type {
  ApplyAnswer,
  BfdJson,
  AtGetJson,
  AtStatusJson,
  ConfirmAnswer,
  DoctorJson,
  EnvelopeJson,
  PeerJson,
  PlanAnswer,
  ResourceJson,
  RouteJson,
  StatusJson,
  WhyJson,
} from "./contract.ts";
import type { ViewJson } from "./view-json.ts";
import type { IntentJson } from "./intent-json.ts";

/** Who asks, by the peer credentials of the socket, and through what. */
export type Caller = { readonly actor: Actor; readonly source: "cli" | "api" };

/** `name` is shown in complaints: a path, or `-` for standard input. */
export type ManifestFile = { readonly name: string; readonly text: string };

export type ChangeOptions = {
  /** Who will own what is applied, `cli` where the request names nobody; never a feed, whose resources change by its signed sets. */
  readonly owner: "cli" | `file:${string}`;
  /** Decide and answer, record nothing. */
  readonly dryRun: boolean;
  readonly takeOver: boolean;
  /** Answer after the wire has it instead of after the commit. */
  readonly wait: boolean;
  /** A second request with this key is the same change; undefined: each request is one of its own. */
  readonly idempotencyKey: string | undefined;
};

export type ApplyRequest = ChangeOptions & {
  readonly files: readonly ManifestFile[];
  readonly keepGoing: boolean;
  /** Read well-known slips as they are meant, with a warning. */
  readonly lenient: boolean;
  readonly prune: boolean;
};

/** As a user names it: kind in any of its spellings, namespace undefined where none was given. */
export type NamedResource = {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
};

export type DeleteRequest = ChangeOptions & {
  readonly what:
    | { readonly type: "files"; readonly files: readonly ManifestFile[] }
    | { readonly type: "names"; readonly names: readonly NamedResource[] };
};

export type PlanRequest = Pick<
  ApplyRequest,
  "files" | "owner" | "takeOver" | "keepGoing" | "lenient" | "prune"
> & {
  /** Plan as if this speaker ran instead of today's; undefined: for the one that runs. */
  readonly backend: BackendName | undefined;
};

export type ResourceQuery = {
  /** In any spelling that kind-names.ts knows, or `all`. */
  readonly kind: string;
  /** undefined: all of them. */
  readonly namespace: string | undefined;
  readonly name: string | undefined;
};

export type LogQuery = {
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** Wall clock, nanoseconds since 1970, inclusive. */
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  readonly types: readonly string[] | undefined;
  readonly subject: string | undefined;
  /** The newest so many of what matches; undefined: all. */
  readonly last: number | undefined;
};

/** A position in the log by number, or the newest fact at or before a time (nanoseconds since 1970). */
export type Moment =
  | { readonly type: "seq"; readonly seq: number }
  | { readonly type: "time"; readonly wall: bigint };

export interface Core {
  apply(request: ApplyRequest, caller: Caller): Promise<ApplyAnswer>;
  delete(request: DeleteRequest, caller: Caller): Promise<ApplyAnswer>;
  /** Computes and changes nothing. */
  plan(request: PlanRequest, caller: Caller): Promise<PlanAnswer>;
  /** Lets go what is held: `plan`, a source, or everything where undefined. */
  confirm(what: string | undefined, caller: Caller): Promise<ConfirmAnswer>;
  /** Throws NOT_FOUND for a name that is not there, BAD_REQUEST for an unknown or ambiguous kind. */
  get(query: ResourceQuery): readonly ResourceJson[];
  /** Of a status kind (viewNamed()), or the generated FRRConfiguration; made when asked. Throws NOT_FOUND as get() does. */
  views(query: ResourceQuery): Promise<readonly ViewJson[]>;
  intent(): IntentJson;
  status(): StatusJson;
  peers(): readonly PeerJson[];
  /** Asks the BFD process, and shows what it said last where it does not answer. */
  bfd(): Promise<readonly BfdJson[]>;
  /** Walked lazily: a full table is never one array. `peer` is a name or an address; NOT_FOUND where there is none such. */
  routes(query: {
    readonly direction: "received" | "advertised" | "kernel";
    readonly peer: string | undefined;
    readonly raw: boolean;
  }): AsyncIterable<RouteJson>;
  /** `subject` is a prefix, an address, `namespace/name` of a Service, or its name alone. */
  why(subject: string, peer: string | undefined): WhyJson;
  /** In order of seq, lazily. */
  log(query: LogQuery): Iterable<EnvelopeJson>;
  /** Seq of the newest committed fact; 0 in an empty log. */
  head(): number;
  /** Path of the log's database, so that who may read it can verify and export it without the agent's help. */
  logFile(): string;
  /** Calls back with the newest seq after each commit; the reader then reads on from where it stands. */
  followLog(listener: (head: number) => void): () => void;
  /** State as the log has it at that moment. Throws NOT_FOUND for a moment that the log does not reach. */
  statusAt(moment: Moment): AtStatusJson;
  resourcesAt(moment: Moment, query: ResourceQuery): AtGetJson;
  doctor(): Promise<DoctorJson>;
  /** True once the whole log is folded and the first plan was handed on. */
  ready(): boolean;
}

export type CoreErrorCode =
  | "BAD_REQUEST" /* the question makes no sense; the message says how to ask */
  | "NOT_FOUND"
  | "NOT_RECORDED" /* the log refused; nothing changed */
  | "NOT_READY" /* still folding the log */
  | "SPEAKER_UNREACHABLE" /* the daemon that would know does not answer */
  | "WIRE_TIMEOUT"; /* recorded, but `wait` ended before the wire had it */

export class CoreError extends Error {
  override readonly name = "CoreError";
  readonly code: CoreErrorCode;
  constructor(code: CoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
