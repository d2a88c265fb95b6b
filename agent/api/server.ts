/**
 * HTTP on a Unix socket: checks who asks and how much, hands the question to the core, writes the answer.
 *
 * The one door of fastify. Decides nothing about routing and knows no row of endpoints.ts. Who asks is known from the
 * connection's credentials before the first octet is read; a body is read only from who may send one.
 * Reads next: endpoints.ts (what is served), access.ts (who may), socket-path.ts (where).
 */
import { chmodSync, chownSync } from "node:fs";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Logger } from "../../backends/clock.ts";
import {
  type Credentials,
  type HostUsers,
  type Peer,
  peerOf,
  socketGroup,
  thisHost,
} from "./access.ts";
import type { ProblemJson } from "./contract.ts";
import type { Caller, Core } from "./core.ts";
import { type Access, type Endpoint, endpoints } from "./endpoints.ts";
import { streamLog, streamStatus } from "./event-stream.ts";
import { openApiDocument } from "./openapi.ts";
import { badInput, problem, problemOf, Refused } from "./problem.ts";
import { EventsQuery, typesOf } from "./requests.ts";
import { prepareSocketPath, SOCKET_MODE, SocketError } from "./socket-path.ts";
import { bodyOf } from "./stream.ts";

export type Limits = {
  /** Octets of a request's body: 100,000 Services as YAML, and twice that. */
  readonly bodyOctets: number;
  /** Connections at once, and of one user who may only read: one reader must not shut the operator out. */
  readonly connections: number;
  readonly connectionsOfReader: number;
  /** Open event streams. */
  readonly streams: number;
  /** A request's head, and all of it, must be here by then; Node looks once in `checkMs`, and wakes a resting host for it. */
  readonly headMs: number;
  readonly requestMs: number;
  readonly checkMs: number;
  /** A connection on which nothing moves in either direction is cut; above the longest wait of a core. */
  readonly idleMs: number;
};

export const defaultLimits: Limits = {
  bodyOctets: 64 * 1024 * 1024,
  connections: 512,
  connectionsOfReader: 32,
  streams: 64,
  headMs: 10_000,
  requestMs: 60_000,
  checkMs: 15_000,
  idleMs: 60_000,
};

export type ApiParts = {
  readonly core: Core;
  readonly socketPath: string;
  /** Version of the program, for the description. */
  readonly version: string;
  /** SO_PEERCRED of a connected socket's descriptor; throws where the kernel has no answer. */
  readonly credentials: (fd: number) => Credentials;
  readonly host?: HostUsers;
  readonly limits?: Partial<Limits>;
  readonly logger: Logger;
  /** What a handler threw that is nobody else's fault; the request is answered already. */
  readonly onBug: (error: unknown) => void;
};

export type Api = { readonly socketPath: string; close(): Promise<void> };

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** Listens when it resolves. Throws SocketError where the path is taken or unsafe. */
export async function serveApi(parts: ApiParts): Promise<Api> {
  const host = parts.host ?? thisHost;
  const limits = { ...defaultLimits, ...parts.limits };
  const gid = socketGroup(host);
  await prepareSocketPath(parts.socketPath, gid);
  const app = createApp(limits);
  const peers = guardConnections(app.server, parts, host, limits);
  addAccess(app, peers);
  addErrors(app, parts);
  addEndpoints(app, parts.core, peers);
  addEvents(app, parts, limits);
  await listen(app, parts.socketPath, gid);
  return { socketPath: parts.socketPath, close: () => app.close() };
}

function createApp(limits: Limits): FastifyInstance {
  const app = fastify({
    bodyLimit: limits.bodyOctets,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    http: { headersTimeout: limits.headMs, connectionsCheckingInterval: limits.checkMs },
    // Event streams never end by themselves.
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 1024 },
    // What fastify would make of its own schemas; it loads 350 KB of code for it unless it is told that nothing is needed.
    schemaController: {
      compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
    },
  });
  app.server.maxConnections = limits.connections;
  // A page in a browser can send text/plain unasked; only JSON changes anything.
  app.removeContentTypeParser("text/plain");
  return app;
}

/** Routes have no schemas of fastify's: requests are parsed by the contract's. */
function noSchemas(): never {
  throw new Error("a route has a schema, and there is nothing here to compile it");
}

type PeerOf = (socket: Socket) => Peer | undefined;

/** Notes who connected, and cuts a user who holds too many connections. */
function guardConnections(
  server: Server,
  parts: ApiParts,
  host: HostUsers,
  limits: Limits,
): PeerOf {
  const peers = new WeakMap<Socket, Peer>();
  const open = new Map<number, number>();
  server.on("connection", (socket) => {
    const peer = identify(socket, parts, host);
    if (peer === undefined) return;
    const count = (open.get(peer.uid) ?? 0) + 1;
    if (peer.role !== "write" && count > limits.connectionsOfReader) {
      socket.destroy();
      return;
    }
    peers.set(socket, peer);
    open.set(peer.uid, count);
    socket.once("close", () => {
      const left = (open.get(peer.uid) ?? 1) - 1;
      if (left === 0) open.delete(peer.uid);
      else open.set(peer.uid, left);
    });
  });
  return (socket) => peers.get(socket);
}

/** undefined where the kernel does not say, or the client was gone before it could: then nothing is allowed. */
function identify(socket: Socket, parts: ApiParts, host: HostUsers): Peer | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  try {
    return peerOf(parts.credentials(fd), host);
  } catch (error) {
    parts.logger.warn({ error: String(error) }, "a connection without peer credentials");
    return undefined;
  }
}

