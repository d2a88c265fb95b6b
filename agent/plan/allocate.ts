/**
 * Which addresses a Service gets: what it holds while that is allowed, else what it asks for, else what pools give.
 *
 * Pure (reference/rules.md §2.2.5, manifests.md §1.3 and §1.7). Where upstream chooses at random (pools of equal rank), the
 * pool's name decides here, so that equal input gives equal output. Never records anything: settle.ts turns this into facts,
 * and asks for a fleet's Services only where it settles for the fleet's publisher.
 */
import { type Address, type Family, familyOf } from "../../events/address.ts";
import type { AllocatedAddress } from "../../events/event.ts";
import { hostPrefix, prefixContains } from "../../events/prefix.ts";
import type { IpAddressPool } from "../../events/resources/ip-address-pool.ts";
import type { Service } from "../../events/resources/service.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { freeAddress } from "./free-address.ts";
import { inForceOf } from "./held.ts";
import { anySelects, selects } from "./labels.ts";
import { compare } from "./order.ts";

type Pool = Held<IpAddressPool>;

export type Wanted =
  | { readonly type: "none"; readonly reason: string }
  | { readonly type: "addresses"; readonly addresses: readonly AllocatedAddress[] }
  | { readonly type: "waits"; readonly reason: string };

/** Pools in force; look them up once for many Services. */
export const poolsInForce = (desired: DesiredState): readonly Pool[] =>
  inForceOf(desired, "metallb.io/IPAddressPool");

export function allocate(
  desired: DesiredState,
  pools: readonly Pool[],
  held: Held<Service>,
): Wanted {
  const service = held.resource;
  const { spec } = service;
  if (spec.type !== "LoadBalancer") return { type: "none", reason: "notLoadBalancer" };
  if (spec.loadBalancerClass !== "") {
    return { type: "none", reason: `belongs to load balancer class ${spec.loadBalancerClass}` };
  }
  const kept = keptAddresses(desired, pools, held);
  if (kept !== undefined) return { type: "addresses", addresses: kept };
  if (spec.wantedAddresses.length > 0) return explicit(desired, pools, held, spec.wantedAddresses);
  const assigned = explicit(desired, pools, held, spec.assignedAddresses);
  if (spec.assignedAddresses.length > 0 && assigned.type === "addresses") return assigned;
  return fromPools(desired, pools, held);
}

/** What it holds, where every rule still allows it; a Service that prefers two families is given the missing one. */
function keptAddresses(
  desired: DesiredState,
  pools: readonly Pool[],
  held: Held<Service>,
): readonly AllocatedAddress[] | undefined {
  const now = desired.allocations.get(held.key)?.addresses ?? [];
  if (now.length === 0) return undefined;
  const { spec } = held.resource;
  const addresses = now.map(({ address }) => address);
  if (spec.wantedAddresses.length > 0 && !sameSet(spec.wantedAddresses, addresses))
    return undefined;
  const checked = explicit(desired, pools, held, addresses);
  if (checked.type !== "addresses") return undefined;
  const families = wantedFamilies(held.resource);
  if (
    now.length > families.list.length ||
    !now.every(({ address }) => families.list.includes(familyOf(address)))
  ) {
    return families.given ? undefined : checked.addresses;
  }
  if (now.length === families.list.length) return checked.addresses;
  const pool = pools.find(({ key }) => key === checked.addresses[0]?.pool);
  const missing = families.list.find((f) => !addresses.some((a) => familyOf(a) === f));
  const found = pool && missing && freeIn(desired, pool, missing, held);
  if (found === undefined || pool === undefined)
    return families.all ? undefined : checked.addresses;
  return inOrder([...checked.addresses, { address: found, pool: pool.key }], families.list);
}

/** Named addresses: each must lie in one pool that this Service may use, all in the same one, and be free or shareable. */
function explicit(
  desired: DesiredState,
  pools: readonly Pool[],
  held: Held<Service>,
  addresses: readonly Address[],
): Wanted {
  const { wantedPool } = held.resource.spec;
  const found: AllocatedAddress[] = [];
  for (const address of addresses) {
    const pool = pools.find(({ resource }) => holds(resource, address));
    if (pool === undefined) return waits(`${address} is in no IPAddressPool in force`);
    const { name } = pool.resource.metadata;
    if (wantedPool !== undefined && name !== wantedPool) {
      return waits(`${address} is in pool ${name}, but the Service asks for pool ${wantedPool}`);
    }
    if (!allows(pool.resource, held.resource))
      return waits(`pool ${name} does not serve this Service`);
    const refusal = takenBy(desired, address, held);
    if (refusal !== undefined) return waits(refusal);
    found.push({ address, pool: pool.key });
  }
  if (new Set(found.map(({ pool }) => pool)).size > 1)
    return waits("its addresses are of two pools");
  return { type: "addresses", addresses: found };
}

function fromPools(desired: DesiredState, pools: readonly Pool[], held: Held<Service>): Wanted {
  const { wantedPool } = held.resource.spec;
  const candidates = candidatePools(pools, held.resource);
  if (candidates.length === 0) {
    return waits(
      wantedPool === undefined
        ? "no IPAddressPool in force gives addresses to this Service by itself"
        : `pool ${wantedPool} is not there or does not serve this Service`,
    );
  }
  const families = wantedFamilies(held.resource);
  for (const pool of candidates) {
    const found = families.list.flatMap((family): AllocatedAddress[] => {
      const address = freeIn(desired, pool, family, held);
      return address === undefined ? [] : [{ address, pool: pool.key }];
    });
    if (found.length === families.list.length || (found.length > 0 && !families.all)) {
      return { type: "addresses", addresses: families.all ? found : found.slice(0, families.max) };
    }
  }
  const names = candidates.map(({ resource }) => resource.metadata.name).join(", ");
  return waits(`no free ${families.list.join(" and ")} address in ${names}`);
}

