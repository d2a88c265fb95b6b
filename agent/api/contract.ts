/**
 * The JSON that leaves the agent: one schema a shape, from which the OpenAPI description and the types are made.
 *
 * A contract (design §8): lower camel case, times in RFC 3339 with nanoseconds, 64-bit integers as decimal text. Fields are
 * added, never changed and never dropped; a key is always there, null where it has nothing to say. Answers only: what comes
 * in stands in requests.ts. The command line takes types from here and nothing else, so that it starts without zod.
 * Reads next: core.ts (who gives these), routes.ts (where they go out).
 */
import * as z from "zod";
import { BfdJson } from "./bfd-json.ts";
import { DaemonJson } from "./daemon-json.ts";
import { FleetJson } from "./fleet-json.ts";
import { ShadowJson } from "./shadow-json.ts";

/** RFC 3339 with nanoseconds, UTC: `2026-01-31T10:00:00.000000000Z`. */
const Time = z.string().meta({ format: "date-time" });
/** Position in the log, from 1; 0 in an empty log. */
const SeqJson = z.int().min(0);
/** `group/Kind/namespace/name`; group and namespace may be empty. */
const ResourceName = z.string();
/** Ids of the facts that made it what it is, most specific first; `log` shows each. */
const ProvenanceJson = z.array(z.string());

export const Complaint = z.object({
  file: z.string(),
  /** From 1; 0 where the whole file is meant. */
  line: z.int().min(0),
  column: z.int().min(0),
  /** Dotted path, `spec.peerASN`; empty for the document itself. */
  field: z.string(),
  /** Stable id of the rule that is broken. */
  rule: z.string(),
  message: z.string(),
  severity: z.enum(["error", "warning"]),
});
export type Complaint = z.infer<typeof Complaint>;

export const QuarantinedJson = z.object({
  resource: ResourceName,
  rule: z.string(),
  reason: z.string(),
});
export type QuarantinedJson = z.infer<typeof QuarantinedJson>;

export const NotCarriedJson = z.object({
  resource: ResourceName,
  field: z.string(),
  reason: z.string(),
});
export type NotCarriedJson = z.infer<typeof NotCarriedJson>;

export const WarningJson = z.object({ resource: ResourceName, reason: z.string() });
export type WarningJson = z.infer<typeof WarningJson>;

export const ChangedResource = z.object({
  kind: z.string(),
  apiVersion: z.string(),
  namespace: z.string(),
  name: z.string(),
  result: z.enum([
    "created",
    "configured",
    "unchanged",
    "deleted",
    "not-applicable",
    "refused",
    "quarantined",
  ]),
  /** Where the log says so; null where nothing was recorded. */
  seq: SeqJson.nullable(),
  /** Sentences for the user: what is not carried yet, why it is refused, where it went. */
  notes: z.array(z.string()),
});
export type ChangedResource = z.infer<typeof ChangedResource>;

export const ApplyAnswer = z.object({
  outcome: z.enum(["applied", "unchanged", "refused"]),
  dryRun: z.boolean(),
  /** The newest fact of this change; null where nothing was recorded. */
  seq: SeqJson.nullable(),
  resources: z.array(ChangedResource),
  complaints: z.array(Complaint),
  notCarried: z.array(NotCarriedJson),
  warnings: z.array(WarningJson),
});
export type ApplyAnswer = z.infer<typeof ApplyAnswer>;

export const ConfirmAnswer = z.object({
  outcome: z.enum(["confirmed", "nothing-held"]),
  /** What was held and now goes on: `plan`, or a source such as `file:/etc/rutter/manifests.d`. */
  confirmed: z.array(z.string()),
  seq: SeqJson.nullable(),
});
export type ConfirmAnswer = z.infer<typeof ConfirmAnswer>;

export const SessionStateJson = z.enum([
  "Idle",
  "Connect",
  "Active",
  "OpenSent",
  "OpenConfirm",
  "Established",
  "Refused",
]);

export const RemoteAsJson = z.union([z.int().min(1), z.enum(["internal", "external"])]);

export const PeerJson = z.object({
  name: z.string(),
  /** The speaker whose it is. */
  backend: z.string(),
  address: z.string().nullable(),
  interface: z.string().nullable(),
  /** Empty for the default one. */
  vrf: z.string(),
  localAs: z.int(),
  /** As a number once it is known; before that what the resource asks for. */
  remoteAs: RemoteAsJson,
  state: SessionStateJson,
  since: Time.nullable(),
  /** Why it is not Established, in words to act on; empty if there is nothing to say. */
  reason: z.string(),
  /** Seconds: agreed ones in an Established session, else what is offered. */
  holdTime: z.int(),
  keepaliveTime: z.int(),
  capabilities: z.array(z.string()),
  bfd: BfdJson.nullable(),
  sent: z.int(),
  received: z.int(),
  accepted: z.int(),
  /** Times an Established session went down since the agent started. */
  resets: z.int(),
  provenance: ProvenanceJson,
});
export type PeerJson = z.infer<typeof PeerJson>;

