/**
 * What a fleet's feed brings → facts: a change set takes its place whole, or changes nothing.
 *
 * Pure. Order comes from generations and digests, never from arrival: what is known is known, what is not the next one waits,
 * and nothing is deleted because it is absent. A signature was verified and a scope judged before (agent/core/feed-intake.ts).
 * Reads next: ../../events/feeds.ts (the fold), ../fleet/change-set.ts (what comes).
 */
import { match } from "ts-pattern";
import { canonicalJson } from "../../events/digest.ts";
import type { FeedEvent, FeedPosition, LeftOut } from "../../events/feed-event.ts";
import type { EventId, ResourceKey } from "../../events/ids.ts";
import { keyOf } from "../../events/resources/kinds.ts";
import type { Owner } from "../../events/resources/resource.ts";
import { type DesiredState, type FeedState, resourcesOf } from "../../events/state.ts";
import type { ChangeSet } from "../fleet/change-set.ts";
import { sameAddresses } from "../plan/allocate.ts";
import type { Authority } from "../plan/settle.ts";
import type { Change, Decision, Document, DraftFact } from "./decision.ts";
import { type Draft, startDraft } from "./draft.ts";
import { heldResource, sameResource } from "./ownership.ts";

export type FeedCommand = {
  readonly type: "feed";
  readonly set: Omit<ChangeSet, "puts">;
  /** Of the set's octets, SHA-256 in hexadecimal. */
  readonly digest: string;
  readonly signer: string;
  /** The set's manifests, each owned by `feed:<fleet>`; or why the set is refused whole. */
  readonly documents: readonly Document[] | { readonly rule: string; readonly reason: string };
  readonly position: FeedPosition;
  /** This very set is in the log. */
  readonly known: boolean;
};

/** What came by the feed and is no change set. */
export type FeedRefusal = Omit<Extract<FeedEvent, { type: "feed-refused" }>, "type"> & {
  readonly type: "feed-refusal";
};

/** The operator says that what the fleet does not have may go. */
export type FeedConfirm = { readonly type: "feed-confirm"; readonly fleet: string };

type Standing =
  /** It changes nothing: it took its place before, is older than where this host began, or a later one has to come first. */
  | { readonly name: "nothing" }
  | { readonly name: "next" }
  | { readonly name: "base" }
  /** It belongs to another history than ours. */
  | { readonly name: "fork"; readonly reason: string };

/** Whether a set is one that would take its place now, so that its manifests are worth reading. */
export function feedAwaits(desired: DesiredState, set: Omit<FeedCommand, "documents">): boolean {
  const { name } = standingOf(desired.feeds?.get(set.set.fleet), set);
  return name === "next" || name === "base";
}

function standingOf(
  state: FeedState | undefined,
  { set, digest, known }: Omit<FeedCommand, "documents">,
): Standing {
  const { generation, previous } = set;
  const ours = state?.generation ?? 0;
  const short = (text: string): string => text.slice(0, 12);
  if (set.type === "base") {
    if (generation !== ours) return { name: generation > ours ? "base" : "nothing" };
    if (previous === state?.digest) return { name: "base" };
    const reason = `the base of generation ${ours} stands behind ${short(previous)}, this host behind ${short(state?.digest ?? "")}`;
    return { name: "fork", reason };
  }
  if (generation > ours + 1) return { name: "nothing" };
  if (generation === ours + 1) {
    if (previous === (state?.digest ?? "")) return { name: "next" };
    const reason = `generation ${generation} goes on from ${short(previous)}, this host from ${short(state?.digest ?? "")}`;
    return { name: "fork", reason };
  }
  const isOurs = generation === ours ? digest === state?.digest : known;
  const isBeforeUs = generation < ours && generation <= (state?.base ?? 0);
  if (isOurs || isBeforeUs) return { name: "nothing" };
  return {
    name: "fork",
    reason: `there is another generation ${generation} than the one that this host has`,
  };
}

export function decideFeed(
  desired: DesiredState,
  command: FeedCommand,
  nextId: () => EventId,
  authority: Authority,
): Decision {
  const state = desired.feeds?.get(command.set.fleet);
  return match(standingOf(state, command))
    .returnType<Decision>()
    .with({ name: "nothing" }, () => decided(desired, []))
    .with({ name: "fork" }, ({ reason }) => {
      const told = state?.diverged;
      // Once until something converges: another history may have thousands of sets.
      if (told?.what === "history") return decided(desired, []);
      const { fleet } = command.set;
      return one(
        desired,
        { type: "feed-diverged", fleet, what: "history", reason, strays: told?.strays ?? [] },
        nextId,
      );
    })
    .with({ name: "next" }, { name: "base" }, () =>
      "rule" in command.documents
        ? refusedWhole(desired, command, command.documents, nextId)
        : applied(desired, command, command.documents, nextId, authority),
    )
    .exhaustive();
}

