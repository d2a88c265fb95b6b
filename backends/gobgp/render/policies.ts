/**
 * Who is told what and what is taken from whom, as gobgpd's policies: two that hold a statement for each difference, and what
 * stands before and behind them.
 *
 *     import   rutter-import-guard → rutter-import (accept) → rutter-import-rest (reject, ours only) → other people's
 *     export   rutter-export (accept)      → rutter-export-rest (reject, ours; and markers to anybody) → other people's
 *
 * gobgpd has one chain for all neighbours, so every statement names its neighbours by a set. Statements of one policy exclude
 * each other and need no order, so that one more is appended and none is replaced. Pure. Reads next: names.ts, markers.ts.
 */
import { type Address, bitsOf, type Family, familyOf } from "../../../events/address.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import { type Prefix, prefixFamily, prefixLength } from "../../../events/prefix.ts";
import type { Export, ExportAttributes } from "../../intent.ts";
import {
  type DefinedSet,
  type Dialect,
  familyMessage,
  MATCH,
  ROUTE_ACTION,
  SET_TYPE,
  type Statement,
} from "../api/messages.ts";
import { ANY_MARKER, type Marker, markerText } from "./markers.ts";
import { nameOf, OURS } from "./names.ts";
import type { Speaking } from "./speaking.ts";

export const POLICIES = {
  import: [`${OURS}import-guard`, `${OURS}import`, `${OURS}import-rest`],
  export: [`${OURS}export`, `${OURS}export-rest`],
} as const;
export type PolicyName = (typeof POLICIES)["import" | "export"][number];

/** Routes that are told alike. */
export type RouteClass = {
  readonly marker: Marker;
  readonly exports: readonly Export[];
  /** Of its routes. */
  readonly families: readonly Family[];
};

export type Policies = {
  readonly sets: ReadonlyMap<string, DefinedSet>;
  readonly statements: ReadonlyMap<
    string,
    { readonly policy: PolicyName; readonly statement: Statement }
  >;
};

type Draft = {
  readonly sets: Map<string, DefinedSet>;
  readonly statements: Map<string, { readonly policy: PolicyName; readonly statement: Statement }>;
};

export const NO_POLICIES: Policies = { sets: new Map(), statements: new Map() };

/** None at all where there is no neighbour. */
export function policiesOf(
  speaking: readonly Speaking[],
  classes: Iterable<RouteClass>,
  dialect: Dialect,
): Policies {
  const draft: Draft = { sets: new Map(), statements: new Map() };
  if (speaking.length === 0) return draft;
  const byKey = new Map(speaking.map((one) => [one.neighbor.key, one]));
  for (const one of classes) addClass(draft, one, byKey, dialect);
  addImports(draft, speaking);
  const all = neighborSet(
    draft,
    speaking.map(({ address }) => address),
  );
  add(draft, `${OURS}import-rest`, { neighbor_set: all }, { route_action: ROUTE_ACTION.reject });
  add(draft, `${OURS}export-rest`, { neighbor_set: all }, { route_action: ROUTE_ACTION.reject });
  // Neighbours that somebody else made are told none of ours.
  const markers = { large_community_set: communitySet(draft, ANY_MARKER) };
  add(draft, `${OURS}export-rest`, markers, { route_action: ROUTE_ACTION.reject });
  return draft;
}

function addClass(
  draft: Draft,
  { marker, exports, families }: RouteClass,
  byKey: ReadonlyMap<NeighborKey, Speaking>,
  dialect: Dialect,
): void {
  for (const { to, attributes } of exports) {
    for (const family of families) {
      const alike = new Map<string, { actions: Statement["actions"]; addresses: Address[] }>();
      for (const key of to) {
        const one = byKey.get(key);
        if (one === undefined || !one.neighbor.families.includes(family)) continue;
        const actions = actionsFor(one, attributes, family, dialect);
        if (actions === undefined) continue;
        const text = JSON.stringify(actions);
        const known = alike.get(text) ?? { actions, addresses: [] };
        alike.set(text, known);
        known.addresses.push(one.address);
      }
      for (const { actions, addresses } of alike.values()) {
        const neighbor_set = neighborSet(draft, addresses);
        const large_community_set = communitySet(draft, markerText(marker));
        // A class may have routes of both, and their next hops differ.
        const afi_safi_in = [familyMessage(family)];
        add(draft, `${OURS}export`, { neighbor_set, large_community_set, afi_safi_in }, actions);
      }
    }
  }
}

/** Of CommunityAction: add, remove, replace. */
const REPLACE_COMMUNITIES = 2;

/** undefined: no next hop of that family is known, so it is not told. */
function actionsFor(
  one: Speaking,
  wanted: ExportAttributes,
  family: Family,
  { first }: Dialect,
): Statement["actions"] | undefined {
  const { med, communities, largeCommunities } = wanted;
  const nexthop = nextHopFor(one, wanted.nextHop, family);
  if (nexthop === undefined) return undefined;
  return {
    route_action: ROUTE_ACTION.accept,
    nexthop,
    ...(med === undefined ? {} : { med: { type: first + 1, value: med } }),
    ...(communities.length === 0
      ? {}
      : {
          community: {
            type: first,
            communities: communities.map((value) => `${value >>> 16}:${value & 0xffff}`),
          },
        }),
    // In the marker's place; an empty list takes it away.
    large_community: { type: first + REPLACE_COMMUNITIES, communities: largeCommunities },
    // RFC 4271 §5.1.5: to internal peers only; where nobody set it, gobgpd says 100.
    ...(one.internal && wanted.localPref !== undefined
      ? { local_pref: { value: wanted.localPref } }
      : {}),
  };
}

