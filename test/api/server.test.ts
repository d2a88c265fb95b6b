/**
 * The API over a real Unix socket, on a core of canned answers: who may do what, what is refused, what is limited.
 */
import { once } from "node:events";
import { symlinkSync, statSync, writeFileSync, readFileSync, chmodSync, mkdirSync } from "node:fs";
import { createConnection } from "node:net";
import { createServer } from "node:net";
import { request } from "node:http";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { prepareSocketPath } from "../../agent/api/socket-path.ts";
import { fakeCore, refused } from "./fake-core.ts";
import { ask, json, parsed, responseOf, root, serve } from "./serve.ts";

const reader = { pid: 1001, uid: 1001, gid: 1001 };
const admin = { pid: 1002, uid: 1002, gid: 1002 };
const stranger = { pid: 1003, uid: 1003, gid: 1003 };
const aFile = JSON.stringify({ files: [{ name: "a.yaml", text: "kind: X" }] });

describe("who asks", () => {
  test("is the actor of the change, by the socket's credentials and not by what the request says", async () => {
    await using api = await serve({ who: admin });
    await ask(api.socketPath, "POST", "/v1/apply", aFile, { "rutter-client": "cli", user: "root" });
    expect(api.core.asked).toMatchObject([
      { caller: { actor: { type: "user", uid: 1002, name: "admin" }, source: "cli" } },
    ]);
  });

  test.each([
    ["root", root, 200, 200],
    ["the agent's own user", { pid: 1, uid: 990, gid: 990 }, 200, 200],
    ["a member of rutter-admin", admin, 200, 200],
    ["a member of rutter", reader, 200, 403],
    ["anybody else", stranger, 403, 403],
    ["a user whose process is gone", { pid: 9, uid: 1002, gid: 1002 }, 403, 403],
    ["a user whose pid is another's now", { pid: 1002, uid: 1003, gid: 1003 }, 403, 403],
  ])("%s reads and writes as design §8 says", async (_who, who, reads, writes) => {
    await using api = await serve({ who });
    expect((await ask(api.socketPath, "GET", "/v1/peers")).status).toBe(reads);
    expect((await ask(api.socketPath, "POST", "/v1/apply", aFile)).status).toBe(writes);
    expect((await ask(api.socketPath, "GET", "/healthz")).status).toBe(200);
  });

  test("is told what is missing", async () => {
    await using api = await serve({ who: reader });
    const answer = await ask(api.socketPath, "POST", "/v1/apply", aFile);
    expect(answer.type).toContain("application/problem+json");
    expect(json(answer)).toMatchObject({ status: 403, code: "FORBIDDEN" });
    expect(answer.text).toContain("rutter-admin");
    expect(api.core.asked).toEqual([]);
  });

  test("a reader with many connections doesn't shut others out", async () => {
    let who = reader;
    await using api = await serve({
      limits: { connectionsOfReader: 2 },
      get who() {
        return who;
      },
    });
    const held = [1, 2].map(() => createConnection(api.socketPath));
    await Promise.all(held.map((one) => once(one, "connect")));
    await expect(ask(api.socketPath, "GET", "/v1/peers")).rejects.toThrow(
      /socket hang up|ECONNRESET/,
    );
    who = root;
    expect((await ask(api.socketPath, "GET", "/v1/peers")).status).toBe(200);
    for (const one of held) one.destroy();
  });
});

