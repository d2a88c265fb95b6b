/**
 * What fleet.yaml says to whoever publishes to a fleet or reads of it: where its servers are, whose word makes its state.
 *
 * Pure; the same words as in agent.yaml's `fleet`, which serves as well where a host publishes. Files are named, never read.
 */
import * as z from "zod";
import { type FleetConfig, type FleetTls, writtenFleet } from "./fleet-config.ts";
import { isCurveKey, isSigningKey } from "./signing.ts";
import type { TrustRule } from "./trust.ts";

export type PublisherConfig = {
  readonly name: string;
  readonly servers: readonly string[];
  readonly login: FleetConfig["login"];
  readonly tls: FleetTls | undefined;
  /** A file with the seed that signs change sets; undefined: it is named where something is signed. */
  readonly signingSeed: string | undefined;
  /** Whose sets make the fleet's state, as hosts have it; undefined: the publisher's own only. */
  readonly trust: readonly TrustRule[] | undefined;
  /** Curve keys (X…) of the hosts that secrets are sealed to. */
  readonly sealTo: readonly string[];
  /** By host the keys (U…) that it signs its checkpoints with: pinned, for who reads them. */
  readonly hostKeys: ReadonlyMap<string, readonly string[]>;
  /** Servers that hold each stream, where this program makes it. */
  readonly replicas: 1 | 3 | 5;
};

const { name, servers, credentials, seed, tls, trust } = writtenFleet.shape;
const path = z.string().regex(/^\/[^\0]*$/, "must be an absolute path");
/** As many hosts as a fleet is measured with. */
const MAX_HOSTS = 10_000;

/** The new one and the old ones, as long as what those signed is still read. */
const MAX_KEYS = 8;
const hostKey = z
  .string()
  .refine(isSigningKey, "must be the public key (U…) that the host signs with");

const shape = {
  name,
  servers,
  credentials,
  seed,
  tls,
  trust: trust.optional(),
  signingSeed: path.optional(),
  /** By host, its curve key. */
  hosts: z
    .record(z.string(), z.string().refine(isCurveKey, "must be a public curve key (X…)"))
    .refine((hosts) => Object.keys(hosts).length <= MAX_HOSTS, "names too many hosts")
    .optional(),
  hostKeys: z
    .record(z.string(), z.union([hostKey, z.array(hostKey).min(1).max(MAX_KEYS)]))
    .refine((hosts) => Object.keys(hosts).length <= MAX_HOSTS, "names too many hosts")
    .optional(),
  replicas: z.literal([1, 3, 5]).optional(),
};
export const writtenPublisher = z
  .strictObject(shape)
  .refine(({ credentials, seed }) => credentials === undefined || seed === undefined, {
    path: ["seed"],
    message: "credentials and seed exclude each other: keep one",
  });
export type WrittenPublisher = z.infer<typeof writtenPublisher>;

export function publisherConfig(written: WrittenPublisher): PublisherConfig {
  const { credentials, seed, hosts, hostKeys } = written;
  return {
    name: written.name,
    servers: written.servers,
    login:
      credentials !== undefined
        ? { type: "credentials", file: credentials }
        : seed !== undefined
          ? { type: "seed", file: seed }
          : { type: "none" },
    tls: written.tls && definedIn(written.tls),
    signingSeed: written.signingSeed,
    trust: written.trust?.map((rule) => ({ key: rule.key, ...definedIn(rule) })),
    sealTo: Object.values(hosts ?? {}),
    hostKeys: new Map(
      Object.entries(hostKeys ?? {}).map(([host, keys]) => [host, [keys].flat()] as const),
    ),
    // Three servers survive the loss of one; of fewer none survives it.
    replicas: written.replicas ?? (written.servers.length >= 3 ? 3 : 1),
  };
}

/** Without the members that were not said. */
const definedIn = <T extends object>(written: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)) as never;
