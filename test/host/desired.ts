/**
 * Desired states made by hand: Services with addresses, and endpoints, without a manifest or a log.
 *
 * Only for the tests of this folder. Never decides anything: what it is told is what the state holds.
 */
import { address } from "../../events/address.ts";
import type { HostFacts } from "../../events/event.ts";
import { eventId, type ResourceKey, type RunId, resourceKey } from "../../events/ids.ts";
import type { Service, ServicePort } from "../../events/resources/service.ts";
import type {
  Check,
  ServiceEndpoint,
  ServiceEndpointSpec,
} from "../../events/resources/service-endpoint.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import { type DesiredState, nothingDesired, resourcesOf } from "../../events/state.ts";

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a made-up run has no maker
const fact = eventId("0123456789ab" as RunId, 1);
const metadata = (name: string) => ({
  name,
  namespace: "default",
  labels: {},
  annotations: {},
  generation: 0,
  creationTimestamp: "",
});

export const serviceKey = (name: string): ResourceKey =>
  resourceKey("", "Service", "default", name);

export const serviceOf = (
  name: string,
  ports: readonly Pick<ServicePort, "port" | "protocol">[],
): Service => ({
  type: "/Service",
  apiVersion: "v1",
  metadata: metadata(name),
  spec: {
    type: "LoadBalancer",
    loadBalancerClass: "",
    wantedAddresses: [],
    ipFamilyPolicy: "SingleStack",
    ipFamilies: [],
    clusterIPs: [],
    externalTrafficPolicy: "Cluster",
    ports: ports.map((port) => ({ name: "", targetPort: port.port, ...port })),
    selector: {},
    assignedAddresses: [],
  },
});

export const endpointOf = (
  name: string,
  check: Check,
  rest: Partial<ServiceEndpointSpec> = {},
): ServiceEndpoint => ({
  type: "rutter/ServiceEndpoint",
  apiVersion: "rutter/v1",
  metadata: metadata(name),
  spec: { service: name, check, intervalSeconds: 2, timeoutSeconds: 1, rise: 2, fall: 3, ...rest },
});

export type Wanted = {
  readonly service: Service;
  readonly addresses: readonly string[];
};

export const tcpService = (
  name: string,
  port: number,
  ...addresses: readonly string[]
): Wanted => ({
  service: serviceOf(name, [{ protocol: "TCP", port }]),
  addresses,
});

export function withServices(desired: DesiredState, wanted: readonly Wanted[]): DesiredState {
  const owner = "cli" as const;
  const services = wanted.map(({ service }) => {
    const key = serviceKey(service.metadata.name);
    return [key, { key, resource: service, owner, fact }] as const;
  });
  const allocations = wanted.map(({ service, addresses }) => {
    const pool = resourceKey("metallb.io", "IPAddressPool", "default", "pool");
    const list = addresses.map((text) => ({ address: address(text), pool }));
    return [serviceKey(service.metadata.name), { addresses: list, fact }] as const;
  });
  return {
    ...desired,
    resources: {
      ...desired.resources,
      "/Service": PersistentMap.from([...resourcesOf(desired, "/Service"), ...services]),
    },
    allocations: PersistentMap.from([...desired.allocations, ...allocations]),
  };
}

/** Sets one more by one step, as the fold does: what the new state shares with the old one stays shared. */
export function withService(desired: DesiredState, wanted: Wanted): DesiredState {
  const key = serviceKey(wanted.service.metadata.name);
  const one = withServices(nothingDesired, [wanted]);
  const held = resourcesOf(one, "/Service").get(key);
  const allocation = one.allocations.get(key);
  if (held === undefined || allocation === undefined) throw new Error("just made");
  return {
    ...desired,
    resources: {
      ...desired.resources,
      "/Service": resourcesOf(desired, "/Service").set(key, held),
    },
    allocations: desired.allocations.set(key, allocation),
  };
}

export function withoutService(desired: DesiredState, name: string): DesiredState {
  const key = serviceKey(name);
  return {
    ...desired,
    resources: { ...desired.resources, "/Service": resourcesOf(desired, "/Service").delete(key) },
    allocations: desired.allocations.delete(key),
    endpoints: desired.endpoints.delete(key),
  };
}

export function withEndpoint(desired: DesiredState, resource: ServiceEndpoint): DesiredState {
  const key = resourceKey("rutter", "ServiceEndpoint", "default", resource.metadata.name);
  const held = { key, resource, owner: "cli", fact } as const;
  const endpoints = resourcesOf(desired, "rutter/ServiceEndpoint").set(key, held);
  return { ...desired, resources: { ...desired.resources, "rutter/ServiceEndpoint": endpoints } };
}

export function withDefault(
  desired: DesiredState,
  defaultEndpoint: HostFacts["defaultEndpoint"],
): DesiredState {
  const facts = { node: "n", hostname: "n", labels: {}, defaultEndpoint };
  return { ...desired, host: { facts, fact } };
}

export function withObserved(
  desired: DesiredState,
  name: string,
  healthy: boolean,
  reason: string,
): DesiredState {
  return {
    ...desired,
    endpoints: desired.endpoints.set(serviceKey(name), { healthy, reason, fact }),
  };
}
