/**
 * Why a received route is not accepted, as a number that fits into the marks of a table, and in words.
 *
 * Never decides anything. Reads next: adj-rib-in.ts (who keeps it), attribute-facts.ts and prefix-list.ts (who find it).
 */

export const VERDICT = {
  accepted: 0,
  /** RFC 8212 §2. */
  notAsked: 1,
  notListed: 2,
  blocked: 3,
  /** RFC 4271 §9.1.2. */
  ownAs: 4,
  /** RFC 4456 §8. */
  ownOriginator: 5,
  ownCluster: 6,
  /** RFC 4271 §5.1.3. */
  ownNextHop: 7,
  noNextHop: 8,
  tooManyNextHops: 9,
  /** RFC 4271 §6.3; the last, for a neighbour may be excused from it. */
  firstAs: 10,
} as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

const WORDS: Readonly<Record<Verdict, string>> = {
  [VERDICT.accepted]: "",
  [VERDICT.notAsked]: "nothing is accepted from this peer (RFC 8212): no manifest asks for it",
  [VERDICT.notListed]: "not in the receive list: no prefix of it matches",
  [VERDICT.blocked]: "always blocked: nobody may announce this prefix to this host",
  [VERDICT.ownAs]: "our own AS is in AS_PATH: the route comes back to us (RFC 4271 §9.1.2)",
  [VERDICT.ownOriginator]: "ORIGINATOR_ID is our router id: the route is our own (RFC 4456 §8)",
  [VERDICT.ownCluster]:
    "our router id is in CLUSTER_LIST: the route comes back to us (RFC 4456 §8)",
  [VERDICT.ownNextHop]: "the next hop is an address of this host (RFC 4271 §5.1.3)",
  [VERDICT.noNextHop]: "there is no next hop for this family",
  [VERDICT.tooManyNextHops]: "the peer names more next hops than are kept for one peer",
  [VERDICT.firstAs]: "the first AS of AS_PATH is not the peer's (RFC 4271 §6.3)",
};

/** Empty for an accepted route. */
export const verdictWords = (verdict: Verdict): string => WORDS[verdict];
