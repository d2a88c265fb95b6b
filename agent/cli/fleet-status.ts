/**
 * `rutter fleet status`: what every host of a fleet said of itself last.
 *
 * Reads the fleet's bucket once and prints. Reads next: ../report/standing.ts (who differs).
 */
import { readKeys } from "../fleet/io/to-end.ts";
import { fleetNames, keyToken } from "../fleet/subjects.ts";
import { standings, type HostView, inTrouble } from "../report/standing.ts";
import { type KeyStanding, standingOf } from "../report/host-key.ts";
import { readStatus } from "../report/status.ts";
import { Failure } from "./failure.ts";
import type { Joined } from "./fleet-access.ts";
import { type Context, show } from "./io.ts";
import { openKnownHeads } from "./known-heads.ts";
import { screenOf } from "./read.ts";
import type { Screen } from "./tables.ts";
import { ago, coloured, safe, table } from "./terminal.ts";

export type FleetStatusFlags = {
  readonly check?: boolean;
  /** File of known heads, for the keys in it; it is read only. */
  readonly heads: string;
};

/** `keyIs`: what the key is worth that it says it signs with. */
type KeyedView = HostView & { readonly keyIs: KeyStanding; readonly known: readonly string[] };

export async function fleetStatus(
  context: Context,
  { connection, fleet, name, pins }: Joined,
  { check, heads }: FleetStatusFlags,
): Promise<void> {
  const { statusBucket: bucket } = fleetNames(fleet);
  const consumer = `${keyToken(name)}-status-${process.pid}`;
  const keys = await readKeys(connection, { bucket, consumer, filter: "*" });
  const statuses = [...keys].flatMap(([key, value]) => {
    const status = readStatus(value);
    // A host's word is its own only under its own key, which the server keeps.
    return status !== undefined && keyToken(status.host) === key ? [status] : [];
  });
  const remembered = openKnownHeads(heads, fleet);
  const views = standings(statuses, context.io.nowMillis()).map((view): KeyedView => {
    const { host, status } = view;
    const [pinned, known] = [pins.get(host) ?? [], remembered.of(host)];
    const keyIs = standingOf(status.key, pinned, known);
    return { ...view, keyIs, known: pinned.length > 0 ? pinned : [known?.key ?? ""] };
  });
  await show(context, views.map(viewJson), () => statusTable(views, screenOf(context.io)));
  const trouble = troubled(views);
  if (check === true && (trouble.length > 0 || views.length === 0)) {
    const names = trouble.map(({ host, presence, standing, keyIs }) => {
      if (isOtherKey(keyIs)) return `${host} (key: ${keyIs})`;
      return presence === "here" ? `${host} (${standing})` : `${host} (${presence})`;
    });
    const text =
      views.length === 0
        ? `no host of ${fleet} ever said a word`
        : `${trouble.length} of ${views.length} hosts: ${names.join(", ")}`;
    throw new Failure("REFUSED", text);
  }
}

const isOtherKey = (key: KeyStanding): boolean => key === "another" || key === "not pinned";
const troubled = (views: readonly KeyedView[]): readonly KeyedView[] => {
  const others = new Set(inTrouble(views));
  return views.filter((view) => others.has(view) || isOtherKey(view.keyIs));
};

const viewJson = ({ host, heard, presence, standing, status, keyIs }: KeyedView) => ({
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
  keyIs,
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

function statusTable(views: readonly KeyedView[], screen: Screen): string {
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
  const trouble = troubled(views);
  if (trouble.length === 0) return text;
  const keys = trouble
    .filter(({ keyIs }) => isOtherKey(keyIs))
    .map(
      ({ host, status, keyIs, known }) =>
        `ANOTHER KEY: ${safe(host)} says since ${safe(status.since)} that it signs with ${safe(status.key ?? "none")}; ${
          keyIs === "another" ? "it was known with" : "fleet.yaml pins"
        } ${known.join(", ")}`,
    );
  const names = trouble.map(({ host }) => safe(host)).join(", ");
  const lines = [...keys, `look at ${names}`];
  return `${text}\n${lines.map((line) => `${coloured(line, "red", screen.colour)}\n`).join("")}`;
}