describe("a request", () => {
  test("that is refused answers 422 with the complaints", async () => {
    await using api = await serve();
    api.core.applyAnswer = refused;
    const answer = await ask(api.socketPath, "POST", "/v1/apply", aFile);
    expect(answer.status).toBe(422);
    expect(json(answer)).toEqual(refused);
  });

  test("with a field that is not known, or without one that must be, is refused by name", async () => {
    await using api = await serve();
    const answer = await ask(api.socketPath, "POST", "/v1/apply", '{"files":[{"name":"a"}],"x":1}');
    expect(answer.status).toBe(400);
    expect(json(answer)).toMatchObject({
      code: "BAD_REQUEST",
      detail: expect.stringMatching(/body\.files\.0\.text.*"x"/),
    });
  });

  test("in the name of a feed is refused: only its signed sets change what it owns", async () => {
    await using api = await serve();
    const request = { files: [{ name: "a", text: "" }], owner: "feed:berlin" };
    const answer = await ask(api.socketPath, "POST", "/v1/apply", JSON.stringify(request));
    expect(answer.status).toBe(400);
    expect(json(answer)).toMatchObject({ detail: expect.stringContaining("body.owner") });
  });

  test("gets a problem with a code for every sort of nonsense", async () => {
    await using api = await serve();
    const codes = await Promise.all(
      (
        [
          ["GET", "/v1/nothing"],
          ["GET", "/v1/apply"],
          ["GET", "/v1/routes/sideways"],
          ["GET", "/v1/routes/received?peer=nobody"],
          ["GET", "/v1/resources/bgppeer?name=nobody"],
          ["GET", "/v1/log?since=yesterday"],
          ["POST", "/v1/apply", "{"],
          ["POST", "/v1/apply", '{"__proto__":{}}'],
        ] as const
      ).map(async ([method, path, body]) => {
        const { status, text } = await ask(api.socketPath, method, path, body);
        return `${status} ${parsed<{ code: string }>(text).code}`;
      }),
    );
    expect(codes).toEqual([
      "404 NOT_FOUND",
      "404 NOT_FOUND",
      "400 BAD_REQUEST",
      "404 NOT_FOUND",
      "404 NOT_FOUND",
      "400 BAD_REQUEST",
      "400 BAD_REQUEST",
      "400 BAD_REQUEST",
    ]);
    expect(api.bugs).toEqual([]);
  });

  test("in text/plain, which a web page could send, changes nothing", async () => {
    await using api = await serve();
    const plain = { "content-type": "text/plain" };
    const answer = await ask(api.socketPath, "POST", "/v1/apply", aFile, plain);
    expect(answer.status).toBe(415);
    expect(api.core.asked).toEqual([]);
  });

  test("that meets a bug is answered, and the bug is handed on", async () => {
    await using api = await serve();
    const answer = await ask(api.socketPath, "GET", "/v1/resources/bug");
    expect(json(answer)).toMatchObject({ status: 500, code: "INTERNAL" });
    expect(answer.text).not.toContain("planted");
    await expect.poll(() => api.bugs.length).toBe(1);
  });

  test("says when the agent is ready", async () => {
    await using api = await serve();
    api.core.isReady = false;
    expect((await ask(api.socketPath, "GET", "/readyz")).status).toBe(503);
    api.core.isReady = true;
    expect((await ask(api.socketPath, "GET", "/readyz")).status).toBe(200);
  });
});

