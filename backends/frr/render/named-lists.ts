/**
 * The prefix lists of frr-k8s that nothing of ours needs, made while a raw line names them.
 *
 * Pure. Users match `<id>-allowed-ipv4` and the like in entries of their own; each line of them costs FRR milliseconds (decision 012), so that
 * nobody pays for what nobody names.
 */
import type { Family } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { comparePrefixes, type Prefix, prefixFamily } from "../../../events/prefix.ts";
import type { ExportAttributes, NeighborIntent, SpeakerIntent } from "../../intent.ts";
import {
  allowedList,
  communityList,
  deniedList,
  inMap,
  localPrefList,
  neighborId,
  receiveList,
} from "./names.ts";
import { blocks, type Lists, listStart } from "./policy.ts";
import { communityNumber } from "./spelling.ts";

const NAME =
  /[^\s"]+-(?:allowed-ipv[46]|(?:localpref|community)-prefixes|(?:denied-)?inpl-(?:ipv4|ipv6|dual))(?![^\s"])/g;

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

const ROUTE_MAP = /^\s*route-map\s+(\S+)/gm;

/** Lists of the forms above, and route maps, that raw lines name, whatever neighbour they are of. */
export const namesIn = (raw: SpeakerIntent["raw"]): ReadonlySet<string> =>
  new Set(
    raw.flatMap(({ raw: { text } }) => [
      ...(text.match(NAME) ?? []),
      ...[...text.matchAll(ROUTE_MAP)].flatMap(([, name]) => (name === undefined ? [] : [name])),
    ]),
  );

/** The receive list itself is policy.ts's. */
export function namedLists(intent: SpeakerIntent, named: ReadonlySet<string>): Lists {
  const lists = new Map<string, readonly string[]>();
  if (named.size === 0) return lists;
  const told = toldPrefixes(intent);
  for (const router of intent.routers) {
    for (const neighbor of router.neighbors) {
      const id = neighborId(router.vrf, neighbor);
      if (![...named].some((name) => name.startsWith(`${id}-`))) continue;
      for (const [start, rules] of listsOf(id, neighbor, told.get(neighbor.key) ?? [])) {
        if (named.has(start.split(" ").at(-1) ?? "")) lists.set(start, rules);
      }
    }
  }
  return lists;
}

type Told = { readonly prefix: Prefix; readonly attributes: ExportAttributes };

function toldPrefixes(intent: SpeakerIntent): ReadonlyMap<NeighborKey, readonly Told[]> {
  const told = new Map<NeighborKey, Told[]>();
  for (const { routes } of intent.routers) {
    for (const { prefix, exports } of routes.values()) {
      for (const { to, attributes } of exports) {
        for (const key of to) {
          const known = told.get(key);
          if (known === undefined) told.set(key, [{ prefix, attributes }]);
          else known.push({ prefix, attributes });
        }
      }
    }
  }
  return told;
}

/** Every list that a raw line may mean; a list of nothing refuses everything, as frr-k8s has it. */
function listsOf(id: string, neighbor: NeighborIntent, told: readonly Told[]): Lists {
  const lists = new Map<string, string[]>();
  const add = (family: Family, name: string, rule: string): void => {
    const start = listStart(family, name);
    const known = lists.get(start);
    if (known === undefined) lists.set(start, [rule]);
    else known.push(rule);
  };
  for (const { prefix, attributes } of told.toSorted((a, b) =>
    comparePrefixes(a.prefix, b.prefix),
  )) {
    const family = prefixFamily(prefix);
    const rule = `permit ${prefix}`;
    add(family, allowedList(id, family), rule);
    if (attributes.localPref !== undefined)
      add(family, localPrefList(id, attributes.localPref, family), rule);
    for (const community of [
      ...attributes.communities.map((one) => communityNumber(one)),
      ...attributes.largeCommunities,
    ])
      add(family, communityList(id, community, family), rule);
  }
  for (const family of FAMILIES) {
    if (!lists.has(listStart(family, allowedList(id, family))))
      add(family, allowedList(id, family), "deny any");
    for (const rule of blocks(neighbor, family)) add(family, deniedList(id, neighbor), rule);
  }
  return lists;
}

/** A raw entry before or behind ours means what ours are in frr-k8s: one for each family, with its list. */
export const usesReceiveList = (
  id: string,
  neighbor: NeighborIntent,
  named: ReadonlySet<string>,
): boolean => named.has(receiveList(id, neighbor)) || named.has(inMap(id));
