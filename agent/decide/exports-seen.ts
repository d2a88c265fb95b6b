/**
 * What the kernel offers a RouteExport, against what is recorded of it: the facts that are news.
 *
 * Pure. The kernel tells what it sees and keeps no book; here is found what of it the log does not have, so that a restart
 * records the difference and nothing else. Reads next: ../../events/exported.ts (the fold).
 */
import type { ObservedEvent } from "../../events/event.ts";
import { exportedBy } from "../../events/exported.ts";
import type { ResourceKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { DesiredState } from "../../events/state.ts";
import { heldResource } from "./ownership.ts";

export type ExportsSeen = {
  readonly type: "observe-exports";
  readonly rule: ResourceKey;
  /** `added` is all there is: what is recorded beside it is gone. */
  readonly whole: boolean;
  readonly added: readonly Prefix[];
  readonly removed: readonly Prefix[];
};

/** Prefixes in one fact: some 100 kB of body. */
export const EXPORTS_AT_ONCE = 5000;

export function exportsObserved(
  desired: DesiredState,
  { rule, whole, added, removed }: ExportsSeen,
): readonly ObservedEvent[] {
  if (heldResource(desired, rule) === undefined) return [];
  const recorded = exportedBy(desired, rule);
  const news = added.filter((one) => !recorded.has(one));
  const present = new Set(added);
  const gone = whole
    ? [...recorded.keys()].filter((one) => !present.has(one))
    : removed.filter((one) => recorded.has(one));
  const events: ObservedEvent[] = [];
  for (let from = 0; from < news.length || from < gone.length; from += EXPORTS_AT_ONCE) {
    events.push({
      type: "exports-observed",
      rule,
      added: news.slice(from, from + EXPORTS_AT_ONCE),
      removed: gone.slice(from, from + EXPORTS_AT_ONCE),
    });
  }
  return events;
}