function nextHopFor(
  { address, otherNextHop }: Speaking,
  explicit: Address | undefined,
  family: Family,
): { address: string } | { self: true } | undefined {
  if (explicit !== undefined && familyOf(explicit) === family) return { address: explicit };
  if (familyOf(address) === family) return { self: true };
  return otherNextHop === undefined ? undefined : { address: otherNextHop };
}

function addImports(draft: Draft, speaking: readonly Speaking[]): void {
  const group = <T>(of: (one: Speaking) => T | undefined): [T, Address[]][] => {
    const groups = new Map<string, [T, Address[]]>();
    for (const one of speaking) {
      const value = of(one);
      if (value === undefined) continue;
      const text = JSON.stringify(value);
      const known = groups.get(text) ?? [value, []];
      groups.set(text, known);
      known[1].push(one.address);
    }
    return [...groups.values()];
  };
  const guard = `${OURS}import-guard`;
  const reject = { route_action: ROUTE_ACTION.reject };
  for (const [blocked, addresses] of group(({ neighbor }) => neighbor.receiveGuard?.alwaysBlock)) {
    const neighbor_set = neighborSet(draft, addresses);
    const ranges = blocked.map((prefix) => ({
      prefix,
      atLeast: prefixLength(prefix),
      atMost: bitsOf(prefixFamily(prefix)),
    }));
    for (const prefix_set of prefixSets(draft, ranges))
      add(draft, guard, { neighbor_set, prefix_set }, reject);
  }
  for (const [as, addresses] of group(firstAsOf)) {
    const neighbor_set = neighborSet(draft, addresses);
    const as_path_set = { ...asPathSet(draft, `^${as}_`), type: MATCH.invert };
    add(draft, guard, { neighbor_set, as_path_set }, reject);
  }
  const accept = { route_action: ROUTE_ACTION.accept };
  for (const [rule, addresses] of group(({ neighbor }) => neighbor.receive)) {
    if (rule.type === "nothing") continue;
    const neighbor_set = neighborSet(draft, addresses);
    if (rule.type === "everything") add(draft, `${OURS}import`, { neighbor_set }, accept);
    else {
      for (const prefix_set of prefixSets(draft, rule.prefixes)) {
        add(draft, `${OURS}import`, { neighbor_set, prefix_set }, accept);
      }
    }
  }
}

/** RFC 4271 §6.3. An AS that is taken from the OPEN cannot be held against AS_PATH by a policy. */
const firstAsOf = ({
  neighbor: { remoteAs, receiveGuard },
  internal,
}: Speaking): number | undefined =>
  internal || remoteAs.type !== "asn" || receiveGuard?.checkFirstAs === false
    ? undefined
    : remoteAs.asn;

type Range = { readonly prefix: Prefix; readonly atLeast: number; readonly atMost: number };

/** gobgpd's prefix sets are of one family. */
function* prefixSets(
  draft: Draft,
  ranges: readonly Range[],
): Generator<{ type: number; name: string }> {
  for (const family of ["ipv4", "ipv6"] as const) {
    const own = ranges.filter(({ prefix }) => prefixFamily(prefix) === family);
    if (own.length === 0) continue;
    const prefixes = own.map(({ prefix, atLeast, atMost }) => ({
      ip_prefix: prefix as string,
      mask_length_min: atLeast,
      mask_length_max: atMost,
    }));
    yield matchOf(draft, { defined_type: SET_TYPE.prefix, list: [], prefixes }, "prefixes");
  }
}

const neighborSet = (draft: Draft, addresses: readonly Address[]) =>
  matchOf(
    draft,
    {
      defined_type: SET_TYPE.neighbor,
      list: [...new Set(addresses)].toSorted().map((one) => `${one}/${bitsOf(familyOf(one))}`),
      prefixes: [],
    },
    "peers",
  );

const asPathSet = (draft: Draft, expression: string) =>
  matchOf(draft, { defined_type: SET_TYPE.asPath, list: [expression], prefixes: [] }, "paths");

const communitySetContent = (expression: string) => ({
  defined_type: SET_TYPE.largeCommunity,
  list: [expression],
  prefixes: [],
});
const communitySet = (draft: Draft, expression: string) =>
  matchOf(draft, communitySetContent(expression), "classes");

/** Name of the set that statements know a class's routes by. */
export const classSetName = (marker: Marker): string =>
  nameOf("classes", communitySetContent(markerText(marker)));

function matchOf(
  draft: Draft,
  content: Omit<DefinedSet, "name">,
  kind: string,
): { type: number; name: string } {
  const name = nameOf(kind, content);
  draft.sets.set(name, { ...content, name });
  return { type: MATCH.any, name };
}

function add(
  draft: Draft,
  policy: PolicyName,
  conditions: Statement["conditions"],
  actions: Statement["actions"],
): void {
  const name = nameOf(policy.slice(OURS.length), [conditions, actions]);
  draft.statements.set(name, { policy, statement: { name, conditions, actions } });
}
