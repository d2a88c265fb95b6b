/**
 * Kinds as users spell them: `BGPPeer`, `bgppeers`, `svc`, `bgppeers.metallb.io`, `all`.
 *
 * Pure; the table of events/resources/kinds.ts rules, only short names are added here. A plural that two groups have means
 * both: reading shows both, and who changes one says the group.
 */
import { resourceKey, type ResourceKey } from "../../events/ids.ts";
import { kinds } from "../../events/resources/kinds.ts";
import type { ResourceType } from "../../events/state.ts";
import { CoreError, type NamedResource } from "./core.ts";

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
  "rutter/RouteImport": ["routeimport", "routeimports"],
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

/** Kinds that are shown and never stored. An FRRConfiguration is both: the generated one is asked for as such. */
export type ViewKind =
  | "FRRNodeState"
  | "BGPSessionState"
  | "ServiceBGPStatus"
  | "ConfigurationState"
  | "FRRConfiguration";

const VIEWS: readonly (readonly [kind: ViewKind, group: string, plural: string])[] = [
  ["FRRNodeState", "frrk8s.metallb.io", "frrnodestates"],
  ["BGPSessionState", "frrk8s.metallb.io", "bgpsessionstates"],
  ["ServiceBGPStatus", "metallb.io", "servicebgpstatuses"],
  ["ConfigurationState", "metallb.io", "configurationstates"],
];

/** undefined: no kind of view goes by that name. `generated FRRConfiguration` is the one that MetalLB would have made. */
export function viewNamed(text: string): ViewKind | undefined {
  const wanted = text.toLowerCase();
  if (wanted === GENERATED_CONFIGURATION) return "FRRConfiguration";
  const found = VIEWS.find(([kind, group, plural]) =>
    [kind.toLowerCase(), plural].some((word) => wanted === word || wanted === `${word}.${group}`),
  );
  return found?.[0];
}

const GENERATED_CONFIGURATION = "generated frrconfiguration";

/** The view behind `generated`. Throws CoreError BAD_REQUEST where the kind has none. */
export function generatedNamed(text: string): string {
  const { types } = kindNamed(text);
  if (types.length === 1 && types[0] === "frrk8s.metallb.io/FRRConfiguration")
    return GENERATED_CONFIGURATION;
  throw new CoreError("BAD_REQUEST", `"${text}": only frrconfigurations are generated`);
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
      `there is no kind "${text}"; there are: ${[...kinds.map(({ kind }) => plural(kind.toLowerCase())), ...VIEWS.map(([, , word]) => word)].join(", ")}, all`,
    );
  }
  return {
    types: found.map(({ type }) => type),
    clusterScoped: found.every(({ scope }) => scope === "cluster"),
  };
}

/** Of one resource; a namespaced one without a namespace is in `default`. Throws CoreError BAD_REQUEST. */
export function keyNamed({ kind, namespace, name }: NamedResource): ResourceKey {
  const { types, clusterScoped } = kindNamed(kind);
  const [type] = types;
  if (type === undefined || types.length > 1) {
    throw new CoreError(
      "BAD_REQUEST",
      `"${kind}" is not one kind: name one, such as bgppeers.metallb.io`,
    );
  }
  return keyOfType(type, clusterScoped ? "" : (namespace ?? "default"), name);
}

export function keyOfType(type: ResourceType, namespace: string, name: string): ResourceKey {
  const slash = type.indexOf("/");
  return resourceKey(type.slice(0, slash), type.slice(slash + 1), namespace, name);
}
