/**
 * Every path of the API as one table: who may ask, what goes in, what comes out, and which function of the core answers.
 *
 * The server runs it and openapi.ts describes it, so the two can't differ. Knows no HTTP beyond method, path and status.
 * A GET changes nothing. Reads next: server.ts.
 */
import * as z from "zod";
import { BfdJson } from "./bfd-json.ts";
import * as answers from "./contract.ts";
import type { Caller, Core } from "./core.ts";
import { generatedNamed, viewNamed } from "./kind-names.ts";
import { IntentJson } from "./intent-json.ts";
import { ViewJson } from "./view-json.ts";
import * as asked from "./requests.ts";

export type Access = "anyone" | "read" | "write";

export type Reply =
  | { readonly type: "json"; readonly status: number; readonly body: unknown }
  | { readonly type: "text"; readonly media: string; readonly text: string }
  /** Written as it is walked: one JSON array, or one object a line. */
  | {
      readonly type: "items";
      readonly items: Iterable<unknown> | AsyncIterable<unknown>;
      readonly as: "array" | "lines";
    };

export type Endpoint = {
  readonly method: "GET" | "POST";
  /** With `{name}` for each part of `path`. */
  readonly url: string;
  readonly summary: string;
  readonly access: Access;
  readonly path?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Media type of the answer where it is not JSON. */
  readonly media?: "application/x-ndjson" | "text/plain";
  /** Statuses other than 200 under which the answer has the same shape. */
  readonly alsoStatus?: Readonly<Record<number, string>>;
  readonly handle: (core: Core, input: Input, caller: Caller) => Reply | Promise<Reply>;
};

export type Input = { readonly path: unknown; readonly query: unknown; readonly body: unknown };

type Schemas<P, Q, B> = {
  readonly path?: z.ZodObject & z.ZodType<P>;
  readonly query?: z.ZodObject & z.ZodType<Q>;
  readonly body?: z.ZodType<B>;
};
type Parsed<P, Q, B> = { readonly path: P; readonly query: Q; readonly body: B };

/** Ties what `handle` is given to the schemas beside it. */
function endpoint<P, Q, B>(
  row: Omit<Endpoint, "handle" | "path" | "query" | "body"> & Schemas<P, Q, B>,
  handle: (core: Core, input: Parsed<P, Q, B>, caller: Caller) => Reply | Promise<Reply>,
): Endpoint {
  // The server hands in only what these schemas parsed.
  return {
    ...row,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    handle: (core, input, caller) => handle(core, input as Parsed<P, Q, B>, caller),
  };
}

const json = (body: unknown, status = 200): Reply => ({ type: "json", status, body });
const refusedAs422 = { 422: "Refused: nothing was changed; the complaints say why." } as const;

/** Loaded with the first scrape: a host that nobody scrapes does without. */
export async function metricsReply(
  core: Pick<Core, "figures">,
): Promise<Extract<Reply, { type: "text" }>> {
  const { METRICS_TYPE, metricsText, processFigures } = await import("./metrics.ts");
  const text = await metricsText(core.figures(), processFigures());
  return { type: "text", media: METRICS_TYPE, text };
}

const statusOf = ({ outcome }: { readonly outcome: string }): number =>
  outcome === "refused" ? 422 : 200;

