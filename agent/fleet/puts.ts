/**
 * Manifests of a change set ⇄ resources: what a publisher puts in, and what each receiver makes of it.
 *
 * Every receiver reads the same JSON by the same rules, so that all come to the same verdict; one manifest that is refused
 * refuses the set. Secrets: sealed.ts. Reads next: fleet-state.ts (the publisher), agent/core/feed-intake.ts (the host).
 */
import type { ResourceKey } from "../../events/ids.ts";
import { keyOf, type Resource } from "../../events/resources/kinds.ts";
import { parseResource } from "../../events/resources/parse.ts";
import { fieldText, isFields } from "../../events/resources/reading.ts";
import type { Metadata, Seal } from "../../events/resources/resource.ts";
import type { Document } from "../decide/decision.ts";
import { type ChangeSet, type Put, type Refused, refusedFor } from "./change-set.ts";
import { clearSecretIn, NOT_FOR_THIS_HOST, opened, unopened } from "./sealed.ts";
import type { Opener } from "./signing.ts";

export type ReadPuts = { readonly ok: true; readonly documents: readonly Document[] } | Refused;

/** A written manifest as it goes into a change set: metadata reduced to what some rule reads (never kubectl's copies), no status. */
export function putOf({ metadata }: Pick<Resource, "metadata">, written: Put): Put {
  const { status: _status, metadata: _metadata, ...rest } = written;
  return { ...rest, metadata: reduced(metadata) };
}

function reduced(metadata: Metadata): Put {
  const { name, namespace, labels, annotations, generation, creationTimestamp } = metadata;
  return {
    name,
    ...(namespace === "" ? {} : { namespace }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(generation === 0 ? {} : { generation }),
    ...(creationTimestamp === "" ? {} : { creationTimestamp }),
  };
}

/**
 * The resources of a set, each owned by its feed, or the first thing that refuses the set.
 *
 * `opener` has this host's curve key, `seal` keeps what it opened; a publisher has no opener and its `seal` is never called.
 */
export function readPuts(
  {
    fleet,
    generation,
    puts,
    deletes,
  }: Pick<ChangeSet, "fleet" | "generation" | "puts" | "deletes">,
  opener: Opener | undefined,
  seal: Seal,
): ReadPuts {
  const documents: Document[] = [];
  const named = new Set<ResourceKey>(deletes);
  for (const [i, put] of puts.entries()) {
    const read = readPut(put, fleet, opener, seal);
    if ("ok" in read) return read;
    const key = keyOf(read);
    if (named.has(key)) return refusedFor("duplicate", `${spoken(put)} stands in it twice`);
    named.add(key);
    const file = `feed:${fleet} generation ${generation}`;
    documents.push({ resource: read, file, line: i + 1, owner: `feed:${fleet}` });
  }
  return { ok: true, documents };
}

function readPut(
  put: Put,
  fleet: string,
  opener: Opener | undefined,
  seal: Seal,
): Resource | Refused {
  const clear = clearSecretIn(put);
  if (clear !== undefined) return inClear(put, fieldText(clear));
  const { document, values } = opened(put, fleet, opener);
  let unsealed = false;
  const parsed = parseResource(document, (name, value) => {
    if (values.has(value)) return seal(name, value);
    unsealed ||= value !== NOT_FOR_THIS_HOST;
    return unopened(name);
  });
  if (parsed.type === "not-applicable") {
    return refusedFor("manifest", `${spoken(put)}: ${parsed.reason}`);
  }
  if (parsed.type === "refused") {
    const [complaint] = parsed.complaints;
    const field = fieldText(complaint?.path ?? []);
    return refusedFor("manifest", `${spoken(put)}: ${field}: ${complaint?.message ?? ""}`);
  }
  // What stands in a raw snippet is nowhere that could be sealed.
  return unsealed ? inClear(put, "a snippet of configuration") : parsed.resource;
}

const inClear = (put: Put, where: string): Refused =>
  refusedFor("clear-secret", `${spoken(put)}: ${where} holds a secret in clear: seal it`);

/** Outside text in a reason, bounded. */
const MAX_SPOKEN = 200;

function spoken({ kind, metadata }: Put): string {
  const { name, namespace } = isFields(metadata) ? metadata : {};
  const words = [kind, namespace, name].filter((word) => typeof word === "string" && word !== "");
  return words.join(" ").slice(0, MAX_SPOKEN);
}
