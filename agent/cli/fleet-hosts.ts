/**
 * What a fleet's hosts say that they have of its feed: the newest status and the newest checkpoint of each.
 *
 * Either may be lost with its stream, and the other still knows. Reads next: ../fleet/ahead.ts (what follows from it).
 */
import { highest, type HostGeneration } from "../fleet/ahead.ts";
import { type FleetConnection, FleetError } from "../fleet/io/connection.ts";
import { readKeys, readUpToEnd } from "../fleet/io/to-end.ts";
import { checkpointsOf, fleetNames, hostOfSubject, keyToken } from "../fleet/subjects.ts";
import { readCheckpoint } from "../report/checkpoint.ts";
import { readStatus } from "../report/status.ts";

/** Of each host that ever said a word its highest generation; `consumer`: a name for the reading. Rejects with FleetError. */
export async function heardGenerations(
  connection: Pick<FleetConnection, "read">,
  fleet: string,
  consumer: string,
): Promise<readonly HostGeneration[]> {
  const { auditStream: stream, statusBucket: bucket } = fleetNames(fleet);
  const words: HostGeneration[] = [];
  await whereThere(async () => {
    for (const [key, value] of await readKeys(connection, { bucket, consumer, filter: "*" })) {
      const status = readStatus(value);
      if (status === undefined || status.feed === null || keyToken(status.host) !== key) continue;
      words.push({ host: status.host, generation: status.feed.generation });
    }
  });
  await whereThere(() =>
    readUpToEnd(connection, {
      stream,
      consumer,
      filter: checkpointsOf(fleet),
      from: "newest-of-each-subject",
      onMessage(message) {
        const host = hostOfSubject(fleet, message.subject);
        const read = host === undefined ? undefined : readCheckpoint(message, { fleet, host });
        if (host === undefined || read?.ok !== true || !read.checkpoint.feed) return;
        words.push({ host, generation: read.checkpoint.feed.generation });
      },
    }),
  );
  return highest(words);
}

/** What is not there says nothing. */
async function whereThere(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof FleetError) || error.code !== "FLEET_NO_STREAM") throw error;
  }
}
