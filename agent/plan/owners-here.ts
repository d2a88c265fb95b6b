/**
 * The objects that have neighbours on this host.
 *
 * Pure. Set aside or not: who asks for those in force leaves the others out. Reads next: claims.ts.
 */
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import type { NeighborOwner } from "./claims.ts";
import { anySelects, nodeLabels, selects } from "./labels.ts";

/** BGPPeers and FRRConfigurations that select this host, set aside or not. */
export function ownersHere(desired: DesiredState): readonly NeighborOwner[] {
  const labels = nodeLabels(desired);
  const peers = [...resourcesOf(desired, "metallb.io/BGPPeer").values()].filter(({ resource }) =>
    anySelects(resource.spec.nodeSelectors, labels),
  );
  const configurations = [
    ...resourcesOf(desired, "frrk8s.metallb.io/FRRConfiguration").values(),
  ].filter(({ resource }) => selects(resource.spec.nodeSelector, labels));
  return [...peers, ...configurations];
}
