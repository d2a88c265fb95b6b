/**
 * What a host tells of itself in its key of the fleet's bucket, and how it is read.
 *
 * Pure. It is an assertion of that host and of nobody else: the server lets each write its own key only. Reads next: report.ts.
 */
import * as z from "zod";

const count = z.int().min(0);
const Counted = z.object({
  up: count,
  all: count,
  /** Names of some that are not up. */
  down: z.array(z.string()),
});

const Schema = z.object({
  fleet: z.string(),
  host: z.string(),
  /** RFC 3339, the host's wall clock. */
  at: z.string(),
  /** Since when this run of the agent reports. */
  since: z.string(),
  state: z.enum(["running", "stopped"]),
  /** The next word is due within this time. */
  heartbeatSeconds: z.number().positive(),
  program: z.string(),
  backend: z.string(),
  sessions: Counted,
  bfd: Counted,
  /** null: nothing of the feed was applied yet. */
  feed: z.object({ generation: count, digest: z.string(), stateDigest: z.string() }).nullable(),
  log: z.object({ seq: count, hash: z.string() }),
  /** `U…` that it signs with; null: it signs nothing. */
  key: z.string().nullable(),
});
export type HostStatus = z.infer<typeof Schema>;

/** What the agent is asked at each heartbeat. */
export type Look = Pick<HostStatus, "program" | "backend" | "feed"> & {
  readonly sessions: Shown;
  readonly bfd: Shown;
};
/** What should be up, and whether it is. */
export type Shown = readonly { readonly name: string; readonly up: boolean }[];

/** Enough to see what is wrong; the host itself knows them all. */
const DOWN_LIMIT = 10;

export const counted = (shown: Shown): HostStatus["sessions"] => ({
  up: shown.filter(({ up }) => up).length,
  all: shown.length,
  down: shown.flatMap(({ name, up }) => (up ? [] : [name])).slice(0, DOWN_LIMIT),
});

/** The value of a key; undefined: another program wrote it. */
export function readStatus(value: Uint8Array): HostStatus | undefined {
  try {
    const parsed = Schema.safeParse(JSON.parse(new TextDecoder().decode(value)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // JSON from outside.
    return undefined;
  }
}
