/**
 * A neighbour → its lines in the router and in its address families.
 *
 * Pure. Says everything about the session and nothing about routes of our own, so that no change of a prefix touches a line of it.
 * Timers are always said, because FRR's own depend on the profile that it was started with. Reads next: policy.ts.
 */
import { type Family, familyOf } from "../../../events/address.ts";
import { BGP_PORT, MAX_MD5_KEY_OCTETS } from "../../../events/resources/session.ts";
import type { RevealSecret } from "../../backend.ts";
import type { MaximumPrefixes, NeighborIntent, RouterIntent } from "../../intent.ts";
import { type FrrVersion, isAtLeast } from "../version.ts";
import { inMap, outMap, peerOf, profileName } from "./names.ts";

export type SessionLines =
  | {
      readonly type: "session";
      /** In the router's node. */
      readonly lines: readonly string[];
      /** In the nodes of its families; no families where it carries EVPN alone. */
      readonly families: ReadonlyMap<Family, readonly string[]>;
    }
  /** It must not be opened so. */
  | { readonly type: "withheld"; readonly reason: string };

/** FRR warns at this share unless told otherwise, and leaves it out of its configuration. */
const DEFAULT_WARN_PERCENT = 75;

export function sessionLines(
  { localAs }: RouterIntent,
  neighbor: NeighborIntent,
  id: string,
  options: { readonly version: FrrVersion; readonly reveal: RevealSecret },
): SessionLines {
  const peer = `neighbor ${peerOf(neighbor)}`;
  const secret = passwordOf(neighbor, options.reveal);
  if (secret.type === "withheld") return secret;
  const lines = [
    remoteLine(neighbor, peer),
    ...(neighbor.localAsOverride === undefined
      ? []
      : [`${peer} local-as ${neighbor.localAsOverride} no-prepend replace-as`]),
    ...bfdLines(neighbor, peer, options.version),
    ...(secret.password === undefined ? [] : [`${peer} password ${secret.password}`]),
    ...addressLines(neighbor, peer, isInternal(neighbor, localAs)),
    ...firstAsLine(neighbor, peer, isInternal(neighbor, localAs), options.version),
    `${peer} timers ${neighbor.keepaliveTimeSeconds} ${neighbor.holdTimeSeconds}`,
    `${peer} timers connect ${neighbor.connectRetrySeconds}`,
    // Said for both: a router whose own mode somebody changed must not change this session's.
    `${peer} graceful-restart${neighbor.gracefulRestart === undefined ? "-disable" : ""}`,
  ];
  const families = new Map(
    neighbor.families.map((family) => [family, familyLines(neighbor, peer, id, family)]),
  );
  return { type: "session", lines, families };
}

/** As FRR sorts its peers; one that says `internal` or `external` is believed. */
export const isInternal = (
  { remoteAs, localAsOverride }: NeighborIntent,
  localAs: RouterIntent["localAs"],
): boolean =>
  remoteAs.type === "internal" ||
  (remoteAs.type === "asn" && remoteAs.asn === (localAsOverride ?? localAs));

function remoteLine({ remote, remoteAs }: NeighborIntent, peer: string): string {
  const asn = remoteAs.type === "asn" ? remoteAs.asn : remoteAs.type;
  return `${peer}${remote.type === "interface" ? " interface" : ""} remote-as ${asn}`;
}

/**
 * The vty splits lines at blanks, so that no password with one can be said. Nothing that a manifest holds may become a line of its
 * own either: control characters are refused for the same reason.
 */
function passwordOf(
  { authentication }: NeighborIntent,
  reveal: RevealSecret,
):
  | { readonly type: "password"; readonly password: string | undefined }
  | { readonly type: "withheld"; readonly reason: string } {
  if (authentication === undefined) return { type: "password", password: undefined };
  const password = reveal(authentication.secret);
  if (password === undefined)
    return { type: "withheld", reason: `the secret ${authentication.secret.name} is not there` };
  if (!/^[^\s\p{Cc}]+$/u.test(password))
    return { type: "withheld", reason: "FRR takes no password with blanks or control characters" };
  if (new TextEncoder().encode(password).length > MAX_MD5_KEY_OCTETS)
    return {
      type: "withheld",
      reason: `FRR takes no password of more than ${MAX_MD5_KEY_OCTETS} octets`,
    };
  return { type: "password", password };
}

function bfdLines(
  { speakerBfd, waitsForBfd }: NeighborIntent,
  peer: string,
  version: FrrVersion,
): string[] {
  if (speakerBfd === undefined) return [];
  const strict = waitsForBfd && canWaitForBfd(version) ? [`${peer} bfd strict`] : [];
  return [`${peer} bfd`, `${peer} bfd profile ${profileName(speakerBfd.profile)}`, ...strict];
}

/** Older ones start BGP whatever BFD says. */
export const canWaitForBfd = (version: FrrVersion): boolean => isAtLeast(version, 10, 5);

/** What only a neighbour with an address can have: FRR refuses it for one that is an interface. */
function addressLines(neighbor: NeighborIntent, peer: string, internal: boolean): string[] {
  const { remote, timeToLive, localAddress, localInterface, families } = neighbor;
  if (remote.type === "interface") return [];
  const lines: string[] = [];
  if (remote.port !== BGP_PORT) lines.push(`${peer} port ${remote.port}`);
  if (!internal && timeToLive > 1) lines.push(`${peer} ebgp-multihop ${timeToLive}`);
  // As frr-k8s: a global IPv6 address may be on the link and in none of our networks there.
  if (!internal && timeToLive === 1 && familyOf(remote.address) === "ipv6")
    lines.push(`${peer} disable-connected-check`);
  const source = localAddress ?? localInterface;
  if (source !== undefined) lines.push(`${peer} update-source ${source}`);
  // RFC 8950: IPv4 routes of a session between IPv6 addresses.
  if (families.includes("ipv4") && familyOf(remote.address) === "ipv6")
    lines.push(`${peer} capability extended-nexthop`);
  return lines;
}

/** The check is off by default up to 9.1, and on from 10.0. */
function firstAsLine(
  { receiveGuard }: NeighborIntent,
  peer: string,
  internal: boolean,
  version: FrrVersion,
): string[] {
  const checked = receiveGuard?.checkFirstAs ?? true;
  if (internal || checked === isAtLeast(version, 10, 0)) return [];
  return [`${checked ? "" : "no "}${peer} enforce-first-as`];
}

function familyLines(
  { receiveGuard }: NeighborIntent,
  peer: string,
  id: string,
  family: Family,
): string[] {
  const maximum = receiveGuard?.maximumPrefixes[family];
  return [
    `${peer} activate`,
    // Keeps what was refused: it is shown, it counts towards the maximum, and a new rule judges it without asking the peer.
    `${peer} soft-reconfiguration inbound`,
    ...(maximum === undefined ? [] : [`${peer} maximum-prefix ${maximumWords(maximum)}`]),
    `${peer} route-map ${inMap(id)} in`,
    `${peer} route-map ${outMap(id)} out`,
  ];
}

/** FRR restarts after whole minutes, at least one. */
function maximumWords({ count, warnAtPercent, beyond }: MaximumPrefixes): string {
  const percent = warnAtPercent ?? 100;
  const words = [`${count}`];
  if (percent !== DEFAULT_WARN_PERCENT) words.push(`${percent}`);
  if (beyond.type === "warn") words.push("warning-only");
  if (beyond.type === "restart") words.push(`restart ${Math.ceil(beyond.afterSeconds / 60)}`);
  return [...words, "force"].join(" ");
}
