/**
 * The fleet at a glance: who is silent, who is behind, who differs.
 */
import { expect, test } from "vitest";
import { standings, inTrouble } from "../../agent/report/standing.ts";
import { counted, type HostStatus, readStatus } from "../../agent/report/status.ts";

const NOW = Date.UTC(2026, 10, 21, 12);
const status = (host: string, changes: Partial<HostStatus> = {}): HostStatus => ({
  fleet: "berlin",
  host,
  at: new Date(NOW - 5000).toISOString(),
  since: new Date(NOW - 60_000).toISOString(),
  state: "running",
  heartbeatSeconds: 10,
  program: "rutter 0.1.0",
  backend: "native",
  sessions: { up: 2, all: 2, down: [] },
  bfd: { up: 0, all: 0, down: [] },
  feed: { generation: 7, digest: "d7", stateDigest: "s7" },
  log: { seq: 100, hash: "h" },
  key: null,
  ...changes,
});
const fed = (generation: number, stateDigest: string): Partial<HostStatus> => ({
  feed: { generation, digest: `d${generation}`, stateDigest },
});
const standingOf = (...all: readonly HostStatus[]) =>
  Object.fromEntries(standings(all, NOW).map(({ host, standing }) => [host, standing]));

test("hosts of the newest generation with one state are equal, in order of their names", () => {
  expect(standings([status("b"), status("a")], NOW).map(({ host }) => host)).toEqual(["a", "b"]);
  expect(standingOf(status("a"), status("b"))).toEqual({ a: "equal", b: "equal" });
});

test("an older generation is behind, no feed at all is unfed", () => {
  expect(standingOf(status("a"), status("b", fed(6, "s6")), status("c", { feed: null }))).toEqual({
    a: "equal",
    b: "behind",
    c: "unfed",
  });
});

test("of one generation the minority differs; where there is none, nobody is taken for right", () => {
  const odd = status("c", fed(7, "other"));
  expect(standingOf(status("a"), status("b"), odd)).toEqual({
    a: "equal",
    b: "equal",
    c: "differs",
  });
  expect(standingOf(status("a"), odd)).toEqual({ a: "differs", c: "differs" });
});

test("a fleet that nobody feeds is equal", () => {
  expect(standingOf(status("a", { feed: null }))).toEqual({ a: "equal" });
});

test("silence beyond three heartbeats, a stop and a time that is none are said", () => {
  const at = (millis: number) => ({ at: new Date(NOW - millis).toISOString() });
  const presence = (changes: Partial<HostStatus>) =>
    standings([status("a", changes)], NOW)[0]?.presence;
  expect(presence(at(35_000))).toBe("here");
  expect(presence(at(35_001))).toBe("silent");
  expect(presence({ state: "stopped" })).toBe("stopped");
  expect(presence({ at: "yesterday" })).toBe("silent");
});

test("trouble is silence, a stop, or another state; a session that is down is not the fleet's", () => {
  const down = { sessions: { up: 0, all: 2, down: ["tor"] } };
  const all = [
    status("a", down),
    status("b", { state: "stopped" }),
    status("c", fed(6, "s6")),
    status("d", { at: "2026-11-20T00:00:00Z" }),
  ];
  expect(inTrouble(standings(all, NOW)).map(({ host }) => host)).toEqual(["b", "c", "d"]);
});

test("what another program wrote into the bucket is no status", () => {
  const octets = (text: string) => new TextEncoder().encode(text);
  expect(readStatus(octets(JSON.stringify(status("a"))))).toEqual(status("a"));
  expect(readStatus(octets("{}"))).toBeUndefined();
  expect(readStatus(octets("\u0000"))).toBeUndefined();
});

test("of many that are down ten are named", () => {
  const shown = Array.from({ length: 30 }, (_, index) => ({ name: `p${index}`, up: index < 5 }));
  expect(counted(shown)).toMatchObject({ up: 5, all: 30 });
  expect(counted(shown).down).toEqual(shown.slice(5, 15).map(({ name }) => name));
});
