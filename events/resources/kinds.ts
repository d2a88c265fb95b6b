/**
 * The kinds this agent reads, and the one door by which a manifest becomes a resource.
 *
 * Dispatch is on API group + kind, never on kind alone: three kinds are called BGPPeer. Every field that a manifest may
 * have is in a schema here; the API's description is made of the same ones. Never reads YAML, a file or a clock.
 * Reads next: the kind's own file; carried.ts (what is stored but has no effect yet).
 */
import type { z } from "zod";
import { type ResourceKey, resourceKey } from "../ids.ts";
import { type BfdOptions, bfdOptionsSpec, writtenBfdOptions } from "./bfd-options.ts";
import { type BfdProfile, bfdProfileSpec, writtenBfdProfile } from "./bfd-profile.ts";
import {
  type BgpAdvertisement,
  bgpAdvertisementSpec,
  writtenBgpAdvertisement,
} from "./bgp-advertisement.ts";
import { type BgpExtras, bgpExtrasSpec, writtenBgpExtras } from "./bgp-extras.ts";
import {
  type BgpLoadBalancer,
  bgpLoadBalancerSpec,
  type GkeBgpPeer,
  gkeBgpPeerSpec,
  writtenBgpLoadBalancer,
  writtenGkeBgpPeer,
} from "./bgp-load-balancer.ts";
import {
  type BgpPeer,
  bgpPeerSpec,
  bgpPeerV1beta1,
  bgpPeerV1beta2,
  upgradeBgpPeer,
} from "./bgp-peer.ts";
import { type Cluster, clusterSpec, writtenCluster } from "./cluster.ts";
import { type Community, communitySpec, writtenCommunity } from "./community.ts";
import { complaintsOf } from "./complaints.ts";
import { type EgressService, egressServiceSpec, writtenEgressService } from "./egress-service.ts";
import {
  type FrrConfiguration,
  frrConfigurationSpec,
  writtenFrrConfiguration,
} from "./frr-configuration.ts";
import { type IpAddressPool, ipAddressPoolSpec, writtenIpAddressPool } from "./ip-address-pool.ts";
import {
  type L2Advertisement,
  l2AdvertisementSpec,
  writtenL2Advertisement,
} from "./l2-advertisement.ts";
import {
  type NetworkGatewayGroup,
  networkGatewayGroupSpec,
  writtenNetworkGatewayGroup,
} from "./network-gateway-group.ts";
import { type Node, nodeSpec, writtenNode } from "./node.ts";
import { type PeerBackend, peerBackendSpec, writtenPeerBackend } from "./peer-backend.ts";
import type { Manifest, Reading } from "./reading.ts";
import { type RouteExport, routeExportSpec, writtenRouteExport } from "./route-export.ts";
import { type RouteImport, routeImportSpec, writtenRouteImport } from "./route-import.ts";
import { type Secret, secretSpec, writtenSecret } from "./secret.ts";
import { type Service, serviceSpec, writtenService } from "./service.ts";
import {
  type ServiceEndpoint,
  serviceEndpointSpec,
  writtenServiceEndpoint,
} from "./service-endpoint.ts";

export type Resource =
  | BfdOptions
  | BfdProfile
  | BgpAdvertisement
  | BgpExtras
  | BgpLoadBalancer
  | BgpPeer
  | Cluster
  | Community
  | EgressService
  | FrrConfiguration
  | GkeBgpPeer
  | IpAddressPool
  | L2Advertisement
  | NetworkGatewayGroup
  | Node
  | PeerBackend
  | RouteExport
  | RouteImport
  | Secret
  | Service
  | ServiceEndpoint;

export type ResourceType = Resource["type"];
type SpecOf<Type extends ResourceType> = Extract<Resource, { type: Type }>["spec"];

export type Kind = {
  readonly type: ResourceType;
  readonly group: string;
  readonly kind: string;
  readonly scope: "namespaced" | "cluster";
  /** Strict kinds refuse unknown fields everywhere, the others warn (design §5). */
  readonly strict: boolean;
  /** What a user writes, by served version, newest first: `spec`, or the whole manifest where the kind has none. */
  readonly schemas: ReadonlyMap<string, z.ZodType>;
  readonly schemaOf: "spec" | "manifest";
  /** Called with a frame that is in order; undefined where the reading has refusals. */
  readonly read: (manifest: Manifest, reading: Reading) => Resource | undefined;
};

type Options = {
  readonly scope?: "cluster";
  readonly schemaOf?: "manifest";
  readonly strict?: false;
};

/** One version's schema and the way from what it lets through to the canonical spec. */
type Version<Type extends ResourceType> = readonly [
  string,
  z.ZodType,
  (manifest: Manifest, input: unknown, reading: Reading) => SpecOf<Type> | undefined,
];

function version<Type extends ResourceType, Written>(
  name: string,
  schema: z.ZodType<Written>,
  canonical: (written: Written, manifest: Manifest, reading: Reading) => SpecOf<Type> | undefined,
  root: readonly string[] = ["spec"],
): Version<Type> {
  return [
    name,
    schema,
    (manifest, input, reading) => {
      const parsed = schema.safeParse(input);
      if (parsed.success) return canonical(parsed.data, manifest, reading);
      for (const { path, rule, message } of complaintsOf(parsed.error, schema, input, root)) {
        reading.refuse(path, rule, message);
      }
      return undefined;
    },
  ];
}

