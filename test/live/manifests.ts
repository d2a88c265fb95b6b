/**
 * Manifests for live tests, in MetalLB's own kinds: a pool, a peer, an advertisement and a Service, as text.
 *
 * Only what a test varies is an argument. Never writes a file.
 */

export type PeerPlan = {
  readonly name?: string;
  readonly localAs: number;
  readonly remoteAs: number;
  readonly address: string;
  readonly password?: string;
  readonly gracefulRestart?: boolean;
  readonly dualStack?: boolean;
  readonly extra?: readonly string[];
};

export function peerManifest(plan: PeerPlan): string {
  return [
    "apiVersion: metallb.io/v1beta2",
    "kind: BGPPeer",
    `metadata: {name: ${plan.name ?? "router"}, namespace: metallb-system}`,
    "spec:",
    `  myASN: ${plan.localAs}`,
    `  peerASN: ${plan.remoteAs}`,
    `  peerAddress: "${plan.address}"`,
    ...(plan.password === undefined ? [] : [`  password: "${plan.password}"`]),
    ...(plan.gracefulRestart === true ? ["  enableGracefulRestart: true"] : []),
    ...(plan.dualStack === true ? ["  dualStackAddressFamily: true"] : []),
    ...(plan.extra ?? []).map((line) => `  ${line}`),
  ].join("\n");
}

export const poolManifest = (addresses: readonly string[], name = "pool"): string =>
  [
    "apiVersion: metallb.io/v1beta1",
    "kind: IPAddressPool",
    `metadata: {name: ${name}, namespace: metallb-system}`,
    `spec: {addresses: ${JSON.stringify(addresses)}}`,
  ].join("\n");

export const advertisementManifest = (spec: object = {}, name = "advertisement"): string =>
  [
    "apiVersion: metallb.io/v1beta1",
    "kind: BGPAdvertisement",
    `metadata: {name: ${name}, namespace: metallb-system}`,
    `spec: ${JSON.stringify(spec)}`,
  ].join("\n");

export const serviceManifest = (name: string, spec: object = {}): string =>
  [
    "apiVersion: v1",
    "kind: Service",
    `metadata: {name: ${name}}`,
    `spec: ${JSON.stringify({ type: "LoadBalancer", ports: [{ port: 80 }], ...spec })}`,
  ].join("\n");

/** One file of many documents. */
export const documents = (...parts: readonly string[]): string => parts.join("\n---\n");

/** Services without an endpoint are healthy: what a live test of routing wants. */
export const ALWAYS = "endpoints: {default: always}\n";
