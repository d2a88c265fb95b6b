/**
 * agent.yaml: defaults, strictness, who may have written it, and that the command line goes before it.
 */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prefix } from "../../events/prefix.ts";
import { ConfigError, loadConfig, parseConfig } from "../../agent/config.ts";
import { hostFacts, mergeConfig } from "../../agent/config-schema.ts";
import { parseListenAt, writtenConfig } from "../../agent/written-config.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rutter-config-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const put = (text: string, mode = 0o600): string => {
  const file = join(directory, "agent.yaml");
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};

const problems = (text: string): readonly string[] => {
  try {
    parseConfig(text, "agent.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
};

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.code;
    throw error;
  }
  return "";
};

test("frr: where its daemons are, who keeps BFD, and what may be taken over", () => {
  const frr =
    "{vtyDirectory: /run/x, pathspace: one, bfd: engine, takeOver: [10.0.0.1, eth0-red], onStop: remove}";
  expect(loadConfig({ config: put(`frr: ${frr}\n`) }).frr).toEqual({
    vtyDirectory: "/run/x",
    pathspace: "one",
    bfd: "engine",
    takeOver: ["10.0.0.1", "eth0-red"],
    onStop: "remove",
  });
  expect(loadConfig({ config: put("frr: {takeOver: all}\n") }).frr.takeOver).toBe("all");
});

test("without a file everything has its documented default", () => {
  const config = loadConfig({}, join(directory, "none.yaml"));
  expect(config).toMatchObject({
    backend: "native",
    listen: [
      { address: "0.0.0.0", port: 179 },
      { address: "::", port: 179 },
    ],
    stateDirectory: "/var/lib/rutter",
    socket: "/run/rutter/api.sock",
    manifests: { path: "/etc/rutter/manifests.d", isDefault: true },
    endpoints: { default: "listen" },
    gracefulRestart: { restartTimeSeconds: 120, stalePathTimeSeconds: 360 },
    upgrade: { onChangedPlan: "hold" },
    frr: { vtyDirectory: "/run/frr", pathspace: "", bfd: "auto", takeOver: "none", onStop: "keep" },
    log: { level: "info", routes: "counts" },
  });
});

test("an empty file, and one that holds only comments, says nothing", () => {
  expect(loadConfig({ config: put("# nothing yet\n") }).backend).toBe("native");
});

test("a file that was named and is not there stops the agent", () => {
  expect(codeOf(() => loadConfig({ config: join(directory, "none.yaml") }))).toBe(
    "CONFIG_UNREADABLE",
  );
});

test("metrics may be served on loopback beside the socket, with a token", () => {
  expect(loadConfig({ config: put("") }).api).toBe(undefined);
  const text = "api: {listen: '[::1]:9179', tokenFile: /etc/rutter/metrics.token}\n";
  expect(loadConfig({ config: put(text) }).api).toEqual({
    listen: { address: "::1", port: 9179 },
    tokenFile: "/etc/rutter/metrics.token",
  });
});

test("the command line goes before the file", () => {
  const file = put("backend: frr\nstate: /a\nsocket: /b\n");
  const config = loadConfig({ config: file, state: "/c", backend: "native", manifests: "/m.yaml" });
  expect(config).toMatchObject({
    backend: "native",
    stateDirectory: "/c",
    socket: "/b",
    manifests: { path: "/m.yaml", isDefault: false },
  });
});

test("speakers beside the first are named once each, and the first is none of them", () => {
  const file = put("backend: frr\nbesides: [native, gobgp, native]\n");
  expect(loadConfig({ config: file }).besides).toEqual(["native", "gobgp"]);
  expect(loadConfig({ config: file, backend: "native" }).besides).toEqual(["gobgp"]);
  expect(loadConfig({ config: put("") }).besides).toEqual([]);
});

test.each([
  ["writable by the group", 0o620],
  ["writable by all", 0o602],
])("a file that is %s is refused", (_what, mode) => {
  expect(codeOf(() => loadConfig({ config: put("backend: frr\n", mode) }))).toBe("CONFIG_UNSAFE");
});

test("a symbolic link is refused, and so is what is no file", () => {
  put("backend: frr\n");
  const link = join(directory, "link.yaml");
  symlinkSync(join(directory, "agent.yaml"), link);
  expect(codeOf(() => loadConfig({ config: link }))).toBe("CONFIG_UNSAFE");
  expect(codeOf(() => loadConfig({ config: directory }))).toBe("CONFIG_UNSAFE");
});

