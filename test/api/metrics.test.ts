/**
 * `/metrics`, `/healthz` and `/readyz`, on the socket and on TCP, on a core of canned figures; and the alerts made from them.
 */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { metricsText } from "../../agent/api/metrics.ts";
import { openSideDoor, type SideDoor } from "../../agent/api/side-door.ts";
import { type Metric, parseExposition } from "./exposition.ts";
import { fakeCore, type FakeCore, figures } from "./fake-core.ts";
import { ask, json, serve } from "./serve.ts";

const own = { cpuSeconds: 1.5, residentBytes: 2, heapBytes: 3, startedSeconds: 4 };
const page = async (shown = figures): Promise<ReadonlyMap<string, Metric>> =>
  parseExposition(await metricsText(shown, own));
const valuesOf = async (name: string, shown = figures) =>
  (await page(shown)).get(name)?.samples.map(({ labels, value }) => [labels, value]);

describe("a scrape", () => {
  test("is text that Prometheus reads, on the socket", async () => {
    await using api = await serve();
    const answer = await ask(api.socketPath, "GET", "/metrics");
    expect(answer.status).toBe(200);
    expect(answer.type).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect([...parseExposition(answer.text).keys()]).toContain("rutter_peer_up");
  });

  test("is for who may read", async () => {
    await using api = await serve({ who: { pid: 1003, uid: 1003, gid: 1003 } });
    expect((await ask(api.socketPath, "GET", "/metrics")).status).toBe(403);
  });

  test("tells of each peer its session and its routes by family", async () => {
    const tor1 = { peer: "tor1", vrf: "" };
    const odd = { peer: 'a "b"\\', vrf: "red" };
    expect(await valuesOf("rutter_peer_up")).toEqual([
      [tor1, 1],
      [odd, 0],
    ]);
    expect(await valuesOf("rutter_peer_resets_total")).toEqual([
      [tor1, 4],
      [odd, 0],
    ]);
    expect((await valuesOf("rutter_peer_state"))?.filter(([, value]) => value === 1)).toEqual([
      [{ ...tor1, state: "Established" }, 1],
      [{ ...odd, state: "Refused" }, 1],
    ]);
    expect(await valuesOf("rutter_peer_state_since_timestamp_seconds")).toEqual([
      [tor1, 1_769_853_600],
    ]);
    const of = async (name: string) => (await valuesOf(name))?.map(([, value]) => value);
    expect(await of("rutter_peer_routes_advertised")).toEqual([10, 20, 0, 0]);
    expect(await of("rutter_peer_routes_received")).toEqual([12, 22, 0, 0]);
    expect(await of("rutter_peer_routes_accepted")).toEqual([11, 21, 0, 0]);
  });

  test("tells of the fleet, where there is one", async () => {
    const fleet = { fleet: "berlin" };
    expect(await valuesOf("rutter_fleet_connected")).toEqual([[fleet, 1]]);
    expect(await valuesOf("rutter_fleet_generation")).toEqual([[fleet, 71]]);
    expect(await valuesOf("rutter_fleet_lag_messages")).toEqual([[fleet, 72]]);
    expect(await valuesOf("rutter_fleet_refused_generation")).toEqual([[fleet, 70]]);
    expect(await valuesOf("rutter_fleet_left_resources")).toEqual([[fleet, 0]]);
    expect(await valuesOf("rutter_fleet_diverged")).toEqual([[fleet, 1]]);
    const alone = await page({ ...figures, fleet: null });
    expect([...alone.keys()].filter((name) => name.startsWith("rutter_fleet_"))).toEqual([]);
  });

  test("tells of BFD, the kernel, Services, applies and the log", async () => {
    const found = await page();
    const told = [...found.values()].flatMap(({ samples }) => samples);
    const one = (name: string) => told.filter((it) => it.name === name).map(({ value }) => value);
    expect(one("rutter_bfd_session_up")).toEqual([1]);
    expect(one("rutter_bfd_session_transitions_total")).toEqual([3]);
    expect(one("rutter_kernel_routes")).toEqual([31]);
    expect(await valuesOf("rutter_kernel_routes_held")).toEqual([[{ reason: "protected" }, 5]]);
    expect(one("rutter_kernel_drift_total")).toEqual([32]);
    expect(one("rutter_kernel_problems")).toEqual([1]);
    expect([one("rutter_services"), one("rutter_services_announced")]).toEqual([[40], [39]]);
    expect(one("rutter_endpoints")).toEqual([41, 42]);
    expect(one("rutter_quarantined_resources")).toEqual([43]);
    expect([one("rutter_held"), one("rutter_manifest_problems")]).toEqual([[44], [45]]);
    expect(one("rutter_apply_duration_seconds_bucket")).toEqual([5, 7, 8]);
    expect(one("rutter_apply_duration_seconds_sum")).toEqual([1.5]);
    expect([one("rutter_apply_failures_total"), one("rutter_apply_pending")]).toEqual([[51], [1]]);
    expect([one("rutter_log_head_seq"), one("rutter_log_size_bytes")]).toEqual([[60], [61_000]]);
    expect([one("rutter_log_commits_total"), one("rutter_log_facts_total")]).toEqual([[62], [63]]);
    expect([one("rutter_log_lost_facts_total"), one("rutter_log_recording")]).toEqual([[64], [0]]);
    expect(one("process_cpu_seconds_total")).toEqual([1.5]);
    expect(one("process_resident_memory_bytes")).toEqual([2]);
  });

  test("is as long with 100,000 Services as with none", async () => {
    const many = { ...figures, services: { all: 100_000, announced: 100_000 } };
    const lines = async (shown: typeof figures) =>
      (await metricsText(shown, own)).split("\n").length;
    expect(await lines(many)).toBe(await lines(figures));
  });

  test("leaves the kernel out where the agent does", async () => {
    const names = [...(await page({ ...figures, kernel: null })).keys()];
    expect(names.filter((name) => name.startsWith("rutter_kernel"))).toEqual([]);
  });
});

