/**
 * What may stand in agent.yaml, field by field.
 *
 * Strict: an unknown field is an error, for a mistyped one would silently be a default. Reads next: config-schema.ts (what
 * becomes of it), config.ts (who reads the file).
 */
import * as z from "zod";
import type { BackendName } from "../backends/intent.ts";
import { type Address, parseAddress } from "../events/address.ts";
import { parsePrefix, type Prefix } from "../events/prefix.ts";
import { INTERFACE_NAME } from "../events/resources/session.ts";
import { writtenFleet } from "./fleet/fleet-config.ts";

export type ListenAt = { readonly address: Address; readonly port: number };

const backends = ["native", "frr", "gobgp"] as const satisfies readonly BackendName[];

/** `address:port`, IPv6 in brackets; undefined where the text is none. */
export function parseListenAt(text: string): ListenAt | undefined {
  const [, six, four, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const parsed = parseAddress(six ?? four ?? "");
  const port = Number(digits);
  const isFitting = parsed !== undefined && parsed.includes(":") === (six !== undefined);
  return isFitting && port >= 1 && port <= 65_535 ? { address: parsed, port } : undefined;
}

const listenAt = z.string().transform((text, context): ListenAt => {
  const parsed = parseListenAt(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({
    code: "custom",
    message: "must be address:port, an IPv6 address in brackets: [::]:179",
  });
  return z.NEVER;
});

const prefixText = z.string().transform((text, context): Prefix => {
  const parsed = parsePrefix(text);
  if (parsed !== undefined) return parsed.prefix;
  context.addIssue({ code: "custom", message: "must be a prefix: address/length" });
  return z.NEVER;
});
/** A neighbour's table; the speaker's own bound stands above it. */
const maximum = z.int().min(1).max(2_000_000);
const path = z.string().regex(/^\/[^\0]*$/, "must be an absolute path");
/** DNS-1123 subdomain, what Kubernetes takes for a node's name. */
const nodeName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
    "must be lower-case letters, digits, - and . as in a host name",
  );
const LABEL_KEY =
  /^(?:(?=[^/]{1,253}\/)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const labels = z.record(
  z.string().regex(LABEL_KEY, "is no label key"),
  z
    .string("must be text: put it in quotes")
    .regex(/^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/, "is no label value"),
);

const namedCheck = z.strictObject({
  command: z
    .array(z.string().regex(/^[^\0]*$/, "must hold no NUL"))
    .min(1, "needs a program")
    .refine(
      ([program]) => program?.startsWith("/"),
      "must begin with an absolute path: no PATH is searched",
    ),
  timeoutSeconds: z.number().min(0.1).max(60).optional(),
  user: z
    .union([
      z.int().min(0).max(0xffff_fffe).transform(String),
      z.string().regex(/^[a-z_][\w-]{0,31}$/),
    ])
    .optional(),
});
/** The rule that manifests hold a check's name to (ServiceEndpoint). */
const checkName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/, "is no name for a check");

/** RFC 4724 §3: Restart Time has twelve bits; FRR bounds stale paths by the same. */
const MAX_RESTART_SECONDS = 4095;
const MAX_KEEP_SECONDS = 86_400;
/** More listening sockets than this no host has use for. */
const MAX_LISTEN = 64;
/** As many neighbours as a host may have. */
const MAX_TAKE_OVER = 1000;

/** Whoever speaks to gobgpd has the speaker of this host. */
const GOBGP_ADDRESS = /^(?:unix:\/[^\0]+|(?:\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5})$/;
const isLoopback = ({ address: at }: ListenAt): boolean => /^(?:127\.|::1$)/.test(at);
const LOCAL_ADDRESS = /^(?:unix:|127\.0\.0\.1:|\[::1\]:|localhost:)/;

export const writtenConfig = z.strictObject({
  node: z.strictObject({ name: nodeName.optional(), labels: labels.optional() }).optional(),
  backend: z.enum(backends).optional(),
  besides: z.array(z.enum(backends)).optional(),
  listen: z.array(listenAt).max(MAX_LISTEN).optional(),
  state: path.optional(),
  socket: path.optional(),
  api: z
    .strictObject({
      listen: listenAt.refine(isLoopback, "must be on loopback: 127.0.0.1 or [::1]"),
      tokenFile: path,
    })
    .optional(),
  manifests: path.optional(),
  endpoints: z
    .strictObject({ default: z.enum(["listen", "always", "none"]).optional() })
    .optional(),
  checks: z.record(checkName, namedCheck).optional(),
  gracefulRestart: z
    .strictObject({
      restartTimeSeconds: z.int().min(0).max(MAX_RESTART_SECONDS).optional(),
      stalePathTimeSeconds: z.int().min(1).max(MAX_RESTART_SECONDS).optional(),
    })
    .optional(),
  upgrade: z.strictObject({ onChangedPlan: z.enum(["hold", "apply"]).optional() }).optional(),
  stop: z.enum(["cease", "graceful"]).optional(),
  bfd: z
    .strictObject({
      socket: path.optional(),
      start: z.enum(["auto", "never"]).optional(),
      keepSeconds: z.int().min(0).max(MAX_KEEP_SECONDS).optional(),
    })
    .optional(),
  frr: z
    .strictObject({
      vtyDirectory: path.optional(),
      pathspace: z
        .string()
        .regex(/^[\w-]{1,64}$/, "must be letters, digits, - and _, as bgpd's -N takes it")
        .optional(),
      bfd: z.enum(["auto", "bfdd", "engine"]).optional(),
      takeOver: z
        .union([z.enum(["none", "all"]), z.array(z.string().min(1)).max(MAX_TAKE_OVER)])
        .optional(),
      onStop: z.enum(["keep", "remove"]).optional(),
    })
    .optional(),
  gobgp: z
    .strictObject({
      address: z.string().regex(GOBGP_ADDRESS, "must be unix:/path or host:port").optional(),
      tls: z
        .strictObject({ ca: path.optional(), certificate: path.optional(), key: path.optional() })
        .refine(
          ({ certificate, key }) => (certificate === undefined) === (key === undefined),
          "certificate and key belong together",
        )
        .optional(),
      supervise: z
        .union([z.literal(false), z.strictObject({ program: path.optional() })])
        .optional(),
      takeOver: z
        .union([z.enum(["none", "all"]), z.array(z.string().min(1)).max(MAX_TAKE_OVER)])
        .optional(),
    })
    .refine(
      ({ address: at, tls }) => at === undefined || tls !== undefined || LOCAL_ADDRESS.test(at),
      { path: ["address"], message: "is on another host: gobgp.tls is needed" },
    )
    .optional(),
  receive: z
    .strictObject({
      alwaysBlock: z.array(prefixText).optional(),
      maximumPrefixes: z
        .strictObject({ ipv4: maximum.optional(), ipv6: maximum.optional() })
        .optional(),
      warnAtPercent: z.int().min(1).max(100).optional(),
      beyond: z.enum(["warn", "restart", "idle"]).optional(),
      restartAfterSeconds: z.int().min(1).max(86_400).optional(),
    })
    .optional(),
  kernel: z
    .strictObject({
      bindAddresses: z.string().regex(INTERFACE_NAME, "is no name of a device").optional(),
      bindAs: z.enum(["addresses", "routes"]).optional(),
      protect: z.array(prefixText).optional(),
      onForeignChange: z.enum(["repair", "report"]).optional(),
    })
    .optional(),
  fleet: writtenFleet.optional(),
  log: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).optional(),
      routes: z.enum(["counts", "none"]).optional(),
    })
    .optional(),
});
export type WrittenConfig = z.infer<typeof writtenConfig>;
