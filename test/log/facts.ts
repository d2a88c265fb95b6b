/**
 * Facts for the tests of the log, made without clock or chance.
 *
 * A pen gives each fact its own id; a test that opens a second log takes another run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Fact, Source } from "../../events/envelope.ts";
import type { Event } from "../../events/event.ts";
import { eventId, neighborKey, type RunId } from "../../events/ids.ts";
import type { EventLog } from "../../events/log/log.ts";
import { type LogOptions, openLog } from "../../events/log/open-log.ts";

export const HOST = "host-a";
/** 2026-11-21T00:00:00Z. */
const WALL = 1_795_219_200_000_000_000n;
const BOOT = "5e2a1f9c-7f0c-4be5-9d4c-0b6d6f1f7a11";

export type FactPen = {
  fact(event: Event, subject?: string, source?: Source): Fact;
  session(reason?: string): Fact;
};

export function factPen(run = "0123456789ab"): FactPen {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a brand
  const runId = run as RunId;
  let counter = 0;
  const fact = (event: Event, subject = "agent", source: Source = { name: "agent" }): Fact => {
    counter += 1;
    return {
      id: eventId(runId, counter),
      at: { wall: WALL + BigInt(counter) * 1_000_001n, monotonic: BigInt(counter), boot: BOOT },
      run: runId,
      subject,
      actor: { type: "agent" },
      source,
      cause: counter === 1 ? [] : [eventId(runId, counter - 1)],
      event,
    };
  };
  const neighbor = neighborKey("default", "192.0.2.2", "192.0.2.1");
  return {
    fact,
    session: (reason = "keepalive exchanged") =>
      fact(
        { type: "session-observed", neighbor, peer: "default/tor-1", state: "Idle", reason },
        neighbor,
      ),
  };
}

/** A directory of this test's own, gone after it. */
export function ownDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "rutter-test-log-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Opens a log that is closed after the test, whatever became of it. */
export async function ownLog(
  directory: string,
  pen: FactPen,
  options: Partial<LogOptions> = {},
): Promise<EventLog> {
  const log = await openLog({
    directory,
    host: HOST,
    program: "rutter test",
    birth: (event) => pen.fact(event),
    ...options,
  });
  onTestFinished(() => log.close());
  return log;
}
