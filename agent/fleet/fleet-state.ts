/**
 * A fleet's whole desired state at its publisher: folded from a base and the change sets after it, and the set that is next.
 *
 * Pure but for hashing. The publisher runs the very decisions that every host runs, and one besides: it gives the addresses.
 * So what a host is told to allocate is what the publisher's own fold has, and nobody else ever chooses.
 * The publisher's I/O is around this: agent/fleet/io. Reads next: ../decide/feed.ts, puts.ts.
 */
import { canonicalJson } from "../../events/digest.ts";
import type { Event } from "../../events/event.ts";
import type { FeedEvent, FeedPosition } from "../../events/feed-event.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import { diff, PersistentMap } from "../../events/persistent-map.ts";
import { keyOf } from "../../events/resources/kinds.ts";
import { type DesiredState, nothingDesired, resourcesOf } from "../../events/state.ts";
import { decide } from "../decide/decide.ts";
import type { Decision, Document } from "../decide/decision.ts";
import { heldResource, referenceRefusal } from "../decide/ownership.ts";
import type { Authority } from "../plan/settle.ts";
import type { Allocated, ChangeSet, Put, Refused } from "./change-set.ts";
import { readPuts } from "./puts.ts";
import { unopened } from "./sealed.ts";
import { judge, type TrustRule } from "./trust.ts";

export type FleetState = {
  readonly fleet: string;
  /** As on a host that has nothing but this fleet's resources. */
  readonly desired: DesiredState;
  /** The manifests in force, as they were put. */
  readonly puts: PersistentMap<ResourceKey, Put>;
  /** By generation, of each change set that took its place in this fold. */
  readonly digests: PersistentMap<string, string>;
};

/** A set whose signature was verified, and where it stood. */
export type VerifiedSet = {
  readonly set: ChangeSet;
  readonly digest: string;
  readonly signer: string;
  readonly position: FeedPosition;
};

export type FoldedSet = {
  readonly state: FleetState;
  readonly result:
    | { readonly type: "applied" }
    | { readonly type: "refused"; readonly rule: string; readonly reason: string }
    /** Known, older, or not the next one. */
    | { readonly type: "ignored" }
    | { readonly type: "diverged"; readonly reason: string };
};

export type NextSet =
  | { readonly type: "unchanged" }
  | {
      readonly type: "set";
      readonly set: ChangeSet;
      /** What it will lead to on every host: addresses, who waits for one, what is set aside. */
      readonly decision: Decision;
    }
  | {
      readonly type: "refused";
      readonly refusals: readonly { readonly rule: string; readonly message: string }[];
    };

export const noFleetState = (fleet: string): FleetState => ({
  fleet,
  desired: nothingDesired,
  puts: PersistentMap.empty(),
  digests: PersistentMap.empty(),
});

/** Generation and digest of the newest set that took its place; 0 and empty before the first. */
export function headOf({ fleet, desired }: FleetState): {
  readonly generation: number;
  readonly digest: string;
} {
  const { generation = 0, digest = "" } = desired.feeds?.get(fleet) ?? {};
  return { generation, digest };
}

/** The state after one more set of the stream. `trust` is the publisher's own; rules for hosts do not concern it. */
export function foldSet(
  state: FleetState,
  { set, digest, signer, position }: VerifiedSet,
  trust: readonly TrustRule[],
): FoldedSet {
  const documents = judged(set, signer, trust);
  const { puts: _puts, ...rest } = set;
  const known = state.digests.get(String(set.generation)) === digest;
  const decision = decide(
    state.desired,
    { type: "feed", set: rest, digest, signer, documents, position, known },
    idsOf(`g${set.generation}`),
  );
  const told = decision.facts.map(({ event }) => event);
  const advanced = told.find((event) => event.type === "feed-advanced");
  if (advanced === undefined) {
    const event = told.find(({ type }) => type === "feed-diverged" || type === "feed-refused");
    return { state: { ...state, desired: decision.after }, result: resultOf(event) };
  }
  const after = { ...state, desired: decision.after, digests: digestsAfter(state, advanced) };
  const { verdict } = advanced;
  return verdict.result === "refused"
    ? { state: after, result: { type: "refused", rule: verdict.rule, reason: verdict.reason } }
    : { state: { ...after, puts: putsAfter(state, set, documents) }, result: { type: "applied" } };
}

function resultOf(event: Event | undefined): FoldedSet["result"] {
  if (event?.type === "feed-diverged") return { type: "diverged", reason: event.reason };
  if (event?.type !== "feed-refused") return { type: "ignored" };
  return { type: "refused", rule: event.rule, reason: event.reason };
}

const digestsAfter = (
  { digests }: FleetState,
  { generation, digest }: Extract<FeedEvent, { type: "feed-advanced" }>,
): FleetState["digests"] => digests.set(String(generation), digest);

function putsAfter(
  { puts }: FleetState,
  set: ChangeSet,
  documents: readonly Document[] | Refused,
): FleetState["puts"] {
  if ("rule" in documents) return puts;
  let after: FleetState["puts"] = set.type === "base" ? PersistentMap.empty() : puts;
  for (const [i, { resource }] of documents.entries()) {
    const put = set.puts[i];
    if (put !== undefined) after = after.set(keyOf(resource), put);
  }
  for (const key of set.deletes) after = after.delete(key);
  return after;
}

