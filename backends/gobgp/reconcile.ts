/**
 * Makes one gobgpd what is wanted: lists what it holds, finds the difference, carries it out; or, for routes alone, tells just those.
 *
 * Does the I/O of a turn and keeps nothing between two but what it returns. The order is everywhere the same: what decides over
 * routes first, then routes, then neighbours, and only then what nobody needs any more.
 * Reads next: difference.ts, soft-resets.ts, render/.
 */
import { type Address, parseAddress } from "../../events/address.ts";
import type { Prefix } from "../../events/prefix.ts";
import { BackendError } from "../backend.ts";
import type { RouteChange } from "../delta.ts";
import type { Export, SpeakerIntent } from "../intent.ts";
import {
  DIRECTION,
  familyMessage,
  type Global,
  type ListedPeer,
  type OwnPath,
  SET_TYPE,
  TABLE,
} from "./api/messages.ts";
import {
  type Call,
  type ListedPolicies,
  peerCalls,
  policyCalls,
  STARTED_BY_US,
  type WantedPeer,
} from "./difference.ts";
import type { GobgpClient } from "./io/client.ts";
import { ownRouteOf } from "./read/paths.ts";
import {
  bookOf,
  type ClassBook,
  dropEmpty,
  emptyBook,
  exportsOf,
  routeClasses,
  takeRoute,
} from "./render/classes.ts";
import { type Marker, markerIn } from "./render/markers.ts";
import { inBatches, ownPath } from "./render/paths.ts";
import { classSetName, NO_POLICIES, type Policies, policiesOf } from "./render/policies.ts";
import type { Speaking } from "./render/speaking.ts";
import { listedOf, policiesListed, softResets } from "./soft-resets.ts";

/** What gobgpd holds of ours, as it is known after a turn. */
export type Held = { readonly book: ClassBook; readonly policies: Policies };

export type Wanted = {
  readonly intent: SpeakerIntent;
  readonly speaking: readonly Speaking[];
  readonly peers: (listed: readonly ListedPeer[]) => ReadonlyMap<string, WantedPeer>;
  /** undefined: there is nobody to speak for. */
  readonly global: Global | undefined;
  /** The intent asks for this router id. */
  readonly isRouterIdAsked: boolean;
};

export type Reconciled = Held & {
  /** Addresses of neighbours that somebody else made. */
  readonly foreign: ReadonlySet<string>;
  /** Calls that changed something; 0 where everything was so already. */
  readonly changes: number;
};

export async function reconcile(
  client: GobgpClient,
  wanted: Wanted,
  known: Held | undefined,
): Promise<Reconciled> {
  const dialect = await client.dialect();
  const started = await ensureStarted(client, wanted);
  if (started === "nothing") {
    return { book: emptyBook(), policies: NO_POLICIES, foreign: new Set(), changes: 0 };
  }
  const [listed, held, peers] = await Promise.all([
    listPolicies(client),
    listOwn(client),
    listPeers(client),
  ]);
  const told = toldAddresses(listed);
  const peersWanted = wanted.peers(peers);
  const { calls: ofPeers, foreign } = peerCalls(peers, peersWanted);
  const speaking = wanted.speaking.filter(({ address }) => !foreign.has(address));
  const addressOf = new Map(speaking.map(({ neighbor, address }) => [neighbor.key, address]));
  const mayKeep = (marker: Marker, exports: readonly Export[]): boolean => {
    const now = new Set(exports.flatMap(({ to }) => to.flatMap((key) => addressOf.get(key) ?? [])));
    const still = new Set(addressOf.values());
    return [...(told.get(marker) ?? [])].every((one) => !still.has(one) || now.has(one));
  };
  const book = bookOf(wanted.intent, held, known?.book ?? emptyBook(), mayKeep);
  const policies = policiesOf(speaking, routeClasses(book), dialect);
  const calls = policyCalls(listed, policies);
  const paths: OwnPath[] = [];
  for (const [prefix, { marker }] of book.routes) {
    if (held.get(prefix) !== marker) paths.push(ownPath(prefix, marker));
  }
  for (const prefix of held.keys())
    if (!book.routes.has(prefix)) paths.push(ownPath(prefix, undefined));
  const resets = softResets(
    known?.policies ?? policiesListed(listed, policies),
    policies,
    classesOf(held),
  );
  const made = new Set(
    ofPeers.flatMap(({ method, request }) =>
      method === "AddPeer" ? request.peer.conf.neighbor_address : [],
    ),
  );
  const there = new Set(peers.map((peer) => peer.conf?.neighbor_address ?? ""));

  await carryOut(client, calls.before);
  await tellPaths(client, paths);
  await carryOut(client, ofPeers);
  await carryOut(client, calls.after);
  const soft: Call[] = [];
  for (const [direction, addresses] of [
    [0, resets.in],
    [1, resets.out],
  ] as const) {
    for (const address of addresses) {
      if (made.has(address) || !there.has(address) || !peersWanted.has(address)) continue;
      soft.push({
        method: "ResetPeer",
        request: { address, soft: true, direction: dialect.first + direction },
      });
    }
  }
  await carryOut(client, soft);
  const changes =
    calls.before.length +
    calls.after.length +
    ofPeers.length +
    soft.length +
    paths.length +
    (started === "now" ? 1 : 0);
  return { book, policies, foreign, changes };
}

