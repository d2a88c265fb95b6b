/**
 * Probes against real sockets, the real /proc and real programs, on loopback only.
 */
import { createSocket } from "node:dgram";
import { createServer as createHttp } from "node:http";
import { createServer, type Server } from "node:net";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { NamedCheck } from "../../agent/config-schema.ts";
import { commandLine, ownPrivileges } from "../../agent/health/exec-probe.ts";
import { isListenedOn } from "../../agent/health/listeners.ts";
import type { PlannedCheck } from "../../agent/health/plan-checks.ts";
import { createProbe } from "../../agent/health/probe.ts";
import { readListeners } from "../../agent/health/proc-net.ts";
import { address } from "../../events/address.ts";
import { serviceKey, serviceOf } from "./desired.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const listenOn = (server: Server, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    ends.push(() => server.close());
    server.once("error", reject);
    server.listen(0, host, () => {
      const at = server.address();
      if (at === null || typeof at === "string") throw new Error("listens on no port");
      resolve(at.port);
    });
  });

const planned = (check: PlannedCheck["check"], rest: Partial<PlannedCheck> = {}): PlannedCheck => ({
  service: serviceKey("web"),
  check,
  intervalSeconds: 2,
  timeoutSeconds: 0.5,
  rise: 1,
  fall: 1,
  addresses: [address("127.0.0.1")],
  ports: [],
  ...rest,
});

const ask = (
  check: PlannedCheck,
  named: Record<string, NamedCheck> = {},
  signal = new AbortController().signal,
) => createProbe(new Map(Object.entries(named)))(check, signal);

const sh = (script: string, rest: Partial<NamedCheck> = {}): Record<string, NamedCheck> => ({
  it: { command: ["/bin/sh", "-c", script], timeoutSeconds: 5, ...rest },
});
const exec = planned({ type: "exec", name: "it" }, { timeoutSeconds: 5 });

const look = (protocol: "TCP" | "UDP", at: number) =>
  isListenedOn(
    readListeners()(["tcp", "tcp6", "udp", "udp6"]),
    serviceOf("x", [{ protocol, port: at }]).spec.ports,
    [address("127.0.0.1")],
  ).ok;

test("the kernel's tables show a TCP and a UDP listener, and not the one that closed", async () => {
  const server = createServer();
  const port = await listenOn(server, "127.0.0.1");
  const udp = createSocket("udp4");
  ends.push(() => udp.close());
  await new Promise<void>((done) => udp.bind(0, "127.0.0.1", done));
  expect([look("TCP", port), look("UDP", udp.address().port), look("UDP", port)]).toEqual([
    true,
    true,
    false,
  ]);
  await new Promise((done) => server.close(done));
  expect(look("TCP", port)).toBe(false);
});

test("tcp: healthy while a connection is accepted, unhealthy with the reason in words", async () => {
  const server = createServer((socket) => socket.on("error", () => {}));
  const port = await listenOn(server, "127.0.0.1");
  expect(await ask(planned({ type: "tcp", port }))).toMatchObject({ ok: true });
  await new Promise((done) => server.close(done));
  expect(await ask(planned({ type: "tcp", port }))).toEqual({
    ok: false,
    reason: `127.0.0.1:${port} refuses connections`,
  });
});

test("tcp: an address that is not on this host is never asked elsewhere", async () => {
  // RFC 5737 §3: documentation, on no host.
  const check = planned({ type: "tcp", port: 80 }, { addresses: [address("192.0.2.1")] });
  const result = await ask(check);
  expect(result.ok).toBe(false);
  expect(result.reason).toContain("on no interface of this host");
});