/** The set's resources where its signer may say them and all can be read. */
function judged(
  set: ChangeSet,
  signer: string,
  trust: readonly TrustRule[],
): readonly Document[] | Refused {
  const read = readPuts(set, undefined, unopened);
  if (!read.ok) return read;
  const judgement = judge(keysIn(set, read.documents), signer, trust, undefined);
  return judgement.ok ? read.documents : judgement;
}

/** Every key that a set speaks of. */
export const keysIn = (
  set: Pick<ChangeSet, "deletes" | "allocations">,
  documents: readonly Document[],
): readonly ResourceKey[] => [
  ...documents.map(({ resource }) => keyOf(resource)),
  ...set.deletes,
  ...set.allocations.map(({ service }) => service),
];

/**
 * The change set that brings the fleet from `state` to one with these manifests and without these resources, with the
 * addresses that follow. What is in force already is left out of it.
 */
export function nextSet(
  state: FleetState,
  puts: readonly Put[],
  deletes: readonly ResourceKey[],
): NextSet {
  const { fleet, desired } = state;
  const { generation, digest } = headOf(state);
  const set = { fleet, generation: generation + 1, puts: puts.map(plain), deletes };
  const read = readPuts(set, undefined, unopened);
  if (!read.ok) return { type: "refused", refusals: [{ rule: read.rule, message: read.reason }] };
  const refusals = deletes.flatMap((key) => deleteRefusal(desired, key, deletes));
  if (refusals.length > 0) return { type: "refused", refusals };
  const changed = read.documents.flatMap((document, i) => {
    const put = set.puts[i];
    const before = state.puts.get(keyOf(document.resource));
    return put === undefined || canonicalJson(before) === canonicalJson(put)
      ? []
      : [{ document, put }];
  });
  if (changed.length === 0 && deletes.length === 0) return { type: "unchanged" };
  const documents = changed.map(({ document }) => document);
  const decision = settled(state, { ...set, documents }, "publisher");
  return {
    type: "set",
    set: {
      type: "change",
      fleet,
      generation: generation + 1,
      previous: digest,
      puts: changed.map(({ put }) => put),
      deletes,
      allocations: allocationsOf(fleet, desired, decision.after),
    },
    decision,
  };
}

/** What JSON makes of it, for that is what is read everywhere. */
const plain = (put: Put): Put => JSON.parse(canonicalJson(put)) as Put;

function deleteRefusal(
  desired: DesiredState,
  key: ResourceKey,
  deletes: readonly ResourceKey[],
): readonly { readonly rule: string; readonly message: string }[] {
  const held = heldResource(desired, key);
  if (held === undefined) {
    return [{ rule: "not-found", message: `${key}: there is no such resource in the fleet` }];
  }
  const message = referenceRefusal(desired, held, deletes);
  return message === undefined ? [] : [{ rule: "delete", message: `${key}: ${message}` }];
}

function settled(
  { desired, fleet }: FleetState,
  next: {
    readonly generation: number;
    readonly documents: readonly Document[];
    readonly deletes: readonly ResourceKey[];
  },
  authority: Authority,
): Decision {
  const { generation, documents, deletes } = next;
  const previous = desired.feeds?.get(fleet)?.digest ?? "";
  const set = { type: "change", fleet, generation, previous, deletes, allocations: [] } as const;
  const position = { stream: "", created: "", sequence: 0 };
  return decide(
    desired,
    { type: "feed", set, digest: "", signer: "", documents, position, known: false },
    idsOf("next"),
    authority,
  );
}

/** What the publisher's settling changed of the fleet's addresses; a Service that is gone takes its own with it. */
function allocationsOf(
  fleet: string,
  before: DesiredState,
  after: DesiredState,
): readonly Allocated[] {
  const services = resourcesOf(after, "/Service");
  return [...diff(before.allocations, after.allocations)]
    .filter(({ key }) => services.get(key)?.owner === `feed:${fleet}`)
    .map(({ key, after: now }) => ({ service: key, addresses: now?.addresses ?? [] }))
    .toSorted((a, b) => (a.service < b.service ? -1 : 1));
}

/** Everything in force, for whoever comes new or missed something. Throws where nothing was ever published. */
export function baseOf(state: FleetState): ChangeSet {
  const { fleet, desired, puts } = state;
  const feed = desired.feeds?.get(fleet);
  if (feed === undefined) throw new Error(`fleet ${fleet} has no generation yet`);
  const byKey = <T>(map: PersistentMap<ResourceKey, T>): readonly (readonly [ResourceKey, T])[] =>
    [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    type: "base",
    fleet,
    generation: feed.generation,
    previous: feed.digest,
    puts: byKey(puts).map(([, put]) => put),
    deletes: byKey(feed.tombstones).map(([key]) => key),
    allocations: byKey(desired.allocations).map(([service, { addresses }]) => ({
      service,
      addresses,
    })),
  };
}

function idsOf(prefix: string): () => EventId {
  let counter = 0;
  return () => {
    counter += 1;
    return `${prefix}-${counter}` as EventId;
  };
}
