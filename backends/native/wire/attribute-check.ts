/**
 * Is this path attribute well-formed, and if not, what happens to its routes (RFC 7606 §7 and the RFCs that follow it)?
 *
 * One answer for each attribute that we read; of what we do not read, nothing is judged: a tunnel encapsulation or a
 * prefix SID with a length that is wrong inside is carried as octets (RFC 7606 §2). Runs for each UPDATE and makes nothing.
 * Reads next: update.ts (who asks), as-path.ts, mp-attributes.ts.
 */
import { checkAsPath } from "./as-path.ts";
import {
  ATTRIBUTE,
  FLAG_KIND,
  FLAG_OPTIONAL,
  OPTIONAL_NON_TRANSITIVE,
  OPTIONAL_TRANSITIVE,
  WELL_KNOWN,
} from "./attribute-codes.ts";
import type { AttributeFault, SessionOptions } from "./message.ts";
import { isIpv4Host } from "./mp-attributes.ts";

const withdraw = (attribute: number, clause: string, reason: string): AttributeFault => ({
  attribute,
  action: "treat-as-withdraw",
  clause,
  reason,
});
const discard = (attribute: number, clause: string, reason: string): AttributeFault => ({
  attribute,
  action: "attribute-discard",
  clause,
  reason,
});

const A = ATTRIBUTE;
const faults = {
  originLength: withdraw(A.origin, "RFC 7606 §7.1", "ORIGIN is not one octet"),
  originValue: withdraw(A.origin, "RFC 7606 §7.1", "ORIGIN has an undefined value"),
  nextHopLength: withdraw(A.nextHop, "RFC 7606 §7.3", "NEXT_HOP is not four octets"),
  nextHopValue: withdraw(A.nextHop, "RFC 4271 §6.3", "NEXT_HOP is no address of a host"),
  med: withdraw(A.med, "RFC 7606 §7.4", "MULTI_EXIT_DISC is not four octets"),
  localPrefExternal: discard(A.localPref, "RFC 7606 §7.5", "LOCAL_PREF from another AS"),
  localPref: withdraw(A.localPref, "RFC 7606 §7.5", "LOCAL_PREF is not four octets"),
  atomic: discard(A.atomicAggregate, "RFC 7606 §7.6", "ATOMIC_AGGREGATE is not empty"),
  aggregator: discard(A.aggregator, "RFC 7606 §7.7", "AGGREGATOR has a wrong length"),
  aggregatorZero: discard(A.aggregator, "RFC 7607 §2", "AS number 0 in AGGREGATOR"),
  communities: withdraw(A.communities, "RFC 7606 §7.8", "COMMUNITIES is not a multiple of four"),
  originatorExternal: discard(A.originatorId, "RFC 7606 §7.9", "ORIGINATOR_ID from another AS"),
  originator: withdraw(A.originatorId, "RFC 7606 §7.9", "ORIGINATOR_ID is not four octets"),
  clusterExternal: discard(A.clusterList, "RFC 7606 §7.10", "CLUSTER_LIST from another AS"),
  cluster: withdraw(A.clusterList, "RFC 7606 §7.10", "CLUSTER_LIST is not a multiple of four"),
  extended: withdraw(
    A.extendedCommunities,
    "RFC 7606 §7.14",
    "EXTENDED COMMUNITIES is not a multiple of eight",
  ),
  ipv6Extended: withdraw(
    A.ipv6ExtendedCommunities,
    "RFC 7606 §7.15",
    "IPv6 EXTENDED COMMUNITIES is not a multiple of twenty",
  ),
  large: withdraw(
    A.largeCommunities,
    "RFC 8092 §6",
    "LARGE_COMMUNITIES is not a multiple of twelve",
  ),
  onlyToCustomer: withdraw(A.onlyToCustomer, "RFC 9234 §5", "OTC is not four octets"),
} as const;

