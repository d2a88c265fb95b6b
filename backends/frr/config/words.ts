/**
 * What FRR does with a line: which one it takes the place of, and how it is unsaid.
 *
 * Pure; seen with FRR 8.4.4, line by line, and the same in 9 and 10. Where a line has no rule here, it stands for itself and
 * `no` in front unsays it. Reads next: difference.ts.
 */

const ROUTE_MAP = /^route-map (\S+) (?:permit|deny) (\d+)$/;
const PREFIX_LIST = /^(ip(?:v6)? prefix-list \S+ seq \d+) /;
const ROUTER = /^router bgp \d+(?: vrf (\S+))?$/;
const NEIGHBOR = /^(?:no )?neighbor (\S+) (.+)$/;
const NETWORK = /^network (\S+)/;

/** The neighbour that a line is about, as its router calls it. */
export const peerOfLine = (line: string): string | undefined => NEIGHBOR.exec(line)?.[1];

/** Whether the line makes a neighbour or a peer group, rather than saying something of one that is there. */
export const makesPeer = (line: string): boolean =>
  /^neighbor \S+ (?:interface (?:v6only )?)?(?:remote-as|peer-group)\b/.test(line) ||
  /^neighbor \S+ interface$/.test(line);

/** The VRF of a router's line, empty for the default one; undefined for any other line. */
export const vrfOfRouter = (line: string): string | undefined => {
  const found = ROUTER.exec(line);
  return found === null ? undefined : (found[1] ?? "");
};

/** Lines that have no place for a number or name of their own: the last wins. */
const SINGLE: readonly RegExp[] = [
  /^(bgp router-id) /,
  /^(bgp graceful-restart (?:restart-time|stalepath-time|select-defer-time)) /,
  /^(match (?:tag|metric|local-preference|peer|source-protocol|source-vrf|interface|evpn \S+))\b/,
  /^(match ipv?6? (?:address|next-hop|route-source) (?:prefix-list|prefix-len))\b/,
  /^(match (?:ip|ipv6) (?:address|next-hop|route-source))\b/,
  /^(match (?:community|large-community|extcommunity|as-path|origin|probability))\b/,
  /^(set ip next-hop)\b/,
  /^(set ipv6 next-hop \S+)/,
  /^(set (?:as-path|extcommunity) \S+)/,
  /^(set \S+)/,
  /^(on-match|call|continue|description)\b/,
  /^(detect-multiplier|transmit-interval|receive-interval|minimum-ttl)\b/,
  /^(echo (?:transmit-interval|receive-interval|interval))\b/,
  /^(rd|vni|label)\b/,
];

/** What is said of a neighbour once, whatever its value. */
const OF_NEIGHBOR: readonly RegExp[] = [
  /^(?:interface (?:v6only )?)?(remote-as)\b/,
  /^(timers connect)\b/,
  /^(timers)\b/,
  /^(bfd (?:profile|strict|check-control-plane-failure))\b/,
  /^(graceful-restart)(?:-disable|-helper)?$/,
  /^((?:route-map|prefix-list|filter-list|distribute-list)) \S+ (in|out)$/,
  /^(local-as|password|port|ebgp-multihop|update-source|description|maximum-prefix|advertisement-interval|weight|ttl-security hops)\b/,
];

/** Two lines of a node with the same slot can't both be there: the later takes the place of the earlier. */
export function slotOf(line: string): string {
  const neighbor = NEIGHBOR.exec(line);
  if (neighbor !== null) return `neighbor ${neighbor[1]} ${neighborSlot(neighbor[2] ?? "")}`;
  const map = ROUTE_MAP.exec(line);
  if (map !== null) return `route-map ${map[1]} ${map[2]}`;
  const network = NETWORK.exec(line);
  if (network !== null) return `network ${network[1]}`;
  const router = vrfOfRouter(line);
  if (router !== undefined) return `router ${router}`;
  const list = PREFIX_LIST.exec(line);
  if (list?.[1] !== undefined) return list[1];
  return firstGroup(SINGLE, line) ?? line.replace(/^no /, "");
}

function neighborSlot(said: string): string {
  for (const pattern of OF_NEIGHBOR) {
    const found = pattern.exec(said);
    if (found !== null) return found.slice(1).join(" ");
  }
  return said;
}

function firstGroup(patterns: readonly RegExp[], line: string): string | undefined {
  for (const pattern of patterns) {
    const found = pattern.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** bfdd knows no `no` for these: their defaults are said (RFC 5880 leaves them open; FRR bfdd/bfd.h). */
const BFD_DEFAULTS: Readonly<Record<string, string>> = {
  "detect-multiplier": "detect-multiplier 3",
  "transmit-interval": "transmit-interval 300",
  "receive-interval": "receive-interval 300",
  "echo transmit-interval": "echo transmit-interval 50",
  "echo receive-interval": "echo receive-interval 50",
};

/** Values that are not repeated when a line is unsaid: some are secret, others are refused there. */
const CUT: readonly RegExp[] = [
  /^(neighbor \S+ (?:password|timers connect|timers|update-source|maximum-prefix|port|local-as|ebgp-multihop|description))\b/,
  /^(network \S+)/,
  /^(set (?:community|large-community|metric|local-preference|tag))\b/,
  /^(bgp graceful-restart restart-time)\b/,
];

/** The command that unsays a line. */
export function unsaid(line: string): string {
  if (line.startsWith("no ")) return line.slice("no ".length);
  const byDefault = BFD_DEFAULTS[slotOf(line)];
  if (byDefault !== undefined) return byDefault;
  return `no ${firstGroup(CUT, line) ?? line}`;
}

/** For people and logs: a line without what it keeps secret. */
export const withoutSecret = (line: string): string =>
  line.replace(/\b(password|key|key-string|md5)( +[0-9])? +\S.*$/, "$1 …");
