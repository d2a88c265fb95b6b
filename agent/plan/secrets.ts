/**
 * The secret of a session: its own, or that of the Secret it names. Missing means refused, never "without" (design: fails closed).
 *
 * A Secret is what systemd gave this run as a credential, else what was applied.
 */
import { type EventId, resourceKey } from "../../events/ids.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import { SECRET_CREDENTIALS } from "../../events/resources/secret.ts";
import type { Authentication } from "../../events/resources/session.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";

export type PeerSecret =
  | { readonly type: "none" }
  | { readonly type: "found"; readonly secret: SecretRef }
  | { readonly type: "missing"; readonly reason: string };

/** `home`: the namespace of who asks, where a reference without one looks. */
export function secretOf(
  desired: DesiredState,
  authentication: Authentication,
  home: string,
): PeerSecret {
  if (authentication.type === "none") return { type: "none" };
  if (authentication.type === "inline") return { type: "found", secret: authentication.secret };
  const { name } = authentication;
  const namespace = authentication.namespace || home;
  const spec =
    given(desired, authentication, home) ?? applied(desired, authentication, home)?.resource.spec;
  if (spec === undefined) {
    const way = `it is applied, or when the agent starts with the credential ${SECRET_CREDENTIALS}${namespace}.${name}`;
    const reason = `there is no Secret ${namespace}/${name}; the peer comes up when ${way}`;
    return { type: "missing", reason };
  }
  return spec.type === "basic-auth"
    ? { type: "found", secret: spec.password }
    : { type: "missing", reason: `Secret ${namespace}/${name}: ${spec.reason}` };
}

/** The fact of the Secret that is named, or of the start that was given it; none where none is. */
export function secretFact(
  desired: DesiredState,
  authentication: Authentication,
  home: string,
): readonly EventId[] {
  if (authentication.type !== "reference") return [];
  const fact =
    given(desired, authentication, home) === undefined
      ? applied(desired, authentication, home)?.fact
      : desired.host?.fact;
  return fact === undefined ? [] : [fact];
}

type Reference = Extract<Authentication, { type: "reference" }>;

const given = ({ host }: DesiredState, { name, namespace }: Reference, home: string) =>
  host?.facts.secrets?.[`${namespace || home}/${name}`];

const applied = (desired: DesiredState, { name, namespace }: Reference, home: string) =>
  resourcesOf(desired, "/Secret").get(resourceKey("", "Secret", namespace || home, name));
