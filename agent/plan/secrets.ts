/**
 * The secret of a session: its own, or that of the Secret it names. Missing means refused, never "without" (design: fails closed).
 */
import { type EventId, type ResourceKey, resourceKey } from "../../events/ids.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
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
  const namespace = authentication.namespace || home;
  const held = resourcesOf(desired, "/Secret").get(secretKey(authentication, home));
  if (held === undefined) {
    return {
      type: "missing",
      reason: `there is no Secret ${namespace}/${authentication.name}; the peer comes up when it is applied`,
    };
  }
  const { spec } = held.resource;
  return spec.type === "basic-auth"
    ? { type: "found", secret: spec.password }
    : { type: "missing", reason: `Secret ${namespace}/${authentication.name}: ${spec.reason}` };
}

/** The fact of the Secret that is named; none where none is. */
export function secretFact(
  desired: DesiredState,
  authentication: Authentication,
  home: string,
): readonly EventId[] {
  if (authentication.type !== "reference") return [];
  const held = resourcesOf(desired, "/Secret").get(secretKey(authentication, home));
  return held === undefined ? [] : [held.fact];
}

const secretKey = (
  { name, namespace }: Extract<Authentication, { type: "reference" }>,
  home: string,
): ResourceKey => resourceKey("", "Secret", namespace || home, name);