describe("documents", () => {
  /** Metrics that an expression names, without the parts of a histogram. */
  const namedIn = (text: string): readonly string[] =>
    [...text.matchAll(/\b(?:rutter|process)_[a-z_]+/g)].map(([name]) =>
      name.replace(/^(rutter_apply_duration_seconds)_(?:bucket|sum|count)$/, "$1"),
    );
  const inTree = (file: string): string =>
    readFileSync(join(import.meta.dirname, "../..", file), "utf8");

  test("the example alerts name only metrics that there are, and say what to do", async () => {
    type Rule = { alert: string; expr: string; annotations: { summary: string; action: string } };
    const { groups }: { groups: { rules: Rule[] }[] } = parse(
      inTree("docs/prometheus-alerts.yaml"),
    );
    const rules = groups.flatMap((group) => group.rules);
    const there = await page();
    expect(rules.length).toBeGreaterThan(5);
    expect(rules.flatMap(({ expr }) => namedIn(expr)).filter((one) => !there.has(one))).toEqual([]);
    expect(rules.filter(({ expr }) => namedIn(expr).length === 0)).toEqual([]);
    expect(rules.filter(({ annotations }) => annotations.action.length < 10)).toEqual([]);
  });

  test("the README names every metric, and no other", async () => {
    const section = /^## Metrics$([\s\S]*?)^## /m.exec(inTree("README.md"))?.[1] ?? "";
    expect(new Set(namedIn(section))).toEqual(new Set((await page()).keys()));
  });
});

type Door = AsyncDisposable & {
  readonly core: FakeCore;
  readonly door: SideDoor;
  readonly tokenFile: string;
  readonly said: readonly string[];
  get(path: string, headers?: Record<string, string>): Promise<Response>;
};

