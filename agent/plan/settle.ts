/**
 * What a change settles besides itself: who is set aside, who gets which address, who waits for one.
 *
 * Pure and incremental: a change of Services looks at those Services (and at who waits for an address), a change of pools,
 * peers, advertisements or of the host looks at all. `before` is the settled state that the change started from; what is in
 * force there stays in force. Within one change content decides and not the order of its documents.
 * Reads next: conflicts.ts, allocate.ts.
 */
import type { DecidedEvent } from "../../events/event.ts";
import { fleetOf } from "../../events/feeds.ts";
import { applyDesired } from "../../events/fold.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import { diff } from "../../events/persistent-map.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import type { Service } from "../../events/resources/service.ts";
import { allocate, poolsInForce, sameAddresses } from "./allocate.ts";
import { conflicts } from "./conflicts.ts";
import { byContent } from "./order.ts";

/** Ids of decisions that are tried out here; the caller gives real ones. */
const TRIED = "" as EventId;

/** Whoever settles: a host, which allocates for its own Services, or the publisher of a fleet, which does for the fleet's. */
export type Authority = "host" | "publisher";

/** Facts to record after `after`, in order; `before` undefined settles everything. */
export function settle(
  before: DesiredState | undefined,
  after: DesiredState,
  authority: Authority = "host",
): readonly DecidedEvent[] {
  const events: DecidedEvent[] = [];
  let desired = after;
  const decide = (event: DecidedEvent): void => {
    events.push(event);
    desired = applyDesired(desired, event, TRIED);
  };
  const configured = before === undefined || configurationChanged(before, after);
  if (configured) for (const event of quarantines(before, after)) decide(event);
  const pools = poolsInForce(desired);
  const all = configured && poolsMayDiffer(before, after, events);
  const touched = touchedServices(before, after, all);
  let freed = false;
  const look = (services: readonly Held<Service>[]): void => {
    for (const held of services) {
      const event =
        authority === "host" && fleetOf(held.owner) !== undefined
          ? awaitingPublisher(desired, held)
          : allocation(desired, pools, held);
      if (event === undefined) continue;
      freed ||= event.type === "address-released" || after.allocations.has(held.key);
      decide(event);
    }
  };
  // Who holds an address is asked first, so that a newcomer never takes what an older one may keep.
  look(touched.filter(({ key }) => after.allocations.has(key)));
  look(touched.filter(({ key }) => !after.allocations.has(key)));
  if (!all && (freed || addressesFreed(before, after))) {
    const asked = new Set(touched.map(({ key }) => key));
    look(waiting(desired).filter(({ key }) => !asked.has(key)));
  }
  return events;
}

/** Services are many and are no configuration; endpoints are health. Everything else may put something aside. */
function configurationChanged(before: DesiredState, after: DesiredState): boolean {
  if (before.host !== after.host) return true;
  const types = new Set([...Object.keys(before.resources), ...Object.keys(after.resources)]);
  types.delete("/Service");
  types.delete("rutter/ServiceEndpoint");
  return [...types].some(
    (type) =>
      before.resources[type as keyof DesiredState["resources"]] !==
      after.resources[type as keyof DesiredState["resources"]],
  );
}

function poolsMayDiffer(
  before: DesiredState | undefined,
  after: DesiredState,
  events: readonly DecidedEvent[],
): boolean {
  const type = "metallb.io/IPAddressPool";
  return (
    before === undefined ||
    before.resources[type] !== after.resources[type] ||
    events.some(
      (event) =>
        (event.type === "resource-quarantined" || event.type === "quarantine-lifted") &&
        event.key.startsWith(type),
    )
  );
}

