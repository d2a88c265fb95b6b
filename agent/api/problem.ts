/**
 * What went wrong, as RFC 9457 problem JSON: a status, a stable code and a sentence that says the way out.
 *
 * Tells three kinds apart: the asker's fault, the world's fault, and our bug, which is answered with INTERNAL and then
 * handed on, never swallowed. Reads next: server.ts.
 */
import { STATUS_CODES } from "node:http";
import type { z } from "zod";
import { LogError } from "../../events/log/log.ts";
import type { ProblemJson } from "./contract.ts";
import { CoreError, type CoreErrorCode } from "./core.ts";

export type ProblemCode =
  | CoreErrorCode
  | LogError["code"]
  | "FORBIDDEN"
  | "METHOD_NOT_ALLOWED"
  | "TOO_LARGE"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "TOO_MANY_STREAMS"
  | "INTERNAL";

const statuses: Readonly<Record<CoreErrorCode, number>> = {
  BAD_REQUEST: 400,
  NOT_FOUND: 404,
  NOT_RECORDED: 503,
  NOT_READY: 503,
  SPEAKER_UNREACHABLE: 503,
  WIRE_TIMEOUT: 504,
};

export function problem(status: number, code: ProblemCode, detail: string): ProblemJson {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "", status, code, detail };
}

/** An answer that ends a request early: wrong role, too many streams. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: ProblemCode;
  readonly status: number;
  constructor(status: number, code: ProblemCode, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What was asked is not what the schema allows: each fault with its place. */
export function badInput(where: string, error: z.ZodError): Refused {
  const faults = error.issues.map(
    ({ path, message }) => `${[where, ...path.map(String)].join(".")}: ${message}`,
  );
  return new Refused(400, "BAD_REQUEST", faults.join("; "));
}

/** undefined: our bug. */
export function problemOf(error: unknown): ProblemJson | undefined {
  if (error instanceof CoreError) return problem(statuses[error.code], error.code, error.message);
  if (error instanceof LogError) return problem(503, error.code, error.message);
  if (error instanceof Refused) return problem(error.status, error.code, error.message);
  return problemOfFramework(error);
}

/** Fastify's own refusals carry a status below 500; what they say names no file and no module. */
function problemOfFramework(error: unknown): ProblemJson | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const { statusCode } = error;
  if (typeof statusCode !== "number" || statusCode < 400 || statusCode >= 500) return undefined;
  const codes: Readonly<Record<number, ProblemCode>> = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
  };
  return problem(statusCode, codes[statusCode] ?? "BAD_REQUEST", error.message);
}
