/**
 * The agent's end of the BFD process, against a process that only listens and answers.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BfdClient, type BfdFact, createBfdClient } from "../../backends/bfd/client.ts";
import type { BfdSessionIntent } from "../../backends/bfd/intent.ts";
import { type FromProcess, lineReader, type ToProcess } from "../../backends/bfd/protocol.ts";
import { systemClock } from "../../backends/clock.ts";
import type { BfdState } from "../../events/event.ts";
import type { BfdKey, NeighborKey } from "../../events/ids.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import { parametersOf } from "./link.ts";

let directory = "";
let server: Server | undefined;
let connected: Socket | undefined;
let asked: ToProcess[] = [];
let client: BfdClient | undefined;
let facts: BfdFact[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rutter-bfd-"));
  asked = [];
  facts = [];
});
afterEach(async () => {
  await client?.close("leave");
  await end();
  rmSync(directory, { recursive: true });
});

const answer = (message: FromProcess): void =>
  void connected?.write(`${JSON.stringify(message)}\n`);

async function begin(instance: string): Promise<void> {
  server = createServer((socket) => {
    connected = socket;
    socket.setEncoding("utf8");
    socket.on("error", () => {});
    const read = lineReader((line) => {
      const message = JSON.parse(line) as ToProcess;
      asked.push(message);
      if (message.type === "hello") {
        const rest = { program: "test", pid: 1, priorityProblem: "", keepSeconds: 1 };
        answer({ type: "hello", protocol: 1, instance, ...rest });
      } else if (message.type === "hold") {
        const keys = message.sessions.map(({ key }) => key);
        const { request } = message;
        answer({ type: "held", request, added: keys, changed: [], removed: [], keys });
      }
    });
    socket.on("data", (chunk: string) => read(chunk));
  });
  await new Promise<void>((resolve) => server?.listen(join(directory, "bfd.sock"), resolve));
}

async function end(): Promise<void> {
  connected?.destroy();
  const closing = server;
  server = undefined;
  if (closing !== undefined) await new Promise((resolve) => closing.close(resolve));
}

function make(discriminators: ReadonlyMap<BfdKey, number> = new Map(), key?: string): BfdClient {
  const made = createBfdClient({
    socketPath: join(directory, "bfd.sock"),
    program: "test",
    instance: "i",
    clock: systemClock,
    reveal: () => key,
    discriminators,
    start: undefined,
  });
  client = made;
  made.watch((fact) => void facts.push(fact));
  return made;
}

const { localDiscriminator: _none, authentication: _open, ...common } = parametersOf(0);
const session: BfdSessionIntent = {
  ...common,
  authentication: undefined,
  guards: [],
  provenance: [],
};
const holds = () => asked.filter((one) => one.type === "hold");
const soon = (what: () => unknown) => expect.poll(what, { timeout: 5000, interval: 10 });

test("what the process lost is asked for again, with the same discriminator", async () => {
  await begin("one");
  make(new Map([[session.key, 4711]])).apply({ sessions: [session] });
  await soon(() => holds().length).toBe(1);
  await end();
  await begin("two");
  await soon(() => holds().length).toBe(2);
  for (const hold of holds()) {
    expect(hold.sessions).toMatchObject([{ key: session.key, localDiscriminator: 4711 }]);
  }
  await soon(() => facts.filter(({ type }) => type === "held").length).toBe(2);
});

test("a session whose key is missing is not asked for, and that is said", async () => {
  await begin("one");
  const secret = { name: "k", version: "1" } as unknown as SecretRef;
  const made = make();
  made.apply({
    sessions: [{ ...session, authentication: { type: "keyed-sha1", keyId: 1, secret } }],
  });
  await soon(() => holds().length).toBe(1);
  expect(holds()[0]?.sessions).toEqual([]);
  expect(made.problems().join()).toContain("the key k is missing");
});

test("nor one whose key is longer than its type takes", async () => {
  await begin("one");
  const secret = { name: "k", version: "1" } as unknown as SecretRef;
  const made = make(undefined, "seventeen octets!");
  const keyed = (type: "keyed-md5" | "keyed-sha1"): BfdSessionIntent => ({
    ...session,
    authentication: { type, keyId: 1, secret },
  });
  made.apply({ sessions: [keyed("keyed-md5")] });
  await soon(() => holds().length).toBe(1);
  expect(holds()[0]?.sessions).toEqual([]);
  expect(made.problems().join()).toContain("17 octets");
  made.apply({ sessions: [keyed("keyed-sha1")] });
  await soon(() => holds().at(-1)?.sessions.length).toBe(1);
});

test("a path is up and down with BFD, unknown where nobody says; only a failure is down", async () => {
  await begin("one");
  const made = make();
  const guarded = { ...session, guards: ["n" as NeighborKey] };
  const paths = () => facts.flatMap((fact) => (fact.type === "path" ? [fact.state.type] : []));
  made.apply({ sessions: [guarded] });
  await soon(() => holds().length).toBe(1);
  const downs = () =>
    facts.flatMap((fact) =>
      fact.type === "path" && fact.state.type === "down"
        ? [fact.state.remoteControlPlaneIndependent]
        : [],
    );
  let remoteControlPlaneIndependent = false;
  const transition = (from: BfdState, to: BfdState, remoteState: BfdState = to): void => {
    const times = { atMicros: 1, detectedAfterMicros: undefined, detectionTimeMicros: 1 };
    const traces = { arrivalsMicros: [], departuresMicros: [] };
    const remote = { remoteState, remoteDiagnostic: 0, remoteControlPlaneIndependent };
    const { key } = session;
    const what = { key, from, to, diagnostic: 1, ...times, ...traces, ...remote };
    answer({ type: "transition", transition: what });
  };
  transition("Down", "Init");
  transition("Init", "Up");
  await soon(paths).toEqual(["up"]);
  transition("Up", "Down", "AdminDown");
  await soon(paths).toEqual(["up", "unknown"]);
  transition("Down", "Up");
  transition("Up", "Down");
  await soon(paths).toEqual(["up", "unknown", "up", "down"]);
  remoteControlPlaneIndependent = true;
  transition("Down", "Up");
  transition("Up", "Down");
  // The C bit goes with it (RFC 5882 §4.3).
  await soon(downs).toEqual([false, true]);
  expect(facts.find((fact) => fact.type === "path")).toMatchObject({ neighbor: "n" });
  made.apply({ sessions: [] });
  await soon(paths).toEqual(["up", "unknown", "up", "down", "up", "down", "unknown"]);
});

test("nothing is wanted and no process is there: what the log knew is gone, and nobody is asked again", async () => {
  make(new Map([[session.key, 4711]])).apply({ sessions: [] });
  await soon(() => facts.length).toBe(1);
  expect(facts).toMatchObject([{ type: "held", removed: [session.key] }]);
});

test("no process and a session wanted: said once, with the way out", async () => {
  const made = make();
  made.apply({ sessions: [session] });
  await soon(() => facts).toMatchObject([
    { type: "process", connected: false, reason: expect.stringContaining("rutter bfd serve") },
  ]);
  await new Promise((resolve) => {
    setTimeout(resolve, 500);
  });
  expect(facts).toHaveLength(1);
  expect(made.problems()).toHaveLength(1);
});