export const ServiceJson = z.object({
  namespace: z.string(),
  name: z.string(),
  addresses: z.array(z.object({ address: z.string(), pool: ResourceName })),
  announced: z.boolean(),
  /** Why not, or what it waits for; empty where all is well. */
  reason: z.string(),
  /** What stands on the wire for it: host routes or aggregates. */
  prefixes: z.array(z.string()),
});
export type ServiceJson = z.infer<typeof ServiceJson>;

export const HeldJson = z.object({
  /** What `rutter confirm` takes: `plan` or a source. */
  what: z.string(),
  reason: z.string(),
  seq: SeqJson.nullable(),
});
export type HeldJson = z.infer<typeof HeldJson>;

export const NotRecordingJson = z.object({ since: Time, reason: z.string(), lost: z.int() });

/** What is ours in the kernel; null where this agent leaves it alone. */
export const KernelJson = z.object({
  /** Learned routes that are in, and those that are held back, over all import rules. */
  routes: z.int(),
  held: z.array(
    z.object({ rule: z.string(), reason: z.string(), count: z.int(), example: z.string() }),
  ),
  /** Times that something of ours was changed by others since the start. */
  drift: z.int(),
  problems: z.array(z.object({ entry: z.string(), reason: z.string() })),
});
export type KernelJson = z.infer<typeof KernelJson>;

export const StatusJson = z.object({
  node: z.string(),
  backend: z.string(),
  /** Speakers that run beside it. */
  besides: z.array(z.string()),
  /** `held`: something waits for `rutter confirm`. `degraded`: it runs, and something in this answer says what is wrong. */
  state: z.enum(["starting", "running", "held", "degraded", "stopping", "stopped"]),
  logSeq: SeqJson,
  peers: z.array(PeerJson),
  bfd: z.array(BfdJson),
  /** Of the speaker; empty where it is in the agent. */
  daemons: z.array(DaemonJson),
  services: z.array(ServiceJson),
  quarantined: z.array(QuarantinedJson),
  kernel: KernelJson.nullable(),
  /** Null where every fact is recorded. */
  notRecording: NotRecordingJson.nullable(),
  held: z.array(HeldJson),
  /** Null where this host is in no fleet. */
  fleet: FleetJson.nullable(),
  program: z.string(),
  startedAt: Time.nullable(),
});
export type StatusJson = z.infer<typeof StatusJson>;

export const RawAttribute = z.object({ code: z.int(), flags: z.int(), hex: z.string() });

export const RouteJson = z.object({
  prefix: z.string(),
  peer: z.string(),
  vrf: z.string(),
  pathId: z.int(),
  nextHop: z.string(),
  asPath: z.string(),
  origin: z.enum(["igp", "egp", "incomplete"]),
  localPref: z.int().nullable(),
  med: z.int().nullable(),
  communities: z.array(z.string()),
  largeCommunities: z.array(z.string()),
  accepted: z.boolean(),
  /** Null where no selection has run. */
  best: z.boolean().nullable(),
  /** Why it was not accepted, or that it is stale (RFC 4724 §4.2); empty otherwise. */
  reason: z.string(),
  /** Seconds since it was last told; null where that is not kept. */
  age: z.number().nullable(),
  provenance: ProvenanceJson,
  /** Only where asked for. */
  raw: z.array(RawAttribute).optional(),
  /** Only of routes in the kernel: where they are, and which import rule put them there (empty: an earlier run did). */
  kernel: z
    .object({
      table: z.int(),
      metric: z.int(),
      device: z.string(),
      rule: z.string(),
      preferredSource: z.string().nullable(),
    })
    .optional(),
});
export type RouteJson = z.infer<typeof RouteJson>;

export const PeerPlan = z.object({
  peer: z.string(),
  /** Prefixes. */
  add: z.array(z.string()),
  change: z.array(z.string()),
  remove: z.array(z.string()),
});

export const PlanJson = z.object({
  peers: z.array(PeerPlan),
  /** Own entries of the kernel: virtual IPs, blackholes, rules, source addresses. */
  kernel: z.object({ add: z.array(z.string()), remove: z.array(z.string()) }),
  /** What else the speaker is asked, by whose it is: raw lines, VRF imports, EVPN. */
  speaker: z.object({
    add: z.array(z.string()),
    change: z.array(z.string()),
    remove: z.array(z.string()),
  }),
  /** Names of the peers whose session would reset. */
  resets: z.array(z.string()),
  quarantined: z.array(QuarantinedJson),
  notCarried: z.array(NotCarriedJson),
  warnings: z.array(WarningJson),
  /** What a new program version plans for what runs now, and waits for `rutter confirm plan`; null where nothing waits. */
  held: z
    .object({
      /** Prefixes that would be withdrawn from at least one peer. */
      remove: z.array(z.string()),
      /** Names of the peers whose session would reset. */
      resets: z.array(z.string()),
    })
    .nullable(),
});
export type PlanJson = z.infer<typeof PlanJson>;

