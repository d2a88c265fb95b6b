/**
 * From the kernel's word to desired state: at the start before anything is planned, later as it comes, and for a plan that is
 * only shown without any effect.
 * Method: the real decisions and queue, a log that takes everything, a kernel that says what the test wants.
 */
import { expect, test } from "vitest";
import { createCommands } from "../../agent/pipeline/commands.ts";
import { forgetExports, startExports, withOffers } from "../../agent/pipeline/exports.ts";
import { createPen } from "../../agent/pipeline/pen.ts";
import { createRecorder } from "../../agent/pipeline/recorder.ts";
import type { ExportedFact, Kernel, KernelFact } from "../../backends/kernel/facts.ts";
import type { Fact } from "../../events/envelope.ts";
import { exportedBy } from "../../events/exported.ts";
import type { ResourceKey, RunId } from "../../events/ids.ts";
import type { EventLog } from "../../events/log/log.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { DesiredState } from "../../events/state.ts";
import { after, world } from "../plan/world.ts";

const KEY = "rutter/RouteExport/default/e" as ResourceKey;
const MANIFEST =
  "apiVersion: rutter/v1\nkind: RouteExport\nmetadata: {name: e, namespace: default}\nspec: {from: {type: connected}}";
const fact = (whole: boolean, added: readonly string[], removed: readonly string[] = []) =>
  ({ type: "exported", rule: KEY, whole, added, removed }) as unknown as ExportedFact;
const offered = (desired: DesiredState): readonly Prefix[] =>
  [...exportedBy(desired, KEY).keys()].toSorted();

/** An agent that has recorded 10.1.0.0/24, and a kernel that has `now`. */
function stage(now: readonly string[]) {
  const recorded: Fact[] = [];
  const append = async (facts: readonly Fact[]) => {
    recorded.push(...facts);
    return { type: "recorded", positions: [] };
  };
  const log = { append, interruption: () => undefined } as unknown as EventLog;
  const pen = createPen("0123456789ab" as RunId, () => ({ wall: 0n, monotonic: 0n, boot: "b" }));
  const seen = { ...fact(true, ["10.1.0.0/24"]), type: "observe-exports" } as const;
  const { desired } = after(world({}, MANIFEST), seen);
  const commands = createCommands(desired, log, pen, createRecorder(log, pen));
  let listener: (fact: KernelFact) => void = () => {};
  const kernel: Pick<Kernel, "watch" | "export" | "offers" | "capabilities"> = {
    capabilities: { has: new Set(), missing: new Map() },
    watch(next) {
      listener = next;
      return () => {
        listener = () => {};
      };
    },
    export: (rules) => rules.forEach(() => listener(fact(true, now))),
    offers: (rules) => rules.map(() => fact(true, now)),
  };
  return { commands, kernel, recorded, tell: (one: ExportedFact) => listener(one), desired };
}

test("at a start the difference is in effect before anything is planned, and only that is recorded", () => {
  const { commands, kernel, recorded } = stage(["10.2.0.0/24"]);
  startExports(kernel, commands);
  expect(offered(commands.current())).toEqual(["10.2.0.0/24"]);
  expect(recorded.map(({ event }) => event)).toMatchObject([
    { type: "exports-observed", added: ["10.2.0.0/24"], removed: ["10.1.0.0/24"] },
  ]);
  const same = stage(["10.1.0.0/24"]);
  startExports(same.kernel, same.commands);
  expect(same.recorded).toEqual([]);
});

test("changes take effect as they come, until it is ended", () => {
  const { commands, kernel, recorded, tell } = stage(["10.1.0.0/24"]);
  const stop = startExports(kernel, commands);
  tell(fact(false, ["10.2.0.0/24"], ["10.1.0.0/24"]));
  expect(offered(commands.current())).toEqual(["10.2.0.0/24"]);
  stop();
  tell(fact(false, ["10.3.0.0/24"]));
  expect(offered(commands.current())).toEqual(["10.2.0.0/24"]);
  expect(recorded).toHaveLength(1);
});

test("a plan that is only shown knows what the kernel would offer, and changes nothing", () => {
  const { commands, kernel, recorded, desired } = stage(["10.1.0.0/24", "10.2.0.0/24"]);
  expect(offered(withOffers(kernel, desired))).toEqual(["10.1.0.0/24", "10.2.0.0/24"]);
  expect(offered(withOffers(undefined, desired))).toEqual(["10.1.0.0/24"]);
  expect(offered(commands.current())).toEqual(["10.1.0.0/24"]);
  expect(recorded).toEqual([]);
});

test("what another boot's kernel had is forgotten", () => {
  const { commands, recorded } = stage([]);
  forgetExports(commands);
  expect(offered(commands.current())).toEqual([]);
  expect(recorded).toHaveLength(1);
});
