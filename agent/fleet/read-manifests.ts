/**
 * Manifests as an operator has them → what a publisher puts into a change set, with complaints by file and line.
 *
 * The same reading as of a host's own manifests; besides, a secret may stand there sealed already, and one in clear is sealed
 * here where recipients are named. What is still in clear then is refused by nextSet(), with where it stands.
 */
import type { ResourceKey } from "../../events/ids.ts";
import { keyOf } from "../../events/resources/kinds.ts";
import type { Complaint } from "../manifests/complaint.ts";
import { type NotApplicable, readManifests } from "../manifests/read.ts";
import type { Put } from "./change-set.ts";
import { putOf } from "./puts.ts";
import { opened, sealSecrets, unopened } from "./sealed.ts";

export type FleetManifests = {
  readonly puts: readonly Put[];
  /** Of each put, in the same order. */
  readonly keys: readonly ResourceKey[];
  /** Not empty: nothing of it is published. */
  readonly complaints: readonly Complaint[];
  /** Of resources that are in order; each is worth telling. */
  readonly warnings: readonly Complaint[];
  readonly notApplicable: readonly NotApplicable[];
};

/** `sealTo` are curve keys (`X…`) of hosts, none where no secret is to be sealed. Throws KeyError for what is no such key. */
export function readFleetManifests(
  files: readonly { readonly name: string; readonly text: string | Uint8Array }[],
  fleet: string,
  sealTo: readonly string[],
): FleetManifests {
  const reads = files.map(({ name, text }) =>
    readManifests(text, name, {
      seal: unopened,
      keepWritten: true,
      prepare: (document) => opened(document, fleet, undefined).document,
    }),
  );
  const documents = reads.flatMap((read) => read.documents);
  return {
    puts: documents.map(({ resource, written }) => {
      const put = putOf(resource, written ?? {});
      return sealTo.length === 0 ? put : sealSecrets(put, fleet, sealTo);
    }),
    keys: documents.map(({ resource }) => keyOf(resource)),
    complaints: reads.flatMap((read) => read.complaints),
    warnings: documents.flatMap(({ warnings }) => warnings),
    notApplicable: reads.flatMap((read) => read.notApplicable),
  };
}