/** Routes alone, where gobgpd is known to hold `held`: one call, and three more where a class is new. Changes the book. */
export async function tellRoutes(
  client: GobgpClient,
  intent: SpeakerIntent,
  speaking: readonly Speaking[],
  held: Held,
  changes: readonly RouteChange[],
): Promise<Held> {
  const { book } = held;
  const paths: OwnPath[] = [];
  let isNewClass = false;
  for (const prefix of new Set(changes.map((one) => one.prefix))) {
    const had = book.routes.has(prefix);
    const { marker, isNew } = takeRoute(book, prefix, exportsOf(intent, prefix));
    isNewClass = isNewClass || isNew;
    if (had || marker !== undefined) paths.push(ownPath(prefix, marker));
  }
  const isDropped = dropEmpty(book);
  if (!isNewClass && !isDropped) {
    await tellPaths(client, paths);
    return held;
  }
  const policies = policiesOf(speaking, routeClasses(book), await client.dialect());
  const calls = policyCalls(listedOf(held.policies), policies);
  await carryOut(client, calls.before);
  await tellPaths(client, paths);
  await carryOut(client, calls.after);
  return { book, policies };
}

async function tellPaths(client: GobgpClient, paths: readonly OwnPath[]): Promise<void> {
  if (paths.length > 0) await client.addPaths([...inBatches(paths)]);
}

/** One after the other: each rests on those before it. */
async function carryOut(client: GobgpClient, calls: readonly Call[]): Promise<void> {
  for (const { method, request } of calls) await client.call(method, request);
}

/** Set of gobgpd's own AS and router id; 0: BGP was not started in it. */
async function globalOf(client: GobgpClient): Promise<Global | undefined> {
  try {
    const { global } = await client.call("GetBgp", {});
    return global === null || global.asn === 0 ? undefined : global;
  } catch (error) {
    if (error instanceof BackendError && error.code === "SPEAKER_REFUSED") return undefined;
    throw error;
  }
}

async function ensureStarted(
  client: GobgpClient,
  wanted: Wanted,
): Promise<"now" | "before" | "nothing"> {
  const there = await globalOf(client);
  const { global } = wanted;
  if (global === undefined) return there === undefined ? "nothing" : "before";
  if (there !== undefined) {
    const ases = new Set(wanted.speaking.map(({ localAs }) => localAs as number));
    for (const { localAs } of wanted.intent.routers) ases.add(localAs);
    const isOtherAs = !ases.has(there.asn);
    const isOtherId = wanted.isRouterIdAsked && there.router_id !== global.router_id;
    if (!isOtherAs && !isOtherId) return "before";
    const sets = await client.list("ListDefinedSet", { defined_type: SET_TYPE.neighbor, name: "" });
    if (!sets.some(({ defined_set: set }) => set?.name === STARTED_BY_US)) {
      throw new BackendError(
        "SPEAKER_REFUSED",
        `gobgpd was started by somebody else with AS ${there.asn} and router id ${there.router_id}, and this host's routers have AS ${[...ases].join(", ")}` +
          `${isOtherId ? ` and router id ${global.router_id}` : ""}: start it without a configuration of its own, or give the routers its values`,
      );
    }
    await client.call("StopBgp", {});
  }
  await client.call("StartBgp", { global });
  const list = [`${global.router_id}/32`];
  await client.call("AddDefinedSet", {
    defined_set: { defined_type: SET_TYPE.neighbor, name: STARTED_BY_US, list, prefixes: [] },
  });
  return "now";
}

