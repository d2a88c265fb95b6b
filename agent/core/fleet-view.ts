/**
 * How this host is with its fleet, as `status` shows it: of now, and of long ago from the log alone.
 *
 * Pure. Reads next: agent/api/fleet-json.ts (the shape).
 */
import type { DesiredState } from "../../events/state.ts";
import { rfc3339 } from "../../events/log/export.ts";
import type { FleetJson } from "../api/fleet-json.ts";
import type { FleetFeedState } from "../feeds/fleet-feed.ts";

/** What the log says of one fleet. */
export function recordedFleet(desired: DesiredState, name: string, stateDigest: string): FleetJson {
  const feed = desired.feeds?.get(name);
  const diverged = feed?.diverged;
  return {
    name,
    hostKey: null,
    sealTo: null,
    connected: false,
    since: null,
    reason: "",
    generation: feed?.generation ?? 0,
    digest: feed?.digest ?? "",
    stateDigest,
    lag: null,
    verdicts: [...(feed?.verdicts ?? [])],
    left: (feed?.left ?? []).map(({ key, reason }) => ({ resource: key, reason })),
    diverged:
      diverged === undefined ? null : { reason: diverged.reason, resources: [...diverged.strays] },
  };
}

/** And how the feed itself is now. */
export const fleetView = (
  recorded: FleetJson,
  keys: Pick<FleetJson, "hostKey" | "sealTo">,
  { connected, sinceMillis, reason, lag }: FleetFeedState,
  wallOf: (monotonicMillis: number) => bigint,
): FleetJson => ({
  ...recorded,
  ...keys,
  connected,
  since: rfc3339(wallOf(sinceMillis)),
  reason,
  lag: lag ?? null,
});
