/**
 * Which check a Service follows on this host: its ServiceEndpoint's, or the host's default (design §5).
 *
 * Pure, because two must agree on it: the plan, which believes `always` and `none` without any observed fact, and the
 * runner, which observes the others. Never runs a check. Reads next: plan-checks.ts.
 */
import type { HostFacts } from "../../events/event.ts";
import { type ResourceKey, resourceKey } from "../../events/ids.ts";
import type { Check, ServiceEndpoint } from "../../events/resources/service-endpoint.ts";

export type EffectiveCheck = {
  readonly check: Check;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly rise: number;
  readonly fall: number;
};

/**
 * Of the default check. One second, because one look at the listeners serves all Services together and costs some
 * milliseconds (proc-net.ts); once is enough both ways, because a listening socket is there or not and no network can blur it.
 */
const DEFAULT_PACE = { intervalSeconds: 1, timeoutSeconds: 1, rise: 1, fall: 1 };

/** `endpoint`: the one that endpointInForce() chose; undefined where the Service has none. */
export function effectiveCheck(
  endpoint: ServiceEndpoint | undefined,
  hostDefault: HostFacts["defaultEndpoint"],
): EffectiveCheck {
  if (endpoint === undefined) return { check: { type: hostDefault }, ...DEFAULT_PACE };
  const { check, intervalSeconds, timeoutSeconds, rise, fall } = endpoint.spec;
  return { check, intervalSeconds, timeoutSeconds, rise, fall };
}

/** What must be looked at, and so has an `endpoint-observed` fact; of the others health is known from the check alone. */
export type ObservedCheck = Exclude<Check, { readonly type: "always" } | { readonly type: "none" }>;

export const isObserved = (check: Check): check is ObservedCheck =>
  check.type !== "always" && check.type !== "none";

/** The Service that an endpoint speaks for: one of its own namespace. */
export const serviceKeyOf = (endpoint: ServiceEndpoint): ResourceKey =>
  resourceKey("", "Service", endpoint.metadata.namespace, endpoint.spec.service);

/** Of several endpoints of one Service the lower (generation, creationTimestamp, name): by content, not by arrival. */
export function endpointInForce(
  candidates: Iterable<ServiceEndpoint>,
): ServiceEndpoint | undefined {
  let chosen: ServiceEndpoint | undefined;
  for (const candidate of candidates) {
    if (chosen === undefined || goesBefore(candidate, chosen)) chosen = candidate;
  }
  return chosen;
}

function goesBefore({ metadata: a }: ServiceEndpoint, { metadata: b }: ServiceEndpoint): boolean {
  if (a.generation !== b.generation) return a.generation < b.generation;
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp;
  return a.name < b.name;
}
