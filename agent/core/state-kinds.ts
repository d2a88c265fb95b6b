/**
 * The status kinds of frr-k8s and MetalLB, in Kubernetes' form, so that what reads them there reads them here.
 *
 * Pure views of what is handed in, made when somebody asks and kept nowhere (reference/manifests.md §1.9). They say what is, not
 * what is configured: ServiceBGPStatus names the peers whose Adj-RIB-Out has the route. Reads next: views.ts (who gathers it).
 */
import { type NeighborKey, resourceKeyParts } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { DesiredState } from "../../events/state.ts";
import type { PeerJson } from "../api/contract.ts";
import type { ViewJson } from "../api/view-json.ts";
import { spoken } from "../plan/claims.ts";
import type { Plan } from "../plan/plan.ts";

const FRR_K8S = "frrk8s.metallb.io/v1beta1";
const METALLB = "metallb.io/v1beta1";
const FRR_K8S_HOME = "frr-k8s-system";
const METALLB_HOME = "metallb-system";
const SUCCESS = "success";

/** What became of the newest apply: an empty text before the first. */
export type LastApply = { readonly failure: string | undefined; readonly applied: boolean };

/** `runningConfig` without secrets. Of a conversion that left somebody out, who and why. */
export function nodeState(
  node: string,
  runningConfig: string,
  desired: DesiredState,
  last: LastApply,
): ViewJson {
  const aside = asideIn(desired);
  return {
    apiVersion: FRR_K8S,
    kind: "FRRNodeState",
    metadata: { name: node, labels: {} },
    spec: {},
    status: {
      runningConfig,
      lastConversionResult: aside.length === 0 ? SUCCESS : `failed: ${aside.join("; ")}`,
      lastReloadResult: last.failure ?? (last.applied ? SUCCESS : ""),
    },
  };
}

/** Names are the node's with what tells the neighbour apart; label values can't hold a colon, so addresses have `-` there. */
export const sessionStates = (node: string, peers: readonly PeerJson[]): readonly ViewJson[] =>
  peers.map((peer) => {
    const far = (peer.address ?? peer.interface ?? peer.name).replaceAll(":", "-");
    const parts = [node, far, peer.vrf].filter((part) => part !== "");
    return {
      apiVersion: FRR_K8S,
      kind: "BGPSessionState",
      metadata: {
        name: nameOf(parts),
        namespace: FRR_K8S_HOME,
        labels: {
          "frrk8s.metallb.io/node": node,
          "frrk8s.metallb.io/peer": far,
          "frrk8s.metallb.io/vrf": peer.vrf,
        },
      },
      spec: {},
      status: {
        bgpStatus: peer.state === "Refused" ? "Idle" : peer.state,
        bfdStatus: peer.bfd === null ? "N/A" : peer.bfd.state === "Up" ? "Up" : "Down",
        node,
        peer: peer.address ?? peer.interface ?? peer.name,
        vrf: peer.vrf,
      },
    };
  });

/** `told`: who has each prefix in its Adj-RIB-Out. Services that are announced, also those that nobody was told of yet. */
export const serviceStates = (
  node: string,
  verdicts: Plan["verdicts"],
  told: ReadonlyMap<Prefix, ReadonlySet<NeighborKey>>,
  nameOfNeighbor: (key: NeighborKey) => string,
): readonly ViewJson[] =>
  [...verdicts]
    .filter(([, { announced }]) => announced)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { prefixes }]) => {
      const { namespace, name } = resourceKeyParts(key);
      const peers = new Set(prefixes.flatMap((prefix) => [...(told.get(prefix) ?? [])]));
      return {
        apiVersion: METALLB,
        kind: "ServiceBGPStatus",
        metadata: {
          name: nameOf([node, namespace, name]),
          namespace: METALLB_HOME,
          labels: {
            "metallb.io/node": node,
            "metallb.io/service-name": name,
            "metallb.io/service-namespace": namespace,
          },
        },
        spec: {},
        status: {
          node,
          serviceName: name,
          serviceNamespace: namespace,
          peers: [...peers].map(nameOfNeighbor).toSorted(),
        },
      };
    });

export type ConfigurationNow = {
  readonly desired: DesiredState;
  /** Manifests that could not be read, each in words. */
  readonly complaints: readonly string[];
  readonly last: LastApply;
  /** RFC 3339: since when this is so; undefined where the log does not say. */
  readonly since: string | undefined;
};

/** One for a host: its agent is speaker and controller. `Unknown` until the speaker was handed something. */
export function configurationState(
  node: string,
  { desired, complaints, last, since }: ConfigurationNow,
): ViewJson {
  const errors = [...complaints, ...asideIn(desired)];
  const refused = last.failure === undefined ? [] : [`the speaker refuses it: ${last.failure}`];
  const all = [...errors, ...refused];
  const known = last.applied || last.failure !== undefined;
  const condition = (
    type: string,
    wrong: readonly string[],
    isKnown: boolean,
    reasons: readonly [good: string, bad: string],
  ): object => ({
    type,
    status: wrong.length > 0 ? "False" : isKnown ? "True" : "Unknown",
    reason: wrong.length > 0 ? reasons[1] : isKnown ? reasons[0] : "NotAppliedYet",
    message: wrong.join("; "),
    ...(since === undefined ? {} : { lastTransitionTime: since }),
  });
  return {
    apiVersion: METALLB,
    kind: "ConfigurationState",
    metadata: {
      name: `speaker-${node}`,
      namespace: METALLB_HOME,
      labels: { "metallb.io/node": node },
    },
    spec: {},
    status: {
      result: all.length > 0 ? "Invalid" : known ? "Valid" : "Unknown",
      errorSummary: all.join("; "),
      conditions: [
        condition("ConfigurationValid", errors, true, ["ConfigurationAccepted", "SetAside"]),
        condition("Applied", refused, known, ["AppliedBySpeaker", "RefusedBySpeaker"]),
      ],
    },
  };
}

/** What is quarantined, in words, in order of key. */
const asideIn = (desired: DesiredState): readonly string[] =>
  [...desired.quarantined]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, { reason }]) => `${spoken(key)}: ${reason}`);

/** DNS-1123: lower-case letters, digits, `-` and `.`. */
const nameOf = (parts: readonly string[]): string =>
  parts
    .join("-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, "-");