async function listPolicies(client: GobgpClient): Promise<ListedPolicies> {
  const any = { name: "" };
  const [prefixes, neighbors, asPaths, communities, statements, policies, imports, exports] =
    await Promise.all([
      client.list("ListDefinedSet", { defined_type: SET_TYPE.prefix, name: "" }),
      client.list("ListDefinedSet", { defined_type: SET_TYPE.neighbor, name: "" }),
      client.list("ListDefinedSet", { defined_type: SET_TYPE.asPath, name: "" }),
      client.list("ListDefinedSet", { defined_type: SET_TYPE.largeCommunity, name: "" }),
      client.list("ListStatement", any),
      client.list("ListPolicy", any),
      client.list("ListPolicyAssignment", { name: "global", direction: DIRECTION.import }),
      client.list("ListPolicyAssignment", { name: "global", direction: DIRECTION.export }),
    ]);
  return {
    sets: [...prefixes, ...neighbors, ...asPaths, ...communities].flatMap(
      ({ defined_set: one }) => one ?? [],
    ),
    statements: statements.flatMap(({ statement: one }) => one ?? []),
    policies: policies.flatMap(({ policy: one }) => one ?? []),
    assignments: [...imports, ...exports].flatMap(({ assignment: one }) => one ?? []),
  };
}

export const listPeers = async (
  client: GobgpClient,
  advertised = false,
): Promise<readonly ListedPeer[]> =>
  (await client.list("ListPeer", { enable_advertised: advertised })).flatMap(
    ({ peer }) => peer ?? [],
  );

async function listOwn(client: GobgpClient): Promise<ReadonlyMap<Prefix, Marker>> {
  const own = new Map<Prefix, Marker>();
  for (const family of ["ipv4", "ipv6"] as const) {
    const paths = client.walk("ListPath", {
      table_type: TABLE.global,
      name: "",
      family: familyMessage(family),
      prefixes: [],
      enable_filtered: false,
      enable_only_binary: true,
    });
    for await (const { destination } of paths) {
      for (const path of destination?.paths ?? []) {
        const route = ownRouteOf(path);
        if (route !== undefined) own.set(route.prefix, route.marker);
      }
    }
  }
  return own;
}

/** By marker, the neighbours that gobgpd's policy tells its routes to. */
function toldAddresses({
  sets,
  statements,
}: ListedPolicies): ReadonlyMap<Marker, ReadonlySet<Address>> {
  const lists = new Map(sets.map(({ name, list }) => [name, list]));
  const listIn = (name: string | undefined) => lists.get(name ?? "") ?? [];
  const told = new Map<Marker, Set<Address>>();
  for (const { conditions } of statements) {
    for (const text of listIn(conditions?.large_community_set?.name)) {
      const marker = markerIn(text);
      if (marker === undefined) continue;
      const addresses = told.get(marker) ?? new Set();
      told.set(marker, addresses);
      for (const one of listIn(conditions.neighbor_set?.name)) {
        const address = parseAddress(one.slice(0, one.lastIndexOf("/")));
        if (address !== undefined) addresses.add(address);
      }
    }
  }
  return told;
}

const classesOf = (held: ReadonlyMap<Prefix, Marker>): ReadonlySet<string> =>
  new Set([...new Set(held.values())].map(classSetName));