const TOKEN = "0123456789abcdef0123";

async function sideDoor(port = 0): Promise<Door> {
  const directory = mkdtempSync(join(tmpdir(), "rutter-door-"));
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const core = fakeCore();
  const said: string[] = [];
  const keep = (_fields: object, message: string): void => void said.push(message);
  const door = await openSideDoor(
    { address: "127.0.0.1", port, tokenFile },
    {
      core,
      logger: { info: keep, warn: keep, error: keep },
      onBug: (error) => {
        throw error;
      },
    },
  );
  return {
    core,
    door,
    tokenFile,
    said,
    get: (path, headers = {}) => fetch(`http://127.0.0.1:${door.port}${path}`, { headers }),
    async [Symbol.asyncDispose]() {
      await door.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

describe("on TCP", () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test("metrics are told to who brings the token", async () => {
    await using one = await sideDoor();
    const answer = await one.get("/metrics", bearer(TOKEN));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(parseExposition(await answer.text()).get("rutter_held")?.samples[0]?.value).toBe(44);
  });

  test.each([
    ["none", {}],
    ["another", bearer("0123456789abcdef0124")],
    ["a part of it", bearer(TOKEN.slice(0, 16))],
    ["it in another scheme", { authorization: `Basic ${TOKEN}` }],
  ])("and not to who brings %s", async (_what, headers) => {
    await using one = await sideDoor();
    const answer = await one.get("/metrics", headers);
    expect(answer.status).toBe(401);
    expect(await answer.text()).not.toContain("rutter_");
  });

  test("a token that was rotated counts at once, one that is no token never", async () => {
    await using one = await sideDoor();
    writeFileSync(one.tokenFile, "abcdefghijklmnopqrst");
    expect((await one.get("/metrics", bearer(TOKEN))).status).toBe(401);
    expect((await one.get("/metrics", bearer("abcdefghijklmnopqrst"))).status).toBe(200);
    writeFileSync(one.tokenFile, "");
    expect((await one.get("/metrics", bearer(""))).status).toBe(503);
    rmSync(one.tokenFile);
    expect((await one.get("/metrics", bearer("abcdefghijklmnopqrst"))).status).toBe(503);
  });

  test("anyone may ask whether the agent lives and is ready", async () => {
    await using one = await sideDoor();
    expect(await (await one.get("/healthz")).json()).toEqual({ ok: true, reason: "" });
    expect(await (await one.get("/readyz")).json()).toEqual({ ok: true, reason: "" });
    one.core.isReady = false;
    const answer = await one.get("/readyz");
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ ok: false });
  });

  test("nothing else is there, and nothing can be changed", async () => {
    await using one = await sideDoor();
    expect((await one.get("/v1/status", bearer(TOKEN))).status).toBe(404);
    const url = `http://127.0.0.1:${one.door.port}/metrics`;
    const posted = await fetch(url, { method: "POST", headers: bearer(TOKEN), body: "x" });
    expect(posted.status).toBe(404);
    expect(one.core.asked).toEqual([]);
  });

  test("a port that is taken is said, and stops nobody", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const at = taken.address();
    await using one = await sideDoor(typeof at === "object" ? (at?.port ?? 0) : 0);
    expect([one.door.port, one.said]).toEqual([undefined, ["metrics are not served on TCP"]]);
    taken.close();
  });
});

test("on the socket, who is not ready says why", async () => {
  await using api = await serve();
  expect(json(await ask(api.socketPath, "GET", "/healthz"))).toEqual({ ok: true, reason: "" });
  expect(json(await ask(api.socketPath, "GET", "/readyz"))).toEqual({ ok: true, reason: "" });
  api.core.isReady = false;
  const answer = await ask(api.socketPath, "GET", "/readyz");
  expect(answer.status).toBe(503);
  expect(json(answer)).toEqual({ ok: false, reason: "the first plan is not applied yet" });
});
