/**
 * A host that was away, and one that comes new, end with what the others have.
 *
 * Method: 10,000 changes in 2,000 signed sets while one host's cable is cut; then every host is asked for the digest of its state.
 */
import { beforeEach, expect, test } from "vitest";
import { inboxOf } from "../../agent/fleet/permissions.ts";
import { skipUnless } from "../probe.ts";
import { startFleetClient } from "./fleet-client.ts";
import { FLEET, fleetOf, hasGeneration, makeFleet } from "./fleet.ts";
import { advertisementManifest, documents, poolManifest } from "./manifests.ts";
import { makeNetwork } from "./netns.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const SETS = 2000;
const EACH = 5;
const PATIENCE_MS = 240_000;

test("10,000 changes while a host is cut off", async () => {
  await using network = await makeNetwork(["server", "there", "away", "late"]);
  const { server, there, away, late } = network.nodes;
  await using fleet = await makeFleet([server], server, [there, away, late]);
  await fleet.apply(documents(poolManifest(["10.128.0.0/20"]), advertisementManifest()));
  await using first = await fleet.agent(there);
  await using second = await fleet.agent(away);
  await Promise.all([hasGeneration(first, 1), hasGeneration(second, 1)]);

  await away.cable("down");
  await using publisher = await startFleetClient(server, {
    servers: fleet.servers.map(({ url }) => url),
    seed: fleet.opsKey.file,
    inbox: inboxOf("publisher", "ops"),
  });
  await publisher.connected();
  const generation = await publisher.publishMany({
    fleet: FLEET,
    seed: fleet.signer.file,
    sets: SETS,
    each: EACH,
    services: 400,
    timeoutMillis: PATIENCE_MS,
  });
  expect(generation).toBe(SETS + 1);
  await until(async () => !(await fleetOf(second)).connected, {
    what: "the cut in the status",
    timeoutMs: 60_000,
  });
  expect(await fleetOf(second)).toMatchObject({ generation: 1, diverged: null });
  await away.cable("up");

  await using third = await fleet.agent(late);
  const [one, two, three] = await Promise.all(
    [first, second, third].map((agent) => hasGeneration(agent, generation, PATIENCE_MS)),
  );
  expect(one?.stateDigest).toMatch(/^[0-9a-f]{64}$/);
  expect(two).toMatchObject({ stateDigest: one?.stateDigest, diverged: null, verdicts: [] });
  expect(three).toMatchObject({ stateDigest: one?.stateDigest, diverged: null, verdicts: [] });
  // What the publisher itself has.
  const got = await fleet.rutter(["get", "services", "-o", "json"]);
  const services = JSON.parse(got.stdout) as readonly object[];
  const here = await first.ask<readonly object[]>("get", "services");
  expect(services).toHaveLength(here.length);
}, 600_000);