export function decideFeedRefusal(
  desired: DesiredState,
  { type: _type, ...refusal }: FeedRefusal,
  nextId: () => EventId,
): Decision {
  return one(desired, { type: "feed-refused", ...refusal }, nextId);
}

export function decideFeedConfirm(
  desired: DesiredState,
  { fleet }: FeedConfirm,
  nextId: () => EventId,
): Decision {
  const diverged = desired.feeds?.get(fleet)?.diverged;
  if (diverged === undefined) return decided(desired, []);
  const owner: Owner = `feed:${fleet}`;
  const strays = diverged.strays.filter((key) => heldResource(desired, key)?.owner === owner);
  const draft = startDraft(desired, nextId);
  const cause = [draft.add({ type: "feed-converged", fleet, deleted: strays }, owner, [])];
  const changes = strays.map((key): Change => ({
    key,
    result: "deleted",
    fact: draft.add({ type: "resource-deleted", key, owner }, key, cause),
  }));
  draft.settleSince(desired, cause);
  return decided(draft.after(), draft.facts, changes);
}

/** A change set that is refused moves the generation, for nobody may be stopped by it; a base that is refused moves nothing. */
function refusedWhole(
  desired: DesiredState,
  { set, digest, signer, position }: FeedCommand,
  { rule, reason }: { readonly rule: string; readonly reason: string },
  nextId: () => EventId,
): Decision {
  const { fleet, generation } = set;
  if (set.type === "base") {
    return one(
      desired,
      { type: "feed-refused", fleet, rule, reason, position, signer, digest },
      nextId,
    );
  }
  const draft = startDraft(desired, nextId);
  const advanced: FeedEvent = {
    type: "feed-advanced",
    fleet,
    set: "change",
    generation,
    digest,
    signer,
    position,
    verdict: { result: "refused", rule, reason },
    applied: [],
    deleted: [],
    unchanged: 0,
    left: [],
    tombstones: [],
  };
  draft.add(advanced, `feed:${fleet}`, []);
  return decided(draft.after(), draft.facts);
}

type Sorted = {
  readonly puts: readonly {
    readonly document: Document;
    readonly result: "created" | "configured";
  }[];
  readonly unchanged: readonly ResourceKey[];
  readonly left: readonly LeftOut[];
  readonly deleted: readonly ResourceKey[];
};

function applied(
  desired: DesiredState,
  command: FeedCommand,
  documents: readonly Document[],
  nextId: () => EventId,
  authority: Authority,
): Decision {
  const { set, digest, signer, position } = command;
  const { fleet, generation, deletes } = set;
  const owner: Owner = `feed:${fleet}`;
  const state = desired.feeds?.get(fleet);
  const { puts, unchanged, left, deleted } = sorted(desired, command, documents);
  const draft = startDraft(desired, nextId);
  const advanced: FeedEvent = {
    type: "feed-advanced",
    fleet,
    set: set.type,
    generation,
    digest: set.type === "base" ? set.previous : digest,
    signer,
    position,
    verdict: { result: "applied" },
    applied: puts.map(({ document }) => keyOf(document.resource)),
    deleted,
    unchanged: unchanged.length,
    left,
    tombstones: deletes,
  };
  const cause = [draft.add(advanced, owner, [])];
  const changes: Change[] = unchanged.map((key) => ({ key, result: "unchanged", fact: undefined }));
  for (const { document, result } of puts) {
    const { resource } = document;
    const key = keyOf(resource);
    const fact = draft.add({ type: "resource-applied", resource, owner }, key, cause);
    changes.push({ key, result, fact });
  }
  for (const key of deleted) {
    const fact = draft.add({ type: "resource-deleted", key, owner }, key, cause);
    changes.push({ key, result: "deleted", fact });
  }
  const named = new Set(documents.map(({ resource }) => keyOf(resource)));
  allocate(draft, set, named, cause);
  tellOfStrays(draft, state, set, named, cause);
  draft.settleSince(desired, cause, authority);
  // A base of where this host stands is no news unless it mends something.
  const isNews = generation > (state?.generation ?? 0) || draft.facts.length > 1;
  const mends = isNews || !sameLeft(left, state?.left ?? []);
  return mends ? decided(draft.after(), draft.facts, changes) : decided(desired, []);
}

