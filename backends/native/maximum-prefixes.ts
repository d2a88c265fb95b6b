/**
 * The maximum of prefixes of one neighbour: when to warn, and what follows when it is passed (RFC 4486 §4).
 *
 * Pure but for the logger it is handed. The table itself stops at the limit (rib/adj-rib-in.ts). Reads next: inbound.ts.
 */
import type { Family } from "../../events/address.ts";
import type { Logger } from "../clock.ts";
import type { MaximumPrefixes, NeighborIntent } from "../intent.ts";

/** What the speaker's own bound leads to, and what follows a maximum that says nothing else. */
const DEFAULT_RESTART_SECONDS = 60;

export type Beyond =
  | { readonly type: "restart"; readonly afterSeconds: number }
  | { readonly type: "idle" };

/** What follows when the table stopped at the limit. */
export function beyondOf({ receiveGuard }: NeighborIntent, family: Family): Beyond {
  const beyond = receiveGuard?.maximumPrefixes[family]?.beyond;
  return beyond === undefined || beyond.type === "warn"
    ? { type: "restart", afterSeconds: DEFAULT_RESTART_SECONDS }
    : beyond;
}

export type Warnings = {
  /** Looks at the counts, after each UPDATE; most change nothing. */
  see(received: Readonly<Record<Family, number>>, intent: NeighborIntent): void;
  /** What stands now, for `rutter peers`; empty where nothing does. */
  words(): string;
  /** A new session. */
  forget(): void;
};

/** One log line for each family and threshold that is passed, until the count is below it again. */
export function warningsOf(peer: string, logger: Logger): Warnings {
  const standing: Record<Family, string> = { ipv4: "", ipv6: "" };
  const look = (family: Family, received: number, maximum: MaximumPrefixes | undefined): void => {
    const level = levelOf(received, maximum);
    if (level === "" || maximum === undefined) standing[family] = "";
    else if (!standing[family].endsWith(level)) {
      standing[family] = `the peer sends ${family} prefixes: ${level}`;
      logger.warn({ peer, received }, standing[family]);
    }
  };
  return {
    see(received, { receiveGuard }) {
      look("ipv4", received.ipv4, receiveGuard?.maximumPrefixes.ipv4);
      look("ipv6", received.ipv6, receiveGuard?.maximumPrefixes.ipv6);
    },
    words: () => [standing.ipv4, standing.ipv6].filter((one) => one !== "").join("; "),
    forget: () => {
      standing.ipv4 = "";
      standing.ipv6 = "";
    },
  };
}

function levelOf(received: number, maximum: MaximumPrefixes | undefined): string {
  if (maximum === undefined) return "";
  const { count, warnAtPercent } = maximum;
  if (received > count) return `more than the maximum of ${count}`;
  const isNear = warnAtPercent !== undefined && received * 100 >= count * warnAtPercent;
  return isNear ? `${warnAtPercent} percent of the maximum of ${count} or more` : "";
}
