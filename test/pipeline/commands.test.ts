/**
 * Commands in order, against a log that can refuse: nothing takes effect that is not recorded, and nothing observed waits.
 * Method: the real decisions and the real queue over a log whose commits the test lets through or fails.
 */
import { describe, expect, test } from "vitest";
import { createCommands } from "../../agent/pipeline/commands.ts";
import { createPen } from "../../agent/pipeline/pen.ts";
import { createRecorder } from "../../agent/pipeline/recorder.ts";
import type { Fact } from "../../events/envelope.ts";
import type { RunId } from "../../events/ids.ts";
import { seq } from "../../events/ids.ts";
import { type EventLog, LogError, type Receipt } from "../../events/log/log.ts";
import { applying, pool, service, together, world } from "../plan/world.ts";

type Commit = { readonly facts: readonly Fact[]; land(): Promise<void>; fail(): Promise<void> };

function stage() {
  const commits: Commit[] = [];
  let next = 0;
  const append = (facts: readonly Fact[]): Promise<Receipt> =>
    new Promise((resolve, reject) => {
      commits.push({
        facts,
        land: async () => {
          resolve({
            type: "recorded",
            positions: facts.map(() => ({ seq: seq((next += 1)), hash: "" })),
          });
          await settled();
        },
        fail: async () => {
          reject(new LogError("NOT_RECORDED", "not recorded: the disk is full"));
          await settled();
        },
      });
    });
  const log = { append, interruption: () => undefined } as unknown as EventLog;
  const at = { wall: 0n, monotonic: 0n, boot: "b" };
  const pen = createPen("0123456789ab" as RunId, () => at);
  const commands = createCommands(world({}).desired, log, pen, createRecorder(log, pen));
  const actor = { type: "agent" } as const;
  const submit = (text: string) =>
    commands.submit(applying(text), actor, { name: "cli" }).then(
      ({ decision }) => decision.type,
      (error: LogError) => error.code,
    );
  const services = () => [...(commands.current().resources["/Service"]?.keys() ?? [])].toSorted();
  return { commits, commands, submit, services };
}
/** Lets all promises that are ready take their turn. */
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

const one = pool("one", ["192.0.2.0/24"]);

describe("a command", () => {
  test("takes effect after its commit and not before", async () => {
    const { commits, submit, services } = stage();
    const answer = submit(together(one, service("s")));
    await settled();
    expect(services()).toEqual([]);
    await commits[0]?.land();
    expect(await answer).toBe("accepted");
    expect(services()).toEqual(["/Service/default/s"]);
  });
  test("is decided on what is in flight before it", async () => {
    const { commits, submit, commands } = stage();
    const answers = [submit(one), submit(service("s")), submit(service("t"))];
    await settled();
    await commits[0]?.land();
    await commits[1]?.land();
    expect(await Promise.all(answers)).toEqual(["accepted", "accepted", "accepted"]);
    const held = [...commands.current().allocations.values()].map(
      ({ addresses }) => addresses[0]?.address,
    );
    expect(held.toSorted()).toEqual(["192.0.2.0", "192.0.2.1"]);
  });
  test("that comes while another is on its way shares the next commit", async () => {
    const { commits, submit } = stage();
    const answers = [one, service("s"), service("t"), service("u")].map(submit);
    await settled();
    expect(commits).toHaveLength(1);
    await commits[0]?.land();
    expect(commits).toHaveLength(2);
    await commits[1]?.land();
    await Promise.all(answers);
    expect(commits).toHaveLength(2);
  });
  test("that can't be recorded, and all that was decided on top of it, is answered so and leaves no trace", async () => {
    const { commits, submit, services, commands } = stage();
    const before = commands.current();
    const answers = [submit(together(one, service("s"))), submit(service("t"))];
    await settled();
    await commits[0]?.fail();
    expect(await Promise.all(answers)).toEqual(["NOT_RECORDED", "NOT_RECORDED"]);
    expect(commands.current()).toBe(before);
    const again = submit(together(one, service("u")));
    await settled();
    await commits[1]?.land();
    expect(await again).toBe("accepted");
    expect(services()).toEqual(["/Service/default/u"]);
  });
});

test("an observation takes effect at once, also when the disk refuses it", async () => {
  const { commits, submit, commands } = stage();
  const applied = submit(together(one, service("s")));
  await settled();
  await commits[0]?.land();
  await applied;
  const key = [...commands.current().allocations.keys()][0]!;
  commands.observe({ type: "observe-endpoint", service: key, healthy: true, reason: "seen" });
  expect(commands.current().endpoints.get(key)?.healthy).toBe(true);
  await commits[1]?.fail();
  expect(commands.current().endpoints.get(key)?.healthy).toBe(true);
});

test("an apply's causes are what took effect since the last one", async () => {
  const { commits, submit, commands } = stage();
  const applied = submit(one);
  await settled();
  await commits[0]?.land();
  await applied;
  expect(commands.takeCauses()).toEqual(commits[0]?.facts.map(({ id }) => id));
  expect(commands.takeCauses()).toEqual([]);
});
