/**
 * Commands → facts, or a refusal: the one place where a change of desired state is allowed or not.
 *
 * Pure: commands are decided one after another against committed and in-flight state, and an accepted command's facts are
 * recorded whole or not at all. What a change settles besides (addresses, quarantine) is decided here in the same breath
 * (draft.ts), so that the log holds every decision with its cause. Never reads a file and never answers a user:
 * commands.ts in agent/pipeline/ does. Reads next: ownership.ts, feed.ts (change sets of a fleet).
 */
import { match } from "ts-pattern";
import type { DecidedEvent, DesiredEvent, Event, HostFacts } from "../../events/event.ts";
import type { Address } from "../../events/address.ts";
import type { EventId, NeighborKey, ResourceKey } from "../../events/ids.ts";
import { keyOf } from "../../events/resources/kinds.ts";
import type { Owner } from "../../events/resources/resource.ts";
import type { DesiredState } from "../../events/state.ts";
import type { Authority } from "../plan/settle.ts";
import type { Change, Decision, Document, Refusal } from "./decision.ts";
import { startDraft } from "./draft.ts";
import { type ExportsSeen, exportsObserved } from "./exports-seen.ts";
import { decideFeed, decideFeedConfirm, decideFeedRefusal } from "./feed.ts";
import type { FeedCommand, FeedConfirm, FeedRefusal } from "./feed.ts";
import { heldResource, ownershipRefusal, referenceRefusal, sameResource } from "./ownership.ts";

export type Command =
  | {
      readonly type: "apply";
      readonly documents: readonly Document[];
      readonly owner: Owner;
      /** Take resources over from other owners instead of refusing. */
      readonly takeOver: boolean;
      /** Leave out what is refused and apply the rest. */
      readonly keepGoing: boolean;
      /** Delete what this owner holds and the documents do not name. */
      readonly prune: boolean;
    }
  | {
      readonly type: "delete";
      readonly keys: readonly ResourceKey[];
      readonly owner: Owner;
      readonly takeOver: boolean;
    }
  /** The whole content of a file source: what it owned and no longer names is deleted. */
  | {
      readonly type: "sync";
      readonly root: Owner;
      readonly documents: readonly Document[];
      /** Files that could not be read or parsed: what they owned stays as it was. */
      readonly unreadable: readonly Owner[];
      readonly confirmed: boolean;
    }
  | FeedCommand
  | FeedRefusal
  | FeedConfirm
  | { readonly type: "observe-host"; readonly facts: HostFacts }
  | ExportsSeen
  | {
      readonly type: "observe-neighbor";
      readonly neighbor: NeighborKey;
      readonly peer: string;
      readonly interface: string;
      readonly address: Address;
    }
  | {
      readonly type: "observe-endpoint";
      readonly service: ResourceKey;
      readonly healthy: boolean;
      readonly reason: string;
    };

/** A source that deletes more than this part of what it owned is suspected (design §5). */
const SUSPECT_ABOVE = 0.5;

