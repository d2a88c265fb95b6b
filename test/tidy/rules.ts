/**
 * The architecture as tables: who may import whom, which package enters by which door, which folders are pure.
 *
 * Only data. A row is changed together with ARCHITECTURE.md, never to let one file through.
 * Read next: fleet-rules.ts, faults.ts (judges a file by these), ../tidy.test.ts.
 */
import { FLEET_MAY_IMPORT, FLEET_PURE, NATS } from "./fleet-rules.ts";

/** A folder (`events/log/`), the files right in one (`events/*.ts`), one file, a package, or a scheme (`node:`). */
export type Place = string;

const EVENTS: readonly Place[] = ["events/*.ts", "events/resources/"];
const SEAM: readonly Place[] = ["backends/*.ts"];
/** The seam without its clock, which pure code must not even name. */
const PURE_SEAM: readonly Place[] = [
  "backends/backend.ts",
  "backends/best-paths.ts",
  "backends/delta.ts",
  "backends/intent.ts",
];
const NATIVE = "backends/native/";
const GOBGP = "backends/gobgp/";
/** What the native speaker and others decide and read alike: the codec of attributes, the decision, words for a refused route. */
const SHARED_WITH_NATIVE: readonly Place[] = [
  `${NATIVE}wire/`,
  `${NATIVE}rib/decision.ts`,
  `${NATIVE}rib/loc-rib.ts`,
  `${NATIVE}rib/verdict.ts`,
];
const GOBGP_BACKEND: Place = `${GOBGP}gobgp-backend.ts`;
/** Of the GoBGP backend: what decides, and does no I/O. */
const GOBGP_CORE: readonly Place[] = [
  "api/",
  "render/",
  "read/",
  "best-paths.ts",
  "capabilities.ts",
  "desired.ts",
  "difference.ts",
  "soft-resets.ts",
];
/** What the agent knows of the kernel backend, beside its intent. */
const KERNEL_SEAM: Place = "backends/kernel/facts.ts";
/** Of the kernel backend: what decides, and does no I/O. */
const KERNEL_CORE: readonly Place[] = [
  "netlink/",
  "arp.ts",
  "exporter.ts",
  "fib.ts",
  "forwarding.ts",
  "guards.ts",
  "host.ts",
  "importer.ts",
  "imports.ts",
  "intent.ts",
  "model.ts",
  "nft.ts",
  "nothing.ts",
  "own.ts",
  "resolve.ts",
  "showing.ts",
  "verdicts.ts",
];

/** Of FRR's watcher: what reads answers, and never asks. */
const FRR_READING: readonly Place[] = [
  "best-path-table.ts",
  "bfd-peers.ts",
  "installed.ts",
  "json.ts",
  "names.ts",
  "neighbor-detail.ts",
  "session-record.ts",
  "summary.ts",
  "tables.ts",
];

