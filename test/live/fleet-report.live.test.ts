/**
 * What hosts tell of themselves, over a real nats-server: nothing is lost whatever becomes of the stream, and nobody's log is
 * written anew unnoticed.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import type { Agent } from "./agent.ts";
import { AUDIT, FLEET, makeStage } from "./fleet-stage.ts";
import { poolManifest, serviceManifest } from "./manifests.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const TIMEOUT = { timeout: 180_000 };

/** Changes of desired state, a command each. */
async function change(agent: Agent, names: readonly string[]): Promise<void> {
  for (const [index, name] of names.entries()) {
    const address = `203.0.113.${index + 1}`;
    const { code, stderr } = await agent.apply(serviceManifest(name, { loadBalancerIP: address }));
    if (code !== 0) throw new Error(stderr);
  }
}

test(
  "a stream that is deleted while the agent runs is refilled, no event missing and none told twice to a reader",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using agent = await stage.agent();
    await agent.apply(poolManifest(["203.0.113.0/24"]));
    await change(agent, ["a", "b", "c"]);
    await stage.allTold(agent);
    await stage.admin("delete", AUDIT);
    await change(agent, ["d", "e"]);
    await stage.admin("make", FLEET);
    const told = await stage.allTold(agent);
    const seqs = told.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b));
    const stored = await stage.stored();
    expect(stored.length).toBeGreaterThanOrEqual(told.length);
  },
);
