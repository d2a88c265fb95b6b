/**
 * The OpenAPI 3.1 description, made from the table of endpoints and the schemas of the contract.
 *
 * Nothing is written here that those do not say, but the stream of events, which has no row. Reads next: endpoints.ts.
 */
import * as z from "zod";
import * as contract from "./contract.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";
import { IntentJson } from "./intent-json.ts";
import { EventsQuery } from "./requests.ts";

type Json = Readonly<Record<string, unknown>>;

const reference = (name: string): string => `#/components/schemas/${name}`;

/** Every named schema of the contract, and its name. */
const named: ReadonlyMap<unknown, string> = new Map(
  Object.entries({ ...contract, IntentJson }).map(([name, schema]) => [schema, name]),
);

/** OpenAPI 3.1.1 §4.8: a schema is JSON Schema 2020-12; the keys that name documents say nothing inside of one. */
function bare({ $schema: _schema, $id: _id, ...rest }: Json): Json {
  return rest;
}

/** Fields are added to answers in later versions (design §8), so a description must not forbid them. */
const answer = {
  io: "output",
  override: ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void => {
    if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
  },
} as const;

function components(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries({ ...contract, IntentJson })) {
    registry.add(schema, { id: name });
  }
  const { schemas } = z.toJSONSchema(registry, { uri: reference, ...answer });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, bare(schema)]));
}

function answerSchema(schema: z.ZodType): Json {
  const name = named.get(schema);
  if (name !== undefined) return { $ref: reference(name) };
  if (schema instanceof z.ZodArray) {
    // The element is what was given to z.array(), whose declared type is wider.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return { type: "array", items: answerSchema(schema.element as z.ZodType) };
  }
  return bare(z.toJSONSchema(schema, answer));
}

const inputSchema = (schema: z.ZodType): Json =>
  bare(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));

function parameters(place: "path" | "query", schema: z.ZodObject | undefined): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = inputSchema(schema) as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: one,
  }));
}

const problem: Json = {
  description: "A problem with a stable code.",
  content: { "application/problem+json": { schema: { $ref: reference("ProblemJson") } } },
};

function operation(row: Endpoint): Json {
  const schema = answerSchema(row.answer);
  const content = { [row.media ?? "application/json"]: { schema } };
  const also = Object.entries(row.alsoStatus ?? {}).map(([status, description]) => [
    status,
    { description, content },
  ]);
  return {
    summary: row.summary,
    operationId: operationId(row),
    parameters: [...parameters("path", row.path), ...parameters("query", row.query)],
    ...(row.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: inputSchema(row.body) } },
          },
        }),
    responses: {
      200: { description: "Done.", content },
      ...Object.fromEntries(also),
      default: problem,
    },
    "x-rutter-access": row.access,
  };
}

/** `/v1/at/resources/{kind}` → `getAtResources`. */
function operationId({ method, url }: Endpoint): string {
  const words = url.split("/").filter((part) => part !== "" && part !== "v1" && part[0] !== "{");
  return method.toLowerCase() + words.map((one) => one[0]?.toUpperCase() + one.slice(1)).join("");
}

const events: Json = {
  get: {
    summary: "Server-sent events: facts as they are committed, or the status as it changes.",
    operationId: "getEvents",
    parameters: parameters("query", EventsQuery),
    responses: {
      200: {
        description: "`data` holds an EnvelopeJson (with its seq as `id`) or a StatusJson.",
        content: { "text/event-stream": { schema: { type: "string" } } },
      },
      default: problem,
    },
    "x-rutter-access": "read",
  },
};

/** Made once, when it is first asked for. */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = { "/v1/events": events };
  for (const row of endpoints) {
    paths[row.url] = { ...paths[row.url], [row.method.toLowerCase()]: operation(row) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Rutter",
      version,
      description:
        "The agent on this host, on its Unix socket. uid 0, the agent's own user and group rutter-admin write; group rutter reads.",
    },
    servers: [{ url: "/" }],
    paths,
    components: { schemas: components() },
  };
}