function kind<Type extends ResourceType>(
  type: Type,
  versions: readonly Version<Type>[],
  options: Options = {},
): Kind {
  const slash = type.indexOf("/");
  const readers = new Map(versions.map(([name, , read]) => [name, read]));
  const { schemaOf = "spec" } = options;
  return {
    type,
    group: type.slice(0, slash),
    kind: type.slice(slash + 1),
    scope: options.scope ?? "namespaced",
    strict: options.strict ?? true,
    schemas: new Map(versions.map(([name, schema]) => [name, schema])),
    schemaOf,
    read: (manifest, reading) => {
      const read = readers.get(manifest.version);
      if (read === undefined) throw new Error(`${type} has no version ${manifest.version}`);
      const spec = read(
        manifest,
        schemaOf === "spec" ? (manifest.body["spec"] ?? {}) : manifest.body,
        reading,
      );
      if (spec === undefined || reading.refusals.length > 0) return undefined;
      const { apiVersion, metadata } = manifest;
      // The table's rows pair each type with its own spec; the compiler cannot see that through the union.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return { type, apiVersion, metadata, spec } as unknown as Resource;
    },
  };
}

const loose = { strict: false } as const;

export const kinds: readonly Kind[] = [
  kind("metallb.io/BGPPeer", [
    version("v1beta2", bgpPeerV1beta2, bgpPeerSpec),
    version("v1beta1", bgpPeerV1beta1, (w, m, r) => bgpPeerSpec(upgradeBgpPeer(w), m, r)),
  ]),
  kind("metallb.io/BFDProfile", [version("v1beta1", writtenBfdProfile, bfdProfileSpec)]),
  kind("metallb.io/IPAddressPool", [
    version("v1beta1", writtenIpAddressPool, (w, _, r) => ipAddressPoolSpec(w, r)),
  ]),
  kind("metallb.io/BGPAdvertisement", [
    version("v1beta1", writtenBgpAdvertisement, (w, _, r) => bgpAdvertisementSpec(w, r)),
  ]),
  kind("metallb.io/Community", [
    version("v1beta1", writtenCommunity, (w, _, r) => communitySpec(w, r)),
  ]),
  kind("metallb.io/L2Advertisement", [
    version("v1beta1", writtenL2Advertisement, (w, _, r) => l2AdvertisementSpec(w, r)),
  ]),
  kind("frrk8s.metallb.io/FRRConfiguration", [
    version("v1beta1", writtenFrrConfiguration, frrConfigurationSpec),
  ]),
  kind("/Service", [version("v1", writtenService, serviceSpec)], loose),
  kind("/Secret", [version("v1", writtenSecret, (w, _, r) => secretSpec(w, r), [])], {
    ...loose,
    schemaOf: "manifest",
  }),
  kind("/ConfigMap", [version("v1", writtenBgpExtras, (w, _, r) => bgpExtrasSpec(w, r), [])], {
    ...loose,
    schemaOf: "manifest",
  }),
  kind(
    "k8s.ovn.org/EgressService",
    [version("v1", writtenEgressService, (w, _, r) => egressServiceSpec(w, r))],
    loose,
  ),
  kind(
    "networking.gke.io/NetworkGatewayGroup",
    [
      version("v1", writtenNetworkGatewayGroup, networkGatewayGroupSpec),
      version("v1alpha1", writtenNetworkGatewayGroup, networkGatewayGroupSpec),
    ],
    loose,
  ),
  kind(
    "networking.gke.io/BGPLoadBalancer",
    [
      version("v1", writtenBgpLoadBalancer, (w, _, r) => bgpLoadBalancerSpec(w, r)),
      version("v1alpha1", writtenBgpLoadBalancer, (w, _, r) => bgpLoadBalancerSpec(w, r)),
    ],
    loose,
  ),
  kind(
    "networking.gke.io/BGPPeer",
    [
      version("v1", writtenGkeBgpPeer, (w, _, r) => gkeBgpPeerSpec(w, r)),
      version("v1alpha1", writtenGkeBgpPeer, (w, _, r) => gkeBgpPeerSpec(w, r)),
    ],
    loose,
  ),
  kind("baremetal.cluster.gke.io/Cluster", [version("v1", writtenCluster, clusterSpec)], loose),
  kind("rutter/Node", [version("v1", writtenNode, (w, _, r) => nodeSpec(w, r))], {
    scope: "cluster",
  }),
  kind("rutter/BFDOptions", [version("v1", writtenBfdOptions, bfdOptionsSpec)]),
  kind("rutter/PeerBackend", [
    version("v1", writtenPeerBackend, (w, _, r) => peerBackendSpec(w, r)),
  ]),
  kind("rutter/RouteExport", [
    version("v1", writtenRouteExport, (w, _, r) => routeExportSpec(w, r)),
  ]),
  kind("rutter/RouteImport", [
    version("v1", writtenRouteImport, (w, _, r) => routeImportSpec(w, r)),
  ]),
  kind("rutter/ServiceEndpoint", [version("v1", writtenServiceEndpoint, serviceEndpointSpec)]),
];

/** Identity of a resource: group, kind, namespace and name; the version is no part of it. */
export function keyOf(resource: Pick<Resource, "type" | "metadata">): ResourceKey {
  const { type, metadata } = resource;
  const slash = type.indexOf("/");
  return resourceKey(
    type.slice(0, slash),
    type.slice(slash + 1),
    metadata.namespace,
    metadata.name,
  );
}
