/**
 * A process that appends to a log for as long as it lives: what the tests kill, and what holds a log against them.
 *
 *     node appender.ts DIRECTORY RUN     prints `ready`, then the counter of each batch when it was acknowledged
 */
import { eventId, type RunId } from "../../events/ids.ts";
import type { Fact } from "../../events/envelope.ts";
import type { Event } from "../../events/event.ts";
import { openLog } from "../../events/log/open-log.ts";

const [directory = "", run = ""] = process.argv.slice(2);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a brand
const runId = run as RunId;
let facts = 0;

function birth(event: Event, position?: string): Fact {
  facts += 1;
  return {
    id: eventId(runId, facts),
    at: { wall: BigInt(facts), monotonic: BigInt(facts), boot: "boot" },
    run: runId,
    subject: "agent",
    actor: { type: "agent" },
    source: position === undefined ? { name: "api" } : { name: "api", position },
    cause: [],
    event,
  };
}

const log = await openLog({ directory, host: "host-a", program: "appender", birth });
process.stdout.write("ready\n");

/** Batch n has n % 5 + 1 facts, so that half a batch can be told from a whole one. */
async function appendOn(lane: number): Promise<never> {
  for (let i = 0; ; i += 1) {
    const batch = 3 * i + lane;
    const event = { type: "agent-stopped", mode: "final" } as const;
    const rest = Array.from({ length: batch % 5 }, () => birth(event));
    // oxlint-disable-next-line no-await-in-loop -- a lane waits for its own batch; three lanes make groups
    await log.append([birth(event, `${run}:${batch}`), ...rest]);
    process.stdout.write(`${batch}\n`);
  }
}
await Promise.all([appendOn(0), appendOn(1), appendOn(2)]);
