/**
 * networking.gke.io BGPLoadBalancer and BGPPeer: the data-plane sessions of Anthos' bundled load balancer.
 *
 * Two generations: the older one lists its peers, the newer one selects BGPPeer resources by label. Not MetalLB's BGPPeer.
 */
import * as z from "zod";
import type { Address } from "../address.ts";
import { type Asn, asn } from "../ids.ts";
import { MAX_UINT32, text, textMap, unicastAt, whole } from "./fields.ts";
import { type Reading, refuseDuplicates } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorAt, writtenSelector } from "./selectors.ts";
import { warnUnknown } from "./unknown.ts";

export type BgpLoadBalancer = Typed<"networking.gke.io/BGPLoadBalancer", BgpLoadBalancerSpec>;
export type BgpLoadBalancerSpec =
  | { readonly type: "listed"; readonly localAsn: Asn; readonly peers: readonly GatewayPeer[] }
  | { readonly type: "selected"; readonly localAsn?: Asn; readonly peerSelector: LabelSelector };
export type GatewayPeer = { readonly address: Address; readonly asn: Asn };

export type GkeBgpPeer = Typed<"networking.gke.io/BGPPeer", GkeBgpPeerSpec>;
export type GkeBgpPeerSpec = {
  readonly localAsn: Asn;
  readonly remoteAsn: Asn;
  readonly address: Address;
  /** Sessions from different floating addresses to this peer. */
  readonly sessions: number;
};

const oneAsn = whole(1, MAX_UINT32);
const writtenPeer = z.looseObject({ peerIP: text, peerASN: oneAsn });
export const writtenBgpLoadBalancer = z.looseObject({
  localASN: oneAsn.optional(),
  peers: z.array(writtenPeer).optional(),
  peerSelector: z.union([textMap, writtenSelector], "must be a map of labels").optional(),
});
export const writtenGkeBgpPeer = z.looseObject({
  localASN: oneAsn,
  peerASN: oneAsn,
  peerIP: text,
  /** Upstream's documents use two; a bound of their own they do not name. */
  sessions: whole(1, 16).optional(),
});

export function bgpLoadBalancerSpec(
  written: z.infer<typeof writtenBgpLoadBalancer>,
  reading: Reading,
): BgpLoadBalancerSpec | undefined {
  warnUnknown(reading, ["spec"], written, writtenBgpLoadBalancer);
  const { localASN, peers = [], peerSelector } = written;
  if (peerSelector !== undefined && peers.length > 0) {
    reading.refuse(
      ["spec", "peerSelector"],
      "exclusive-fields",
      "peers and peerSelector exclude each other: keep one",
    );
  }
  if (peerSelector !== undefined) {
    const selector = selectorAt(reading, ["spec", "peerSelector"], labelsOf(peerSelector));
    return {
      type: "selected",
      ...(localASN === undefined ? {} : { localAsn: asn(localASN) }),
      peerSelector: selector,
    };
  }
  if (localASN === undefined)
    reading.refuse(["spec", "localASN"], "required", "the load balancer's own AS is missing");
  if (peers.length === 0)
    reading.refuse(["spec", "peers"], "required", "needs at least one peer; two are advised");
  if (peers.length === 1)
    reading.warn(
      ["spec", "peers"],
      "out-of-range",
      "one peer is a single point of failure: two or more are advised",
    );
  const read = peersOf(peers, reading);
  return localASN === undefined
    ? undefined
    : { type: "listed", localAsn: asn(localASN), peers: read };
}

function peersOf(
  peers: readonly z.infer<typeof writtenPeer>[],
  reading: Reading,
): readonly GatewayPeer[] {
  const path = ["spec", "peers"];
  const read = peers.flatMap((peer, i) => {
    warnUnknown(reading, [...path, i], peer, writtenPeer);
    const address = unicastAt(reading, [...path, i, "peerIP"], peer.peerIP, "required");
    return address === undefined ? [] : [{ address, asn: asn(peer.peerASN) }];
  });
  refuseDuplicates(reading, path, read, ({ address }) => address, "this peer");
  return read;
}

/** The newer kind writes plain labels; a full selector is taken as well. */
function labelsOf(
  written: NonNullable<z.infer<typeof writtenBgpLoadBalancer>["peerSelector"]>,
): z.infer<typeof writtenSelector> {
  const full = writtenSelector.safeParse(written);
  if (full.success) return full.data;
  const labels = textMap.safeParse(written);
  return { matchLabels: labels.success ? labels.data : {} };
}

export function gkeBgpPeerSpec(
  written: z.infer<typeof writtenGkeBgpPeer>,
  reading: Reading,
): GkeBgpPeerSpec | undefined {
  // `selectors` names the gateway group of pod routes, of which a host has none.
  warnUnknown(reading, ["spec"], written, writtenGkeBgpPeer, ["selectors"]);
  const address = unicastAt(reading, ["spec", "peerIP"], written.peerIP, "required");
  if (address === undefined) return undefined;
  return {
    localAsn: asn(written.localASN),
    remoteAsn: asn(written.peerASN),
    address,
    sessions: written.sessions ?? 2,
  };
}
