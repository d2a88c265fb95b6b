/**
 * The part of the tables of rules.ts that is about fleets: feed, publisher, and their commands.
 *
 * Only data, under the same rule.
 */
type Place = string;

const EVENTS: readonly Place[] = ["events/*.ts", "events/resources/"];
const SEAM: readonly Place[] = ["backends/*.ts"];

/** The packages of the NATS client. */
export const NATS: readonly Place[] = [
  "@nats-io/jetstream",
  "@nats-io/kv",
  "@nats-io/nats-core",
  "@nats-io/transport-node",
];

export const FLEET_MAY_IMPORT: Readonly<Record<Place, readonly Place[]>> = {
  "agent/core/fleet-start.ts": [
    ...EVENTS,
    ...SEAM,
    "events/log/",
    "agent/*.ts",
    "agent/api/",
    "agent/core/",
    "agent/feeds/",
    "agent/fleet/",
    "agent/fleet/io/",
    "agent/pipeline/",
    "agent/report/",
    "agent/secrets/",
    "node:",
  ],
  "agent/feeds/fleet-feed.ts": [
    ...SEAM,
    "events/log/log.ts",
    "events/feed-event.ts",
    "agent/fleet/",
    "agent/fleet/io/",
  ],
  "agent/fleet/io/": [...EVENTS, ...SEAM, "agent/errno.ts", "agent/fleet/", "node:", ...NATS],
  "agent/fleet/": [
    ...EVENTS,
    "agent/decide/",
    "agent/manifests/",
    "agent/plan/",
    "node:",
    "zod",
    "@nats-io/nkeys",
  ],
  "agent/report/": [
    ...EVENTS,
    ...SEAM,
    "events/log/",
    "agent/fleet/",
    "agent/secrets/redact.ts",
    "node:",
    "zod",
  ],
  "agent/cli/fleet-keys.ts": ["agent/fleet/", "node:"],
  "agent/cli/fleet-access.ts": ["backends/clock.ts", "agent/config.ts", "agent/fleet/", "node:"],
  "agent/cli/fleet-log.ts": [
    "events/log/export.ts",
    "agent/api/contract.ts",
    "agent/fleet/",
    "agent/report/",
    "node:",
  ],
  "agent/cli/fleet-hosts.ts": ["agent/fleet/", "agent/fleet/io/", "agent/report/"],
  "agent/cli/fleet-readers.ts": ["agent/fleet/", "agent/fleet/io/", "agent/report/", "node:"],
  "agent/cli/fleet-status.ts": ["agent/fleet/", "agent/report/", "node:"],
  "agent/cli/known-heads.ts": ["agent/report/heads.ts", "node:"],
  "agent/cli/fleet-publisher.ts": [
    ...SEAM,
    "agent/config.ts",
    "agent/fleet/",
    "agent/fleet/io/",
    "node:",
  ],
  "agent/cli/fleet-change.ts": [...EVENTS, "agent/api/", "agent/fleet/", "agent/fleet/io/"],
  "agent/cli/fleet-get.ts": [
    "agent/api/",
    "agent/core/resource-view.ts",
    "agent/fleet/",
    "agent/fleet/io/",
  ],
  "agent/cli/fleet-rebase.ts": [...EVENTS, "agent/fleet/", "node:"],
};

/** No clock, no chance, no process, no node:*. */
export const FLEET_PURE: readonly Place[] = [
  ...["ahead.ts", "fleet-state.ts", "puts.ts", "state-digest.ts", "subjects.ts", "trust.ts"].map(
    (name) => `agent/fleet/${name}`,
  ),
  ...[
    "coalesce.ts",
    "cursor.ts",
    "holes.ts",
    "host-key.ts",
    "lanes.ts",
    "pace.ts",
    "readers.ts",
  ].map((name) => `agent/report/${name}`),
];
