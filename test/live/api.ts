/**
 * The agent's API over its socket, for tests that ask more often than a command line can be started.
 *
 * The outside contract only (HTTP, JSON), as agent.ts does: never the agent's own modules.
 * Read next: agent.ts.
 */
import { request } from "node:http";

export type Answer = { readonly status: number; readonly body: string };

export type Api = {
  get<T>(path: string): Promise<T>;
  /** The bare answer; rejects where the connection breaks before it is whole. */
  ask(method: "GET" | "POST", path: string, body?: object): Promise<Answer>;
  /** Applies manifests; resolves with the answer's status. */
  apply(text: string): Promise<number>;
  /** Deletes a Service of namespace `default`. */
  deleteService(name: string): Promise<number>;
};

export function apiOf(socketPath: string): Api {
  const ask: Api["ask"] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = {
        host: "rutter",
        "rutter-client": "cli",
        connection: "close",
        ...(text === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
      };
      const outgoing = request({ socketPath, method, path, headers }, (response) => {
        const parts: string[] = [];
        response.setEncoding("utf8");
        response.on("data", (part: string) => void parts.push(part));
        response.once("error", reject);
        response.once("close", () => {
          if (response.complete) {
            resolve({ status: response.statusCode ?? 0, body: parts.join("") });
          } else reject(new Error("the answer broke off"));
        });
      });
      outgoing.once("error", reject);
      outgoing.end(text);
    });
  const names = (name: string) => [{ kind: "service", namespace: "default", name }];
  return {
    ask,
    get: async <T>(path: string) => {
      const { status, body } = await ask("GET", path);
      if (status !== 200) throw new Error(`${path} is answered ${status}: ${body.slice(0, 500)}`);
      const answer: T = JSON.parse(body);
      return answer;
    },
    apply: async (text) =>
      (await ask("POST", "/v1/apply", { files: [{ name: "test", text }] })).status,
    deleteService: async (name) => (await ask("POST", "/v1/delete", { names: names(name) })).status,
  };
}