/** What each put and tombstone means here; what another owner has is left to it, with the addresses that go with it. */
function sorted(
  desired: DesiredState,
  { set }: FeedCommand,
  documents: readonly Document[],
): Sorted {
  const owner: Owner = `feed:${set.fleet}`;
  const addresses = new Map(set.allocations.map((one) => [one.service, one.addresses]));
  const before = desired.feeds?.get(set.fleet)?.left ?? [];
  const waiting = new Map(before.map((one) => [one.key, one]));
  const puts: { document: Document; result: "created" | "configured" }[] = [];
  const unchanged: ResourceKey[] = [];
  const left = new Map<ResourceKey, LeftOut>();
  for (const document of documents) {
    const { resource } = document;
    const key = keyOf(resource);
    const held = heldResource(desired, key);
    if (held === undefined) puts.push({ document, result: "created" });
    else if (held.owner !== owner) {
      const given =
        addresses.get(key) ?? (set.type === "change" ? waiting.get(key)?.addresses : []);
      const reason = `belongs to ${held.owner} on this host`;
      left.set(key, { key, reason, resource, addresses: given ?? [] });
    } else if (sameResource(held.resource, resource)) unchanged.push(key);
    else puts.push({ document, result: "configured" });
  }
  for (const [service, given] of addresses) {
    const parked = waiting.get(service);
    if (set.type !== "change" || parked === undefined || left.has(service)) continue;
    left.set(service, { ...parked, addresses: given });
  }
  const deleted = set.deletes.filter((key) => heldResource(desired, key)?.owner === owner);
  return { puts, unchanged, left: [...left.values()], deleted };
}

/** Brings each Service of the feed to what the set gives it; a base says it of all that it names. */
function allocate(
  draft: Draft,
  set: FeedCommand["set"],
  named: ReadonlySet<ResourceKey>,
  cause: readonly EventId[],
): void {
  const owner = `feed:${set.fleet}`;
  const services = resourcesOf(draft.after(), "/Service");
  const { allocations } = draft.after();
  const given = new Map(set.allocations.map(({ service, addresses }) => [service, addresses]));
  if (set.type === "base") {
    for (const key of allocations.keys()) {
      if (named.has(key) && !given.has(key)) given.set(key, []);
    }
  }
  for (const [service, addresses] of given) {
    const now = allocations.get(service)?.addresses ?? [];
    if (services.get(service)?.owner !== owner || sameAddresses(now, addresses)) continue;
    const reason = "the fleet's publisher took it back";
    draft.add(
      addresses.length > 0
        ? { type: "address-allocated", service, addresses }
        : { type: "address-released", service, reason },
      service,
      cause,
    );
  }
}

/** What this host has of the feed and a base does not stays, and is told; with a set that names or deletes it, it is settled. */
function tellOfStrays(
  draft: Draft,
  state: FeedState | undefined,
  set: FeedCommand["set"],
  named: ReadonlySet<ResourceKey>,
  cause: readonly EventId[],
): void {
  const { fleet, generation } = set;
  const owner: Owner = `feed:${fleet}`;
  const told = state?.diverged;
  const candidates = set.type === "base" ? ownedBy(draft.after(), owner) : (told?.strays ?? []);
  const strays = candidates.filter(
    (key) => !named.has(key) && heldResource(draft.after(), key)?.owner === owner,
  );
  if (strays.length === 0) {
    if (told !== undefined) draft.add({ type: "feed-converged", fleet, deleted: [] }, owner, cause);
    return;
  }
  const isKnown = told?.what === "strays" && canonicalJson(told.strays) === canonicalJson(strays);
  if (isKnown) return;
  const reason = `${strays.length} of the fleet's resources here are not in the fleet as of generation ${generation}; if they may go: rutter confirm ${owner}`;
  draft.add({ type: "feed-diverged", fleet, what: "strays", reason, strays }, owner, cause);
}

const ownedBy = (desired: DesiredState, owner: Owner): readonly ResourceKey[] =>
  Object.values(desired.resources)
    .flatMap((ofType) => [...ofType.values()])
    .filter((held) => held.owner === owner)
    .map(({ key }) => key)
    .toSorted();

const sameLeft = (a: readonly LeftOut[], b: readonly LeftOut[]): boolean =>
  canonicalJson(a) === canonicalJson(b);

function one(desired: DesiredState, event: FeedEvent, nextId: () => EventId): Decision {
  const draft = startDraft(desired, nextId);
  draft.add(event, `feed:${event.fleet}`, []);
  return decided(draft.after(), draft.facts);
}

const decided = (
  after: DesiredState,
  facts: readonly DraftFact[],
  changes: readonly Change[] = [],
): Decision => ({ type: "accepted", facts, changes, refusals: [], after });
