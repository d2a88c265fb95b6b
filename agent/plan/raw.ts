/**
 * Raw lines in the order in which they take effect: FRRConfigurations' by priority and name, then those of `bgpextras`.
 *
 * Pure; never parses them. The order is frr-k8s' (reference/rules.md §2.1), and MetalLB appends its ConfigMap at the very end.
 */
import type { RawSnippet } from "../../backends/intent.ts";
import { resourceKeyParts } from "../../events/ids.ts";
import type { FrrConfiguration } from "../../events/resources/frr-configuration.ts";
import type { DesiredState, Held } from "../../events/state.ts";
import { inForceOf } from "./held.ts";
import { nodeLabels, selects } from "./labels.ts";
import { has, type SpeakerOptions } from "./options.ts";
import { compare } from "./order.ts";

/** Empty where the speaker takes none. What is set aside, or meant for another host, says nothing. */
export function planRaw(desired: DesiredState, options: SpeakerOptions): readonly RawSnippet[] {
  if (!has(options, "raw")) return [];
  const labels = nodeLabels(desired);
  const ofConfigurations = inForceOf(desired, "frrk8s.metallb.io/FRRConfiguration")
    .filter(({ resource }) => selects(resource.spec.nodeSelector, labels))
    .toSorted(
      (a, b) =>
        priorityOf(a) - priorityOf(b) ||
        compare(resourceKeyParts(a.key).name, resourceKeyParts(b.key).name) ||
        compare(a.key, b.key),
    )
    .flatMap(({ key, fact, resource: { spec } }): readonly RawSnippet[] => {
      if (spec.raw === undefined) return [];
      const { text, secrets } = spec.raw;
      return [{ owner: key, raw: { text, secrets }, provenance: [fact] }];
    });
  const extras = inForceOf(desired, "/ConfigMap").map(({ key, fact, resource }): RawSnippet => ({
    owner: key,
    raw: resource.spec.extras,
    provenance: [fact],
  }));
  return [...ofConfigurations, ...extras];
}

const priorityOf = ({ resource }: Held<FrrConfiguration>): number =>
  resource.spec.raw?.priority ?? 0;
