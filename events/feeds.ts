/**
 * How far this host is with the feeds of its fleets, folded from what they led to.
 *
 * Pure, as fold.ts, which this is a part of. Whether a set fits was decided before (agent/decide/feed.ts); here it is only
 * kept. What another owner took from a feed, or never gave to it, waits in `left`.
 */
import { match } from "ts-pattern";
import type { FeedEvent, LeftOut } from "./feed-event.ts";
import type { EventId, ResourceKey } from "./ids.ts";
import { PersistentMap } from "./persistent-map.ts";
import type { DesiredState, FeedState, Held } from "./state.ts";

/** Refused change sets that are remembered one by one; the log has them all. */
export const MAX_VERDICTS = 100;
/** A host that was away for longer than this many deletions keeps what it has and diverges, which is seen. */
export const MAX_TOMBSTONES = 100_000;

const notFed: Omit<FeedState, "fact"> = {
  generation: 0,
  digest: "",
  signer: "",
  base: 0,
  verdicts: [],
  left: [],
  tombstones: PersistentMap.empty(),
  position: undefined,
  diverged: undefined,
};

type Feeds = DesiredState["feeds"];

export function feedsAfter(
  feeds: Feeds,
  event: Exclude<FeedEvent, { type: "feed-refused" }>,
  fact: EventId,
): PersistentMap<string, FeedState> {
  const all = feeds ?? PersistentMap.empty<string, FeedState>();
  const before = all.get(event.fleet) ?? { ...notFed, fact };
  const after = match(event)
    .returnType<FeedState>()
    .with({ type: "feed-advanced" }, (advanced) => advancedTo(before, advanced, fact))
    .with({ type: "feed-diverged" }, ({ what, reason, strays }) => ({
      ...before,
      diverged: { what, reason, strays, fact },
      fact,
    }))
    .with({ type: "feed-converged" }, () => ({ ...before, diverged: undefined, fact }))
    .exhaustive();
  return all.set(event.fleet, after);
}

type Advanced = Extract<FeedEvent, { type: "feed-advanced" }>;

function advancedTo(before: FeedState, event: Advanced, fact: EventId): FeedState {
  const { generation, digest, signer, position, verdict } = event;
  const there = { ...before, generation, digest, signer, position, fact };
  if (verdict.result === "refused") {
    const { rule, reason } = verdict;
    const verdicts = [...before.verdicts, { generation, rule, reason }].slice(-MAX_VERDICTS);
    return { ...there, verdicts };
  }
  if (event.set === "base") {
    const skipped = generation > before.generation;
    return {
      ...there,
      base: skipped ? generation : before.base,
      verdicts: skipped ? [] : before.verdicts,
      left: event.left,
      tombstones: PersistentMap.from(event.tombstones.map((key) => [key, generation] as const)),
    };
  }
  const gone = new Set([
    ...event.applied,
    ...event.tombstones,
    ...event.left.map(({ key }) => key),
  ]);
  return {
    ...there,
    left: [...before.left.filter(({ key }) => !gone.has(key)), ...event.left],
    tombstones: tombstonesAfter(before.tombstones, event),
  };
}

function tombstonesAfter(
  before: FeedState["tombstones"],
  { applied, left, tombstones, generation }: Advanced,
): FeedState["tombstones"] {
  let after = before;
  for (const key of [...applied, ...left.map((one) => one.key)]) after = after.delete(key);
  for (const key of tombstones) after = after.set(key, generation);
  if (after.size <= MAX_TOMBSTONES) return after;
  const oldest = [...after]
    .toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
    .slice(0, after.size - MAX_TOMBSTONES);
  for (const [key] of oldest) after = after.delete(key);
  return after;
}

/** A feed that was given a key waits for it no more; one that it was taken from waits from now on. */
export function feedsHolding(
  { feeds, allocations }: DesiredState,
  held: Held,
  before: Held | undefined,
): Feeds {
  if (feeds === undefined) return undefined;
  let after = feeds;
  const fleet = fleetOf(held.owner);
  const state = fleet === undefined ? undefined : feeds.get(fleet);
  if (fleet !== undefined && state?.left.some(({ key }) => key === held.key) === true) {
    after = after.set(fleet, { ...state, left: without(state.left, held.key) });
  }
  const loser =
    before === undefined || before.owner === held.owner ? undefined : fleetOf(before.owner);
  const lost = loser === undefined ? undefined : after.get(loser);
  if (before === undefined || loser === undefined || lost === undefined) return after;
  const one: LeftOut = {
    key: held.key,
    reason: `was taken over by ${held.owner}`,
    resource: before.resource,
    addresses: allocations.get(held.key)?.addresses ?? [],
  };
  return after.set(loser, { ...lost, left: [...without(lost.left, held.key), one] });
}

/** The fleet of an owner that is a feed. */
export const fleetOf = (owner: string): string | undefined =>
  owner.startsWith("feed:") ? owner.slice("feed:".length) : undefined;

const without = (left: readonly LeftOut[], gone: ResourceKey): readonly LeftOut[] =>
  left.filter(({ key }) => key !== gone);
