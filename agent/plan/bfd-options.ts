/**
 * The BFDOptions that go with a BFD profile: authentication with its key, and whether BGP waits.
 *
 * Pure. They live in the namespace of the profile: of the BFDProfile, or of the FRRConfiguration that has one of that name.
 */
import type { BfdSessionIntent } from "../../backends/bfd/intent.ts";
import type { EventId } from "../../events/ids.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import { secretFact, secretOf } from "./secrets.ts";

export type ClaimedOptions = {
  readonly strictMode: boolean;
  /** A text where its key is missing: why. */
  readonly authentication: BfdSessionIntent["authentication"] | string;
};

export function bfdOptionsOf(
  desired: DesiredState,
  namespace: string | undefined,
  profile: string,
): ClaimedOptions & { readonly facts: readonly EventId[] } {
  const found = [...resourcesOf(desired, "rutter/BFDOptions").values()].find(
    ({ key, resource: { metadata, spec } }) =>
      metadata.namespace === namespace && spec.profile === profile && !desired.quarantined.has(key),
  );
  if (found === undefined) return { strictMode: false, authentication: undefined, facts: [] };
  const { strictMode, authentication } = found.resource.spec;
  if (authentication === undefined) {
    return { strictMode, authentication: undefined, facts: [found.fact] };
  }
  const { type, keyId, secretName } = authentication;
  const home = found.resource.metadata.namespace;
  const reference = { type: "reference", name: secretName, namespace: home } as const;
  const secret = secretOf(desired, reference, home);
  return {
    strictMode,
    authentication:
      secret.type === "found"
        ? { type, keyId, secret: secret.secret }
        : `BFD of this peer is to be authenticated: ${secret.type === "missing" ? secret.reason : ""}`,
    facts: [found.fact, ...secretFact(desired, reference, home)],
  };
}

/** Why the neighbour is held back; a key that is missing means refused, never "without" (design: fails closed). */
export const bfdKeyProblem = (options: ClaimedOptions | undefined): string | undefined =>
  typeof options?.authentication === "string" ? options.authentication : undefined;
