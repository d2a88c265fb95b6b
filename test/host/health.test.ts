/**
 * Health of Services on this host, on a clock that only moves when told: which check counts, when it is asked, what is told.
 */
import { expect, test } from "vitest";
import { effectiveCheck, endpointInForce } from "../../agent/health/effective-check.ts";
import { dueQueue } from "../../backends/due-queue.ts";
import { addListeners, type Listeners, type PortKey } from "../../agent/health/listeners.ts";
import type { PlannedCheck } from "../../agent/health/plan-checks.ts";
import { judge, type Result, resumed, type Trend, unknown } from "../../agent/health/rise-fall.ts";
import { createHealth, type HealthOptions } from "../../agent/health/runner.ts";
import { type Address, address } from "../../events/address.ts";
import { type DesiredState, nothingDesired } from "../../events/state.ts";
import {
  endpointOf,
  serviceOf,
  tcpService,
  withDefault,
  withEndpoint,
  withObserved,
  withoutService,
  withService,
  withServices,
} from "./desired.ts";
import { virtualClock } from "../virtual-clock.ts";

const listening = (...open: readonly (readonly [PortKey, string])[]): Listeners => {
  const listeners = new Map<PortKey, Set<Address>>();
  for (const [port, at] of open) {
    const known = listeners.get(port) ?? new Set();
    listeners.set(port, known.add(address(at)));
  }
  return listeners;
};

/** Lets answers of probes arrive; no timer of the virtual clock moves. */
const answers = () => new Promise((done) => setImmediate(done));

function bench(options: Partial<HealthOptions> = {}) {
  const clock = virtualClock();
  const told: string[] = [];
  const host = { open: listening(), looks: 0, answers: new Map<string, Result>(), probes: 0 };
  const probe = async ({ service }: PlannedCheck): Promise<Result> => {
    host.probes += 1;
    const name = service.split("/").at(-1) ?? "";
    return host.answers.get(name) ?? { ok: true, reason: "fine" };
  };
  const health = createHealth({
    clock,
    probe,
    readListeners: () => {
      host.looks += 1;
      return host.open;
    },
    onChange: (service, healthy) =>
      told.push(`${service.split("/").at(-1)} ${healthy ? "up" : "down"}`),
    recorded: "trusted",
    ...options,
  });
  const heard = (): readonly string[] => told.splice(0);
  return { clock, host, health, heard };
}

const web = (...addresses: readonly string[]): DesiredState =>
  withServices(nothingDesired, [
    tcpService("web", 80, ...(addresses.length > 0 ? addresses : ["10.0.0.1"])),
  ]);

test("a Service without an endpoint resource follows the host's default", () => {
  expect(effectiveCheck(undefined, "always").check).toEqual({ type: "always" });
  expect(effectiveCheck(endpointOf("a", { type: "none" }), "always").check).toEqual({
    type: "none",
  });
});

test("of two endpoints of one Service the lower by content counts, whichever came first", () => {
  const [a, b] = [endpointOf("a", { type: "always" }), endpointOf("b", { type: "none" })];
  expect(endpointInForce([a, b])).toBe(a);
  expect(endpointInForce([b, a])).toBe(a);
});

/** One sign for each result: U told up, D told down, . nothing. */
const run = (start: Trend, results: string): string => {
  let trend = start;
  return Array.from(results, (result) => {
    const step = judge(trend, { ok: result === "+", reason: "" }, { rise: 2, fall: 3 });
    trend = step.trend;
    return step.verdict === undefined ? "." : step.verdict.healthy ? "U" : "D";
  }).join("");
};

test("the first result decides at once, later ones need rise and fall in a row", () => {
  expect(run(unknown, "+")).toBe("U");
  expect(run(unknown, "-")).toBe("D");
  expect(run(unknown, "+--+---+-+-++")).toBe("U.....D.....U");
  expect(run(resumed(true), "+++--")).toBe(".....");
});

test("a new Service whose port is open is told inside update()", () => {
  const { host, health, heard } = bench();
  host.open = listening(["TCP/80", "0.0.0.0"]);
  health.update(web());
  expect(heard()).toEqual(["web up"]);
});