/** Node gives no public way to a connection's descriptor. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, "fd");
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}

function addAccess(app: FastifyInstance, peerOfSocket: PeerOf): void {
  app.addHook("onRequest", async (request) => {
    // A path that is not there is answered to readers only, like any other.
    const access = request.routeOptions.config.access ?? "read";
    const peer = peerOfSocket(request.raw.socket);
    const role = peer?.role ?? "none";
    if (access === "anyone" || role === "write" || (access === "read" && role === "read")) return;
    throw new Refused(403, "FORBIDDEN", refusal(access, peer));
  });
}

function refusal(access: Access, peer: Peer | undefined): string {
  const who = peer === undefined ? "an unknown user" : `${peer.name} (uid ${peer.uid})`;
  return access === "write"
    ? `${who} may not change anything here: become root, or join the group rutter-admin`
    : `${who} may not read here: become root, or join the group rutter`;
}

const send = (reply: FastifyReply, body: ProblemJson): FastifyReply =>
  reply.code(body.status).type("application/problem+json").send(JSON.stringify(body));

function addErrors(app: FastifyInstance, { logger, onBug }: ApiParts): void {
  app.setNotFoundHandler((request, reply) =>
    send(
      reply,
      problem(404, "NOT_FOUND", `no ${request.method} ${request.url}; see /v1/openapi.json`),
    ),
  );
  app.setErrorHandler((error, _request, reply) => {
    const known = problemOf(error);
    if (known !== undefined) return send(reply, known);
    logger.error({ error: error instanceof Error ? error.stack : String(error) }, "bug in the API");
    reply.raw.once("close", () => onBug(error));
    return send(reply, problem(500, "INTERNAL", "a bug in the agent; its log has the details"));
  });
}

function addEndpoints(app: FastifyInstance, core: Core, peerOfSocket: PeerOf): void {
  for (const row of endpoints) {
    app.route({
      method: row.method,
      url: row.url.replaceAll(/\{(\w+)\}/g, ":$1"),
      config: { access: row.access },
      handler: (request, reply) =>
        answer(row, core, request, reply, callerOf(request, peerOfSocket(request.raw.socket))),
    });
  }
}

async function answer(
  row: Endpoint,
  core: Core,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
): Promise<FastifyReply> {
  const input = {
    path: parsed(row.path, request.params, "path"),
    query: parsed(row.query, request.query, "query"),
    body: parsed(row.body, request.body ?? {}, "body"),
  };
  const result = await row.handle(core, input, caller);
  if (result.type === "json") {
    const { body, status } = result;
    return reply.code(status).type("application/json").send(JSON.stringify(body));
  }
  if (result.type === "text") return reply.type(result.media).send(result.text);
  return reply
    .type(result.as === "lines" ? "application/x-ndjson" : "application/json")
    .send(await bodyOf(result));
}

function parsed(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (!result.success) throw badInput(where, result.error);
  return result.data;
}

/** The header only says through which program a user speaks; it gives no right. */
function callerOf(request: FastifyRequest, peer: Peer | undefined): Caller {
  const { uid, name } = peer ?? { uid: -1, name: "" };
  const source = request.headers["rutter-client"] === "cli" ? "cli" : "api";
  return { actor: { type: "user", uid, name }, source };
}

function addEvents(app: FastifyInstance, parts: ApiParts, limits: Limits): void {
  const { core } = parts;
  let streams = 0;
  let description: string | undefined;
  app.route({
    method: "GET",
    url: "/v1/openapi.json",
    config: { access: "read" },
    handler: (_request, reply) => {
      // Made when it is first asked for: it costs a start some ten milliseconds.
      description ??= JSON.stringify(openApiDocument(parts.version));
      return reply.type("application/json").send(description);
    },
  });
  app.route({
    method: "GET",
    url: "/v1/events",
    config: { access: "read" },
    handler: async (request, reply) => {
      const asked = EventsQuery.safeParse(request.query);
      if (!asked.success) throw badInput("query", asked.error);
      if (streams >= limits.streams) {
        throw new Refused(503, "TOO_MANY_STREAMS", `${streams} readers follow already; end one`);
      }
      const { topic, type, subject } = asked.data;
      const from = resumedAt(request.headers["last-event-id"]) ?? asked.data.from;
      streams += 1;
      reply.hijack();
      try {
        if (topic === "status") await streamStatus(core, reply.raw);
        else await streamLog(core, { from, types: typesOf(type), subject }, reply.raw);
      } catch (error) {
        reply.raw.destroy();
        if (problemOf(error) === undefined) parts.onBug(error);
      } finally {
        streams -= 1;
      }
    },
  });
}

/** The header that a browser's EventSource sends when it comes back: the last seq that it has. */
function resumedAt(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) + 1 : undefined;
}

async function listen(app: FastifyInstance, path: string, gid: number | undefined): Promise<void> {
  try {
    await app.listen({ path });
    // Until here only its owner could connect, by any sane umask; roles are checked in any case.
    chmodSync(path, SOCKET_MODE);
    if (gid !== undefined) chownSync(path, -1, gid);
  } catch (cause) {
    await app.close();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SocketError("SOCKET_UNUSABLE", `cannot listen on ${path}: ${why}`, { cause });
  }
}
