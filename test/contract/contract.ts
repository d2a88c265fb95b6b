/**
 * Makes tests of a group's scenarios: each is run on each backend, or its excuse is held against what the backend declares.
 *
 * The only file here that knows vitest, beside the tests.
 * Read next: scenario.ts (what is run), speakers.ts (on what), play.ts (how).
 */
import { isDeepStrictEqual } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { lacking, type ProbeName } from "../probes.ts";
import { MAY_LACK, type Need } from "./capabilities.ts";
import { type Cell, type Cells, writeCells } from "./page-file.ts";
import { play, type Played, wantedPlay } from "./play.ts";
import type { Group, Scenario } from "./scenario.ts";
import { peerOf } from "./session.ts";
import { type Backend, BACKENDS } from "./speakers.ts";
import { openStage, PATIENCE_MS, type Stage } from "./stage.ts";

/** Of a scenario's start, one step that fails and the way back: so long that it is never the clock that ends a test. */
const TIMEOUT_MS = 4 * PATIENCE_MS;
/** What any of these tests needs of the machine. */
const PROBES: readonly ProbeName[] = ["netns", "bird", "frr", "tcp-md5"];

/** Of a scenario that the backend does not run. */
type Missed = {
  readonly missing: Need;
  /** Whether capabilities.ts has the backend lack it. */
  readonly allowed: boolean;
  /** Fields of the scenario that the agent does not say to be not carried: silence about them would be a loss. */
  readonly silentAbout: readonly string[];
};

type Judged = { readonly seen: Played | Missed; readonly wanted: Played | Missed };

async function missed(stage: Stage, backend: Backend, scenario: Scenario, missing: Need) {
  const { fields = [], steps } = scenario;
  const first = steps.flatMap(({ does }) => does).find(({ type }) => type === "apply");
  const manifests =
    first?.type === "apply" ? first.manifests : (scenario.sessions ?? []).map(peerOf);
  const said = fields.length === 0 ? [] : await stage.notCarried(manifests);
  const seen: Missed = {
    missing,
    allowed: MAY_LACK[backend.name][missing] !== undefined,
    silentAbout: fields.filter((field) => !said.includes(field)),
  };
  return { seen, wanted: { missing, allowed: true, silentAbout: [] } };
}

/** A scenario that needs what the backend lacks is not run; whether it may lack that is part of what is seen. */
async function judged(stage: Stage, backend: Backend, scenario: Scenario): Promise<Judged> {
  const missing = scenario.needs.find((need) => !stage.has(need));
  if (missing !== undefined) return missed(stage, backend, scenario, missing);
  return { seen: await play(stage, scenario), wanted: wantedPlay(stage.group, scenario) };
}

const cellOf = (backend: Backend, { seen, wanted }: Judged): Cell => {
  if (!isDeepStrictEqual(seen, wanted)) return "fails";
  if (!("missing" in seen)) return "passes";
  const excuse = MAY_LACK[backend.name][seen.missing];
  return `missing ${seen.missing}: ${excuse?.reason} (${excuse?.source})`;
};

/** The tests of one group, on every backend. The first test of a backend starts its stage. */
export function contract(group: Group): void {
  const cells: Cells = new Map();
  afterAll(() => writeCells(group.name, cells));

  describe.each(BACKENDS)(`$name, ${group.name}`, (backend) => {
    let opened: Promise<Stage> | undefined;
    afterAll(async () => (await opened?.catch(() => undefined))?.[Symbol.asyncDispose]());
    const note = (scenario: Scenario, cell: Cell): void => {
      cells.set(`${scenario.name}|${backend.name}`, cell);
    };

    test.for(group.scenarios)("$name", { timeout: TIMEOUT_MS }, async (scenario, context) => {
      const probes = [...PROBES, ...(scenario.probes ?? [])];
      const absent = probes.find((probe) => lacking(probe) !== undefined);
      note(scenario, absent === undefined ? "fails" : `not here: the machine has no ${absent}`);
      skipUnless(...probes)(context);
      opened ??= openStage(backend, group);
      const stage = await opened;
      const result = await judged(stage, backend, scenario);
      const cell = cellOf(backend, result);
      note(scenario, cell);
      const explained = cell === "fails" ? await stage.explain() : "";
      expect(result.seen, explained).toEqual(result.wanted);
    });
  });
}
