/**
 * The steps of an explanation, and the chains that begin with neighbours and FRRConfigurations instead of with a Service.
 *
 * Pure. Reads next: why.ts (who asks).
 */
import type { BackendName } from "../../backends/intent.ts";
import { type Address, parseAddress } from "../../events/address.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import {
  comparePrefixes,
  hostPrefix,
  parsePrefix,
  type Prefix,
  prefixContains,
} from "../../events/prefix.ts";
import type { FrrConfiguration } from "../../events/resources/frr-configuration.ts";
import { type DesiredState, type Held, resourcesOf } from "../../events/state.ts";
import { claimsOf, keyOfClaim, neighborId, type NeighborOwner, remoteText } from "./claims.ts";
import { heldIn } from "./held.ts";
import { nodeLabels, selects } from "./labels.ts";
import type { MergedNeighbor } from "./merge.ts";
import type { NeighborVerdict } from "./neighbors.ts";
import { compare } from "./order.ts";
import { ownersHere } from "./owners-here.ts";
import { givenBy } from "./peer-backends.ts";
import type { Plan } from "./plan.ts";

export type Step = {
  readonly step: string;
  readonly subject: string;
  readonly verdict: "ok" | "stopped" | "warning";
  readonly reason: string;
  readonly fact: EventId | undefined;
};

export const ok = (
  step: string,
  subject: string | ResourceKey,
  reason: string,
  fact: EventId | undefined,
): Step => ({ step, subject, verdict: "ok", reason, fact });

export const stop = (step: string, subject: string, reason: string, fact?: EventId): Step => ({
  step,
  subject,
  verdict: "stopped",
  reason,
  fact,
});

export const prefixNamed = (text: string): Prefix | undefined => {
  const address = parseAddress(text);
  return address === undefined ? parsePrefix(text)?.prefix : hostPrefix(address);
};

/** By name, by far end, by key, or by the name of an object that has it. */
export function neighborNamed(subject: string, plan: Plan): NeighborVerdict | undefined {
  const address: Address | undefined = parseAddress(subject);
  return [...plan.neighbors.values()].find(
    ({ neighbor: { key, name, remote } }) =>
      name === subject ||
      key === subject ||
      (remote.type === "address" ? remote.address === address : remote.interface === subject),
  );
}

/** Everybody who has this neighbour, where, and since which fact. */
export const ownerSteps = ({ name, owners }: MergedNeighbor): readonly Step[] =>
  owners.map(({ resource, field, facts }) =>
    ok("owner", resource, `has ${name} (${field})`, facts[0]),
  );

/** Who has it, who would but is set aside or waits, whose session it is, and whether it is opened. */
export function neighborChain(
  { neighbor, backend, verdict }: NeighborVerdict,
  desired: DesiredState,
  plan: Plan,
): readonly Step[] {
  const aside = ownersHere(desired).flatMap((owner): Step[] => {
    const { routers, held } = claimsOf(desired, owner);
    const waits = held.find((one) => neighborId(one) === neighborId(neighbor));
    const here = routers.flatMap(({ neighbors }) => neighbors);
    const quarantine = desired.quarantined.get(owner.key);
    const step = { step: "owner", subject: owner.key, verdict: "warning" } as const;
    if (quarantine !== undefined && here.some((one) => neighborId(one) === neighborId(neighbor)))
      return [{ ...step, reason: `is set aside: ${quarantine.reason}`, fact: quarantine.fact }];
    return waits === undefined ? [] : [{ ...step, reason: waits.reason, fact: owner.fact }];
  });
  return [
    ...ownerSteps(neighbor),
    ...aside,
    ...homeSteps(neighbor, backend, desired, plan),
    ...(verdict.type === "refused" ? [stop("speaker", neighbor.name, verdict.reason)] : []),
  ];
}