export const endpoints: readonly Endpoint[] = [
  endpoint(
    {
      method: "GET",
      url: "/v1/status",
      summary: "Everything at a glance: peers, services, what is quarantined or held.",
      access: "read",
      answer: answers.StatusJson,
    },
    (core) => json(core.status()),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/peers",
      summary: "All BGP neighbours, also those that are down.",
      access: "read",
      answer: z.array(answers.PeerJson),
    },
    (core) => json(core.peers()),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/bfd",
      summary: "All BFD sessions, also those that are down.",
      access: "read",
      answer: z.array(BfdJson),
    },
    async (core) => json(await core.bfd()),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/routes/{direction}",
      summary:
        "Adj-RIB-In (received) or Adj-RIB-Out (advertised) of one peer or of all, or what is in the kernel.",
      access: "read",
      path: asked.DirectionPath,
      query: asked.RoutesQuery,
      answer: z.array(answers.RouteJson),
    },
    (core, { path, query }) => ({
      type: "items",
      items: core.routes({ direction: path.direction, peer: query.peer, raw: query.raw }),
      as: query.stream ? "lines" : "array",
    }),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/why",
      summary: "The chain from manifest to wire of a prefix, an address or a Service.",
      access: "read",
      query: asked.WhyQuery,
      answer: answers.WhyJson,
    },
    (core, { query }) => json(core.why(query.subject, query.peer)),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/resources/{kind}",
      summary: "Resources of a kind (in any spelling) or of all kinds, or views of a status kind.",
      access: "read",
      path: asked.KindPath,
      query: asked.ResourcesQuery,
      answer: z.array(z.union([answers.ResourceJson, ViewJson])),
    },
    async (core, { path, query: { namespace, name, generated } }) => {
      const kind = generated ? generatedNamed(path.kind) : path.kind;
      return viewNamed(kind) === undefined
        ? json(core.get({ kind, namespace, name }))
        : json(await core.views({ kind, namespace, name }));
    },
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/intent",
      summary: "What the plan hands to the backends.",
      access: "read",
      answer: IntentJson,
    },
    (core) => json(core.intent()),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/log",
      summary: "The log, one envelope a line, in order of seq.",
      access: "read",
      query: asked.LogFilter,
      answer: answers.EnvelopeJson,
      media: "application/x-ndjson",
    },
    (core, { query }) => ({ type: "items", items: core.log(asked.logQuery(query)), as: "lines" }),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/log/file",
      summary: "Where the log is, for who verifies or exports it, and its newest seq.",
      access: "read",
      answer: answers.LogFileJson,
    },
    (core) => json({ path: core.logFile(), head: core.head() }),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/at/status",
      summary: "The status as the log has it at a seq or a time.",
      access: "read",
      query: asked.AtQuery,
      answer: answers.AtStatusJson,
    },
    (core, { query }) => json(core.statusAt(query.at)),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/at/resources/{kind}",
      summary: "Resources as the log has them at a seq or a time.",
      access: "read",
      path: asked.KindPath,
      query: asked.AtGetQuery,
      answer: answers.AtGetJson,
    },
    (core, { path, query: { at, namespace, name } }) =>
      json(core.resourcesAt(at, { kind: path.kind, namespace, name })),
  ),
  endpoint(
    {
      method: "GET",
      url: "/v1/doctor",
      summary: "Checks of the host and the agent, each with its way out.",
      access: "read",
      answer: answers.DoctorJson,
    },
    async (core) => json(await core.doctor()),
  ),
  endpoint(
    {
      method: "POST",
      url: "/v1/plan",
      summary:
        "What manifests, or another speaker (`backend`), would change on the wire; changes nothing.",
      access: "read",
      query: asked.PlanQuery,
      body: asked.PlanBody,
      answer: answers.PlanAnswer,
      alsoStatus: refusedAs422,
    },
    async (core, { body, query }, caller) => {
      const answer = await core.plan(asked.planRequest(body, query), caller);
      return json(answer, statusOf(answer));
    },
  ),
  endpoint(
    {
      method: "POST",
      url: "/v1/apply",
      summary: "Apply manifests; answers after the commit, with `wait` after the wire.",
      access: "write",
      body: asked.ApplyBody,
      answer: answers.ApplyAnswer,
      alsoStatus: refusedAs422,
    },
    async (core, { body }, caller) => {
      const answer = await core.apply(asked.applyRequest(body), caller);
      return json(answer, statusOf(answer));
    },
  ),
  endpoint(
    {
      method: "POST",
      url: "/v1/delete",
      summary: "Delete resources, by name or as manifests name them.",
      access: "write",
      body: asked.DeleteBody,
      answer: answers.ApplyAnswer,
      alsoStatus: refusedAs422,
    },
    async (core, { body }, caller) => {
      const answer = await core.delete(asked.deleteRequest(body), caller);
      return json(answer, statusOf(answer));
    },
  ),
  endpoint(
    {
      method: "POST",
      url: "/v1/confirm",
      summary:
        "Let go on what is held: a plan that a new version changed, a source that deletes much.",
      access: "write",
      body: asked.ConfirmBody,
      answer: answers.ConfirmAnswer,
    },
    async (core, { body }, caller) => json(await core.confirm(body.what, caller)),
  ),
  endpoint(
    {
      method: "GET",
      url: "/metrics",
      summary: "What the agent counts and measures, in Prometheus' text format.",
      access: "read",
      answer: z.string(),
      media: "text/plain",
    },
    metricsReply,
  ),
  endpoint(
    {
      method: "GET",
      url: "/healthz",
      summary: "Whether the agent's main loop turns.",
      access: "anyone",
      answer: answers.HealthJson,
    },
    // The main loop itself answers: where it stands still, nobody does.
    () => json({ ok: true, reason: "" }),
  ),
  endpoint(
    {
      method: "GET",
      url: "/readyz",
      summary: "Whether the whole log is folded and the first plan was applied.",
      access: "anyone",
      answer: answers.HealthJson,
      alsoStatus: { 503: "Not yet." },
    },
    (core) => {
      const health = core.ready();
      return json(health, health.ok ? 200 : 503);
    },
  ),
];
