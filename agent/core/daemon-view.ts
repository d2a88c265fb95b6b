/**
 * The speaker's daemons as `status` shows them: of now, and of long ago as the log has them.
 *
 * Pure. Reads next: ../../backends/daemons.ts.
 */
import type { DaemonStatus } from "../../backends/daemons.ts";
import { rfc3339 } from "../../events/log/export.ts";
import type { State } from "../../events/state.ts";
import type { DaemonJson } from "../api/daemon-json.ts";
import { redact } from "../secrets/redact.ts";
import type { WallOf } from "./status-view.ts";

export const daemonViews = (all: readonly DaemonStatus[], wallOf: WallOf): readonly DaemonJson[] =>
  all.map(({ daemon, state, sinceMillis, reason }) => ({
    name: daemon,
    state,
    since: rfc3339(wallOf(sinceMillis)),
    reason: redact(reason),
  }));

/** Only those that were away once: of the others nothing is recorded. */
export const recordedDaemons = ({ daemons }: Pick<State, "daemons">): readonly DaemonJson[] =>
  Object.entries(daemons ?? {}).map(([name, { state, since, reason }]) => ({
    name,
    state,
    since: rfc3339(since.wall),
    reason,
  }));
