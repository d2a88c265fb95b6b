/**
 * `/metrics`, `/healthz` and `/readyz` on TCP, for a scraper or a load balancer that can't open a Unix socket (design §8).
 *
 * Only where agent.yaml asks for it, on a loopback address, and only these three: nothing can be changed or read in detail
 * here. Metrics are told to who brings the token; whether the agent lives and is ready, to anyone. A door that can't be
 * opened is said once and stops nobody: routing goes on. Reads next: endpoints.ts (the same questions on the socket).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Logger } from "../../backends/clock.ts";
import type { Core } from "./core.ts";
import { metricsReply } from "./endpoints.ts";
import { problem } from "./problem.ts";

export type SideDoorOptions = {
  readonly address: string;
  readonly port: number;
  /** Read anew for each question, so that a rotated token counts at once. */
  readonly tokenFile: string;
};

export type SideDoor = {
  /** Where it listens; undefined where it could not. */
  readonly port: number | undefined;
  close(): Promise<void>;
};

/** Shorter ones are guessed. */
export const TOKEN_MIN_CHARACTERS = 16;
/** A scraper, its spare and somebody at the host. */
const CONNECTIONS = 16;
/** A scrape is one small question. */
const REQUEST_MILLIS = 10_000;
/** Node looks for those that are late this often, and wakes for it; rarely, for a host at rest. */
const CHECK_MILLIS = 60_000;

export async function openSideDoor(
  { address, port, tokenFile }: SideDoorOptions,
  parts: {
    readonly core: Pick<Core, "figures" | "ready">;
    readonly logger: Logger;
    readonly onBug: (error: unknown) => void;
  },
): Promise<SideDoor> {
  const { core, logger } = parts;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.method === "GET" ? request.url : undefined;
    if (path === "/healthz") return send(response, 200, JSON.stringify({ ok: true, reason: "" }));
    if (path === "/readyz") {
      const health = core.ready();
      return send(response, health.ok ? 200 : 503, JSON.stringify(health));
    }
    if (path !== "/metrics") return refuse(response, 404, "NOT_FOUND", "no such place here");
    const token = tokenOf(tokenFile);
    if (typeof token !== "string") return refuse(response, 503, "NOT_READY", token.reason);
    if (!matches(request.headers.authorization, token)) {
      response.setHeader("www-authenticate", "Bearer");
      return refuse(response, 401, "FORBIDDEN", "needs: Authorization: Bearer TOKEN");
    }
    const reply = await metricsReply(core);
    send(response, 200, reply.text, reply.media);
  };
  const server = createServer(
    {
      headersTimeout: REQUEST_MILLIS,
      requestTimeout: REQUEST_MILLIS,
      connectionsCheckingInterval: CHECK_MILLIS,
    },
    (request, response) => {
      request.resume();
      answer(request, response).catch((bug: unknown) => {
        response.destroy();
        parts.onBug(bug);
      });
    },
  );
  server.maxConnections = CONNECTIONS;
  const listening = await listen(server, address, port, logger);
  return {
    port: listening,
    async close() {
      if (listening === undefined) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function listen(
  server: Server,
  address: string,
  port: number,
  logger: Logger,
): Promise<number | undefined> {
  try {
    server.listen(port, address);
    await once(server, "listening");
  } catch (error) {
    logger.error({ address, port, error: String(error) }, "metrics are not served on TCP");
    return undefined;
  }
  const at = server.address();
  return typeof at === "object" && at !== null ? at.port : undefined;
}

function tokenOf(file: string): string | { readonly reason: string } {
  try {
    const token = readFileSync(file, "utf8").trim();
    if (token.length >= TOKEN_MIN_CHARACTERS) return token;
    return { reason: `${file} holds no token of at least ${TOKEN_MIN_CHARACTERS} characters` };
  } catch (error) {
    return { reason: `the token can't be read: ${error instanceof Error ? error.message : ""}` };
  }
}

/** Digests are compared, so that neither the length nor the first wrong character shows in the time. */
function matches(header: string | undefined, token: string): boolean {
  const said = /^Bearer (\S+)$/.exec(header ?? "")?.[1];
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return said !== undefined && timingSafeEqual(digest(said), digest(token));
}

function refuse(
  response: ServerResponse,
  status: number,
  code: Parameters<typeof problem>[1],
  detail: string,
): void {
  send(response, status, JSON.stringify(problem(status, code, detail)), "application/problem+json");
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  type = "application/json",
): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
}
