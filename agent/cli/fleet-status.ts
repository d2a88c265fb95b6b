/**
 * `rutter fleet status`: what every host of a fleet said of itself last.
 *
 * Reads the fleet's bucket once and prints. Reads next: ../report/standing.ts (who differs).
 */
import { readKeys } from "../fleet/io/to-end.ts";
import { fleetNames, keyToken } from "../fleet/subjects.ts";
import { standings, type HostView, inTrouble } from "../report/standing.ts";
import { readStatus } from "../report/status.ts";
import { Failure } from "./failure.ts";
import type { Joined } from "./fleet-access.ts";
import { type Context, show } from "./io.ts";
import { screenOf } from "./read.ts";
import type { Screen } from "./tables.ts";
import { ago, coloured, safe, table } from "./terminal.ts";

export type FleetStatusFlags = { readonly check?: boolean };

export async function fleetStatus(
  context: Context,
  { connection, fleet, name }: Joined,
  { check }: FleetStatusFlags,
): Promise<void> {
  const { statusBucket: bucket } = fleetNames(fleet);
  const consumer = `${keyToken(name)}-status-${process.pid}`;
  const keys = await readKeys(connection, { bucket, consumer, filter: "*" });
  const statuses = [...keys].flatMap(([key, value]) => {
    const status = readStatus(value);
    // A host's word is its own only under its own key, which the server keeps.
    return status !== undefined && keyToken(status.host) === key ? [status] : [];
  });
  const views = standings(statuses, context.io.nowMillis());
  await show(context, views.map(viewJson), () => statusTable(views, screenOf(context.io)));
  const trouble = inTrouble(views);
  if (check === true && (trouble.length > 0 || views.length === 0)) {
    const names = trouble.map(({ host, presence, standing }) =>
      presence === "here" ? `${host} (${standing})` : `${host} (${presence})`,
    );
    const text =
      views.length === 0
        ? `no host of ${fleet} ever said a word`
        : `${trouble.length} of ${views.length} hosts: ${names.join(", ")}`;
    throw new Failure("REFUSED", text);
  }
}

const viewJson = ({ host, heard, presence, standing, status }: HostView) => ({
  host,
  heard,
  presence,
  standing,
  since: status.since,
  program: status.program,
  backend: status.backend,
  sessions: status.sessions,
  bfd: status.bfd,
  generation: status.feed?.generation ?? null,
  stateDigest: status.feed?.stateDigest ?? null,
  logSeq: status.log.seq,
  logHash: status.log.hash,
  key: status.key,
});

const HEADING = [
  "HOST",
  "HEARD",
  "GENERATION",
  "STATE",
  "SESSIONS",
  "BFD",
  "LOG",
  "VERSION",
  "DOWN",
];

function statusTable(views: readonly HostView[], screen: Screen): string {
  if (views.length === 0) return "no host has reported yet\n";
  const rows = views.map(({ host, heard, presence, standing, status }) => {
    const { sessions, bfd, feed, log, program } = status;
    const time = `${ago(heard, screen.nowMillis)} ago`;
    return [
      host,
      presence === "here" ? time : `${time}, ${presence.toUpperCase()}`,
      feed === null ? "" : String(feed.generation),
      standing,
      `${sessions.up}/${sessions.all}`,
      `${bfd.up}/${bfd.all}`,
      String(log.seq),
      program,
      [...sessions.down, ...bfd.down.map((one) => `bfd ${one}`)].join(","),
    ];
  });
  const text = table(HEADING, rows, screen.width);
  const trouble = inTrouble(views);
  if (trouble.length === 0) return text;
  const names = trouble.map(({ host }) => safe(host)).join(", ");
  return `${text}\n${coloured(`look at ${names}`, "red", screen.colour)}\n`;
}