/** Optional and Transitive bits of what we read; 0 where an attribute is none of ours. */
const kinds = new Uint8Array(256);
for (const code of [A.origin, A.asPath, A.nextHop, A.localPref, A.atomicAggregate]) {
  kinds[code] = WELL_KNOWN;
}
for (const code of [A.med, A.originatorId, A.clusterList, A.mpReach, A.mpUnreach]) {
  kinds[code] = OPTIONAL_NON_TRANSITIVE;
}
for (const code of [
  A.aggregator,
  A.communities,
  A.extendedCommunities,
  A.ipv6ExtendedCommunities,
  A.largeCommunities,
  A.onlyToCustomer,
]) {
  kinds[code] = OPTIONAL_TRANSITIVE;
}

/** RFC 7606 §3(c). An attribute that nobody knows and that claims to be well-known contradicts itself too. */
export function flagsFault(flags: number, code: number): AttributeFault | undefined {
  const kind = kinds[code] ?? 0;
  const fits = kind === 0 ? (flags & FLAG_OPTIONAL) !== 0 : (flags & FLAG_KIND) === kind;
  // RFC 6793 §6: AS4_PATH and AS4_AGGREGATOR are discarded for any fault, as they are from a four-octet peer.
  if (fits || code === A.as4Path || code === A.as4Aggregator) return undefined;
  return withdraw(code, "RFC 7606 §3(c)", `flags of attribute ${code} contradict its definition`);
}

/** `start` and `end` bound the value. MP_REACH_NLRI and MP_UNREACH_NLRI are not judged here. */
export function valueFault(
  code: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  session: SessionOptions,
): AttributeFault | undefined {
  const length = end - start;
  const width = session.as4 ? 4 : 2;
  switch (code) {
    case A.origin:
      if (length !== 1) return faults.originLength;
      return (bytes[start] ?? 0) > 2 ? faults.originValue : undefined;
    case A.asPath:
      return checkAsPath(bytes, start, end, width, session.external);
    case A.nextHop:
      if (length !== 4) return faults.nextHopLength;
      return isIpv4Host(bytes, start) ? undefined : faults.nextHopValue;
    case A.med:
      return length === 4 ? undefined : faults.med;
    case A.localPref:
      if (session.external) return faults.localPrefExternal;
      return length === 4 ? undefined : faults.localPref;
    case A.atomicAggregate:
      return length === 0 ? undefined : faults.atomic;
    case A.aggregator:
      return aggregatorFault(bytes, start, length, width);
    case A.communities:
      return isMultiple(length, 4) ? undefined : faults.communities;
    case A.originatorId:
      if (session.external) return faults.originatorExternal;
      return length === 4 ? undefined : faults.originator;
    case A.clusterList:
      if (session.external) return faults.clusterExternal;
      return isMultiple(length, 4) ? undefined : faults.cluster;
    case A.extendedCommunities:
      return isMultiple(length, 8) ? undefined : faults.extended;
    case A.ipv6ExtendedCommunities:
      return isMultiple(length, 20) ? undefined : faults.ipv6Extended;
    case A.largeCommunities:
      return isMultiple(length, 12) ? undefined : faults.large;
    case A.onlyToCustomer:
      return length === 4 ? undefined : faults.onlyToCustomer;
    default:
      return undefined;
  }
}

const isMultiple = (length: number, of: number): boolean => length > 0 && length % of === 0;

function aggregatorFault(
  bytes: Uint8Array,
  start: number,
  length: number,
  width: 2 | 4,
): AttributeFault | undefined {
  if (length !== width + 4) return faults.aggregator;
  for (let i = start; i < start + width; i += 1) if (bytes[i] !== 0) return undefined;
  return faults.aggregatorZero;
}

const missing = (attribute: number, name: string): AttributeFault =>
  withdraw(attribute, "RFC 7606 §3(d)", `${name} is missing`);

export const missingOrigin = missing(A.origin, "ORIGIN");
export const missingAsPath = missing(A.asPath, "AS_PATH");
export const missingNextHop = missing(A.nextHop, "NEXT_HOP");

/** RFC 7606 §4: the attribute's own length leaves the block, or its head does; what follows cannot be read. */
export const overrunningAttribute = (code: number): AttributeFault =>
  withdraw(code, "RFC 7606 §4", `attribute ${code} ends outside the path attributes`);

/** RFC 7606 §3(g): of an attribute that stands twice the first counts. */
export const repeatedAttribute = (code: number): AttributeFault =>
  discard(code, "RFC 7606 §3(g)", `attribute ${code} stands more than once`);