/** The longest matching key wins. A file may always import its own folder, and ts-pattern. */
export const MAY_IMPORT: Readonly<Record<Place, readonly Place[]>> = {
  ...FLEET_MAY_IMPORT,
  "events/": [...EVENTS, "zod"],
  "events/log/": [...EVENTS, "migrations/", "node:", "better-sqlite3"],
  "migrations/": ["events/log/sqlite.ts", "node:"],
  "backends/": [...EVENTS, ...SEAM],
  "backends/intent.ts": [...EVENTS, "backends/bfd/intent.ts"],
  "backends/backend.ts": [...EVENTS, ...SEAM, "backends/bfd/parameters.ts"],
  [`${NATIVE}wire/`]: ["events/ids.ts", "events/prefix.ts", "events/address.ts"],
  [`${NATIVE}fsm/`]: [`${NATIVE}wire/`, "events/ids.ts", "events/address.ts"],
  [`${NATIVE}discovery/`]: ["events/address.ts"],
  [`${NATIVE}rib/`]: [`${NATIVE}wire/`, ...EVENTS, "backends/best-paths.ts"],
  [NATIVE]: [NATIVE, ...SEAM, ...EVENTS, "node:"],
  [`${NATIVE}io/`]: [NATIVE, "backends/os/", ...SEAM, ...EVENTS, "node:"],
  [`${GOBGP}io/capture.ts`]: [`${GOBGP}read/streams.ts`, "backends/os/libc.ts"],
  [GOBGP]: [GOBGP, ...SHARED_WITH_NATIVE, ...SEAM, ...EVENTS],
  [`${GOBGP}io/`]: [
    GOBGP,
    `${NATIVE}host-addresses.ts`,
    `${NATIVE}session-ends.ts`,
    ...SEAM,
    ...EVENTS,
    "node:",
    "@grpc/grpc-js",
    "@grpc/proto-loader",
  ],
  "backends/kernel/": [
    "backends/kernel/",
    `${NATIVE}rib/prefix-table.ts`,
    "backends/best-paths.ts",
    ...SEAM,
    ...EVENTS,
  ],
  "backends/kernel/io/": ["backends/kernel/", "backends/os/", ...SEAM, ...EVENTS, "node:"],
  "backends/kernel/netlink/": ["events/address.ts", "events/prefix.ts"],
  "backends/kernel/own-orders.ts": ["backends/kernel/", ...EVENTS, "node:"],
  "backends/frr/": ["backends/frr/", ...SEAM, ...EVENTS, "node:path"],
  "backends/frr/io/": ["backends/frr/", ...SEAM, ...EVENTS, "node:net"],
  "backends/frr/config/": [
    "backends/frr/config/",
    "backends/frr/render/",
    "backends/frr/choice.ts",
    ...PURE_SEAM,
    ...EVENTS,
  ],
  "backends/frr/render/": [
    "backends/frr/config/tree.ts",
    "backends/frr/version.ts",
    ...PURE_SEAM,
    ...EVENTS,
  ],
  "backends/os/": [...EVENTS, "node:", "koffi"],
  "backends/frr/watch/": [...SEAM, ...EVENTS, "backends/bfd/parameters.ts"],
  "backends/frr/watch/bmp/": [...EVENTS, `${NATIVE}wire/`],
  "backends/bfd/": [...SEAM, ...EVENTS, "node:"],
  "backends/bfd/process.ts": ["backends/bfd/", ...SEAM, ...EVENTS, "node:"],
  "agent/core/backend-start.ts": [
    ...SEAM,
    `${NATIVE}native-backend.ts`,
    "backends/frr/open-frr.ts",
    "events/state.ts",
    "agent/config-schema.ts",
    "agent/core/gobgp-start.ts",
    "agent/stop-signal.ts",
    "agent/plan/options.ts",
  ],
  "agent/core/shadow.ts": [
    ...SEAM,
    `${NATIVE}native-backend.ts`,
    "backends/frr/capabilities.ts",
    "backends/frr/open-frr.ts",
    "backends/gobgp/capabilities.ts",
    "agent/config-schema.ts",
    "agent/plan/",
  ],
  "agent/core/bfd-start.ts": ["agent/config-schema.ts", ...SEAM, "node:"],
  "agent/core/gobgp-start.ts": [...SEAM, GOBGP_BACKEND, "agent/config-schema.ts", "node:"],
  "agent/core/bfd-view.ts": [
    ...EVENTS,
    ...SEAM,
    "backends/bfd/",
    "events/log/",
    "agent/api/",
    "agent/pipeline/",
  ],
  "agent/core/state-kinds.ts": [...EVENTS, "agent/api/", "agent/plan/"],
  "agent/core/speaker-bfd-view.ts": [
    ...EVENTS,
    ...SEAM,
    "backends/bfd/parameters.ts",
    "agent/api/",
    "agent/core/",
    "agent/plan/",
  ],
  "agent/core/kernel-start.ts": [
    ...SEAM,
    "events/state.ts",
    "backends/kernel/",
    "agent/config-schema.ts",
    "agent/pipeline/",
    "node:net",
  ],
  "agent/core/route-view.ts": [...EVENTS, ...SEAM, KERNEL_SEAM, "agent/api/", "agent/pipeline/"],
  "agent/core/why-learned.ts": [...EVENTS, ...SEAM, KERNEL_SEAM, "agent/plan/"],
  "agent/core/not-installed.ts": [
    ...EVENTS,
    ...SEAM,
    KERNEL_SEAM,
    "backends/kernel/intent.ts",
    "agent/plan/",
  ],
  "agent/core/kernel-findings.ts": [
    "events/address.ts",
    KERNEL_SEAM,
    "backends/kernel/io/probe.ts",
    "agent/core/doctor.ts",
    "agent/plan/",
  ],
  "agent/core/figures.ts": [
    ...EVENTS,
    ...SEAM,
    KERNEL_SEAM,
    "events/log/log.ts",
    "agent/api/",
    "agent/core/",
    "agent/pipeline/",
    "agent/plan/",
    "node:fs",
  ],
  "agent/core/findings.ts": [
    ...SEAM,
    KERNEL_SEAM,
    "agent/*.ts",
    "agent/api/",
    "agent/core/",
    "agent/manifests/",
    "agent/pipeline/",
    "agent/secrets/",
    "node:",
  ],
  "agent/core/seen.ts": [
    ...EVENTS,
    ...SEAM,
    "backends/bfd/client.ts",
    "agent/api/",
    "agent/core/",
    "agent/pipeline/",
    "agent/plan/",
  ],
  "agent/core/kernel-view.ts": [...EVENTS, KERNEL_SEAM, "backends/kernel/intent.ts", "agent/api/"],
  "agent/core/core.ts": [
    ...EVENTS,
    ...SEAM,
    "backends/bfd/client.ts",
    KERNEL_SEAM,
    "events/log/",
    "agent/api/",
    "agent/core/",
    "agent/decide/",
    "agent/pipeline/",
    "agent/plan/",
    "agent/secrets/",
  ],
  "backends/bfd/io/": ["backends/bfd/", "backends/os/", ...SEAM, ...EVENTS, "node:"],
  "agent/": [...EVENTS, ...SEAM, "agent/manifests/", "node:", "pino", "zod"],
  "agent/plan/": [
    ...EVENTS,
    ...PURE_SEAM,
    "backends/bfd/intent.ts",
    "backends/kernel/intent.ts",
    KERNEL_SEAM,
    "agent/health/effective-check.ts",
    "agent/api/contract.ts",
  ],
  "agent/decide/": [...EVENTS, ...PURE_SEAM, "agent/fleet/change-set.ts", "agent/plan/"],
  "agent/pipeline/": [
    ...EVENTS,
    ...SEAM,
    "events/log/log.ts",
    "backends/bfd/",
    KERNEL_SEAM,
    "backends/kernel/intent.ts",
    "agent/plan/",
    "agent/decide/",
    "agent/secrets/redact.ts",
    "rxjs",
  ],
  "agent/core/": [
    ...EVENTS,
    ...SEAM,
    "events/log/",
    "agent/*.ts",
    "agent/api/",
    "agent/decide/",
    "agent/feeds/",
    "agent/fleet/",
    "agent/health/",
    "agent/manifests/",
    "agent/pipeline/",
    "agent/plan/",
    "agent/report/",
    "agent/secrets/",
    "node:",
  ],
  "agent/manifests/": [...EVENTS, "node:", "yaml"],
  "agent/feeds/": [
    ...EVENTS,
    ...SEAM,
    "agent/errno.ts",
    "agent/manifests/",
    "agent/decide/",
    "node:",
  ],
  "agent/health/": [...EVENTS, ...SEAM, "agent/config-schema.ts", "agent/errno.ts", "node:"],
  "agent/secrets/": [...EVENTS, ...SEAM, "agent/errno.ts", "node:", "zod"],
  "agent/api/": [...EVENTS, ...SEAM, "events/log/log.ts", "node:", "fastify", "prom-client", "zod"],
  "agent/cli/": [
    "agent/api/bfd-json.ts",
    "agent/api/contract.ts",
    "agent/api/core.ts",
    "agent/api/view-json.ts",
    "agent/api/socket-path.ts",
    "agent/api/time.ts",
    "agent/manifests/",
    "node:",
    "commander",
  ],
  "agent/cli/offline.ts": [...EVENTS, "events/log/", "agent/api/", "agent/core/", "node:"],
  "agent/written-config.ts": [...EVENTS, ...SEAM, "agent/fleet/fleet-config.ts", "zod"],
  "agent/config-schema.ts": [
    ...EVENTS,
    ...SEAM,
    "agent/fleet/fleet-config.ts",
    "agent/written-config.ts",
    "backends/frr/choice.ts",
    "node:path",
  ],
  "agent/config.ts": [
    ...EVENTS,
    "agent/*.ts",
    "agent/fleet/",
    "agent/manifests/",
    "node:",
    "yaml",
    "zod",
  ],
  "agent/serve-bfd.ts": ["agent/*.ts", "backends/bfd/process.ts", "backends/os/memory.ts"],
  "agent/rest.ts": [...SEAM, "backends/os/memory.ts", "node:"],
  "agent/service-manager.ts": [...SEAM, "backends/os/datagram.ts", "node:"],
  "agent/main.ts": ["agent/*.ts", "agent/cli/", "agent/core/early-log.ts", "node:"],
  "systemd/package/": ["agent/serve-bfd.ts", "node:", "esbuild"],
};