/** A named pool; else pinned pools by priority (0 last), then those that give addresses by themselves; equals by name. */
function candidatePools(pools: readonly Pool[], service: Service): readonly Pool[] {
  const allowed = pools.filter(({ resource }) => allows(resource, service));
  const { wantedPool } = service.spec;
  if (wantedPool !== undefined) {
    return allowed.filter(({ resource }) => resource.metadata.name === wantedPool);
  }
  return allowed
    .filter(({ resource }) => resource.spec.autoAssign)
    .toSorted((a, b) => rank(a) - rank(b) || compare(a.key, b.key));
}

function rank({ resource: { spec } }: Pool): number {
  if (spec.pinning.type === "none") return Number.POSITIVE_INFINITY;
  return spec.pinning.priority === 0 ? Number.MAX_SAFE_INTEGER : spec.pinning.priority;
}

/** Namespaces by name or label, AND one of the service selectors (manifests.md §1.3). A host knows no more of a namespace than its name. */
function allows({ spec: { pinning } }: IpAddressPool, { metadata }: Service): boolean {
  if (pinning.type === "none") return true;
  const { namespaces, namespaceSelectors, serviceSelectors } = pinning;
  const labels = { "kubernetes.io/metadata.name": metadata.namespace };
  const anyNamespace = namespaces.length === 0 && namespaceSelectors.length === 0;
  const inNamespace =
    anyNamespace ||
    namespaces.includes(metadata.namespace) ||
    namespaceSelectors.some((selector) => selects(selector, labels));
  return inNamespace && anySelects(serviceSelectors, metadata.labels);
}

function freeIn(
  desired: DesiredState,
  pool: Pool,
  family: Family,
  held: Held<Service>,
): Address | undefined {
  const shares = held.resource.spec.sharingKey !== undefined;
  return freeAddress(pool.resource.spec, family, {
    desired,
    mayShare: shares ? (address) => takenBy(desired, address, held) === undefined : undefined,
  });
}

/** Why `held` can't have an address that others hold; undefined where it can. */
function takenBy(desired: DesiredState, address: Address, held: Held<Service>): string | undefined {
  for (const key of desired.addressHolders.get(address) ?? []) {
    if (key === held.key) continue;
    const other = resourcesOf(desired, "/Service").get(key)?.resource;
    const reason = other === undefined ? undefined : sharingRefusal(held.resource, other);
    if (reason !== undefined)
      return `${address} is taken by Service ${other?.metadata.namespace}/${other?.metadata.name}: ${reason}`;
  }
  return undefined;
}

/** Same key, disjoint (protocol, port), same backends (manifests.md §1.7 allow-shared-ip). */
function sharingRefusal(a: Service, b: Service): string | undefined {
  if (a.spec.sharingKey === undefined || a.spec.sharingKey !== b.spec.sharingKey) {
    return "they do not have the same allow-shared-ip key";
  }
  if (backendKey(a) !== backendKey(b)) return "their externalTrafficPolicy or selectors differ";
  const port = a.spec.ports.find((mine) =>
    b.spec.ports.some((theirs) => theirs.protocol === mine.protocol && theirs.port === mine.port),
  );
  return port === undefined ? undefined : `both use ${port.protocol} port ${port.port}`;
}

const backendKey = ({ spec }: Service): string =>
  spec.externalTrafficPolicy === "Cluster"
    ? ""
    : Object.entries(spec.selector)
        .map(([key, value]) => `${key}=${value}`)
        .toSorted()
        .join(",");

/** `all`: every one is needed. `given`: the manifest names them. `max`: how many it takes. Default order: IPv4 first. */
function wantedFamilies({ spec }: Service): {
  readonly list: readonly Family[];
  readonly all: boolean;
  readonly given: boolean;
  readonly max: number;
} {
  const order: readonly Family[] =
    spec.ipFamilies[0] === "ipv6" ? ["ipv6", "ipv4"] : ["ipv4", "ipv6"];
  if (spec.ipFamilyPolicy === "RequireDualStack")
    return { list: order, all: true, given: true, max: 2 };
  if (spec.ipFamilyPolicy === "PreferDualStack")
    return { list: order, all: false, given: true, max: 2 };
  return spec.ipFamilies.length > 0
    ? { list: order.slice(0, 1), all: true, given: true, max: 1 }
    : { list: order, all: false, given: false, max: 1 };
}

const inOrder = (
  addresses: readonly AllocatedAddress[],
  families: readonly Family[],
): readonly AllocatedAddress[] =>
  addresses.toSorted(
    (a, b) => families.indexOf(familyOf(a.address)) - families.indexOf(familyOf(b.address)),
  );

const holds = (pool: IpAddressPool, address: Address): boolean =>
  pool.spec.addresses.some(({ prefixes }) =>
    prefixes.some((prefix) => prefixContains(prefix, hostPrefix(address))),
  );

const sameSet = (a: readonly Address[], b: readonly Address[]): boolean =>
  a.length === b.length && a.every((one) => b.includes(one));

const waits = (reason: string): Wanted => ({ type: "waits", reason });

/** Whether two allocations are the same, in order. */
export const sameAddresses = (
  a: readonly AllocatedAddress[],
  b: readonly AllocatedAddress[],
): boolean =>
  a.length === b.length &&
  a.every((one, i) => one.address === b[i]?.address && one.pool === b[i]?.pool);
