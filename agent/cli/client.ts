/**
 * The agent's API from the command line: HTTP on the Unix socket with what Node has.
 *
 * Loads no schema and no HTTP library, so that a command starts at once; it believes the agent on the other end of the
 * socket, which runs as root or as this user. Every failure is a sentence that says the way out.
 */
import { type IncomingMessage, request } from "node:http";
import type { ProblemJson } from "../api/contract.ts";
import { Failure } from "./failure.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export type Client = {
  /** GET; the answer parsed. */
  get<T>(path: string, query?: Query): Promise<T>;
  /** POST of JSON. 422 is an answer like 200: what was asked is refused and says why. */
  post<T>(path: string, body: object): Promise<T>;
  /** GET of a long answer, piece by piece as it comes. */
  pieces(path: string, query?: Query): AsyncGenerator<string>;
  /** GET of one JSON value a line. */
  lines<T>(path: string, query?: Query): AsyncGenerator<T>;
  /** The data of each server-sent event; ends when the agent ends. */
  events<T>(query: Query): AsyncGenerator<T>;
};

type Call = { readonly method: "GET" | "POST"; readonly path: string; readonly body?: string };

const REFUSED = 422;

export function createClient(socketPath: string): Client {
  const call = (order: Call) => open(socketPath, order);
  const getting = (path: string, query: Query = {}) =>
    call({ method: "GET", path: `${path}${queryText(query)}` });
  async function* pieces(path: string, query?: Query): AsyncGenerator<string> {
    yield* textOf(await getting(path, query));
  }
  async function* lines<T>(path: string, query?: Query): AsyncGenerator<T> {
    for await (const line of linesOf(pieces(path, query))) yield parsed<T>(line);
  }
  return {
    get: async <T>(path: string, query?: Query) =>
      parsed<T>(await wholeText(await getting(path, query))),
    post: async <T>(path: string, body: object) =>
      parsed<T>(await wholeText(await call({ method: "POST", path, body: JSON.stringify(body) }))),
    pieces,
    lines,
    async *events<T>(query: Query): AsyncGenerator<T> {
      for await (const line of linesOf(pieces("/v1/events", query))) {
        if (line.startsWith("data: ")) yield parsed<T>(line.slice("data: ".length));
      }
    },
  };
}

function queryText(query: Query): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== false) given.set(key, String(value));
  }
  const text = given.toString();
  return text === "" ? "" : `?${text}`;
}

/** Resolves with an answer that is not a problem. Throws Failure. */
function open(socketPath: string, { method, path, body }: Call): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = {
      host: "rutter",
      "rutter-client": "cli",
      connection: "close",
      ...(body === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    };
    let answered = false;
    const outgoing = request({ socketPath, method, path, headers }, (response) => {
      answered = true;
      response.setEncoding("utf8");
      const status = response.statusCode ?? 0;
      if (status < 400 || status === REFUSED) resolve(response);
      else refusalOf(response).then(reject, reject);
    });
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      // An agent that refuses a long body answers and closes before all of it is sent; the answer counts.
      if (!answered) reject(unreachable(socketPath, error));
    });
    outgoing.end(body);
  });
}

async function refusalOf(response: IncomingMessage): Promise<Failure> {
  const text = await wholeText(response).catch(() => "");
  try {
    const { code, detail }: ProblemJson = JSON.parse(text);
    return new Failure("REFUSED", `${detail} [${code}]`);
  } catch {
    return new Failure("REFUSED", `the agent answers with status ${response.statusCode}`);
  }
}

function unreachable(socketPath: string, error: NodeJS.ErrnoException): Failure {
  const cause = { cause: error };
  if (error.code === "ENOENT") {
    return new Failure(
      "AGENT_NOT_RUNNING",
      `no agent serves on ${socketPath}: start it (systemctl start rutter), or name its socket with --socket`,
      cause,
    );
  }
  if (error.code === "ECONNREFUSED") {
    return new Failure(
      "AGENT_NOT_RUNNING",
      `the agent that served on ${socketPath} has ended: start it again (systemctl start rutter)`,
      cause,
    );
  }
  if (error.code === "EACCES" || error.code === "EPERM") {
    return new Failure(
      "AGENT_UNREACHABLE",
      `no permission to use ${socketPath}: become root, or join the group rutter (reads) or rutter-admin (changes)`,
      cause,
    );
  }
  if (error.code === "ECONNRESET" || error.code === "EPIPE") {
    return new Failure(
      "AGENT_LEFT",
      "the agent closed the connection without an answer: see its log, then try again",
      cause,
    );
  }
  return new Failure("AGENT_UNREACHABLE", `${socketPath}: ${error.message}`, cause);
}

async function* textOf(response: IncomingMessage): AsyncGenerator<string> {
  try {
    for await (const piece of response) yield String(piece);
  } catch (error) {
    throw new Failure("AGENT_LEFT", "the agent broke off its answer: what is here is not all", {
      cause: error,
    });
  }
}

async function wholeText(response: IncomingMessage): Promise<string> {
  const pieces: string[] = [];
  for await (const piece of textOf(response)) pieces.push(piece);
  return pieces.join("");
}

async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield line;
  }
  if (rest !== "") yield rest;
}

/** The agent's answers are the contract's; only one that is no JSON at all is noticed here. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the shape of the contract
function parsed<T>(text: string): T {
  try {
    const value: T = JSON.parse(text);
    return value;
  } catch (error) {
    throw new Failure("AGENT_LEFT", "the agent's answer is no JSON: is it of another version?", {
      cause: error,
    });
  }
}