test.each([
  ["its address", "10.0.0.1", "10.0.0.1", true],
  ["all IPv4 addresses", "0.0.0.0", "10.0.0.1", true],
  ["all addresses of both families", "::", "10.0.0.1", true],
  ["all IPv6 addresses", "::", "fd00::1", true],
  ["loopback only", "127.0.0.1", "10.0.0.1", false],
  ["another address", "10.0.0.2", "10.0.0.1", false],
  ["all IPv4 addresses, the Service having IPv6", "0.0.0.0", "fd00::1", false],
])("a listener on %s", (_what, at, vip, up) => {
  const { host, health, heard } = bench();
  host.open = listening(["TCP/80", at]);
  health.update(web(vip));
  expect(heard()).toEqual([up ? "web up" : "web down"]);
});

test("UDP and TCP of one number are two ports, and one open port of several is enough", () => {
  const { host, health, heard } = bench();
  const dns = serviceOf("dns", [
    { protocol: "UDP", port: 53 },
    { protocol: "TCP", port: 80 },
  ]);
  host.open = listening(["TCP/53", "0.0.0.0"]);
  health.update(withServices(nothingDesired, [{ service: dns, addresses: ["10.0.0.1"] }]));
  host.open = listening(["TCP/80", "0.0.0.0"]);
  expect(heard()).toEqual(["dns down"]);
});

test("a listener that goes is told within a second, and one that comes back too", () => {
  const { clock, host, health, heard } = bench();
  host.open = listening(["TCP/80", "0.0.0.0"]);
  health.update(web());
  heard();
  host.open = listening();
  clock.advance(1000);
  expect(heard()).toEqual(["web down"]);
  host.open = listening(["TCP/80", "10.0.0.1"]);
  clock.advance(1000);
  expect(heard()).toEqual(["web up"]);
  clock.advance(60_000);
  expect(heard()).toEqual([]);
});

test("a listener that goes between the first look and the next is not missed", () => {
  const { clock, host, health, heard } = bench();
  health.update(withServices(nothingDesired, [tcpService("other", 81, "10.0.0.2")]));
  clock.advance(1500);
  host.open = listening(["TCP/80", "0.0.0.0"]);
  health.update(
    withService(
      withServices(nothingDesired, [tcpService("other", 81, "10.0.0.2")]),
      tcpService("web", 80, "10.0.0.1"),
    ),
  );
  host.open = listening();
  clock.advance(600);
  expect(heard()).toEqual(["other down", "web up", "web down"]);
});

test("a listen check with rise and fall counts looks even while nothing changes", () => {
  const { clock, host, health, heard } = bench();
  host.open = listening(["TCP/80", "0.0.0.0"]);
  health.update(withEndpoint(web(), endpointOf("web", { type: "listen" }, { intervalSeconds: 1 })));
  host.open = listening();
  clock.advance(2500);
  expect(heard()).toEqual(["web up"]);
  clock.advance(600);
  expect(heard()).toEqual(["web down"]);
});

test("always, none and Services without an address are not checked, and nothing to do is no timer", () => {
  const { clock, health, host, heard } = bench();
  health.update(withDefault(web(), "always"));
  health.update(withDefault(web(), "none"));
  health.update(withServices(nothingDesired, [{ ...tcpService("x", 80), addresses: [] }]));
  clock.advance(10_000);
  expect([heard(), host.looks, clock.pending()]).toEqual([[], 0, 0]);
});

test("one timer serves all, and a Service that goes is asked no more", async () => {
  const { clock, host, health } = bench();
  const names = Array.from({ length: 50 }, (_, i) => `s${i}`);
  let desired = withServices(
    nothingDesired,
    names.map((name) => tcpService(name, 80, "10.0.0.1")),
  );
  for (const name of names.slice(0, 20))
    desired = withEndpoint(desired, endpointOf(name, { type: "tcp", port: 80 }));
  health.update(desired);
  await answers();
  expect(clock.pending()).toBe(1);
  for (const name of names) desired = withoutService(desired, name);
  health.update(desired);
  const { looks, probes } = host;
  clock.advance(60_000);
  await answers();
  expect([host.looks, host.probes]).toEqual([looks, probes]);
});

