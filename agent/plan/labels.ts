/**
 * Kubernetes label selectors, and the labels of this host.
 *
 * Pure. A list of selectors is a choice: one that matches is enough, and none at all means everything (MetalLB's rule).
 */
import { match } from "ts-pattern";
import type { Labels, LabelSelector } from "../../events/resources/resource.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";

/** All matchLabels and all matchExpressions must hold; an empty selector matches everything. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return (
    Object.entries(selector.matchLabels).every(
      ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
    ) &&
    selector.matchExpressions.every(({ key, operator, values }) => {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      return (
        match(operator)
          .with("In", () => value !== undefined && values.includes(value))
          // A missing key satisfies NotIn: Kubernetes, labels.Requirement.
          .with("NotIn", () => value === undefined || !values.includes(value))
          .with("Exists", () => value !== undefined)
          .with("DoesNotExist", () => value === undefined)
          .exhaustive()
      );
    })
  );
}

export const anySelects = (selectors: readonly LabelSelector[], labels: Labels): boolean =>
  selectors.length === 0 || selectors.some((selector) => selects(selector, labels));

/** The host's own labels, with those of its `rutter/v1` Node over them. */
export function nodeLabels(desired: DesiredState): Labels {
  const facts = desired.host?.facts;
  if (facts === undefined) return {};
  return { ...facts.labels, ...nodeOf(desired)?.labels };
}

/** The Node resource of this host's name, where there is one. */
export function nodeOf(
  desired: DesiredState,
): { readonly labels: Labels; readonly networkUnavailable: boolean } | undefined {
  const name = desired.host?.facts.node;
  for (const { resource } of resourcesOf(desired, "rutter/Node").values()) {
    if (resource.metadata.name === name) return resource.spec;
  }
  return undefined;
}
