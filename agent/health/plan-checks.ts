/**
 * Desired state → which Services are to be checked, and how; told as changes, so that one Service among 100,000 costs one.
 *
 * Pure: no probe runs here. Services without an address are not checked, for there is nothing to announce; `always` and
 * `none` are not checked, for the plan knows their outcome. Reads next: runner.ts, which obeys the changes.
 */
import type { Address } from "../../events/address.ts";
import type { HostFacts } from "../../events/event.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { diff } from "../../events/persistent-map.ts";
import type { ServicePort } from "../../events/resources/service.ts";
import type { ServiceEndpoint } from "../../events/resources/service-endpoint.ts";
import { type DesiredState, nothingDesired, resourcesOf } from "../../events/state.ts";
import {
  type EffectiveCheck,
  effectiveCheck,
  endpointInForce,
  isObserved,
  type ObservedCheck,
  serviceKeyOf,
} from "./effective-check.ts";

export type PlannedCheck = Omit<EffectiveCheck, "check"> & {
  readonly service: ResourceKey;
  readonly check: ObservedCheck;
  /** Allocated ones, primary first; at least one. */
  readonly addresses: readonly Address[];
  readonly ports: readonly ServicePort[];
};

/** `undefined`: is not checked (any more). A Service that is not named here is checked as before. */
export type CheckChange = {
  readonly service: ResourceKey;
  readonly planned: PlannedCheck | undefined;
};

export type CheckPlan = {
  /** What changed since the call before (at first: since nothing). */
  changes(desired: DesiredState): readonly CheckChange[];
};

/** A follower of desired state; it remembers the state it saw last and which endpoints speak for which Service. */
export function followChecks(): CheckPlan {
  let seen = nothingDesired;
  const planned = new Map<ResourceKey, PlannedCheck>();
  const endpoints = new Map<ResourceKey, Map<ResourceKey, ServiceEndpoint>>();
  return {
    changes(desired) {
      const touched = touchedServices(seen, desired, endpoints);
      seen = desired;
      const changes: CheckChange[] = [];
      for (const service of touched) {
        const check = checkOf(desired, service, endpoints.get(service)?.values() ?? []);
        if (isSame(planned.get(service), check)) continue;
        if (check === undefined) planned.delete(service);
        else planned.set(service, check);
        changes.push({ service, planned: check });
      }
      return changes;
    },
  };
}

/** Text is only made where both are there: at a start with 100,000 Services it would cost more than all else. */
const isSame = (a: PlannedCheck | undefined, b: PlannedCheck | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));

function touchedServices(
  before: DesiredState,
  after: DesiredState,
  endpoints: Map<ResourceKey, Map<ResourceKey, ServiceEndpoint>>,
): ReadonlySet<ResourceKey> {
  const touched = new Set<ResourceKey>();
  const [old, young] = [before, after].map((state) => resourcesOf(state, "rutter/ServiceEndpoint"));
  if (old === undefined || young === undefined) throw new Error("two states have two maps");
  for (const change of diff(old, young)) {
    if (change.before !== undefined) {
      const service = serviceKeyOf(change.before.resource);
      touched.add(service);
      const ofService = endpoints.get(service);
      ofService?.delete(change.key);
      if (ofService?.size === 0) endpoints.delete(service);
    }
    if (change.after !== undefined) {
      const service = serviceKeyOf(change.after.resource);
      touched.add(service);
      const ofService = endpoints.get(service) ?? new Map<ResourceKey, ServiceEndpoint>();
      endpoints.set(service, ofService.set(change.key, change.after.resource));
    }
  }
  const services = resourcesOf(after, "/Service");
  // Where the default asks nothing, a start does not go through 10,000 Services for the few that have an endpoint.
  const asksAll = isObserved({ type: hostDefault(after) });
  if (asksAll || endpoints.size > 0) {
    const pairs = [
      [resourcesOf(before, "/Service"), services],
      [before.allocations, after.allocations],
    ] as const;
    for (const [were, are] of pairs) {
      for (const { key } of diff<ResourceKey, unknown>(were, are)) {
        if (asksAll || endpoints.has(key)) touched.add(key);
      }
    }
  }
  if (hostDefault(before) !== hostDefault(after)) {
    for (const key of services.keys()) touched.add(key);
  }
  return touched;
}

const hostDefault = (desired: DesiredState): HostFacts["defaultEndpoint"] =>
  // Before the host was observed nothing is known of it, and the default of the default is `listen` (design §5).
  desired.host?.facts.defaultEndpoint ?? "listen";

function checkOf(
  desired: DesiredState,
  service: ResourceKey,
  endpoints: Iterable<ServiceEndpoint>,
): PlannedCheck | undefined {
  const held = resourcesOf(desired, "/Service").get(service);
  const addresses = desired.allocations.get(service)?.addresses ?? [];
  if (held === undefined || addresses.length === 0) return undefined;
  const { check, ...pace } = effectiveCheck(endpointInForce(endpoints), hostDefault(desired));
  if (!isObserved(check)) return undefined;
  const { ports } = held.resource.spec;
  return { service, check, ...pace, addresses: addresses.map(({ address }) => address), ports };
}