/** `authority`: who gives addresses to the Services of a feed; on a host its change sets alone. */
export function decide(
  desired: DesiredState,
  command: Command,
  nextId: () => EventId,
  authority: Authority = "host",
): Decision {
  return match(command)
    .returnType<Decision>()
    .with({ type: "apply" }, (apply) => {
      const { changes, refusals } = judgePuts(desired, apply.documents, apply.takeOver);
      const pruned = apply.prune
        ? notNamed(desired, apply.documents, (o) => o === apply.owner)
        : [];
      if (refusals.length > 0 && !apply.keepGoing) return refused(desired, changes, refusals);
      return accepted(desired, "apply", apply.owner, changes, pruned, refusals, nextId);
    })
    .with({ type: "delete" }, (order) => decideDelete(desired, order, nextId))
    .with({ type: "sync" }, (sync) => decideSync(desired, sync, nextId))
    .with({ type: "feed" }, (feed) => decideFeed(desired, feed, nextId, authority))
    .with({ type: "feed-refusal" }, (refusal) => decideFeedRefusal(desired, refusal, nextId))
    .with({ type: "feed-confirm" }, (order) => decideFeedConfirm(desired, order, nextId))
    .with({ type: "observe-host" }, ({ facts }) =>
      observed(desired, [{ type: "host-observed", facts }], "host", nextId),
    )
    .with({ type: "observe-exports" }, (seen) =>
      observed(desired, exportsObserved(desired, seen), seen.rule, nextId),
    )
    .with({ type: "observe-neighbor" }, ({ type: _type, ...found }) => {
      const known = desired.found?.get(found.neighbor);
      const isKnown = known?.address === found.address && known?.interface === found.interface;
      const news = isKnown ? [] : [{ type: "neighbor-found", ...found } as const];
      return observed(desired, news, found.neighbor, nextId);
    })
    .with({ type: "observe-endpoint" }, ({ service, healthy, reason }) =>
      observed(desired, [{ type: "endpoint-observed", service, healthy, reason }], service, nextId),
    )
    .exhaustive();
}

type Put = { readonly document: Document; readonly result: "created" | "configured" | "unchanged" };

function judgePuts(
  desired: DesiredState,
  documents: readonly Document[],
  takeOver: boolean,
): { readonly changes: readonly Put[]; readonly refusals: readonly Refusal[] } {
  const changes: Put[] = [];
  const refusals: Refusal[] = [];
  for (const document of documents) {
    const key = keyOf(document.resource);
    const held = heldResource(desired, key);
    const message = takeOver ? undefined : ownershipRefusal(held, document.owner);
    if (message !== undefined) refusals.push({ key, rule: "owner", message, document });
    else if (held === undefined) changes.push({ document, result: "created" });
    else {
      const same = held.owner === document.owner && sameResource(held.resource, document.resource);
      changes.push({ document, result: same ? "unchanged" : "configured" });
    }
  }
  return { changes, refusals };
}

function decideDelete(
  desired: DesiredState,
  order: Extract<Command, { type: "delete" }>,
  nextId: () => EventId,
): Decision {
  const refusals: Refusal[] = [];
  for (const key of order.keys) {
    const held = heldResource(desired, key);
    const message =
      held === undefined
        ? "there is no such resource"
        : ((order.takeOver ? undefined : ownershipRefusal(held, order.owner)) ??
          referenceRefusal(desired, held, order.keys));
    if (message !== undefined) {
      refusals.push({ key, rule: held === undefined ? "not-found" : "delete", message });
    }
  }
  if (refusals.length > 0) return refused(desired, [], refusals);
  return accepted(desired, "delete", order.owner, [], order.keys, [], nextId);
}

function decideSync(
  desired: DesiredState,
  sync: Extract<Command, { type: "sync" }>,
  nextId: () => EventId,
): Decision {
  // A rename is a move: inside one source a resource may change its file, so only owners outside the source are asked.
  const inside = (owner: Owner): boolean =>
    owner === sync.root || owner.startsWith(`${sync.root}/`);
  const refusals: Refusal[] = [];
  const mine = sync.documents.filter((document) => {
    const key = keyOf(document.resource);
    const held = heldResource(desired, key);
    if (held === undefined || inside(held.owner)) return true;
    const message = ownershipRefusal(held, document.owner) ?? "";
    refusals.push({ key, rule: "owner", message, document });
    return false;
  });
  const deletes = notNamed(
    desired,
    sync.documents,
    (owner) => inside(owner) && !sync.unreadable.includes(owner),
  );
  const owned = countOwned(desired, inside);
  if (!sync.confirmed && owned > 0 && deletes.length / owned > SUSPECT_ABOVE) {
    const reason = `would delete ${deletes.length} of the ${owned} resources that it owns; if that is meant: rutter confirm ${sync.root}`;
    const suspicion: DecidedEvent = {
      type: "source-suspected",
      owner: sync.root,
      reason,
      deletes,
    };
    const fact = { id: nextId(), event: suspicion, subject: sync.root, cause: [] };
    return { type: "held", facts: [fact], changes: [], refusals, after: desired };
  }
  const { changes } = judgePuts(desired, mine, true);
  return accepted(desired, "sync", sync.root, changes, deletes, refusals, nextId);
}

