/**
 * rutter/v1 PeerBackend: which speaker of this host has these peers, where that is not the one of `backend` in agent.yaml.
 *
 * A peer that a PeerBackend names is moved: it leaves one speaker before the other one opens it, and only its session resets.
 * Two that give one peer to two speakers are a conflict (agent/plan/peer-backends.ts).
 */
import * as z from "zod";
import { text, texts } from "./fields.ts";
import type { Reading } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorsAt, writtenSelector } from "./selectors.ts";
import { INTERFACE_NAME } from "./session.ts";

export type PeerBackend = Typed<"rutter/PeerBackend", PeerBackendSpec>;

export type PeerBackendSpec = {
  /** Empty: every host. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** VRF device of the peers; empty for the default one. */
  readonly vrf: string;
  /** Names of BGPPeers, or addresses or interfaces of neighbours. */
  readonly peers: readonly string[];
  /** By the labels of the BGPPeer or FRRConfiguration that has the neighbour. With no `peers` either: all in the VRF. */
  readonly peerSelectors: readonly LabelSelector[];
  readonly backend: (typeof BACKENDS)[number];
};

/** backends/intent.ts (BackendName) has the same. */
const BACKENDS = ["native", "frr", "gobgp"] as const;

export const writtenPeerBackend = z.strictObject({
  nodeSelectors: z.array(writtenSelector).optional(),
  vrf: text.optional(),
  peers: texts.optional(),
  peerSelectors: z.array(writtenSelector).optional(),
  backend: z.enum(BACKENDS),
});

export function peerBackendSpec(
  written: z.infer<typeof writtenPeerBackend>,
  reading: Reading,
): PeerBackendSpec {
  const vrf = written.vrf ?? "";
  if (vrf !== "" && !INTERFACE_NAME.test(vrf)) {
    reading.refuse(["spec", "vrf"], "bad-value", `"${vrf}" is no name of a device`);
  }
  return {
    nodeSelectors: selectorsAt(reading, ["spec", "nodeSelectors"], written.nodeSelectors),
    vrf,
    peers: [...new Set(written.peers)].toSorted(),
    peerSelectors: selectorsAt(reading, ["spec", "peerSelectors"], written.peerSelectors),
    backend: written.backend,
  };
}
