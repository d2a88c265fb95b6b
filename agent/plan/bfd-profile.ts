/**
 * What a peer's bfdProfile names: the BFDProfile, and the BFDOptions that go with it.
 *
 * Pure. A profile is found by name alone, as upstream does; of two with that name the one beside the peer.
 */
import { resourceKey } from "../../events/ids.ts";
import type { BfdOptions } from "../../events/resources/bfd-options.ts";
import type { BfdProfile } from "../../events/resources/bfd-profile.ts";
import type { BgpPeer } from "../../events/resources/bgp-peer.ts";
import type { SecretRef } from "../../events/resources/resource.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";

export function profileOfPeer(
  desired: DesiredState,
  { metadata, spec }: BgpPeer,
): Held<BfdProfile> | undefined {
  if (spec.bfdProfile === "") return undefined;
  const named = [...resourcesOf(desired, "metallb.io/BFDProfile").values()].filter(
    ({ resource }) => resource.metadata.name === spec.bfdProfile,
  );
  const beside = named.find(({ resource }) => resource.metadata.namespace === metadata.namespace);
  return beside ?? named.toSorted((a, b) => (a.key < b.key ? -1 : 1))[0];
}

/** BFDOptions live beside their profile; undefined where there are none, or they were set aside. */
export function optionsOfPeer(desired: DesiredState, peer: BgpPeer): Held<BfdOptions> | undefined {
  const profile = profileOfPeer(desired, peer)?.resource.metadata;
  if (profile === undefined) return undefined;
  const { name, namespace } = profile;
  return [...resourcesOf(desired, "rutter/BFDOptions").values()].find(
    ({ key, resource: { metadata, spec } }) =>
      metadata.namespace === namespace && spec.profile === name && !desired.quarantined.has(key),
  );
}

export type BfdSecret =
  | { readonly type: "none" }
  | { readonly type: "found"; readonly secret: SecretRef }
  | { readonly type: "missing"; readonly reason: string };

/** A key that is missing means refused, never "without" (design: fails closed). */
export function secretOfOptions(desired: DesiredState, { metadata, spec }: BfdOptions): BfdSecret {
  if (spec.authentication === undefined) return { type: "none" };
  const { secretName } = spec.authentication;
  const named = `Secret ${metadata.namespace}/${secretName}`;
  const key = resourceKey("", "Secret", metadata.namespace, secretName);
  const held = resourcesOf(desired, "/Secret").get(key)?.resource.spec;
  if (held === undefined) return { type: "missing", reason: `there is no ${named} yet` };
  return held.type === "basic-auth"
    ? { type: "found", secret: held.password }
    : { type: "missing", reason: `${named}: ${held.reason}` };
}