/** Who gave it to another speaker than the first, and whether what it says is installed. */
function homeSteps(
  neighbor: MergedNeighbor,
  backend: BackendName,
  desired: DesiredState,
  { speakers, feeders }: Plan,
): readonly Step[] {
  const { name, vrf } = neighbor;
  const rule = givenBy(desired, neighbor);
  const feeder = feeders.get(vrf) ?? Object.keys(speakers)[0];
  const where = vrf === "" ? "in the default VRF" : `in VRF ${vrf}`;
  const reason = `what it says is not installed: ${where} that is what the ${feeder} speaker learns`;
  return [
    ...(rule === undefined
      ? []
      : [ok("backend", rule.key, `gives ${name} to the ${backend} speaker`, rule.fact)]),
    ...(feeder === backend || !Object.hasOwn(speakers, backend)
      ? []
      : [{ ...ok("import", name, reason, undefined), verdict: "warning" } as const]),
  ];
}

/** A BGPPeer or FRRConfiguration by name: whether it is in force, and what became of each neighbour that it has. */
export function ownerChain(
  subject: string,
  desired: DesiredState,
  plan: Plan,
): readonly Step[] | undefined {
  const all: readonly NeighborOwner[] = [
    ...resourcesOf(desired, "metallb.io/BGPPeer").values(),
    ...configurations(desired),
  ];
  const owner = all.find(({ resource: { metadata } }) =>
    [metadata.name, `${metadata.namespace}/${metadata.name}`].includes(subject),
  );
  if (owner === undefined) return undefined;
  const { key, fact } = owner;
  const manifest = ok("manifest", key, `applied by ${owner.owner}`, fact);
  if (!ownersHere(desired).some((one) => one.key === key))
    return [manifest, stop("node", key, "does not select this host")];
  const quarantine = desired.quarantined.get(key);
  if (quarantine !== undefined)
    return [manifest, stop("quarantine", key, quarantine.reason, quarantine.fact)];
  const { held, routers } = claimsOf(desired, owner);
  const opened = routers
    .flatMap(({ neighbors }) => neighbors)
    .map((claim): Step => {
      const found = plan.neighbors.get(keyOfClaim(claim));
      const name = found?.neighbor.name ?? remoteText(claim.remote);
      return found?.verdict.type === "refused"
        ? stop("neighbor", name, `${claim.field}: ${found.verdict.reason}`, fact)
        : ok("neighbor", name, `${claim.field} is opened`, fact);
    });
  const waiting = held.map(({ field, reason, remote }) =>
    stop("neighbor", remoteText(remote), `${field}: ${reason}`, fact),
  );
  return [manifest, ...opened, ...waiting];
}

/** The prefix of an FRRConfiguration's router that is meant: that very one, else the longest that holds it. */
export function ownPrefixNamed(subject: string, desired: DesiredState): Prefix | undefined {
  const asked = prefixNamed(subject);
  if (asked === undefined) return undefined;
  return configurations(desired)
    .flatMap(({ resource }) => resource.spec.routers.flatMap(({ prefixes }) => prefixes))
    .filter((one) => prefixContains(one, asked))
    .toSorted(comparePrefixes)
    .at(-1);
}

/** From the FRRConfigurations that have it to who is told; the last step says what stopped it. */
export function ownPrefixChain(prefix: Prefix, desired: DesiredState, plan: Plan): readonly Step[] {
  const labels = nodeLabels(desired);
  const having = configurations(desired).filter(({ resource }) =>
    resource.spec.routers.some(({ prefixes }) => prefixes.includes(prefix)),
  );
  return having.flatMap(({ key, owner, fact, resource }): Step[] => {
    const quarantine = desired.quarantined.get(key);
    const manifest = ok("manifest", key, `applied by ${owner}`, fact);
    if (!selects(resource.spec.nodeSelector, labels))
      return [manifest, stop("node", key, "does not select this host")];
    if (quarantine !== undefined)
      return [manifest, stop("quarantine", key, quarantine.reason, quarantine.fact)];
    const told = plan.memo.contributions.get(key)?.some((one) => one.prefix === prefix) ?? false;
    return told
      ? [
          manifest,
          ok("advertise", key, `has neighbours told ${prefix}`, heldIn(desired, key)?.fact),
        ]
      : [
          manifest,
          stop(
            "advertise",
            key,
            "no opened neighbour's toAdvertise has it: a prefix is told to nobody by itself",
          ),
        ];
  });
}

const configurations = (desired: DesiredState): readonly Held<FrrConfiguration>[] =>
  [...resourcesOf(desired, "frrk8s.metallb.io/FRRConfiguration").values()].toSorted((a, b) =>
    compare(a.key, b.key),
  );
