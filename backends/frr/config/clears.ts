/**
 * What FRR does not do by itself when its configuration changes, or only seconds later.
 *
 * Pure. What is agreed in the OPEN takes a new session: FRR resets it for a new AS, password, family or address, and leaves it for a new
 * hold time and for graceful restart. A changed receive policy it notices 5 s later (`bgp route-map delay-timer`).
 */
import type { Change } from "./difference.ts";
import { type ConfigTree, NO_LINES } from "./tree.ts";
import { peerOfLine, vrfOfRouter } from "./words.ts";

const holdOf = (line: string): string | undefined =>
  /^(?:no )?neighbor \S+ timers (?!connect)\S+ (\d+)$/.exec(line)?.[1];
const GRACEFUL = /^(?:no )?neighbor \S+ graceful-restart/;

/** Commands of the enable node, each for one neighbour that was there before and stays. */
export function clearsOf(current: ConfigTree, change: Change): readonly string[] {
  const reset = new Set<string>();
  const soft = new Set<string>();
  const made = new Set<string>();
  for (const { path, line } of change.routers) {
    const [router] = path;
    const peer = peerOfLine(line);
    if (router === undefined || peer === undefined) continue;
    const before = current.get(router);
    if (before === undefined || !isThere(before, peer)) continue;
    if (line === `no neighbor ${peer}`) made.add(clear(router, peer));
    if (GRACEFUL.test(line) || isOtherHold(before, peer, line)) reset.add(clear(router, peer));
  }
  const touched = new Set(
    [...change.definitions, ...change.removals].flatMap(({ path, line }) => {
      const name = /^(?:no )?(?:route-map|ip(?:v6)? prefix-list) (\S+)/.exec(path[0] ?? line)?.[1];
      return name === undefined ? [] : [name];
    }),
  );
  for (const [router, lines] of current) {
    if (vrfOfRouter(router) === undefined) continue;
    for (const peer of judgedBy(lines, touched)) {
      const whole = clear(router, peer);
      if (!reset.has(whole) && !made.has(whole)) soft.add(`${whole} soft in`);
    }
  }
  return [...[...reset].filter((command) => !made.has(command)), ...soft];
}

function isThere(router: ConfigTree, peer: string): boolean {
  return [...router.keys()].some((line) => peerOfLine(line) === peer);
}

function isOtherHold(router: ConfigTree, peer: string, line: string): boolean {
  const hold = holdOf(line);
  if (hold === undefined) return false;
  return ![...router.keys()].some((known) => peerOfLine(known) === peer && holdOf(known) === hold);
}

/** Neighbours whose incoming routes are judged by one of these maps and lists, or by a list that the map of its name matches. */
function judgedBy(router: ConfigTree, touched: ReadonlySet<string>): ReadonlySet<string> {
  const peers = new Set<string>();
  if (touched.size === 0) return peers;
  for (const family of router.values()) {
    for (const line of (family ?? NO_LINES).keys()) {
      const [, peer, map] = /^neighbor (\S+) route-map (\S+) in$/.exec(line) ?? [];
      if (peer === undefined || map === undefined) continue;
      const id = map.replace(/-in$/, "");
      const lists = [map, "rutter-always-block"];
      for (const suffix of ["ipv4", "ipv6", "dual"])
        lists.push(`${id}-inpl-${suffix}`, `${id}-denied-inpl-${suffix}`);
      if (lists.some((name) => touched.has(name))) peers.add(peer);
    }
  }
  return peers;
}

export function clear(router: string, peer: string): string {
  const vrf = vrfOfRouter(router) ?? "";
  return vrf === "" ? `clear bgp ${peer}` : `clear bgp vrf ${vrf} ${peer}`;
}