test("100,000 listen checks take one look an interval, and one more Service at an open port none", () => {
  const { clock, host, health, heard } = bench();
  host.open = listening(["TCP/80", "0.0.0.0"]);
  const many = Array.from({ length: 100_000 }, (_, i) =>
    tcpService(`s${i}`, 80, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`),
  );
  const desired = withServices(nothingDesired, many);
  health.update(desired);
  expect([host.looks, heard().length]).toEqual([1, 100_000]);
  clock.advance(10_000);
  expect(host.looks).toBe(11);
  health.update(withService(desired, tcpService("new", 80, "10.99.0.1")));
  expect([host.looks, heard()]).toEqual([11, ["new up"]]);
});

test("what is recorded already is not told again; where it is stale the first result decides", () => {
  const recorded = withObserved(web(), "web", true, "something listens on TCP/80");
  const trusted = bench();
  trusted.host.open = listening(["TCP/80", "0.0.0.0"]);
  trusted.health.update(recorded);
  expect(trusted.heard()).toEqual([]);
  const pace = endpointOf("web", { type: "listen" });
  const resumedRun = bench();
  resumedRun.health.update(withEndpoint(recorded, pace));
  expect(resumedRun.heard()).toEqual([]);
  const rebooted = bench({ recorded: "stale" });
  rebooted.health.update(withEndpoint(recorded, pace));
  expect(rebooted.heard()).toEqual(["web down"]);
});

test("what was told and not recorded is told again on demand", () => {
  const { host, health, heard } = bench();
  host.open = listening(["TCP/80", "0.0.0.0"]);
  health.update(web());
  heard();
  health.repeat();
  expect(heard()).toEqual(["web up"]);
  health.update(withObserved(web(), "web", true, "something listens on TCP/80"));
  health.repeat();
  expect(heard()).toEqual([]);
});

test("a probe's Service falls after as many failures as its endpoint says, and the pace is its own", async () => {
  const { clock, host, health, heard } = bench();
  health.update(withEndpoint(web(), endpointOf("web", { type: "tcp", port: 80 })));
  await answers();
  expect(heard()).toEqual(["web up"]);
  host.answers.set("web", { ok: false, reason: "refused" });
  for (const expected of [[], [], ["web down"]]) {
    clock.advance(2000);
    await answers();
    expect(heard()).toEqual(expected);
  }
});

test("a late answer of a check that was replaced counts nothing", async () => {
  let finish: ((result: Result) => void) | undefined;
  const { health, heard } = bench({
    probe: () =>
      new Promise((resolve) => {
        finish ??= resolve;
      }),
  });
  const desired = withEndpoint(web(), endpointOf("web", { type: "tcp", port: 80 }));
  health.update(desired);
  health.update(withEndpoint(web(), endpointOf("web", { type: "tcp", port: 81 })));
  finish?.({ ok: true, reason: "old" });
  await answers();
  expect(heard()).toEqual([]);
});

test("at most 64 probes run at once, and all get their turn", async () => {
  let [now, most, done] = [0, 0, 0];
  const { health } = bench({
    probe: async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
      done += 1;
      return { ok: true, reason: "" };
    },
  });
  let desired = nothingDesired;
  for (let i = 0; i < 300; i += 1) {
    desired = withEndpoint(
      withService(desired, tcpService(`s${i}`, 80, "10.0.0.1")),
      endpointOf(`s${i}`, { type: "tcp", port: 80 }),
    );
  }
  health.update(desired);
  for (let i = 0; i < 20; i += 1) await answers();
  expect([most, done]).toEqual([64, 300]);
});

test("tables of the kernel are read in its own octet order", () => {
  const into = new Map<PortKey, Set<Address>>();
  const head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
  addListeners(
    into,
    "tcp",
    `${head}   0: 0100000A:0050 00000000:0000 0A 0:0\n   1: 0200000A:0051 0300000A:1234 01 0:0\n`,
    true,
  );
  addListeners(into, "udp", `${head}  10: 00000000:0035 00000000:0000 07 0:0\n`, true);
  addListeners(
    into,
    "tcp6",
    `${head}   0: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0:0\n   1: 0000000000000000FFFF00000100000A:0050 00000000000000000000000000000000:0000 0A 0:0\nnonsense\n`,
    true,
  );
  expect(into).toEqual(
    listening(["TCP/80", "10.0.0.1"], ["UDP/53", "0.0.0.0"], ["TCP/443", "2001:db8::1"]),
  );
  const big = new Map<PortKey, Set<Address>>();
  addListeners(big, "tcp", "   0: 0A000001:0050 00000000:0000 0A 0:0\n", false);
  expect(big).toEqual(listening(["TCP/80", "10.0.0.1"]));
});

test("what is due comes out in order of time", () => {
  const queue = dueQueue<number>();
  const times = Array.from({ length: 200 }, (_, i) => (i * 7919) % 1009);
  for (const time of times) queue.add(time, time);
  const out: number[] = [];
  for (let item = queue.take(500); item !== undefined; item = queue.take(500)) out.push(item);
  expect(out).toEqual(times.filter((time) => time <= 500).toSorted((a, b) => a - b));
  expect(queue.next()).toBeGreaterThan(500);
});