function quarantines(
  before: DesiredState | undefined,
  after: DesiredState,
): readonly DecidedEvent[] {
  const reasons = conflicts(before, after);
  const lifted = [...after.quarantined.keys()]
    .filter((key) => !reasons.has(key))
    .toSorted()
    .map((key): DecidedEvent => ({ type: "quarantine-lifted", key }));
  const set = [...reasons]
    .filter(([key, { rule, reason }]) => {
      const known = after.quarantined.get(key);
      return known?.rule !== rule || known.reason !== reason;
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { rule, reason }]): DecidedEvent => ({
      type: "resource-quarantined",
      key,
      rule,
      reason,
    }));
  return [...lifted, ...set];
}

function touchedServices(
  before: DesiredState | undefined,
  after: DesiredState,
  all: boolean,
): readonly Held<Service>[] {
  const services = resourcesOf(after, "/Service");
  if (before === undefined || all) return [...services.values()].toSorted(byContent);
  const touched = new Map<ResourceKey, Held<Service>>();
  for (const { key, after: held } of diff(resourcesOf(before, "/Service"), services)) {
    if (held !== undefined) touched.set(key, held);
  }
  for (const key of contested(before, after)) {
    const held = services.get(key);
    if (held !== undefined) touched.set(key, held);
  }
  return [...touched.values()].toSorted(byContent);
}

/** Own Services that hold an address which the fleet's publisher has given to one of the fleet's: they are asked again. */
function* contested(before: DesiredState, after: DesiredState): Generator<ResourceKey> {
  if (before.allocations === after.allocations) return;
  const services = resourcesOf(after, "/Service");
  const isFed = (key: ResourceKey): boolean =>
    fleetOf(services.get(key)?.owner ?? "") !== undefined;
  for (const { key, after: given } of diff(before.allocations, after.allocations)) {
    if (given === undefined || !isFed(key)) continue;
    for (const { address } of given.addresses) {
      yield* (after.addressHolders.get(address) ?? []).filter((holder) => !isFed(holder));
    }
  }
}

/** True where a Service that held an address is gone, or has fewer. */
const addressesFreed = (before: DesiredState | undefined, after: DesiredState): boolean =>
  before !== undefined &&
  before.allocations !== after.allocations &&
  [...diff(before.allocations, after.allocations)].some((change) => change.before !== undefined);

function waiting(desired: DesiredState): readonly Held<Service>[] {
  const services = resourcesOf(desired, "/Service");
  return [...desired.awaiting.keys()]
    .flatMap((key: ResourceKey) => services.get(key) ?? [])
    .toSorted(byContent);
}

/** The fact that brings what is recorded of a Service to what it shall have; undefined where that is so already. */
function allocation(
  desired: DesiredState,
  pools: Parameters<typeof allocate>[1],
  held: Held<Service>,
): DecidedEvent | undefined {
  const service = held.key;
  const now = desired.allocations.get(service)?.addresses ?? [];
  const wanted = allocate(desired, pools, held);
  if (wanted.type === "addresses") {
    const { addresses } = wanted;
    return sameAddresses(now, addresses)
      ? undefined
      : { type: "address-allocated", service, addresses };
  }
  const { reason } = wanted;
  if (now.length > 0 && wanted.type === "none")
    return { type: "address-released", service, reason };
  if (wanted.type === "none") {
    return desired.awaiting.has(service)
      ? { type: "address-released", service, reason }
      : undefined;
  }
  if (now.length === 0 && desired.awaiting.get(service)?.reason === reason) return undefined;
  return { type: "address-awaited", service, reason };
}

/** A fleet's Service on a host has what its change sets gave it; here is only said that one has nothing yet, or wants nothing more. */
function awaitingPublisher(desired: DesiredState, held: Held<Service>): DecidedEvent | undefined {
  const service = held.key;
  const { type, loadBalancerClass } = held.resource.spec;
  const wants = type === "LoadBalancer" && loadBalancerClass === "";
  const waits = desired.awaiting.has(service);
  if (wants && !waits && !desired.allocations.has(service)) {
    return { type: "address-awaited", service, reason: "the fleet's publisher has given it none" };
  }
  return !wants && waits
    ? { type: "address-released", service, reason: "it asks for no address any more" }
    : undefined;
}