/** The one file that wires the others together. */
export const MAY_IMPORT_EVERYTHING: Place = "agent/compose.ts";

/** Where a package may come in at all. */
export const DOORS: Readonly<Record<string, readonly Place[]>> = {
  "better-sqlite3": ["events/log/sqlite.ts"],
  "@grpc/grpc-js": [`${GOBGP}io/client.ts`],
  "@grpc/proto-loader": [`${GOBGP}io/client.ts`],
  ...Object.fromEntries(NATS.map((one) => [one, ["agent/fleet/io/nats.ts"]])),
  "@nats-io/nkeys": ["agent/fleet/signing.ts"],
  esbuild: ["systemd/package/bundle.ts"],
  koffi: ["backends/os/libc.ts"],
  pino: ["agent/logger.ts"],
  fastify: ["agent/api/server.ts"],
  "prom-client": ["agent/api/metrics.ts"],
  commander: ["agent/cli/commands.ts"],
  yaml: ["agent/manifests/", "agent/config.ts"],
  zod: [
    "events/resources/",
    "agent/config.ts",
    "agent/written-config.ts",
    "agent/fleet/",
    "agent/report/",
    "agent/api/",
    "agent/secrets/",
  ],
  rxjs: ["agent/pipeline/", "agent/compose.ts"],
  "ts-pattern": ["events/", "backends/", "agent/"],
};

/** No clock, no chance, no process, no node:*. */
export const PURE: readonly Place[] = [
  ...EVENTS,
  ...PURE_SEAM,
  `${NATIVE}wire/`,
  `${NATIVE}fsm/`,
  `${NATIVE}rib/`,
  `${NATIVE}discovery/`,
  ...FRR_READING.map((name) => `backends/frr/watch/${name}`),
  ...GOBGP_CORE.map((name) => `${GOBGP}${name}`),
  ...KERNEL_CORE.map((name) => `backends/kernel/${name}`),
  "backends/frr/watch/bmp/",
  "backends/frr/config/",
  "backends/frr/render/",
  "backends/frr/capabilities.ts",
  "backends/frr/choice.ts",
  "backends/frr/version.ts",
  "agent/plan/",
  "agent/decide/",
  ...FLEET_PURE,
  "agent/health/effective-check.ts",
];

export const WORLDLY =
  /\b(?:Date\.now|new Date\(\)|Math\.random|crypto\.|set(?:Timeout|Interval|Immediate)\b|process\.|performance\.|console\.|fetch\()/;

/** The hard limit; past some 300 lines a file should be asked what second reason to exist has crept in. */
export const LINES_LIMIT = 400;
