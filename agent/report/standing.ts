/**
 * A fleet at a glance: whose word is fresh, who is how far, and who holds something else than the others.
 *
 * Pure. Equal generations must have equal state digests (../fleet/state-digest.ts); where they have not, what most hosts of
 * that generation have is taken for right, and nobody where they are split in halves. Reads next: status.ts.
 */
import type { HostStatus } from "./status.ts";

export type Standing =
  /** As the newest. */
  | "equal"
  /** Of the newest generation, with another state than most. */
  | "differs"
  /** Of an older generation. */
  | "behind"
  /** Nothing of the feed was applied. */
  | "unfed";

export type HostView = {
  readonly host: string;
  readonly heard: string;
  /** It said that it stops, or it has said nothing for too long. */
  readonly presence: "here" | "silent" | "stopped";
  readonly standing: Standing;
  readonly status: HostStatus;
};

/** A heartbeat may be lost, and another one late; clocks differ by seconds. */
const MISSED_BEATS = 3;
const SKEW_MILLIS = 5000;

export function standings(statuses: readonly HostStatus[], nowMillis: number): readonly HostView[] {
  const newest = Math.max(0, ...statuses.map(({ feed }) => feed?.generation ?? 0));
  const right = mostCommon(
    statuses.flatMap(({ feed }) => (feed?.generation === newest ? [feed.stateDigest] : [])),
  );
  const standing = ({ feed }: HostStatus): Standing => {
    if (feed === null) return newest === 0 ? "equal" : "unfed";
    if (feed.generation < newest) return "behind";
    return feed.stateDigest === right ? "equal" : "differs";
  };
  const presence = ({ state, at, heartbeatSeconds }: HostStatus): HostView["presence"] => {
    if (state === "stopped") return "stopped";
    const patience = heartbeatSeconds * 1000 * MISSED_BEATS + SKEW_MILLIS;
    // A time that is none is as good as no word.
    return nowMillis - Date.parse(at) <= patience ? "here" : "silent";
  };
  return statuses
    .map((status) => ({
      host: status.host,
      heard: status.at,
      presence: presence(status),
      standing: standing(status),
      status,
    }))
    .toSorted((a, b) => (a.host < b.host ? -1 : 1));
}

/** undefined where two are equally common. */
function mostCommon(values: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [first, second] = [...counts].toSorted(([, a], [, b]) => b - a);
  return first?.[1] === second?.[1] ? undefined : first?.[0];
}

/** Hosts that an operator has to look after. */
export const inTrouble = (views: readonly HostView[]): readonly HostView[] =>
  views.filter(({ presence, standing }) => presence !== "here" || standing !== "equal");
