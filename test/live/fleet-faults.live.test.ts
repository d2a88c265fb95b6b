/**
 * What must stop nobody: poison and forgery in the stream, a stream that is lost, no NATS at all.
 *
 * Method: whole agents and a real nats-server; messages are put into the stream as a publisher's key may, past every rule of ours.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { canonicalJson } from "../../events/digest.ts";
import { digestOf } from "../../agent/fleet/change-set.ts";
import { HEADERS, splitSet } from "../../agent/fleet/parts.ts";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { inboxOf } from "../../agent/fleet/permissions.ts";
import { fleetNames, hostNames } from "../../agent/fleet/subjects.ts";
import { skipUnless } from "../probe.ts";
import type { Agent } from "./agent.ts";
import { startBird } from "./bird.ts";
import { type FleetClient, startFleetClient } from "./fleet-client.ts";
import { FLEET, fleetOf, hasGeneration, makeFleet } from "./fleet.ts";
import {
  advertisementManifest,
  documents,
  peerManifest,
  poolManifest,
  serviceManifest,
} from "./manifests.ts";
import { makeNetwork, type Node } from "./netns.ts";
import type { Router } from "./router.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats", "bird"));

const HOST_AS = 64512;
const ROUTER_AS = 65001;
const NAMES = fleetNames(FLEET);

const basics = (router: Node): readonly string[] => [
  peerManifest({ localAs: HOST_AS, remoteAs: ROUTER_AS, address: router.ipv4 }),
  poolManifest(["203.0.113.0/24"]),
  advertisementManifest(),
];
const routerFor = (router: Node, ...hosts: readonly Node[]): Promise<Router> =>
  startBird(router, {
    asn: ROUTER_AS,
    routerId: router.ipv4,
    neighbours: hosts.map(({ name, ipv4 }) => ({ name, address: ipv4, asn: HOST_AS })),
  });
const announced = (router: Router, prefix: string, agent: Agent) =>
  until(async () => (await router.route(prefix)) !== undefined, {
    what: `${prefix} at the router`,
    timeoutMs: 60_000,
    explain: () => agent.explain(),
  });

/** Rules of all refusals in the book, oldest first. */
async function refusedBy(agent: Agent): Promise<readonly string[]> {
  const { stdout } = await agent.rutter("log", "--type", "feed-refused", "-o", "json");
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { body: { rule: string } }).body.rule);
}

