/**
 * Which facts leave the host, and in which lane of the audit stream.
 *
 * Pure. `desired` holds what people and this host decided and what an apply did: never dropped. `sessions` holds what was seen
 * and may come in storms: coalesced with a count (coalesce.ts). `routes` is off unless the configuration asks for it. Reads
 * next: message.ts (a fact as a message), outbox.ts (who sends them).
 */
import type { EventType } from "../../events/event.ts";
import type { AuditLane as Lane } from "../fleet/subjects.ts";

export type { AuditLane as Lane } from "../fleet/subjects.ts";
export const LANES = ["desired", "sessions", "routes"] as const satisfies readonly Lane[];

/** `local`: stays in the host's own log. */
const LANE_OF: Readonly<Record<EventType, Lane | "local">> = {
  "change-accepted": "desired",
  "resource-applied": "desired",
  "resource-deleted": "desired",
  "address-allocated": "desired",
  "address-released": "desired",
  "address-awaited": "desired",
  "resource-quarantined": "desired",
  "quarantine-lifted": "desired",
  "source-suspected": "desired",
  "source-trusted": "desired",
  "plan-changed-by-version": "desired",
  "plan-confirmed": "desired",
  "feed-advanced": "desired",
  "feed-refused": "desired",
  "feed-diverged": "desired",
  "feed-converged": "desired",
  "host-observed": "sessions",
  "endpoint-observed": "sessions",
  // A list of prefixes as long as the kernel's table; what was made of it stands in `applied`.
  "exports-observed": "local",
  "neighbor-found": "sessions",
  "session-observed": "sessions",
  "bfd-observed": "sessions",
  "bfd-process-observed": "sessions",
  "speaker-daemon-observed": "sessions",
  "kernel-drifted": "sessions",
  "kernel-read": "sessions",
  "routes-observed": "routes",
  applied: "desired",
  "apply-failed": "desired",
  "bfd-applied": "desired",
  "kernel-applied": "desired",
  "routes-imported": "routes",
  "log-created": "desired",
  "log-recovered": "desired",
  "agent-started": "desired",
  "agent-stopped": "desired",
  "recording-interrupted": "desired",
  erased: "desired",
};

/** A type that this version does not know (a newer one wrote it, and was taken back) is kept rather than lost. */
export const laneOf = (type: string): Lane | "local" =>
  Object.hasOwn(LANE_OF, type)
    ? // hasOwn() does not narrow the key.
      LANE_OF[type as EventType]
    : "desired";

export const isLane = (text: string): text is Lane => LANES.some((lane) => lane === text);
