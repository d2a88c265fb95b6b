/**
 * What every resource has in common: identity, metadata, owner, and the union of all kinds.
 *
 * A resource is a manifest that was parsed and validated: its `spec` is canonical (defaults filled in, addresses in
 * canonical form, secrets replaced by references), so nothing behind this border asks "is it set?".
 * One file a kind; kinds.ts holds the table that dispatches on API group + kind. Never reads YAML: agent/manifests/ does.
 */
import type { ResourceKey } from "../ids.ts";

export type Labels = Readonly<Record<string, string>>;

export type Metadata = {
  readonly name: string;
  /** Empty for cluster-scoped kinds; `default` where a namespaced manifest names none. */
  readonly namespace: string;
  readonly labels: Labels;
  /** Only annotations that some rule reads; all others are dropped before anything is stored. */
  readonly annotations: Labels;
  /** Kubernetes' counter of spec changes; 0 where the manifest has none. */
  readonly generation: number;
  /** RFC 3339; empty where the manifest has none. */
  readonly creationTimestamp: string;
};

/** `group/Kind` of a resource: what dispatch and exhaustive matches run on (design §5). */
export type Typed<Type extends string, Spec> = {
  readonly type: Type;
  readonly apiVersion: string;
  readonly metadata: Metadata;
  readonly spec: Spec;
};

/** A secret value that lives beside the log, in one file per (name, version); the log never holds the value. */
export type SecretRef = {
  readonly name: string;
  readonly version: string;
  /** Keyed digest (HMAC-SHA-256 under a key of this host, hexadecimal): equal values are seen to be equal, and nothing more. */
  readonly digest: string;
};

/** Takes a secret value out of a manifest at the border; `name` says whose it is. Given by the shell that keeps the files. */
export type Seal = (name: string, value: string) => SecretRef;

/** Who may change a resource (design §5): `cli`, `file:<path>` or `feed:<fleet>`. */
export type Owner = "cli" | `file:${string}` | `feed:${string}`;

/** A field that is valid and stored, but has no effect in this version or with this backend. */
export type NotCarried = {
  readonly resource: ResourceKey;
  readonly field: string;
  readonly reason: string;
};

/** Kubernetes LabelSelector; an empty one selects everything. */
export type LabelSelector = {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values: readonly string[];
  }[];
};
