/**
 * metallb.io BGPAdvertisement: which pools are announced, to whom, from where, and with what attributes.
 *
 * Whether an aggregate fits the pools, and whether two advertisements contradict each other, is the plan's.
 */
import * as z from "zod";
import { MAX_UINT32, texts, whole } from "./fields.ts";
import { type CommunityRef, communityRef, communityText } from "./communities.ts";
import { type Reading, refuseDuplicates } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorsAt, writtenSelector } from "./selectors.ts";

export type BgpAdvertisement = Typed<"metallb.io/BGPAdvertisement", BgpAdvertisementSpec>;

export type BgpAdvertisementSpec = {
  /** 1–32: an IPv4 address is announced as the prefix of this length that holds it. */
  readonly aggregationLength: number;
  /** 1–128. */
  readonly aggregationLengthV6: number;
  /** 1 and up; absent: not said (the plan pins what internal peers then see). */
  readonly localPref?: number;
  /** In the order written. */
  readonly communities: readonly CommunityRef[];
  /** Names of pools; unknown ones are ignored. Together with the selectors: a union; both empty: every pool. */
  readonly ipAddressPools: readonly string[];
  readonly ipAddressPoolSelectors: readonly LabelSelector[];
  /** Alternatives; none: every node. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** Names of BGPPeers; none: every peer. */
  readonly peers: readonly string[];
  /** Alternatives; none: every Service. */
  readonly serviceSelectors: readonly LabelSelector[];
};

/** What one UPDATE of the existing agents can carry; more would be refused at announce time anyway. */
export const MAX_COMMUNITIES = 63;

export const writtenBgpAdvertisement = z.strictObject({
  aggregationLength: whole(1, 32).optional(),
  // A length of 0 would announce a default route by accident.
  aggregationLengthV6: whole(1, 128).optional(),
  localPref: whole(0, MAX_UINT32).optional(),
  communities: texts.optional(),
  ipAddressPools: texts.optional(),
  ipAddressPoolSelectors: z.array(writtenSelector).optional(),
  nodeSelectors: z.array(writtenSelector).optional(),
  peers: texts.optional(),
  serviceSelectors: z.array(writtenSelector).optional(),
});
type Written = z.infer<typeof writtenBgpAdvertisement>;

export function bgpAdvertisementSpec(written: Written, reading: Reading): BgpAdvertisementSpec {
  const aggregationLength = written.aggregationLength ?? 32;
  const aggregationLengthV6 = written.aggregationLengthV6 ?? 128;
  const serviceSelectors = selectorsAt(
    reading,
    ["spec", "serviceSelectors"],
    written.serviceSelectors,
    "allowed",
  );
  if (serviceSelectors.length > 0 && (aggregationLength !== 32 || aggregationLengthV6 !== 128)) {
    reading.refuse(
      ["spec", "serviceSelectors"],
      "exclusive-fields",
      "serviceSelectors choose single Services, which an aggregate cannot: remove them or the aggregation length",
    );
  }
  return {
    aggregationLength,
    aggregationLengthV6,
    ...(written.localPref ? { localPref: written.localPref } : {}),
    communities: bgpCommunitiesAt(reading, written.communities),
    ipAddressPools: namesAt(reading, "ipAddressPools", written.ipAddressPools),
    ipAddressPoolSelectors: selectorsAt(
      reading,
      ["spec", "ipAddressPoolSelectors"],
      written.ipAddressPoolSelectors,
    ),
    nodeSelectors: selectorsAt(reading, ["spec", "nodeSelectors"], written.nodeSelectors),
    peers: namesAt(reading, "peers", written.peers),
    serviceSelectors,
  };
}

/** `spec.communities` of whatever announces. */
export function bgpCommunitiesAt(
  reading: Reading,
  written: readonly string[] = [],
): readonly CommunityRef[] {
  const communities = written.map(communityRef);
  const path = ["spec", "communities"];
  refuseDuplicates(reading, path, communities, communityText, "this community");
  for (const [i, community] of communities.entries()) {
    if (community.type === "name" && community.name.trim() === "") {
      reading.refuse(
        [...path, i],
        "bad-value",
        "a community is high:low, large:a:b:c or a name, not empty",
      );
    }
  }
  if (communities.length > MAX_COMMUNITIES) {
    reading.refuse(
      path,
      "too-many",
      `a route carries at most ${MAX_COMMUNITIES} communities, not ${communities.length}`,
    );
  }
  return communities;
}

function namesAt(
  reading: Reading,
  field: string,
  names: readonly string[] = [],
): readonly string[] {
  refuseDuplicates(reading, ["spec", field], names, (name) => name, "this name");
  return names;
}
