/**
 * What a neighbour may tell us → its `-in` route map and the prefix lists behind it.
 *
 * Pure. Sequence numbers are those of frr-k8s where it has them (3 and 4), and all are below 20, because users append raw entries
 * from there. A map ends with a deny of its own, so that it is there when it lets nothing pass: a map that is named and not there
 * also refuses everything, but cannot be read back. A line of a prefix list costs FRR milliseconds (decision 012), so that a
 * neighbour who may tell everything or nothing has no list unless a raw line names it.
 */
import { bitsOf, type Family } from "../../../events/address.ts";
import { prefixFamily, prefixLength } from "../../../events/prefix.ts";
import type { NeighborIntent, ReceiveRule } from "../../intent.ts";
import { type ConfigTree, leaves, NO_LINES } from "../config/tree.ts";
import { BLOCK_LIST, inMap, listFamily, receiveList } from "./names.ts";
import { prefixMatch } from "./spelling.ts";

/** Rules (`permit 10.0.0.0/8 le 24`) of a list without their numbers, keyed by its start (`ip prefix-list NAME`). */
export type Lists = ReadonlyMap<string, readonly string[]>;

export type Inbound = {
  /** Entries of the map, by their line. */
  readonly entries: ConfigTree;
  readonly lists: Lists;
};

export const LAST_SEQUENCE = 65_535;

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];
/** Under each family's number the two entries of frr-k8s. */
const BLOCK_SEQUENCE: Readonly<Record<Family, number>> = { ipv4: 1, ipv6: 2 };
const RECEIVE_SEQUENCE: Readonly<Record<Family, number>> = { ipv4: 3, ipv6: 4 };

export const listStart = (family: Family, name: string): string =>
  `${listFamily(family)} prefix-list ${name}`;

export const matchOf = (family: Family, list: string): string =>
  `match ${listFamily(family)} address prefix-list ${list}`;

/** `listed`: raw lines mean the map or its list, which is then as frr-k8s has it whatever it costs. */
export function inbound(id: string, neighbor: NeighborIntent, listed: boolean): Inbound {
  const name = receiveList(id, neighbor);
  const entries = new Map<string, ConfigTree>();
  const lists = new Map<string, readonly string[]>();
  const entry = (action: string, sequence: number, lines: readonly string[]): void => {
    entries.set(`route-map ${inMap(id)} ${action} ${sequence}`, leaves(lines));
  };
  for (const family of FAMILIES) {
    if (blocks(neighbor, family).length > 0)
      entry("deny", BLOCK_SEQUENCE[family], [matchOf(family, BLOCK_LIST)]);
  }
  if (neighbor.receive.type === "everything" && !listed) {
    entry("permit", RECEIVE_SEQUENCE.ipv4, []);
  } else {
    for (const family of FAMILIES) {
      const rules = rulesOf(neighbor.receive, family, listed);
      if (rules.length === 0) continue;
      lists.set(listStart(family, name), rules);
      entry("permit", RECEIVE_SEQUENCE[family], [matchOf(family, name)]);
    }
  }
  entries.set(`route-map ${inMap(id)} deny ${LAST_SEQUENCE}`, NO_LINES);
  const matchesList = [...entries.values()].some((one) => one.size > 0);
  if (matchesList) entries.set(unindexed(inMap(id)), NO_LINES);
  return { entries, lists };
}

/**
 * FRR finds the entries of a map by an index of the prefixes in their lists, and forgets an entry there when one of two rules for the
 * same prefix goes (seen with 8.4.4): what the list still permits is refused then. A map of some entries needs no index.
 */
const unindexed = (map: string): string => `no route-map ${map} optimization`;

/** Rules of what is always blocked, of these neighbours: one list, because they all have the same (intent.ts). */
export function blockLists(neighbors: Iterable<NeighborIntent>): Lists {
  const lists = new Map<string, readonly string[]>();
  for (const neighbor of neighbors) {
    if (neighbor.receiveGuard === undefined || lists.size > 0) continue;
    for (const family of FAMILIES) {
      const rules = blocks(neighbor, family);
      if (rules.length > 0) lists.set(listStart(family, BLOCK_LIST), rules);
    }
  }
  return lists;
}

/** A prefix and all that is within it. */
export const blocks = ({ receiveGuard }: NeighborIntent, family: Family): readonly string[] =>
  (receiveGuard?.alwaysBlock ?? [])
    .filter((prefix) => prefixFamily(prefix) === family)
    .map((prefix) => `permit ${prefixMatch(prefix, prefixLength(prefix), bitsOf(family))}`);

function rulesOf(receive: ReceiveRule, family: Family, isListed: boolean): readonly string[] {
  if (receive.type === "everything") return ["permit any"];
  const rules =
    receive.type === "nothing"
      ? []
      : receive.prefixes
          .filter(({ prefix }) => prefixFamily(prefix) === family)
          .map(({ prefix, atLeast, atMost }) => `permit ${prefixMatch(prefix, atLeast, atMost)}`);
  return rules.length === 0 && isListed ? ["deny any"] : [...new Set(rules)];
}
