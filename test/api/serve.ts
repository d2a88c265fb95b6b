/**
 * The API on a socket of its own in a temporary directory, for one test; and the least of an HTTP client.
 *
 * Reads next: fake-core.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Credentials, HostUsers } from "../../agent/api/access.ts";
import { type Limits, serveApi } from "../../agent/api/server.ts";
import { fakeCore, type FakeCore } from "./fake-core.ts";

export type Served = AsyncDisposable & {
  readonly core: FakeCore;
  readonly directory: string;
  readonly socketPath: string;
  readonly bugs: unknown[];
};

export type Serving = {
  readonly core?: FakeCore;
  readonly who?: Credentials;
  readonly host?: HostUsers;
  readonly limits?: Partial<Limits>;
};

export const root: Credentials = { pid: 1, uid: 0, gid: 0 };

/** A host with a reader, an admin and a stranger; process N belongs to uid N. */
export const host: HostUsers = {
  ownUid: 990,
  passwd: () => "root:x:0:0::/root:/bin/sh\nreader:x:1001:1001::/:\nadmin:x:1002:1002::/:\n",
  group: () => "root:x:0:\nrutter:x:700:\nrutter-admin:x:701:\n",
  processStatus: (pid) => {
    const groups = { 1001: "1001 700", 1002: "1002 701", 1003: "1003" }[pid];
    return groups === undefined
      ? undefined
      : `Name:\tx\nUid:\t${pid}\t${pid}\t${pid}\t${pid}\nGroups:\t${groups} \n`;
  },
};

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

export async function serve(serving: Serving = {}): Promise<Served> {
  const core = serving.core ?? fakeCore();
  const bugs: unknown[] = [];
  const directory = mkdtempSync(join(tmpdir(), "rutter-api-"));
  const api = await serveApi({
    core,
    socketPath: join(directory, "api.sock"),
    version: "0.0.0",
    credentials: () => serving.who ?? root,
    host: serving.host ?? host,
    ...(serving.limits === undefined ? {} : { limits: serving.limits }),
    logger: quiet,
    onBug: (error) => bugs.push(error),
  });
  return {
    core,
    directory,
    bugs,
    socketPath: api.socketPath,
    async [Symbol.asyncDispose]() {
      await api.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export type Answer = { readonly status: number; readonly text: string; readonly type: string };

export function ask(
  socketPath: string,
  method: string,
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const outgoing = request(
      { socketPath, method, path, headers: { ...type, ...headers } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => (text += piece));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            text,
            type: response.headers["content-type"] ?? "",
          }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export const json = (answer: Answer): unknown => JSON.parse(answer.text);

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- a test says what it looks for
export function parsed<T>(text: string): T {
  const value: T = JSON.parse(text);
  return value;
}

/** One JSON value a line. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- a test says what it looks for
export const parsedLines = <T>(text: string): readonly T[] =>
  text
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => parsed<T>(line));

/** Resolves with the head of the answer. */
export const responseOf = (outgoing: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
