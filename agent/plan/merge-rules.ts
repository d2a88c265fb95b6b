/**
 * What two owners of one neighbour may not say differently: the rows of frr-k8s' merge (reference/rules.md §2.1).
 *
 * Pure and symmetric, so that neither the order of objects nor that of questions decides whether there is a conflict. Two
 * rows differ from upstream on purpose: graceful restart is compared (there the first object in list order wins silently),
 * and timers that a BGPPeer or its partner left open are adopted (docs/decisions/008). Reads next: ledger.ts (who asks).
 */
import type { Family } from "../../events/address.ts";
import { canonicalJson } from "../../events/digest.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { RemoteAs, SessionTimers } from "../../events/resources/session.ts";
import {
  keyOfClaim,
  neighborId,
  type NeighborClaim,
  remoteText,
  sourceText,
  spoken,
} from "./claims.ts";

export type Found = readonly [rule: string, reason: string] | undefined;

/** What frr-k8s takes where an FRRConfiguration says nothing (manifests.md §1.8). */
export const FRR_HOLD_TIME_SECONDS = 180;
export const FRR_KEEPALIVE_SECONDS = 60;
export const FRR_CONNECT_SECONDS = 60;

/** A parameter in words: mine and theirs; undefined where they agree. */
type Differs = (a: NeighborClaim, b: NeighborClaim) => readonly [string, string] | undefined;

/** In the order in which they are told; the first that differs is the reason. */
const ROWS: readonly (readonly [rule: string, what: string, differs: Differs])[] = [
  ["remote-asn-conflict", "AS", exactly(({ remoteAs }) => asText(remoteAs))],
  ["port-conflict", "port", exactly(({ remote }) => String(remote.port))],
  ["source-address-conflict", "source", exactly(({ source }) => sourceText(source) || "none")],
  ["password-conflict", "password", passwords],
  ["ebgp-multihop-conflict", "ebgpMultiHop", exactly((one) => String(one.ebgpMultiHop))],
  ["dual-stack-conflict", "dualStackAddressFamily", exactly((one) => String(one.dualStack))],
  ["local-asn-conflict", "localASN", exactly((one) => String(one.localAsOverride ?? "none"))],
  ["graceful-restart-conflict", "enableGracefulRestart", exactly((a) => String(a.gracefulRestart))],
  ["hold-time-conflict", "holdTime", timers((one) => one.holdTimeSeconds)],
  ["keepalive-time-conflict", "keepaliveTime", timers((one) => one.keepaliveTimeSeconds)],
  ["connect-time-conflict", "connectTime", connectTimes],
  ["bfd-profile-conflict", "BFD profile", profiles],
  ["next-hop-conflict", "IPv4 next hop", nextHops("ipv4")],
  ["next-hop-conflict", "IPv6 next hop", nextHops("ipv6")],
];

/** Why `mine` can't join `theirs`, of the same far end and VRF; undefined where they merge or have nothing in common. */
export function neighborConflict(mine: NeighborClaim, theirs: NeighborClaim): Found {
  if (neighborId(mine) !== neighborId(theirs)) return undefined;
  if (mine.kind === "peer" && theirs.kind === "peer") {
    // Two BGPPeers are one session each (design §6); the same one twice is a mistake (manifests.md §1.1).
    return keyOfClaim(mine) === keyOfClaim(theirs)
      ? ["same-neighbor", `${spoken(theirs.owner)} has this neighbour already`]
      : undefined;
  }
  for (const [rule, what, differs] of ROWS) {
    const words = differs(mine, theirs);
    if (words !== undefined) return [rule, sentence(mine, theirs, what, words)];
  }
  return localPrefConflict(mine, theirs);
}

function sentence(
  mine: NeighborClaim,
  theirs: NeighborClaim,
  what: string,
  [here, there]: readonly [string, string],
): string {
  const vrf = mine.vrf === "" ? "" : ` in VRF ${mine.vrf}`;
  return `neighbour ${remoteText(mine.remote)}${vrf} (${mine.field}): ${what} ${here} here, ${there} in ${spoken(theirs.owner)}`;
}

