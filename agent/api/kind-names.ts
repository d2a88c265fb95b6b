/**
 * Kinds as users spell them: `BGPPeer`, `bgppeers`, `svc`, `bgppeers.metallb.io`, `all`.
 *
 * Pure; the table of events/resources/kinds.ts rules, only short names are added here. A plural that two groups have means
 * both: reading shows both, and who changes one says the group.
 */
import { kinds } from "../../events/resources/kinds.ts";
import type { ResourceType } from "../../events/state.ts";
import { CoreError } from "./core.ts";

export type KindNamed = {
  readonly types: readonly ResourceType[];
  /** Whether all of them are without a namespace. */
  readonly clusterScoped: boolean;
};

/** Kubernetes' and MetalLB's own short names, an older name, and what people say. */
const aliases: Readonly<Partial<Record<ResourceType, readonly string[]>>> = {
  "/Service": ["svc"],
  "/ConfigMap": ["cm"],
  "metallb.io/BGPPeer": ["peer", "peers"],
  "metallb.io/BGPAdvertisement": ["bgpadv"],
  "metallb.io/L2Advertisement": ["l2adv"],
  "metallb.io/IPAddressPool": ["pool", "pools"],
  "metallb.io/BFDProfile": ["bfd"],
  "frrk8s.metallb.io/FRRConfiguration": ["frrconfig"],
  "networking.gke.io/NetworkGatewayGroup": ["anthosnetworkgateway", "anthosnetworkgateways"],
  "rutter/BFDOptions": ["bfdoptions"],
  "rutter/ServiceEndpoint": ["endpoint", "endpoints", "ep"],
};

/** English as Kubernetes does it: `community` → `communities`, `bgppeer` → `bgppeers`. */
const plural = (word: string): string =>
  word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;

function spellings(type: ResourceType, kind: string): readonly string[] {
  const word = kind.toLowerCase();
  return [word, plural(word), ...(aliases[type] ?? [])];
}

/** Throws CoreError BAD_REQUEST with the kinds there are. */
export function kindNamed(text: string): KindNamed {
  const wanted = text.toLowerCase();
  const found =
    wanted === "all"
      ? kinds
      : kinds.filter(({ type, kind, group }) =>
          spellings(type, kind).some(
            (word) => wanted === word || (group !== "" && wanted === `${word}.${group}`),
          ),
        );
  if (found.length === 0) {
    throw new CoreError(
      "BAD_REQUEST",
      `there is no kind "${text}"; there are: ${kinds.map(({ kind }) => plural(kind.toLowerCase())).join(", ")}, all`,
    );
  }
  return {
    types: found.map(({ type }) => type),
    clusterScoped: found.every(({ scope }) => scope === "cluster"),
  };
}
