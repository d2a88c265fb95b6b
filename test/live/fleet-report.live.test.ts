/**
 * The audit stream over a real nats-server: whatever becomes of it, no event is missing in the end, and a log that was
 * written anew is noticed.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { apiOf } from "./api.ts";
import { AUDIT, change, FLEET, makeStage, verify } from "./fleet-stage.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const TIMEOUT = { timeout: 240_000 };

const seqsOf = (facts: readonly { readonly seq: number }[]): number[] =>
  facts.map(({ seq }) => seq);
/** Ascending, each once. */
const inOrder = (seqs: readonly number[]): number[] => [...new Set(seqs)].toSorted((a, b) => a - b);

test(
  "a stream that is deleted while the agent runs is refilled, and a purged one, too; nothing is missing",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using agent = await stage.agent();
    await change(agent, 0, 3);
    await stage.allTold(agent);
    await stage.admin("delete", AUDIT);
    await change(agent, 3, 3);
    await stage.admin("make", FLEET);
    const refilled = seqsOf(await stage.allTold(agent));
    expect(refilled).toEqual(inOrder(refilled));
    expect(refilled[0]).toBe(1);
    // The connection stays, and nobody says a word: only a look at the stream tells.
    await stage.admin("purge", AUDIT);
    const again = seqsOf(await stage.allTold(agent));
    expect(again).toEqual(refilled);
    const { code, stdout, stderr } = await verify(stage);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("whole");
  },
);

test(
  "a stream that is deleted while the agent is away is refilled from what its reader lacks, and the reader reads each fact once",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    const first = await stage.agent();
    await change(first, 0, 3);
    await stage.allTold(first);
    const read = await stage.told("--reader", "audit", "--lane", "desired");
    await first.kill();
    await stage.admin("delete", AUDIT);
    await stage.admin("make", FLEET);
    await using agent = await first.restart();
    await change(agent, 3, 2);
    const newest = await apiOf(agent.socket).get<{ logSeq: number }>("/v1/status");
    const rest = await until(
      async () => {
        const more = await stage.told("--lane", "desired");
        return more.some(({ seq }) => seq >= newest.logSeq - 2) ? more : undefined;
      },
      { what: "the refill", timeoutMs: 60_000, explain: agent.explain },
    );
    expect(rest[0]?.seq).toBeGreaterThan(read.at(-1)?.seq ?? 0);
    const noted = await stage.told("--reader", "audit", "--lane", "desired");
    const all = seqsOf([...read, ...noted]);
    expect(all).toEqual(inOrder(all));
    const book = (await agent.rutter("log", "-o", "json")).stdout.trim().split("\n").length;
    expect(all.length).toBeLessThanOrEqual(book);
    const later = await stage.told("--reader", "audit", "--lane", "desired");
    expect(later.filter(({ seq }) => all.includes(seq))).toEqual([]);
  },
);

test(
  "a reader that was away hears of each fact once, though the stream was told twice in full",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    const first = await stage.agent();
    await change(first, 0, 4);
    const before = await stage.allTold(first);
    await first.kill();
    // The end of the lane is taken away, as a server does that was set back: the agent tells it again from what is left.
    await stage.admin("purge", AUDIT, `rutter.${FLEET}.host.*.audit.sessions`);
    await using agent = await first.restart();
    const after = await stage.allTold(agent);
    expect(seqsOf(after)).toEqual(inOrder(seqsOf(after)));
    expect(after.length).toBeGreaterThan(before.length);
    expect((await verify(stage)).code).toBe(0);
  },
);

test(
  "an older copy of the log that is put back is noticed by who knows a newer head, and stays noticed",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    const first = await stage.agent();
    await change(first, 0, 2);
    await first.stop();
    const { state } = first;
    const copy = join(stage.network.nodes.server.directory, "copy");
    cpSync(state, copy, { recursive: true });
    const second = await first.restart();
    await change(second, 2, 10);
    await stage.allTold(second);
    await second.stop();
    const third = await second.restart();
    await stage.allTold(third);
    await until(async () => ((await verify(stage)).stdout.includes("whole") ? true : undefined), {
      what: "a reader that knows the head",
    });
    await third.stop();
    rmSync(state, { recursive: true });
    cpSync(copy, state, { recursive: true });
    await using fourth = await third.restart();
    await change(fourth, 50, 2);
    const found = await until(
      async () => {
        const verdict = await verify(stage);
        return verdict.code === 1 ? verdict : undefined;
      },
      { what: "the verdict", timeoutMs: 60_000, explain: fourth.explain },
    );
    expect(found.stderr).toContain("ITS LOG WAS WRITTEN ANEW");
    expect(found.stdout).toContain("WRITTEN ANEW");
    expect((await verify(stage)).code).toBe(1);
  },
);

test(
  "another log in the place of the old one is noticed, told from its first fact, and accepted only by name",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    const first = await stage.agent();
    await change(first, 0, 5);
    await stage.allTold(first);
    await until(async () => ((await verify(stage)).stdout.includes("whole") ? true : undefined), {
      what: "a reader that knows the head",
    });
    await first.stop();
    for (const name of ["log.db", "log.db-wal", "log.db-shm", "snapshots"]) {
      rmSync(join(first.state, name), { recursive: true, force: true });
    }
    await using second = await first.restart();
    await change(second, 0, 20);
    await stage.allTold(second);
    const file = join(stage.network.nodes.server.directory, "verify.json");
    const host = (await stage.told())[0]?.host ?? "";
    expect(await verify(stage)).toMatchObject({ code: 1 });
    const accepted = await stage.fleet("log", "--verify", "--heads", file, "--accept", host);
    expect(accepted.code).toBe(0);
    expect(accepted.stderr).toContain("accepted as it is");
    expect(await verify(stage)).toMatchObject({ code: 0, stderr: "" });
    expect((await verify(stage, "other.json")).stderr).toContain("WRITTEN ANEW");
  },
);

test(
  "while NATS is away the agent goes on in bounded memory, and afterwards everything is told",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using agent = await stage.agent();
    await change(agent, 0, 2);
    await stage.allTold(agent);
    await stage.nats.kill();
    await change(agent, 2, 400);
    expect(agent.running()).toBe(true);
    await stage.nats.restart();
    const told = seqsOf(await stage.allTold(agent));
    expect(told).toEqual(inOrder(told));
    expect((await verify(stage)).code).toBe(0);
  },
);