test("poison and forgery are in the book and in the dead letters, and the next set is applied", async () => {
  await using network = await makeNetwork(["server", "host", "router"]);
  const { server, host, router: node } = network.nodes;
  await using router = await routerFor(node, host);
  await using fleet = await makeFleet([server], server, [host]);
  await fleet.apply(documents(...basics(node), serviceManifest("one")));
  await using agent = await fleet.agent(host);
  await announced(router, "203.0.113.0/32", agent);
  await using raw: FleetClient = await startFleetClient(server, {
    servers: fleet.servers.map(({ url }) => url),
    seed: fleet.opsKey.file,
    inbox: inboxOf("publisher", "ops"),
  });
  await raw.connected();

  const trusted = signerFromSeed(fleet.signer.seed);
  const stranger = signerFromSeed(newSeed("user"));
  const change = {
    type: "change",
    fleet: FLEET,
    generation: 2,
    previous: digestOf(new TextEncoder().encode("?")),
    puts: [],
    deletes: [],
    allocations: [],
  };
  const octets = (value: unknown): Uint8Array => new TextEncoder().encode(canonicalJson(value));
  const put = async (
    body: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const text = Buffer.from(body).toString("base64");
    await raw.publish({ stream: NAMES.feedStream, subject: NAMES.changes, body: text, headers });
  };
  const putSet = async (body: Uint8Array, signer = trusted, changed = {}): Promise<void> => {
    for (const part of splitSet(body, signer, 1024 * 1024)) {
      await put(part.body, { ...part.headers, ...changed });
    }
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;

  await put(text("not a set at all"));
  await put(new Uint8Array(1024 * 1024 - 512).fill(0x7b));
  const [plain] = splitSet(octets(change), trusted, 1024 * 1024);
  await put(text("not gzip"), plain?.headers);
  await putSet(octets(change), stranger);
  await putSet(octets(change), stranger, { [HEADERS.signer]: trusted.publicKey });
  await putSet(octets({ ...change, generation: 3 }), trusted, plain?.headers);
  await putSet(octets({ ...change, fleet: "elsewhere" }));
  await putSet(text("{ no JSON"));
  await putSet(Uint8Array.of(0x22, 0xff, 0xfe, 0x22));
  await putSet(text(deep));
  await putSet(text(`{"__proto__":{"polluted":1}}`));
  await putSet(text(`{"generation":1e400}`));
  await putSet(octets({ ...change, puts: "none" }));
  // The first set again, octet by octet, as somebody who kept it would.
  const first = await raw.at(NAMES.feedStream, 1);
  const ours = Object.entries(first?.headers ?? {}).filter(([name]) => name.startsWith("Rutter-"));
  await put(Buffer.from(first?.body ?? "", "base64"), Object.fromEntries(ours));

  const rules = [
    "headers",
    "headers",
    "gzip",
    "signer",
    "signature",
    "digest",
    "fleet",
    "not-json",
    "not-text",
    "nesting",
    "forbidden-key",
    "number",
    "schema",
  ];
  const refused = await until(
    async () => {
      const found = await refusedBy(agent);
      return found.length >= rules.length && found;
    },
    { what: "every refusal in the book", timeoutMs: 60_000, explain: () => agent.explain() },
  );
  expect(refused).toEqual(rules);
  expect(await fleetOf(agent)).toMatchObject({ generation: 1, diverged: null });

  await fleet.apply(serviceManifest("two"));
  await announced(router, "203.0.113.1/32", agent);
  expect(await fleetOf(agent)).toMatchObject({ generation: 2, diverged: null, lag: 0 });
  const session = await router.session(host.ipv4);
  expect(session).toMatchObject({ timesLost: 0 });

  // Each was told to the fleet, by this host.
  await using reader = await startFleetClient(host, {
    servers: fleet.servers.map(({ url }) => url),
    seed: fleet.hostKey(host).file,
    inbox: inboxOf("host", "host"),
  });
  await reader.connected();
  const { dead } = hostNames(FLEET, "host");
  await until(async () => (await reader.last(NAMES.auditStream, dead)) !== null, {
    what: "a dead letter",
    timeoutMs: 60_000,
    explain: () => agent.explain(),
  });

  // After a restart nothing of it is recorded a second time.
  await using again = await agent.restart();
  await announced(router, "203.0.113.1/32", again);
  await hasGeneration(again, 2);
  expect(await refusedBy(again)).toEqual(rules);
}, 180_000);

test("a stream that was lost withdraws nothing, is told, and is gone beyond by a base", async () => {
  await using network = await makeNetwork(["server", "host", "router"]);
  const { server, host, router: node } = network.nodes;
  await using router = await routerFor(node, host);
  await using fleet = await makeFleet([server], server, [host]);
  const before = [...basics(node), serviceManifest("one"), serviceManifest("two")];
  await fleet.apply(documents(...before));
  await using agent = await fleet.agent(host);
  await announced(router, "203.0.113.1/32", agent);
  const [nats] = fleet.servers;

  await nats?.kill();
  rmSync(join(server.directory, "jetstream"), { recursive: true });
  await nats?.restart();
  await until(async () => /cannot be read/.test((await fleetOf(agent)).reason), {
    what: "the loss in the status",
    timeoutMs: 60_000,
  });
  // The host is heard in the bucket that this makes, and says that there was a history.
  const careful = await fleet.rutter(["apply", "-f", "-"], serviceManifest("three"));
  expect(careful).toMatchObject({ code: 1 });
  expect(careful.stderr).toContain(`${host.name} has 1`);
  expect(careful.stderr).toContain("[hosts-ahead]");
  // Somebody who does not care begins at generation 1.
  await fleet.apply(serviceManifest("three"), "--despite-hosts");
  const diverged = await until(async () => (await fleetOf(agent)).diverged, {
    what: "the divergence",
    timeoutMs: 60_000,
    explain: () => agent.explain(),
  });
  expect(diverged.reason).toContain("generation 1");
  expect(await fleetOf(agent)).toMatchObject({ connected: true, generation: 1 });
  expect((await agent.rutter("status")).stdout).toContain("DIVERGED");
  expect(await router.route("203.0.113.0/32")).toBeDefined();
  expect(await router.route("203.0.113.1/32")).toBeDefined();

  const status = join(server.directory, "status.json");
  writeFileSync(status, JSON.stringify(await agent.ask("status")));
  const rebased = await fleet.rutter(
    ["rebase", "-f", "-", "--status", status],
    documents(...before, serviceManifest("three")),
  );
  expect(rebased).toMatchObject({ code: 0 });
  await announced(router, "203.0.113.2/32", agent);
  expect(await hasGeneration(agent, 3)).toMatchObject({ diverged: null, verdicts: [] });
  expect(await router.route("203.0.113.0/32")).toBeDefined();
  expect(await router.route("203.0.113.1/32")).toBeDefined();
  expect(await router.session(host.ipv4)).toMatchObject({ timesLost: 0 });
}, 180_000);

test("without NATS the agent runs on its log, and says so", async () => {
  await using network = await makeNetwork(["server", "host", "router"]);
  const { server, host, router: node } = network.nodes;
  await using router = await routerFor(node, host);
  await using fleet = await makeFleet([server], server, [host]);
  await fleet.apply(documents(...basics(node), serviceManifest("one")));
  await using agent = await fleet.agent(host);
  await announced(router, "203.0.113.0/32", agent);
  await fleet.servers[0]?.kill();
  await until(async () => !(await fleetOf(agent)).connected, { what: "the end of NATS" });

  await using again = await agent.restart();
  await announced(router, "203.0.113.0/32", again);
  const alone = await fleetOf(again);
  expect(alone).toMatchObject({ connected: false, generation: 1, lag: null, diverged: null });
  expect(alone.reason).not.toBe("");
  expect((await again.rutter("status")).stdout).toMatch(/fleet berlin, not connected/);
  // What is this host's own is applied as ever.
  const own = await again.apply(serviceManifest("own", { loadBalancerIP: "203.0.113.9" }));
  expect(own.code).toBe(0);
  await announced(router, "203.0.113.9/32", again);

  await fleet.servers[0]?.restart();
  await fleet.apply(serviceManifest("two"));
  await hasGeneration(again, 2);
  await announced(router, "203.0.113.1/32", again);
}, 180_000);