function accepted(
  desired: DesiredState,
  command: "apply" | "delete" | "sync",
  owner: Owner,
  puts: readonly Put[],
  deletes: readonly ResourceKey[],
  refusals: readonly Refusal[],
  nextId: () => EventId,
): Decision {
  const changed = puts.filter(({ result }) => result !== "unchanged");
  const refusedChanges = refusals.map(({ key }): Change => ({
    key,
    result: "refused",
    fact: undefined,
  }));
  if (changed.length === 0 && deletes.length === 0) {
    const changes = puts.map(({ document, result }) => ({
      key: keyOf(document.resource),
      result,
      fact: undefined,
    }));
    return {
      type: "accepted",
      facts: [],
      changes: [...changes, ...refusedChanges],
      refusals,
      after: desired,
    };
  }
  const draft = startDraft(desired, nextId);
  const change: DesiredEvent = {
    type: "change-accepted",
    command,
    owner,
    applied: changed.map(({ document }) => keyOf(document.resource)),
    deleted: deletes,
    unchanged: puts.length - changed.length,
  };
  const cause = [draft.add(change, owner, [])];
  const changes: Change[] = puts.map(({ document, result }) => {
    const key = keyOf(document.resource);
    if (result === "unchanged") return { key, result, fact: undefined };
    const before = heldResource(desired, key)?.owner;
    const event: DesiredEvent = {
      type: "resource-applied",
      resource: document.resource,
      owner: document.owner,
      ...(before !== undefined && before !== document.owner ? { takenFrom: before } : {}),
    };
    return { key, result, fact: draft.add(event, key, cause) };
  });
  for (const key of deletes) {
    changes.push({
      key,
      result: "deleted",
      fact: draft.add({ type: "resource-deleted", key, owner }, key, cause),
    });
  }
  draft.settleSince(desired, cause);
  return {
    type: "accepted",
    facts: draft.facts,
    changes: [...changes, ...refusedChanges],
    refusals,
    after: draft.after(),
  };
}

function observed(
  desired: DesiredState,
  events: readonly Event[],
  subject: string,
  nextId: () => EventId,
): Decision {
  const draft = startDraft(desired, nextId);
  const cause = events.map((event) => draft.add(event, subject, []));
  if (cause.length > 0) draft.settleSince(desired, cause);
  return { type: "accepted", facts: draft.facts, changes: [], refusals: [], after: draft.after() };
}

function refused(
  desired: DesiredState,
  puts: readonly Put[],
  refusals: readonly Refusal[],
): Decision {
  return {
    type: "refused",
    facts: [],
    changes: [
      ...refusals.map(({ key }): Change => ({ key, result: "refused", fact: undefined })),
      ...puts.map(({ document }): Change => ({
        key: keyOf(document.resource),
        result: "unchanged",
        fact: undefined,
      })),
    ],
    refusals,
    after: desired,
  };
}

function notNamed(
  desired: DesiredState,
  documents: readonly Document[],
  owns: (owner: Owner) => boolean,
): readonly ResourceKey[] {
  const named = new Set(documents.map(({ resource }) => keyOf(resource)));
  return ownedBy(desired, owns).filter((key) => !named.has(key));
}

const countOwned = (desired: DesiredState, owns: (owner: Owner) => boolean): number =>
  ownedBy(desired, owns).length;

function ownedBy(desired: DesiredState, owns: (owner: Owner) => boolean): readonly ResourceKey[] {
  return Object.values(desired.resources)
    .flatMap((ofType) => [...ofType.values()])
    .filter(({ owner }) => owns(owner))
    .map(({ key }) => key)
    .toSorted();
}