test.each([
  ["frr: {pathspace: a/b}", "agent.yaml:1: frr.pathspace: "],
  ["frr: {bfd: both}", "agent.yaml:1: frr.bfd: "],
  ["frr: {takeover: all}", "agent.yaml:1: frr.takeover: there is no such field"],
  ["backend: quagga", "agent.yaml:1: backend: "],
  ["besides: [frr, quagga]", "agent.yaml:1: besides[1]: "],
  ["node:\n  name: a\n  colour: red\n", "agent.yaml:3: node.colour: there is no such field"],
  ["listen:\n  - 0.0.0.0:179\n  - '::179'\n", "agent.yaml:3: listen[1]: must be address:port"],
  [
    "api: {listen: '10.0.0.1:9179', tokenFile: /t}",
    "agent.yaml:1: api.listen: must be on loopback",
  ],
  ["api: {listen: '127.0.0.1:9179'}", "agent.yaml:1: api.tokenFile: "],
  ["checks:\n  web:\n    command: [curl]\n", "agent.yaml:3: checks.web.command: must begin with"],
  ["checks:\n  web:\n    command: []\n", "agent.yaml:3: checks.web.command: needs a program"],
  ["gracefulRestart: {restartTimeSeconds: 4096}", "agent.yaml:1: gracefulRestart.restartTime"],
  ["gracefulRestart: {stalePathTimeSeconds: 0}", "agent.yaml:1: gracefulRestart.stalePathTime"],
  ["backend: frr\nbackend: native\n", "agent.yaml:2: "],
  ["a: [", "agent.yaml:"],
  ["- x\n", "agent.yaml:1: "],
])("%j is refused with its place", (text, start) => {
  expect(
    problems(text).some((line) => line.startsWith(start)),
    problems(text).join("\n"),
  ).toBe(true);
});

test("all complaints are told at once", () => {
  expect(problems("backend: x\nsocket: relative\n")).toHaveLength(2);
});

test("an alias bomb is refused, not spelt out", () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) => `l${i + 1}: &l${i + 1} [${Array.from({ length: 9 }, () => `*l${i}`).join(",")}]`,
  );
  expect(problems(`l0: &l0 [x]\n${levels.join("\n")}\n`)).toHaveLength(1);
});

test("listen addresses take IPv6 in brackets only, and ports from 1 to 65535", () => {
  expect(parseListenAt("[2001:db8::1]:1179")).toEqual({ address: "2001:db8::1", port: 1179 });
  for (const text of [
    "2001:db8::1:179",
    "[10.0.0.1]:179",
    "10.0.0.1:0",
    "10.0.0.1:65536",
    "10.0.0.1",
    "host:179",
  ]) {
    expect(parseListenAt(text), text).toBeUndefined();
  }
});

test("the host's facts always name the node, and a configured label goes first", () => {
  const config = mergeConfig({ node: { name: "n1", labels: { rack: "a" } } }, {}, "H1");
  expect(hostFacts(config, "H1", [prefix("10.0.0.0/24")])).toEqual({
    node: "n1",
    hostname: "H1",
    labels: { "kubernetes.io/hostname": "n1", rack: "a" },
    defaultEndpoint: "listen",
    networks: ["10.0.0.0/24"],
    restartTimeSeconds: 120,
    bindAddresses: "lo",
  });
  const patient = mergeConfig({ gracefulRestart: { restartTimeSeconds: 300 } }, {}, "H1");
  expect(hostFacts(patient, "H1", [])).toMatchObject({ restartTimeSeconds: 300 });
  const unbound = mergeConfig({ kernel: { bindAddresses: "never" } }, {}, "H1");
  expect(hostFacts(unbound, "H1", [])).not.toHaveProperty("bindAddresses");
  const asRoutes = mergeConfig({ kernel: { bindAs: "routes" } }, {}, "H1");
  expect(hostFacts(asRoutes, "H1", [])).toMatchObject({ bindAddresses: "lo", bindAs: "routes" });
  expect(mergeConfig({}, {}, "H1").node.name).toBe("h1");
  const secrets = { "a/b": { type: "unusable", reason: "no" } } as const;
  expect(hostFacts(config, "H1", [], secrets)).toMatchObject({ secrets });
});

test("what no neighbour may send: FRR's words, with a minute's pause", () => {
  const config = mergeConfig(
    writtenConfig.parse({
      receive: { alwaysBlock: ["10.0.0.1/8"], maximumPrefixes: { ipv4: 5 }, warnAtPercent: 80 },
    }),
    {},
    "h",
  );
  expect(hostFacts(config, "h", [])).toMatchObject({
    receive: {
      alwaysBlock: ["10.0.0.0/8"],
      maximumPrefixes: { ipv4: 5 },
      warnAtPercent: 80,
      beyond: "restart",
      restartAfterSeconds: 60,
    },
  });
  expect(writtenConfig.safeParse({ receive: { alwaysBlock: ["x"] } }).success).toBe(false);
});
