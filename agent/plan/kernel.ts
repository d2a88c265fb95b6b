/**
 * What this host's kernel is to hold for what is announced: virtual IPs, a way out for the rest of an aggregate, rules.
 *
 * Pure. planKernel() makes it from scratch, replanKernel() from the one before at the price of what changed. Learned routes never
 * pass through here, only the rules for them (imports.ts). Reads next: egress.ts.
 */
import type { RouterIntent } from "../../backends/intent.ts";
import type {
  KernelIntent,
  KernelKey,
  OwnAddress,
  OwnKernelRoute,
} from "../../backends/kernel/intent.ts";
import { type Address, bitsOf, familyOf } from "../../events/address.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import {
  hostPrefix,
  type Prefix,
  prefixContains,
  prefixFamily,
  prefixLength,
} from "../../events/prefix.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import type { Verdict } from "./announce.ts";
import { planEgress } from "./egress.ts";
import type { KernelAbility } from "./kernel-ability.ts";

export type KernelSources = {
  readonly desired: DesiredState;
  readonly verdicts: PersistentMap<ResourceKey, Verdict>;
  readonly routers: readonly RouterIntent[];
  /** Whether only the kernel's own routes make us announce it. */
  readonly isFromKernel: (prefix: Prefix) => boolean;
  readonly kernel: KernelAbility;
};

/** Worse than any route that an operator or a daemon makes, so that it only takes what nobody else does. */
const LAST_METRIC = 0xffff_fffe;

export function planKernel(
  sources: KernelSources,
  rules: Pick<KernelIntent, "imports" | "exports">,
): KernelIntent {
  const { desired, routers } = sources;
  const addresses = [...desired.addressHolders.keys()].flatMap((address) => {
    const own = addressOf(sources, address);
    return own === undefined ? [] : [[addressKey(own), own] as const];
  });
  const routes = routers.flatMap((router) =>
    [...router.routes.keys()].flatMap((prefix) => {
      const own = blackholeOf(sources, router, prefix);
      return own === undefined ? [] : [[routeKey(own), own] as const];
    }),
  );
  return {
    addresses: PersistentMap.from(addresses),
    routes: PersistentMap.from(routes),
    ...planEgress(sources),
    ...rules,
  };
}

/** Equal to planKernel(after), where only these addresses and prefixes may have changed. */
export function replanKernel(
  before: KernelIntent,
  old: KernelSources,
  after: KernelSources,
  touched: { readonly addresses: Iterable<Address>; readonly prefixes: Iterable<Prefix> },
): KernelIntent {
  let { addresses, routes } = before;
  for (const address of touched.addresses) {
    const was = addressOf(old, address);
    const own = addressOf(after, address);
    if (sameText(was, own)) continue;
    if (was !== undefined) addresses = addresses.delete(addressKey(was));
    if (own !== undefined) addresses = addresses.set(addressKey(own), own);
  }
  for (const prefix of touched.prefixes) {
    const gone = old.routers.flatMap((router) => blackholeOf(old, router, prefix) ?? []);
    const wanted = after.routers.flatMap((router) => blackholeOf(after, router, prefix) ?? []);
    if (sameText(gone, wanted)) continue;
    for (const one of gone) routes = routes.delete(routeKey(one));
    for (const one of wanted) routes = routes.set(routeKey(one), one);
  }
  const hasEgress = resourcesOf(after.desired, "k8s.ovn.org/EgressService").size > 0;
  const isSame = addresses === before.addresses && routes === before.routes;
  if (isSame && !hasEgress) return before;
  return { ...before, addresses, routes, ...(hasEgress ? planEgress(after) : {}) };
}

const sameText = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Bound while any Service that holds it is announced: to the VRF device where all who are told are in one VRF. */
function addressOf(
  { desired, verdicts, routers }: KernelSources,
  address: Address,
): OwnAddress | undefined {
  const { bindAddresses: device, bindAs } = desired.host?.facts ?? {};
  if (device === undefined) return undefined;
  const holders: ResourceKey[] = [];
  const prefixesOf: (readonly Prefix[])[] = [];
  for (const service of desired.addressHolders.get(address) ?? []) {
    const verdict = verdicts.get(service);
    if (verdict?.bound !== true) continue;
    holders.push(service);
    prefixesOf.push(verdict.prefixes);
  }
  const [first] = prefixesOf;
  if (first === undefined) return undefined;
  const prefixes = prefixesOf.length === 1 ? first : [...new Set(prefixesOf.flat())];
  const host = hostPrefix(address);
  return {
    address,
    device: vrfOf(prefixes, routers) || device,
    // bind(2) asks IPv6 for an address, and IPv4 for a local route.
    as: bindAs === "routes" && familyOf(address) === "ipv4" ? "route" : "address",
    announcedAs: prefixes.filter((prefix) => prefixContains(prefix, host)),
    provenance: holders.flatMap((service) => desired.allocations.get(service)?.fact ?? []),
  };
}

/** The VRF of all who are told; empty where that is none, or not one. */
function vrfOf(prefixes: readonly Prefix[], routers: readonly RouterIntent[]): string {
  // Most hosts have none, and as many prefixes as addresses.
  if (routers.every(({ vrf }) => vrf === "")) return "";
  const vrfs = new Set(
    routers
      .filter(({ routes }) => prefixes.some((prefix) => routes.has(prefix)))
      .map(({ vrf }) => vrf),
  );
  const [vrf = ""] = vrfs;
  return vrfs.size === 1 ? vrf : "";
}

/** Traffic for an address of an aggregate that is not in use ends here, instead of going round with the default route. */
function blackholeOf(
  { isFromKernel }: KernelSources,
  router: RouterIntent,
  prefix: Prefix,
): OwnKernelRoute | undefined {
  const route = router.routes.get(prefix);
  if (route === undefined || prefixLength(prefix) === bitsOf(prefixFamily(prefix)))
    return undefined;
  if (isFromKernel(prefix)) return undefined;
  const { provenance } = route;
  return { type: "blackhole", prefix, vrf: router.vrf, metric: LAST_METRIC, provenance };
}

const addressKey = ({ as, address, device }: OwnAddress): KernelKey =>
  `${as === "route" ? "local" : "address"} ${address} dev ${device}` as KernelKey;
const routeKey = ({ type, prefix, vrf }: OwnKernelRoute): KernelKey =>
  `${type} ${prefix}${vrf === "" ? "" : ` vrf ${vrf}`}` as KernelKey;