/** Empty is not the same as set. */
function exactly(textOf: (claim: NeighborClaim) => string): Differs {
  return (a, b) => {
    const words = [textOf(a), textOf(b)] as const;
    return words[0] === words[1] ? undefined : words;
  };
}

const asText = (remoteAs: RemoteAs): string =>
  remoteAs.type === "asn" ? String(remoteAs.asn) : remoteAs.type;

/** By keyed digest, never by value, and the reason shows neither. */
function passwords(a: NeighborClaim, b: NeighborClaim): ReturnType<Differs> {
  if (a.secret?.digest === b.secret?.digest) return undefined;
  const word = (one: NeighborClaim, set: string): string =>
    one.secret === undefined ? "none" : set;
  return [word(a, "set"), word(b, a.secret === undefined ? "set" : "another")];
}

/** Between FRRConfigurations nothing said is frr-k8s' default; where a BGPPeer takes part the side that said nothing adopts. */
function timers(of: (given: Extract<SessionTimers, { type: "given" }>) => number): Differs {
  const standard = of({
    type: "given",
    holdTimeSeconds: FRR_HOLD_TIME_SECONDS,
    keepaliveTimeSeconds: FRR_KEEPALIVE_SECONDS,
  });
  const said = ({ timers: one }: NeighborClaim): number | undefined =>
    one.type === "given" ? of(one) : undefined;
  return (a, b) => seconds(a, b, said, standard);
}

function connectTimes(a: NeighborClaim, b: NeighborClaim): ReturnType<Differs> {
  return seconds(a, b, (one) => one.connectTimeSeconds, FRR_CONNECT_SECONDS);
}

function seconds(
  a: NeighborClaim,
  b: NeighborClaim,
  said: (claim: NeighborClaim) => number | undefined,
  standard: number,
): ReturnType<Differs> {
  const adopts = a.kind === "peer" || b.kind === "peer";
  const [x, y] = [said(a), said(b)];
  if (adopts && (x === undefined || y === undefined)) return undefined;
  if ((x ?? standard) === (y ?? standard)) return undefined;
  const word = (value: number | undefined): string =>
    value === undefined ? `unset (${standard}s)` : `${value}s`;
  return [word(x), word(y)];
}

/** One side may have none. One name with two meanings is a conflict, as names are all that the owners see of each other. */
function profiles({ bfd: a }: NeighborClaim, { bfd: b }: NeighborClaim): ReturnType<Differs> {
  if (a === undefined || b === undefined) return undefined;
  if (a.name !== b.name) return [a.name, b.name];
  if (canonicalJson(a.spec ?? null) === canonicalJson(b.spec ?? null)) return undefined;
  return [`${a.name} with other parameters`, b.name];
}

function nextHops(family: Family): Differs {
  return ({ nextHops: a }, { nextHops: b }) => {
    const [x, y] = [a[family], b[family]];
    return x === undefined || y === undefined || x === y ? undefined : [x, y];
  };
}

/** A prefix has one localPref towards a neighbour, whoever asks for it. */
function localPrefConflict(mine: NeighborClaim, theirs: NeighborClaim): Found {
  const known = localPrefs(theirs);
  if (known.size === 0) return undefined;
  for (const [prefix, value] of localPrefs(mine)) {
    const other = known.get(prefix);
    if (other === undefined || other === value) continue;
    const words = [String(value), String(other)] as const;
    return ["local-pref-conflict", sentence(mine, theirs, `localPref of ${prefix}`, words)];
  }
  return undefined;
}

export const localPrefs = ({ advertise }: NeighborClaim): ReadonlyMap<Prefix, number> =>
  new Map(
    advertise?.withLocalPref.flatMap(({ localPref, prefixes }) =>
      prefixes.map((prefix) => [prefix, localPref] as const),
    ),
  );
