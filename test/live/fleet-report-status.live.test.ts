/**
 * What a fleet's operator sees of its hosts: who lives, who is silent, storms made small, and no secret anywhere.
 */
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { startBird } from "./bird.ts";
import { AUDIT, FLEET, isDesired, makeStage, type Stage } from "./fleet-stage.ts";
import { advertisementManifest, documents, peerManifest, poolManifest } from "./manifests.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats", "bird"));

const TIMEOUT = { timeout: 180_000 };
const HOST_AS = 64512;
const FAR_AS = 64999;
const SECRET = "planted-secret-9f2c";

type HostJson = {
  readonly host: string;
  readonly presence: string;
  readonly standing: string;
  readonly sessions: { readonly up: number; readonly all: number };
  readonly logSeq: number;
};

const status = async (stage: Stage): Promise<HostJson | undefined> => {
  const { code, stdout, stderr } = await stage.fleet("status", "-o", "json");
  if (code !== 0) throw new Error(stderr);
  const [only]: readonly HostJson[] = JSON.parse(stdout);
  return only;
};
const awaits = (stage: Stage, what: string, isSo: (host: HostJson) => boolean): Promise<HostJson> =>
  until(
    async () => {
      const host = await status(stage);
      return host !== undefined && isSo(host) ? host : undefined;
    },
    { what, timeoutMs: 60_000, everyMs: 200 },
  );
const router = (stage: Stage, password?: string) =>
  startBird(stage.network.nodes.far, {
    asn: FAR_AS,
    routerId: stage.network.nodes.far.ipv4,
    neighbours: [
      {
        name: "host",
        address: stage.network.nodes.host.ipv4,
        asn: HOST_AS,
        ...(password === undefined ? {} : { password }),
      },
    ],
  });
const peer = (stage: Stage, password?: string): string =>
  documents(
    poolManifest(["203.0.113.0/24"]),
    peerManifest({
      localAs: HOST_AS,
      remoteAs: FAR_AS,
      address: stage.network.nodes.far.ipv4,
      ...(password === undefined ? {} : { password }),
    }),
    advertisementManifest(),
  );

test(
  "a host that is killed falls silent and `--check` says so; it comes back by itself",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using bird = await router(stage);
    const first = await stage.agent();
    expect((await first.apply(peer(stage))).code).toBe(0);
    const up = await awaits(
      stage,
      "the session in the status",
      ({ sessions }) => sessions.up === 1,
    );
    expect(up).toMatchObject({ presence: "here", standing: "equal", sessions: { up: 1, all: 1 } });
    expect(await stage.fleet("status", "--check")).toMatchObject({ code: 0 });
    await first.kill();
    await awaits(stage, "silence", ({ presence }) => presence === "silent");
    const checked = await stage.fleet("status", "--check");
    expect(checked.code).toBe(1);
    expect(checked.stderr).toContain(`${up.host} (silent)`);
    expect(checked.stdout).toContain("SILENT");
    await using second = await first.restart();
    await awaits(
      stage,
      "the host's return",
      ({ presence, sessions }) => presence === "here" && sessions.up === 1,
    );
    await second.stop();
    await awaits(stage, "the farewell", ({ presence }) => presence === "stopped");
    expect(await bird.explain()).toContain("host");
  },
);

test(
  "a session that flaps is told within the budget, with how many facts each message stands for",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using bird = await router(stage);
    await using agent = await stage.agent(undefined, "heartbeatSeconds: 1, sessionsPerSecond: 0.1");
    expect((await agent.apply(peer(stage))).code).toBe(0);
    const sessionFacts = async (): Promise<readonly number[]> => {
      const { stdout } = await agent.rutter("log", "-o", "json", "--type", "session-observed");
      const lines = stdout.split("\n").filter((line) => line !== "");
      return lines.map((line) => (JSON.parse(line) as { readonly seq: number }).seq);
    };
    for (let flap = 1; flap <= 6; flap += 1) {
      await awaits(stage, "the session", ({ sessions }) => sessions.up === 1);
      const before = (await sessionFacts()).length;
      await bird.ask("restart all");
      await until(async () => (await sessionFacts()).length > before, {
        what: "the flap in the book",
      });
    }
    await awaits(stage, "the session", ({ sessions }) => sessions.up === 1);
    const seqs = await sessionFacts();
    const newest = seqs.at(-1) ?? 0;
    const told = await until(
      async () => {
        const lane = await stage.told("--lane", "sessions");
        const mine = lane.filter(({ type }) => type === "session-observed");
        return mine.some(({ seq }) => seq >= newest) ? mine : undefined;
      },
      { what: "the newest of the session's facts", timeoutMs: 90_000, everyMs: 500 },
    );
    const all = await sessionFacts();
    const upTo = told.at(-1)?.seq ?? 0;
    const count = told.reduce((sum, { standsFor }) => sum + 1 + standsFor, 0);
    expect(count).toBe(all.filter((seq) => seq <= upTo).length);
    expect(told.length).toBeLessThan(count);
  },
);

/** A raw publication into the feed, as whoever got hold of a publisher's connection could do it. */
const poison = (stage: Stage, octets: string): Promise<unknown> => {
  const { server } = stage.network.nodes;
  const script = `
    const socket = require("node:net").connect(4222, ${JSON.stringify(server.ipv4)});
    const body = Buffer.from(${JSON.stringify(Buffer.from(octets).toString("base64"))}, "base64");
    socket.write("CONNECT {}\\r\\nPUB rutter.${FLEET}.feed.change " + body.length + "\\r\\n");
    socket.write(body); socket.write("\\r\\nPING\\r\\n");
    socket.on("data", (text) => { if (String(text).includes("PONG")) process.exit(0); });`;
  return server.run([process.execPath, "-e", script]);
};

test(
  "a password stands in no message, no status and no dead letter; a poisoned message is told",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using bird = await router(stage, SECRET);
    await using agent = await stage.agent();
    expect((await agent.apply(peer(stage, SECRET))).code).toBe(0);
    await awaits(stage, "the session", ({ sessions }) => sessions.up === 1);
    await poison(stage, `{"kind":"Secret","stringData":{"password":"${SECRET}"}}`);
    await poison(stage, `password: ${SECRET}`);
    const stored = await until(
      async () => {
        const all = await stage.stored();
        return all.filter(({ subject }) => subject.endsWith(".dead")).length >= 2 ? all : undefined;
      },
      { what: "the dead letters", timeoutMs: 60_000, explain: agent.explain },
    );
    const facts = await stage.allTold(agent);
    expect(facts.filter(isDesired).length).toBe(facts.length);
    const statuses = await stage.stored(`KV_rutter-${FLEET}-status`);
    const octets = [...(await stage.stored(AUDIT)), ...stored, ...statuses].map(
      ({ headers, body }) => JSON.stringify(headers) + Buffer.from(body, "base64").toString(),
    );
    expect(octets.filter((text) => text.includes(SECRET))).toEqual([]);
    expect(statuses.length).toBeGreaterThan(0);
    const { stdout, stderr } = await stage.fleet("log");
    expect(stdout + stderr).not.toContain(SECRET);
    expect(stderr).toContain("could not take something of the feed");
    expect(await bird.explain()).toContain("host");
  },
);