/** A plan of manifests: with what each of them would do, and what is wrong with them. */
export const PlanAnswer = PlanJson.extend({
  /** Where another speaker was asked for (`backend`): what it would do otherwise; null where none was. */
  shadow: ShadowJson.nullable(),
  outcome: z.enum(["planned", "refused"]),
  resources: z.array(ChangedResource),
  complaints: z.array(Complaint),
});
export type PlanAnswer = z.infer<typeof PlanAnswer>;
export type ShadowAnswer = NonNullable<PlanAnswer["shadow"]>;

export const WhyStep = z.object({
  step: z.string(),
  subject: z.string(),
  verdict: z.enum(["ok", "stopped", "warning"]),
  reason: z.string(),
  seq: SeqJson.nullable(),
});

export const WhyJson = z.object({
  prefix: z.string(),
  /** Null where all peers are meant. */
  peer: z.string().nullable(),
  announced: z.boolean(),
  chain: z.array(WhyStep),
});
export type WhyJson = z.infer<typeof WhyJson>;

export const ActorJson = z.discriminatedUnion("type", [
  z.object({ type: z.literal("user"), uid: z.int(), name: z.string() }),
  z.object({ type: z.literal("signer"), key: z.string() }),
  z.object({ type: z.literal("agent") }),
]);

/** The envelope of design §4; `body` is null where it was erased. */
export const EnvelopeJson = z.looseObject({
  seq: SeqJson,
  id: z.string(),
  at: Time,
  /** CLOCK_MONOTONIC, nanoseconds in decimal; comparable where `boot` is equal. */
  monotonic: z.string(),
  boot: z.string(),
  run: z.string(),
  type: z.string(),
  version: z.int(),
  subject: z.string(),
  actor: ActorJson,
  source: z.object({ name: z.string(), position: z.string().optional() }),
  cause: z.array(z.string()),
  body: z.record(z.string(), z.unknown()).nullable(),
  /** SHA-256 of the stored body; in exports. */
  bodyDigest: z.string().optional(),
  hash: z.string(),
});
export type EnvelopeJson = z.infer<typeof EnvelopeJson>;

/** A resource in the shape of its manifest; what the agent has to say of it is its status. */
export const ResourceJson = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
  spec: z.unknown(),
  status: z.looseObject({
    owner: z.string(),
    /** The fact that applied it last. */
    seq: SeqJson.nullable(),
    state: z.enum(["accepted", "quarantined", "awaiting"]),
    /** Rule and reason of a quarantine, reason of a wait; empty otherwise. */
    rule: z.string(),
    reason: z.string(),
    notCarried: z.array(z.object({ field: z.string(), reason: z.string() })),
    /** Of a RouteExport: prefixes that the kernel offers it now. */
    exported: z.int().optional(),
    /** A Service's addresses, as Kubernetes writes them. */
    loadBalancer: z.object({ ingress: z.array(z.object({ ip: z.string() })) }).optional(),
  }),
});
export type ResourceJson = z.infer<typeof ResourceJson>;

/** State at a past position: folded from the log, never planned anew. */
export const AtStatusJson = z.object({ seq: SeqJson, at: Time.nullable(), status: StatusJson });
export type AtStatusJson = z.infer<typeof AtStatusJson>;
export const AtGetJson = z.object({
  seq: SeqJson,
  at: Time.nullable(),
  resources: z.array(ResourceJson),
});
export type AtGetJson = z.infer<typeof AtGetJson>;

export const DoctorCheck = z.object({
  check: z.string(),
  ok: z.boolean(),
  severity: z.enum(["info", "warning", "error"]),
  detail: z.string(),
  /** The way out; empty where nothing is wrong. */
  fix: z.string(),
});
export const DoctorJson = z.array(DoctorCheck);
export type DoctorJson = z.infer<typeof DoctorJson>;

export const LogFileJson = z.object({ path: z.string(), head: SeqJson });
export type LogFileJson = z.infer<typeof LogFileJson>;

export const HealthJson = z.object({
  ok: z.boolean(),
  /** Why not, or what it waits for; empty where all is well. */
  reason: z.string(),
});
export type HealthJson = z.infer<typeof HealthJson>;

/** RFC 9457 §3, with a stable code. */
export const ProblemJson = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
});
export type ProblemJson = z.infer<typeof ProblemJson>;
