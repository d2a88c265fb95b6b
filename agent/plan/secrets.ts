/**
 * The secret of a peer: its own, or that of the Secret it names. Missing means refused, never "without" (design: fails closed).
 */
import { resourceKey } from "../../events/ids.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";

export type PeerSecret =
  | { readonly type: "none" }
  | { readonly type: "found"; readonly secret: SecretRef }
  | { readonly type: "missing"; readonly reason: string };

export function secretOfPeer(desired: DesiredState, peer: BgpPeer): PeerSecret {
  const { authentication } = peer.spec;
  if (authentication.type === "none") return { type: "none" };
  if (authentication.type === "inline") return { type: "found", secret: authentication.secret };
  const namespace = authentication.namespace || peer.metadata.namespace;
  const key = resourceKey("", "Secret", namespace, authentication.name);
  const held = resourcesOf(desired, "/Secret").get(key);
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
