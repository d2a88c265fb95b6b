/**
 * A manifest's metadata, reduced to what some rule reads.
 *
 * Annotations pass by an allow-list, for kubectl leaves whole manifests with their secrets in them; managedFields, uid,
 * resourceVersion, ownerReferences and their like are dropped. Deprecated annotation names are renamed to their successors.
 */
import * as z from "zod";
import { complaintsOf } from "./complaints.ts";
import { quoted, text, textMap } from "./fields.ts";
import { type Reading, said } from "./reading.ts";
import type { Labels, Metadata } from "./resource.ts";
import { refuseBadLabels } from "./selectors.ts";
import { warnUnknown } from "./unknown.ts";

const writtenMetadata = z.looseObject({
  name: text,
  namespace: text.optional(),
  labels: textMap.optional(),
  annotations: textMap.optional(),
  generation: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  creationTimestamp: text.optional(),
});
type Written = z.infer<typeof writtenMetadata>;

const DROPPED = [
  "clusterName",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "finalizers",
  "generateName",
  "managedFields",
  "ownerReferences",
  "resourceVersion",
  "selfLink",
  "uid",
];

/** Kubernetes' names: DNS subdomain (RFC 1123 §2.1) for most kinds, one DNS label for namespaces. */
const SUBDOMAIN =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 3339 §5.6. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

const STABLE = "metallb.io/";
const DEPRECATED = "metallb.universe.tf/";
/** The older annotation that turns Anthos' gateway controller on, whatever its prefix. */
export const GATEWAY_ANNOTATION = "enable-anthos-network-gateway";

/** Undefined where it was refused; what is wrong then stands in the reading. */
export function readMetadata(
  written: unknown,
  scope: "namespaced" | "cluster",
  reading: Reading,
): Metadata | undefined {
  const parsed = writtenMetadata.safeParse(written);
  if (!parsed.success) {
    for (const { path, rule, message } of complaintsOf(parsed.error, writtenMetadata, written, [
      "metadata",
    ])) {
      reading.refuse(path, rule, message);
    }
    return undefined;
  }
  const { data } = parsed;
  warnUnknown(reading, ["metadata"], data, writtenMetadata, DROPPED);
  checkNames(data, scope, reading);
  const labels = data.labels ?? {};
  refuseBadLabels(reading, ["metadata", "labels"], labels);
  return {
    name: data.name,
    namespace: scope === "cluster" ? "" : said(data.namespace) ? data.namespace : "default",
    labels,
    annotations: allowed(data.annotations ?? {}, reading),
    generation: data.generation ?? 0,
    creationTimestamp: data.creationTimestamp ?? "",
  };
}

function checkNames(written: Written, scope: "namespaced" | "cluster", reading: Reading): void {
  const { name, namespace, creationTimestamp } = written;
  if (!SUBDOMAIN.test(name)) {
    reading.refuse(
      ["metadata", "name"],
      name === "" ? "required" : "bad-value",
      `${quoted(name)} is no name: lower-case letters, digits, - and ., up to 253, a letter or digit at both ends`,
    );
  }
  if (said(namespace) && !LABEL.test(namespace)) {
    reading.refuse(
      ["metadata", "namespace"],
      "bad-value",
      `${quoted(namespace)} is no namespace: lower-case letters, digits and -, up to 63, a letter or digit at both ends`,
    );
  }
  if (said(namespace) && scope === "cluster") {
    reading.warn(
      ["metadata", "namespace"],
      "ignored",
      "this kind belongs to no namespace: remove it",
    );
  }
  if (said(creationTimestamp) && !TIMESTAMP.test(creationTimestamp)) {
    reading.refuse(
      ["metadata", "creationTimestamp"],
      "bad-value",
      `${quoted(creationTimestamp)} is no RFC 3339 time`,
    );
  }
}

function allowed(annotations: Labels, reading: Reading): Labels {
  const kept = new Map<string, string>();
  for (const [key, value] of Object.entries(annotations)) {
    if (key.startsWith(STABLE)) kept.set(key, value);
    else if (key.split("/").at(-1) === GATEWAY_ANNOTATION) kept.set(GATEWAY_ANNOTATION, value);
  }
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(DEPRECATED)) continue;
    const successor = `${STABLE}${key.slice(DEPRECATED.length)}`;
    const standing = kept.get(successor);
    if (standing !== undefined && standing !== value) {
      reading.warn(
        ["metadata", "annotations", key],
        "ignored",
        `${successor} says otherwise and goes first: remove this one`,
      );
    } else {
      kept.set(successor, value);
      reading.warn(
        ["metadata", "annotations", key],
        "deprecated",
        `is read as ${successor}: write that`,
      );
    }
  }
  return Object.fromEntries([...kept].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
