/**
 * What agent.yaml says of the fleet that feeds this host: where its servers are, whom this host believes, what it reports.
 *
 * Pure. Trust stands here and nowhere else: whoever could write this file could have the agent run commands anyway.
 * Files are named, never read; what may change while the agent runs (credentials, TLS) is read anew at each connection.
 */
import * as z from "zod";
import { kinds } from "../../events/resources/kinds.ts";
import { isSigningKey } from "./signing.ts";
import type { TrustRule } from "./trust.ts";

export type FleetTls = {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
};

export type FleetConfig = {
  readonly name: string;
  /** `nats://host:port` or `tls://host:port`, at least one. */
  readonly servers: readonly string[];
  /** How this host tells the server who it is. */
  readonly login:
    | { readonly type: "none" }
    /** A NATS credentials file: a JWT and the seed of its key. */
    | { readonly type: "credentials"; readonly file: string }
    /** A file with the seed of an nkey. */
    | { readonly type: "seed"; readonly file: string };
  /** Files in PEM. undefined: no TLS beyond what a server asks for. */
  readonly tls: FleetTls | undefined;
  /** A file with the seed that signs this host's checkpoints; its curve key is in `<hostKey>.curve`. Made where absent. */
  readonly hostKey: string;
  readonly trust: readonly TrustRule[];
  readonly report: {
    readonly heartbeatSeconds: number;
    /** Of sessions and BFD, beyond which facts are counted together. */
    readonly sessionsPerSecond: number;
    readonly routes: "none" | "counts";
  };
};

const path = z.string().regex(/^\/[^\0]*$/, "must be an absolute path");
/** One DNS label, so that it stands unchanged in subjects, streams and buckets. */
const fleetName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    "must be lower-case letters, digits and -, up to 63",
  );
const server = z
  .string()
  .regex(
    /^(?:nats|tls):\/\/(?:\[[\da-fA-F:.]+\]|[\w.-]+)(?::\d{1,5})?$/,
    "must be nats://host:port or tls://host:port",
  );
/** More servers than a cluster has. */
const MAX_SERVERS = 32;
/** Signers of one fleet: people and pipelines, not hosts. */
const MAX_TRUST = 256;
const MAX_SCOPE = 1000;

const kindNames = new Set(
  kinds.flatMap(({ group, kind }) => (group === "" ? [kind] : [kind, `${kind}.${group}`])),
);
const trustRule = z.strictObject({
  key: z.string().refine(isSigningKey, "must be a public signing key (U…)"),
  kinds: z
    .array(z.string().refine((name) => kindNames.has(name), "is no kind: Kind or Kind.group"))
    .max(MAX_SCOPE)
    .optional(),
  namespaces: z.array(z.string().max(63)).max(MAX_SCOPE).optional(),
  hosts: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }).optional(),
});

export const writtenFleet = z
  .strictObject({
    name: fleetName,
    servers: z.array(server).min(1).max(MAX_SERVERS),
    credentials: path.optional(),
    seed: path.optional(),
    tls: z
      .strictObject({ ca: path.optional(), certificate: path.optional(), key: path.optional() })
      .refine(
        ({ certificate, key }) => (certificate === undefined) === (key === undefined),
        "certificate and key belong together",
      )
      .optional(),
    hostKey: path.optional(),
    trust: z
      .array(trustRule)
      .min(1, "names nobody: without a signer that is trusted nothing is taken")
      .max(MAX_TRUST),
    report: z
      .strictObject({
        heartbeatSeconds: z.number().min(1).max(3600).optional(),
        sessionsPerSecond: z.number().min(0.1).max(1000).optional(),
        routes: z.enum(["none", "counts"]).optional(),
      })
      .optional(),
  })
  .refine(({ credentials, seed }) => credentials === undefined || seed === undefined, {
    path: ["seed"],
    message: "credentials and seed exclude each other: keep one",
  });
export type WrittenFleet = z.infer<typeof writtenFleet>;

export function fleetConfig(written: WrittenFleet, stateDirectory: string): FleetConfig {
  const { name, servers, credentials, seed, tls, hostKey, trust, report } = written;
  return {
    name,
    servers,
    login:
      credentials !== undefined
        ? { type: "credentials", file: credentials }
        : seed !== undefined
          ? { type: "seed", file: seed }
          : { type: "none" },
    tls: tls && defined(tls),
    hostKey: hostKey ?? `${stateDirectory}/fleet/host.nk`,
    trust: trust.map((rule) => ({ key: rule.key, ...defined(rule) })),
    report: {
      heartbeatSeconds: report?.heartbeatSeconds ?? 10,
      sessionsPerSecond: report?.sessionsPerSecond ?? 10,
      routes: report?.routes ?? "none",
    },
  };
}

/** Without the members that were not said. */
const defined = <T extends object>(written: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)) as never;