test("http: the status decides, redirects are not followed, silence ends at the timeout", async () => {
  const server = createHttp((request, response) => {
    if (request.url === "/silent") return;
    response
      .writeHead(request.url === "/moved" ? 302 : 200, { location: "/" })
      .end(request.headers.host);
  });
  const port = await listenOn(server, "127.0.0.1");
  ends.push(() => server.closeAllConnections());
  const get = (path: string, from: number, to: number) =>
    ask(planned({ type: "http", scheme: "http", port, path, expectStatus: { from, to } }));
  expect(await get("/", 200, 299)).toMatchObject({ ok: true });
  expect(await get("/moved", 302, 302)).toMatchObject({ ok: true });
  expect(await get("/moved", 200, 299)).toEqual({
    ok: false,
    reason: `127.0.0.1:${port}/moved answers 302, expected 200 to 299`,
  });
  expect(await get("/silent", 200, 299)).toEqual({
    ok: false,
    reason: `127.0.0.1:${port} gave no answer in 0.5 s`,
  });
});

test("exec: the exit status decides, and the first line that it printed is the reason", async () => {
  expect(await ask(exec, sh("exit 0"))).toMatchObject({ ok: true });
  expect(await ask(exec, sh("echo out; printf 'no \\033[31mdisk\\nmore' >&2; exit 3"))).toEqual({
    ok: false,
    reason: "the check ended with 3: no ?[31mdisk",
  });
  expect((await ask(exec, {})).reason).toContain("no entry it under checks:");
});

test("exec: the program has no capability of any set and can gain none", async () => {
  const script = "grep -E '^(Cap...|NoNewPrivs)' /proc/self/status | tr -d '\\n\\t'; exit 1";
  const { reason } = await ask(exec, sh(script));
  const { mayDropBounding } = ownPrivileges();
  for (const set of [
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapAmb",
    ...(mayDropBounding ? ["CapBnd"] : []),
  ]) {
    expect(reason).toContain(`${set}:0000000000000000`);
  }
  expect(reason).toContain("NoNewPrivs:1");
});

test("exec: root's checks run as nobody, or as the user that agent.yaml names", async () => {
  const { root } = ownPrivileges();
  const own = process.geteuid?.() ?? 0;
  expect((await ask(exec, sh("id -u; exit 1"))).reason).toBe(
    `the check ended with 1: ${root ? 65534 : own}`,
  );
  const numbered = sh("echo $(id -u) $(id -G); exit 1", { user: "12345" });
  const { reason } = await ask(exec, numbered);
  // Only root can become another user.
  expect(reason).toBe(root ? "the check ended with 1: 12345 12345" : reason);
  expect(
    commandLine(
      { command: ["/bin/true"], timeoutSeconds: 1 },
      { root: false, mayDropBounding: false },
    ),
  ).not.toContain("--reuid=nobody");
});

test("exec: the agent's environment stays the agent's", async () => {
  process.env["RUTTER_TEST_PLANTED"] = "planted";
  const { reason } = await ask(exec, sh("env | sort | tr '\\n' ' '; exit 1"));
  delete process.env["RUTTER_TEST_PLANTED"];
  expect(reason).not.toContain("planted");
  expect(reason).toContain("RUTTER_SERVICE=default/web");
});

test("exec: what hangs is killed with everything that it started", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rutter-exec-"));
  ends.push(() => rmSync(directory, { recursive: true }));
  const uid = String(process.geteuid?.() ?? 0);
  const script = `sleep 60 & echo $! > ${directory}/pid; wait`;
  const result = await ask({ ...exec, timeoutSeconds: 0.4 }, sh(script, { user: uid }));
  expect(result.reason).toContain("ran longer than 0.4 s and was killed");
  const pid = readFileSync(join(directory, "pid"), "utf8").trim();
  const isGone = () =>
    !existsSync(`/proc/${pid}`) || /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  await expect.poll(isGone, { timeout: 2000 }).toBe(true);
});

test("exec: a check that never stops printing is held to its limit and still judged", async () => {
  const result = await ask({ ...exec, timeoutSeconds: 1 }, sh("yes x | head -c 50000000; exit 0"));
  expect(result.reason.length).toBeLessThan(300);
});

test("an aborted probe ends at once", async () => {
  const abort = new AbortController();
  const running = ask(exec, sh("sleep 60"), abort.signal);
  setImmediate(() => abort.abort());
  expect(await running).toMatchObject({ ok: false });
});
