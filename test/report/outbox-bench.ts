/**
 * An outbox with a real log and a fake server, and what a reader would have of them. Read next: outbox.test.ts, refill.test.ts.
 */
import { onTestFinished } from "vitest";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { laneOf } from "../../agent/report/lanes.ts";
import { type Outbox, type OutboxPlan, startOutbox } from "../../agent/report/outbox.ts";
import { systemClock } from "../../backends/clock.ts";
import type { EventLog } from "../../events/log/log.ts";
import { type LogReader, openReader } from "../../events/log/read.ts";
import { factPen, type FactPen, ownDirectory, ownLog } from "../log/facts.ts";
import { until } from "../live/until.ts";
import { type FakeFleet, fakeFleet } from "./fake-fleet.ts";

const signer = signerFromSeed(newSeed("user"));
/** Time goes fast here: what the outbox waits for is a tenth of it. */
const clock = {
  ...systemClock,
  monotonicMillis: () => systemClock.monotonicMillis() * 10,
  after: (millis: number, act: () => void) => systemClock.after(millis / 10, act),
};

export type Bench = {
  readonly log: EventLog;
  readonly pen: FactPen;
  readonly reader: LogReader;
  readonly fleet: FakeFleet;
  start(changes?: Partial<OutboxPlan>): Outbox;
};

export async function bench(fleet = fakeFleet(), run = "0123456789ab"): Promise<Bench> {
  const pen = factPen(run);
  const log = await ownLog(ownDirectory(), pen);
  const reader = openReader(log.file);
  onTestFinished(() => reader.close());
  return {
    log,
    pen,
    reader,
    fleet,
    start(changes = {}) {
      const outbox = startOutbox({
        fleet: "berlin",
        host: "edge-1",
        lanes: new Map([
          ["desired", Number.POSITIVE_INFINITY],
          ["sessions", 10],
        ]),
        connection: fleet.connection,
        reader,
        signer,
        clock,
        logger: { info: () => undefined, warn: () => undefined },
        looked: () => Promise.resolve(undefined),
        readers: () => Promise.resolve([]),
        onBegun: () => undefined,
        onHeld: () => undefined,
        ...changes,
      });
      const unfollow = log.follow(() => outbox.wake());
      onTestFinished(async () => {
        unfollow();
        await outbox.stop();
      });
      return outbox;
    },
  };
}

/** Facts of the desired lane, a commit each. */
export async function wanted({ log, pen }: Bench, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await log.append([pen.fact({ type: "agent-stopped", mode: "final" })]);
  }
}

export const seqsIn = ({ fleet }: Bench, lane: string): number[] =>
  fleet.stored
    .filter(({ subject }) => subject === `rutter.berlin.host.edge-1.audit.${lane}`)
    .map(({ headers }) => Number(headers["Rutter-Seq"]));
export const seqsOf = ({ log }: Bench, lane: string): number[] =>
  [...log.read({})]
    .filter((fact) => laneOf(fact.event?.type ?? "erased") === lane)
    .map(({ seq }) => seq);
export const unique = (seqs: readonly number[]): number[] =>
  [...new Set(seqs)].toSorted((a, b) => a - b);
export const allThere = (all: Bench): Promise<boolean> =>
  until(() => unique(seqsIn(all, "desired")).length === seqsOf(all, "desired").length, {
    what: "every fact of the lane",
  });
