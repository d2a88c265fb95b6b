/**
 * `fleet:` in agent.yaml: defaults, strictness, and that a mistyped key or kind is a complaint and no trust.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError, loadPublisherConfig, parseConfig } from "../../agent/config.ts";
import { mergeConfig } from "../../agent/config-schema.ts";
import { newSeed, publicKeyOf } from "../../agent/fleet/signing.ts";
import { ownDirectory } from "../log/facts.ts";

const KEY = publicKeyOf(newSeed("user"));

const fleetOf = (yaml: string) =>
  mergeConfig(parseConfig(`fleet: ${yaml}\n`, "agent.yaml"), { state: "/s" }, "host-1").fleet;

const problems = (yaml: string): string => {
  try {
    fleetOf(yaml);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "";
};

test("a host without it is fed by nobody", () => {
  expect(mergeConfig({}, {}, "host-1").fleet).toBeUndefined();
});

test("says where the servers are and who is trusted; the rest has defaults", () => {
  expect(
    fleetOf(`{name: berlin, servers: ["nats://10.0.0.1:4222"], trust: [{key: ${KEY}}]}`),
  ).toEqual({
    name: "berlin",
    servers: ["nats://10.0.0.1:4222"],
    login: { type: "none" },
    tls: undefined,
    hostKey: "/s/fleet/host.nk",
    trust: [{ key: KEY }],
    report: { heartbeatSeconds: 10, sessionsPerSecond: 10, routes: "none" },
  });
});

test("says all of it", () => {
  const text = `
  name: berlin
  servers: ["tls://nats.example:4222", "nats://[2001:db8::1]:4222"]
  credentials: /etc/rutter/nats.creds
  tls: {ca: /etc/ca.pem, certificate: /etc/c.pem, key: /etc/k.pem}
  hostKey: /k
  trust:
    - {key: ${KEY}, kinds: [Service, BGPPeer.metallb.io], namespaces: [shop], hosts: {matchLabels: {rack: r1}}}
  report: {heartbeatSeconds: 1, sessionsPerSecond: 100, routes: counts}`;
  expect(fleetOf(text)).toEqual({
    name: "berlin",
    servers: ["tls://nats.example:4222", "nats://[2001:db8::1]:4222"],
    login: { type: "credentials", file: "/etc/rutter/nats.creds" },
    tls: { ca: "/etc/ca.pem", certificate: "/etc/c.pem", key: "/etc/k.pem" },
    hostKey: "/k",
    trust: [
      {
        key: KEY,
        kinds: ["Service", "BGPPeer.metallb.io"],
        namespaces: ["shop"],
        hosts: { matchLabels: { rack: "r1" } },
      },
    ],
    report: { heartbeatSeconds: 1, sessionsPerSecond: 100, routes: "counts" },
  });
  expect(
    fleetOf(text.replace("credentials: /etc/rutter/nats.creds", "seed: /n.nk"))?.login,
  ).toEqual({
    type: "seed",
    file: "/n.nk",
  });
});

test.for<readonly [string, string, string]>([
  ["no signer", `trust: []`, "names nobody"],
  ["a mistyped key", `trust: [{key: ${KEY.slice(0, -1)}}]`, "signing key"],
  ["a curve key", `trust: [{key: ${publicKeyOf(newSeed("curve"))}}]`, "signing key"],
  ["a kind that is none", `trust: [{key: ${KEY}, kinds: [Services]}]`, "is no kind"],
  ["an unknown field of a rule", `trust: [{key: ${KEY}, kind: [Service]}]`, "no such field"],
  ["a server without a scheme", `servers: ["10.0.0.1:4222"]`, "nats://host:port"],
  ["a fleet's name with a dot", `name: a.b`, "lower-case"],
  ["two ways to log in", `credentials: /a, seed: /b`, "exclude each other"],
  ["a certificate without its key", `tls: {certificate: /c}`, "belong together"],
  ["a relative path", `hostKey: host.nk`, "absolute path"],
])("refused is %s", ([, member, complaint]) => {
  const members = new Map([
    ["name", "name: berlin"],
    ["servers", 'servers: ["nats://10.0.0.1:4222"]'],
    ["trust", `trust: [{key: ${KEY}}]`],
  ]);
  members.set(member.slice(0, member.indexOf(":")), member);
  expect(problems(`{${[...members.values()].join(", ")}}`)).toContain(complaint);
});

test("fleet.yaml pins a host's key, or the new one beside the old ones; what is no key is a complaint", () => {
  const file = join(ownDirectory(), "fleet.yaml");
  const load = (hostKeys: string) => {
    writeFileSync(
      file,
      `name: berlin\nservers: ["nats://10.0.0.1:4222"]\nhostKeys: ${hostKeys}\n`,
      { mode: 0o600 },
    );
    return loadPublisherConfig(file).hostKeys;
  };
  const other = publicKeyOf(newSeed("user"));
  expect(load(`{edge1: ${KEY}, edge2: [${KEY}, ${other}]}`)).toEqual(
    new Map([
      ["edge1", [KEY]],
      ["edge2", [KEY, other]],
    ]),
  );
  expect(load("{}")).toEqual(new Map());
  expect(() => load(`{edge1: ${publicKeyOf(newSeed("curve"))}}`)).toThrow(ConfigError);
  expect(() => load("{edge1: []}")).toThrow(ConfigError);
});
