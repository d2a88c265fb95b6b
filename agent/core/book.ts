/**
 * The log opened and folded: what a start knows before it does anything.
 *
 * A snapshot shortens the replay and never changes its result; without one the whole log is folded. Follows the log from
 * then on, so that `state()` is always everything committed. Reads next: ../compose.ts.
 */
import type { Logger } from "../../backends/clock.ts";
import { evolve, FOLD_VERSION } from "../../events/fold.ts";
import type { RunId } from "../../events/ids.ts";
import { type EventLog, LogError, type LogHead } from "../../events/log/log.ts";
import { openLog, type Writer } from "../../events/log/open-log.ts";
import { placeOf } from "../../events/log/place.ts";
import { readSnapshot } from "../../events/log/snapshots.ts";
import { snapshotText, stateFromSnapshot } from "../../events/snapshot.ts";
import { nothingRecorded, type State } from "../../events/state.ts";
import { bootId, hostId, instants, newRunId } from "../identity.ts";
import { createPen, type Pen } from "../pipeline/pen.ts";

export type Book = {
  readonly log: EventLog;
  readonly pen: Pen;
  readonly run: RunId;
  readonly boot: string;
  /** What the log said before this run's first fact. */
  readonly before: State;
  /** Everything committed, folded. */
  readonly state: () => State;
  /** Writes a snapshot where enough has come since the last one, or in any case. */
  snapshot(when: "due" | "now"): Promise<void>;
  close(): Promise<void>;
};

/** A replay of this many facts takes well below a tenth of a second; a snapshot of 10,000 prefixes takes longer to write. */
const SNAPSHOT_AFTER = 20_000;

/** `writer`: of that very directory (early-log.ts). */
export async function openBook(
  directory: string,
  program: string,
  logger: Logger,
  writer: Writer,
): Promise<Book> {
  const boot = bootId();
  const run = newRunId();
  const pen = createPen(run, instants(boot));
  const opening = openLog(
    { directory, host: hostId(), program, birth: (event) => pen.own(event, "log") },
    writer,
  );
  // While the writer's thread opens the database; whether the log has it is asked when that is done.
  const early = earlySnapshot(directory);
  const log = await opening;
  const restored =
    early !== undefined && log.has(early.at) ? early.state : fromSnapshot(log, logger);
  let state = restored;
  let snapshotSeq = restored.seq;
  for (const fact of log.read({ from: restored.seq + 1 })) state = evolve(state, fact);
  const before = state;
  const unfollow = log.follow((committed) => {
    for (const fact of committed) state = evolve(state, fact);
  });

  const snapshot = async (when: "due" | "now"): Promise<void> => {
    const since = state.seq - snapshotSeq;
    if (since === 0 || (when === "due" && since < SNAPSHOT_AFTER)) return;
    const { seq } = state;
    snapshotSeq = seq;
    const { hash } = log.head().seq === seq ? log.head() : { hash: undefined };
    if (hash === undefined) return;
    try {
      await log.saveSnapshot({ foldVersion: FOLD_VERSION, seq, hash, state: snapshotText(state) });
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      logger.warn({ code: error.code }, "no snapshot was written; the next start replays more");
    }
  };

  return {
    log,
    pen,
    run,
    boot,
    before,
    state: () => state,
    snapshot,
    close: async () => {
      unfollow();
      await log.close();
    },
  };
}

/** What the newest snapshot holds, if anything can be read; of which log it is nobody knows yet. */
function earlySnapshot(
  directory: string,
): { readonly at: LogHead; readonly state: State } | undefined {
  try {
    const read = readSnapshot(placeOf(directory).snapshots, FOLD_VERSION, () => true);
    return read && { at: read, state: stateFromSnapshot(read.state) };
  } catch {
    // The directory may not be there yet; of anything else fromSnapshot() tells.
    return undefined;
  }
}

function fromSnapshot(log: EventLog, logger: Logger): State {
  const snapshot = log.loadSnapshot(FOLD_VERSION);
  if (snapshot === undefined) return nothingRecorded;
  try {
    return stateFromSnapshot(snapshot.state);
  } catch (error) {
    logger.warn(
      { seq: snapshot.seq, error: String(error) },
      "a snapshot could not be read; the whole log is replayed",
    );
    return nothingRecorded;
  }
}