describe("limits", () => {
  test("a body of 1 GB is refused before it is sent", async () => {
    await using api = await serve();
    const outgoing = request({
      socketPath: api.socketPath,
      method: "POST",
      path: "/v1/apply",
      headers: { "content-type": "application/json", "content-length": String(2 ** 30) },
    });
    outgoing.on("error", () => {});
    outgoing.flushHeaders();
    const response = await responseOf(outgoing);
    expect(response.statusCode).toBe(413);
    outgoing.destroy();
  });

  test("a body that says no length is cut at the limit", async () => {
    await using api = await serve({ limits: { bodyOctets: 1000 } });
    const answer = await ask(api.socketPath, "POST", "/v1/apply", "x".repeat(2000), {
      "transfer-encoding": "chunked",
    });
    expect(json(answer)).toMatchObject({ status: 413, code: "TOO_LARGE" });
  });

  test("a client that sends its head slowly is cut", async () => {
    await using api = await serve({ limits: { headMs: 50, requestMs: 100, checkMs: 20 } });
    const slow = createConnection(api.socketPath);
    slow.write("GET /v1/peers HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    let text = "";
    slow.on("data", (piece) => (text += piece.toString()));
    await once(slow, "close");
    expect(text).toContain("408");
  });

  test("a reader that never reads its table is cut, and the walk is ended", async () => {
    const core = fakeCore(1_000_000);
    await using api = await serve({ core, limits: { idleMs: 200 } });
    const stuck = createConnection(api.socketPath);
    stuck.pause();
    stuck.write("GET /v1/routes/received HTTP/1.1\r\nHost: x\r\n\r\n");
    await expect.poll(() => core.walk.ended, { timeout: 5000 }).toBe(true);
    expect(core.walk.taken).toBeLessThan(50_000);
    stuck.destroy();
  });
});

describe("routes", () => {
  test("are one array, or one object a line", async () => {
    await using api = await serve();
    const array = await ask(api.socketPath, "GET", "/v1/routes/received");
    const lines = await ask(api.socketPath, "GET", "/v1/routes/received?stream=1");
    expect(array.type).toContain("application/json");
    expect(lines.type).toContain("application/x-ndjson");
    expect(
      lines.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(json(array));
    expect(json(array)).toHaveLength(3);
  });

  test("that are none are an empty array", async () => {
    await using api = await serve({ core: fakeCore(0) });
    expect((await ask(api.socketPath, "GET", "/v1/routes/received")).text).toBe("[]");
  });
});

const follow = async (socketPath: string, path: string, wanted: number) => {
  const outgoing = request({ socketPath, path });
  outgoing.end();
  const response = await responseOf(outgoing);
  return {
    outgoing,
    async read(): Promise<readonly string[]> {
      const seen: string[] = [];
      for await (const piece of response) {
        seen.push(...(String(piece).match(/^(?:id|event): .*$/gm) ?? []));
        if (seen.filter((line) => line.startsWith("event")).length >= wanted) break;
      }
      return seen;
    },
  };
};

describe("events", () => {
  test("bring the past from a seq on and then each commit, each once and in order", async () => {
    await using api = await serve();
    const stream = await follow(api.socketPath, "/v1/events?from=2", 4);
    api.core.commit();
    api.core.commit();
    expect((await stream.read()).filter((line) => line.startsWith("id"))).toEqual([
      "id: 2",
      "id: 3",
      "id: 4",
      "id: 5",
    ]);
    stream.outgoing.destroy();
  });

  test("bring the status once, and again when it differs", async () => {
    await using api = await serve();
    const stream = await follow(api.socketPath, "/v1/events?topic=status", 2);
    api.core.currentStatus = { ...api.core.currentStatus, logSeq: 9 };
    api.core.commit();
    expect(await stream.read()).toEqual(["event: status", "event: status"]);
    stream.outgoing.destroy();
  });
});

describe("the socket", () => {
  test("is for its owner and group only", async () => {
    await using api = await serve();
    expect(statSync(api.socketPath).mode & 0o777).toBe(0o660);
  });

  test("of a live agent is not taken", async () => {
    await using api = await serve();
    await expect(prepareSocketPath(api.socketPath, undefined)).rejects.toMatchObject({
      code: "SOCKET_IN_USE",
    });
    expect((await ask(api.socketPath, "GET", "/healthz")).status).toBe(200);
  });

  test("that a killed agent left is replaced", async () => {
    await using api = await serve();
    const path = join(api.directory, "stale.sock");
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    expect(statSync(path).isSocket()).toBe(true);
    await prepareSocketPath(path, undefined);
    const server = createServer().listen(path);
    await once(server, "listening");
    server.close();
  });

  test("path that is a link or a file is refused and left alone", async () => {
    await using api = await serve();
    const link = join(api.directory, "link.sock");
    const file = join(api.directory, "file.sock");
    writeFileSync(file, "mine");
    symlinkSync(file, link);
    for (const path of [link, file]) {
      await expect(prepareSocketPath(path, undefined)).rejects.toMatchObject({
        code: "SOCKET_UNSAFE",
      });
    }
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  test("directory is made for owner and group; one that everybody may write in is refused", async () => {
    await using api = await serve();
    const made = join(api.directory, "run", "rutter");
    await prepareSocketPath(join(made, "api.sock"), undefined);
    expect(statSync(made).mode & 0o777).toBe(0o750);
    const open = join(api.directory, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    await expect(prepareSocketPath(join(open, "api.sock"), undefined)).rejects.toMatchObject({
      code: "SOCKET_UNSAFE",
    });
  });

  test("path that no socket can have is refused with a way out", async () => {
    const long = `/tmp/${"x".repeat(200)}`;
    await expect(prepareSocketPath(long, undefined)).rejects.toMatchObject({
      code: "SOCKET_PATH_TOO_LONG",
    });
  });
});
