/**
 * EgressServices → policy rules and source addresses for what a Service sends by itself.
 *
 * Pure. OVN's meaning on a host without pods: the Service's own addresses are its VIPs and the address that its ServiceEndpoint's
 * check names (a container's, say). They leave by the network that is asked for; with LoadBalancerIP they leave as the VIP, with
 * Network as the device's own address. Replies of connections to the VIP are never translated: netfilter translates the first
 * packet of a connection only.
 */
import type {
  KernelIntent,
  KernelKey,
  PolicyRule,
  SourceNat,
} from "../../backends/kernel/intent.ts";
import { type Address, familyOf } from "../../events/address.ts";
import { resourceKey } from "../../events/ids.ts";
import { PersistentMap } from "../../events/persistent-map.ts";
import { hostPrefix, type Prefix } from "../../events/prefix.ts";
import type { EgressService } from "../../events/resources/egress-service.ts";
import { type DesiredState, resourcesOf } from "../../events/state.ts";
import { inForceOf } from "./held.ts";
import { natLacking, ruleLacking } from "./kernel-ability.ts";
import { nodeLabels, selects } from "./labels.ts";
import type { KernelSources } from "./kernel.ts";

/** Whether it asks for another way out than the main table's, on this host. */
export const leavesOtherwise = (desired: DesiredState, { spec }: EgressService): boolean =>
  spec.network.type !== "main" && isHere(desired, spec);

/** Whether its traffic here needs another source address: a virtual IP's own has the right one with LoadBalancerIP. */
export const needsNat = (desired: DesiredState, resource: EgressService): boolean =>
  isHere(desired, resource.spec) &&
  (resource.spec.sourceIPBy === "Network" ||
    (resource.spec.sourceIPBy === "LoadBalancerIP" &&
      endpointAddresses(desired, resource).length > 0));

const isHere = (
  desired: DesiredState,
  { sourceIPBy, nodeSelector }: EgressService["spec"],
): boolean => sourceIPBy !== "LoadBalancerIP" || selects(nodeSelector, nodeLabels(desired));

/** OVN's own; before the main table (32766), after VRFs (1000). */
const RULE_PRIORITY = 5000;

type Egress = Pick<KernelIntent, "rules" | "sourceNats">;

export function planEgress({ desired, verdicts, kernel }: KernelSources): Egress {
  const cannotNat = natLacking(kernel) !== undefined;
  const rules: [KernelKey, PolicyRule][] = [];
  const nats: [KernelKey, SourceNat][] = [];
  for (const held of inForceOf(desired, "k8s.ovn.org/EgressService")) {
    const { metadata, spec } = held.resource;
    const service = resourceKey("", "Service", metadata.namespace, metadata.name);
    // Who does not serve it sends nothing for it either.
    if (verdicts.get(service)?.announced !== true) continue;
    if (!isHere(desired, spec)) continue;
    const allocation = desired.allocations.get(service);
    const addresses = allocation?.addresses.map(({ address }) => address) ?? [];
    const senders = [...addresses, ...endpointAddresses(desired, held.resource)];
    const provenance = [held.fact, ...(allocation === undefined ? [] : [allocation.fact])];
    for (const sender of ruleLacking(kernel, spec) === undefined ? new Set(senders) : []) {
      const rule = ruleFor(spec, hostPrefix(sender));
      if (rule !== undefined) rules.push([ruleKey(rule), { ...rule, provenance }]);
    }
    for (const nat of cannotNat ? [] : natsOf(held.resource, addresses, senders)) {
      nats.push([`nat ${nat.name}` as KernelKey, { ...nat, provenance }]);
    }
  }
  return { rules: PersistentMap.from(rules), sourceNats: PersistentMap.from(nats) };
}

/** Where the Service runs on this host, as far as a check says. */
function endpointAddresses(desired: DesiredState, { metadata }: EgressService): readonly Address[] {
  return [...resourcesOf(desired, "rutter/ServiceEndpoint").values()].flatMap(
    ({ resource: { metadata: own, spec } }) => {
      const isIts = own.namespace === metadata.namespace && spec.service === metadata.name;
      const named = "address" in spec.check ? spec.check.address : undefined;
      return isIts && named !== undefined && !isLoopback(named) ? [named] : [];
    },
  );
}

const isLoopback = (address: Address): boolean => address.startsWith("127.") || address === "::1";

type Bare<T> = Omit<T, "provenance">;

function ruleFor({ network }: EgressService["spec"], from: Prefix): Bare<PolicyRule> | undefined {
  if (network.type === "main") return undefined;
  const table = network.type === "vrf" ? { vrf: network.vrf } : network.table;
  const family = from.includes(":") ? "ipv6" : "ipv4";
  const rest = { to: undefined, incoming: "", mark: undefined };
  return { priority: RULE_PRIORITY, family, from, ...rest, table };
}

function natsOf(
  { metadata, spec }: EgressService,
  addresses: readonly Address[],
  senders: readonly Address[],
): readonly Bare<SourceNat>[] {
  return (["ipv4", "ipv6"] as const).flatMap((family): readonly Bare<SourceNat>[] => {
    const own = addresses.find((address) => familyOf(address) === family);
    const others = senders.filter((address) => familyOf(address) === family);
    const name = `${metadata.namespace}/${metadata.name} ${family}`;
    const outgoing = spec.network.type === "vrf" ? spec.network.vrf : "";
    if (own === undefined || spec.sourceIPBy === undefined) return [];
    if (spec.sourceIPBy === "Network") {
      return [{ name, sources: others.map(hostPrefix), to: "masquerade", outgoing }];
    }
    const foreign = others.filter((address) => address !== own);
    return foreign.length === 0
      ? []
      : [{ name, sources: foreign.map(hostPrefix), to: own, outgoing }];
  });
}

const ruleKey = ({ priority, from, table }: Bare<PolicyRule>): KernelKey =>
  `rule ${priority} from ${from ?? "all"} lookup ${typeof table === "number" ? table : table.vrf}` as KernelKey;
