/**
 * Manifests as values, so that a scenario can take away again what it applied. JSON is YAML: this is what the agent is given.
 *
 * Never names a backend. ../live/manifests.ts makes text, for tests that need no more.
 */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: object;
};

const NAMESPACE = "metallb-system";

export const metallb = (kind: string, name: string, spec: object): Manifest => ({
  apiVersion: kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});

export const pool = (name: string, ...addresses: readonly string[]): Manifest =>
  metallb("IPAddressPool", name, { addresses });

export const advertisement = (name: string, spec: object): Manifest =>
  metallb("BGPAdvertisement", name, spec);

export const rutter = (kind: string, name: string, spec: object): Manifest => ({
  apiVersion: "rutter/v1",
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec,
});

export const frrConfiguration = (name: string, spec: object): Manifest => ({
  apiVersion: "frrk8s.metallb.io/v1beta1",
  kind: "FRRConfiguration",
  metadata: { name, namespace: "frr-k8s-system" },
  spec,
});

/** A Service with these addresses. */
export const service = (name: string, ...addresses: readonly string[]): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name,
    namespace: "default",
    annotations: { "metallb.io/loadBalancerIPs": addresses.join(",") },
  },
  spec: {
    type: "LoadBalancer",
    ports: [{ port: 80 }],
    ...(addresses.length > 1 ? { ipFamilyPolicy: "RequireDualStack" } : {}),
  },
});

export const textOf = (manifests: readonly Manifest[]): string =>
  manifests.map((one) => JSON.stringify(one)).join("\n---\n");

/** As `POST /v1/delete` names it: two groups have a BGPPeer. */
export const nameOf = ({ kind, metadata: { name, namespace } }: Manifest) => ({
  kind: kind === "BGPPeer" ? "bgppeer.metallb.io" : kind.toLowerCase(),
  namespace,
  name,
});
