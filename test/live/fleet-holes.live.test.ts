/**
 * Holes that somebody made in the audit stream of a real nats-server: filled where a reader lacks what was in them, said where
 * not, and nothing else is told twice.
 */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { AUDIT, change, makeStage, type Stage, type Stored, verify } from "./fleet-stage.ts";
import { until } from "./until.ts";

beforeEach(skipUnless("netns", "nats"));

const TIMEOUT = { timeout: 240_000 };

const desired = async (stage: Stage): Promise<readonly Stored[]> =>
  (await stage.stored()).filter(({ subject }) => subject.endsWith(".desired"));
const seqOf = ({ headers }: Stored): number => Number(headers["Rutter-Seq"]);

test(
  "messages that were taken from the middle and the beginning are told again, each once, while the agent runs and after a restart",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    const first = await stage.agent();
    await change(first, 0, 4);
    const before = await stage.allTold(first);
    const taken = (await desired(stage)).slice(3, 6);
    await stage.admin("take", AUDIT, taken.map(({ sequence }) => sequence).join());
    const damaged = await verify(stage, "damaged.json");
    expect(damaged).toMatchObject({ code: 1 });
    expect(damaged.stderr).toMatch(/desired: facts above seq \d+ and up to seq \d+ are missing/);
    const mended = await stage.allTold(first);
    expect(mended.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(
      before.map(({ seq }) => seq),
    );
    // Nothing but what was taken is told a second time.
    const seqs = (await desired(stage)).map(seqOf);
    expect(seqs.slice(-3)).toEqual(taken.map(seqOf));
    expect(new Set(seqs).size).toBe(seqs.length);

    await first.stop();
    const [, , last] = await desired(stage);
    await stage.admin("purge-below", AUDIT, String((last?.sequence ?? 0) + 1));
    await using second = await first.restart();
    await stage.allTold(second);
    await until(
      async () =>
        (await verify(stage, "whole.json")).stdout.includes("whole\n") ? true : undefined,
      {
        what: "a whole log for a new reader",
        timeoutMs: 60_000,
        everyMs: 200,
        explain: second.explain,
      },
    );
    const again = (await desired(stage)).map(seqOf);
    expect(new Set(again).size).toBe(again.length);
  },
);

test(
  "what every named reader had read stays out and is said to; a reader that lacks it has it filled",
  TIMEOUT,
  async () => {
    await using stage = await makeStage();
    await using agent = await stage.agent();
    await change(agent, 0, 4);
    await stage.allTold(agent);
    await stage.told("--reader", "audit");
    const [taken] = (await desired(stage)).slice(4);
    await stage.admin("take", AUDIT, String(taken?.sequence));
    const said = await until(
      async () => {
        const verdict = await verify(stage, "stranger.json");
        return verdict.stderr.includes("so it is not filled") ? verdict : undefined;
      },
      {
        what: "that the host knows of the hole",
        timeoutMs: 60_000,
        everyMs: 500,
        explain: agent.explain,
      },
    );
    expect(said.code).toBe(1);
    expect((await desired(stage)).map(seqOf)).not.toContain(taken && seqOf(taken));
    // A new reader begins with the same hole, and asks for it by where it stands.
    await stage.fleet(
      "log",
      "--reader",
      "late",
      "--heads",
      join(stage.network.nodes.server.directory, "late.json"),
    );
    const told: number[] = [];
    await until(
      async () => {
        told.push(...(await stage.told("--reader", "late")).map(({ seq }) => seq));
        return told.includes(taken === undefined ? -1 : seqOf(taken));
      },
      { what: "the hole, filled", timeoutMs: 150_000, everyMs: 1000, explain: agent.explain },
    );
    expect(await verify(stage, "whole.json")).toMatchObject({ code: 0, stderr: "" });
    expect((await desired(stage)).map(seqOf).at(-1)).toBe(taken && seqOf(taken));
    expect(new Set(told).size).toBe(told.length);
  },
);
