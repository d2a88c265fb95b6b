/**
 * Facts → state. Pure and total: every fact that was ever accepted into the log folds without throwing.
 *
 * evolve() takes one recorded fact; applyDesired() is its part that the plan's inputs live in, used by itself where a
 * decision is tried out before it is recorded. Reads no clock and knows no policy: who may do what was decided before.
 */
import { match, P } from "ts-pattern";
import { type Address, addressFromBigInt, type Family, familyOf } from "./address.ts";
import type { Erased, Recorded } from "./envelope.ts";
import type {
  AllocatedAddress,
  BfdAppliedEvent,
  KernelAppliedEvent,
  Event,
  ObservedEvent,
} from "./event.ts";
import type { EventId, NeighborKey, ResourceKey } from "./ids.ts";
import { exportsAfter } from "./exported.ts";
import { feedsAfter, feedsHolding } from "./feeds.ts";
import { PersistentMap } from "./persistent-map.ts";
import { prefixOf, type Prefix } from "./prefix.ts";
import { keyOf, type Resource } from "./resources/kinds.ts";
import type { Owner } from "./resources/resource.ts";
import {
  type DesiredState,
  type FoundNeighbor,
  type Held,
  nothingRecorded,
  type ObservedSession,
  type ResourceType,
  type State,
} from "./state.ts";
import { wireAfter } from "./wire.ts";

/** Raised when evolve() gives another state for the same facts: snapshots of another version are ignored. */
export const FOLD_VERSION = "4";

/** The state after one more fact. An erased fact still moves the position; what it said is gone. */
export function evolve(state: State, fact: Recorded | Erased): State {
  const next = fact.event === undefined ? state : evolveEvent(state, fact);
  return { ...next, seq: fact.seq, at: fact.at };
}

export function foldAll(facts: Iterable<Recorded | Erased>, from: State = nothingRecorded): State {
  let state = from;
  for (const fact of facts) state = evolve(state, fact);
  return state;
}

function evolveEvent(state: State, fact: Recorded): State {
  const desired = applyDesired(state.desired, fact.event, fact.id);
  return match(fact.event)
    .returnType<State>()
    .with({ type: "session-observed" }, (event) => ({
      ...state,
      sessions: state.sessions.set(event.neighbor, observedSession(state, fact, event)),
    }))
    .with({ type: "applied" }, (event) => ({
      ...state,
      wires: {
        ...state.wires,
        [event.backend]: wireAfter(state.wires[event.backend], fact, event),
      },
      desiredAtApply: { ...state.desiredAtApply, [event.backend]: state.desired },
    }))
    .with({ type: "bfd-applied" }, (event) => ({ ...state, bfd: bfdAfter(state, fact, event) }))
    .with({ type: "kernel-applied" }, (event) => ({
      ...state,
      kernel: kernelAfter(state, fact, event),
    }))
    .with({ type: "bfd-observed" }, (event) => ({ ...state, bfd: bfdSeen(state, fact, event) }))
    .with({ type: "speaker-daemon-observed" }, ({ backend, daemon, state: now, reason }) => ({
      ...state,
      daemons: {
        ...state.daemons,
        [daemon]: {
          backend,
          state: now === "restarted" ? "up" : now,
          reason,
          since: fact.at,
          fact: fact.id,
        },
      },
    }))
    .with({ type: "source-suspected" }, ({ owner, reason, deletes }) => ({
      ...state,
      suspected: { ...state.suspected, [owner]: { reason, deletes, fact: fact.id } },
    }))
    .with({ type: "source-trusted" }, ({ owner }) => ({
      ...state,
      suspected: withoutOwner(state.suspected, owner),
    }))
    .with({ type: "feed-diverged" }, ({ fleet, reason, strays }) => {
      const suspected = withoutOwner(state.suspected, `feed:${fleet}`);
      const held = { [`feed:${fleet}`]: { reason, deletes: strays, fact: fact.id } };
      return {
        ...state,
        desired,
        suspected: strays.length === 0 ? suspected : { ...suspected, ...held },
      };
    })
    .with({ type: "feed-converged" }, ({ fleet }) => ({
      ...state,
      desired,
      suspected: withoutOwner(state.suspected, `feed:${fleet}`),
    }))
    .with({ type: "plan-changed-by-version" }, ({ from, to, held }) => ({
      ...state,
      heldPlan: held ? { from, to, fact: fact.id } : undefined,
    }))
    .with({ type: "plan-confirmed" }, () => ({ ...state, heldPlan: undefined }))
    .with({ type: "agent-started" }, ({ run, program, boot }) => ({
      ...state,
      run: { run, program, boot, startedAt: fact.at, stopped: false },
    }))
    .with({ type: "agent-stopped" }, () => ({
      ...state,
      run: state.run === undefined ? undefined : { ...state.run, stopped: true },
    }))
    .with({ type: "log-created" }, ({ logId }) => ({ ...state, logId }))
    .with(
      {
        type: P.union(
          "resource-applied",
          "resource-deleted",
          "address-allocated",
          "address-released",
          "address-awaited",
          "resource-quarantined",
          "quarantine-lifted",
          "endpoint-observed",
          "exports-observed",
          "neighbor-found",
          "host-observed",
          "feed-advanced",
        ),
      },
      () => ({ ...state, desired }),
    )
    .with(
      {
        type: P.union(
          "change-accepted",
          "routes-observed",
          "routes-imported",
          "kernel-drifted",
          "kernel-read",
          "bfd-process-observed",
          "apply-failed",
          "feed-refused",
          "log-recovered",
          "recording-interrupted",
          "erased",
        ),
      },
      () => state,
    )
    .exhaustive();
}

const withoutOwner = (suspected: State["suspected"], owner: string): State["suspected"] =>
  Object.fromEntries(Object.entries(suspected).filter(([name]) => name !== owner));

function bfdAfter(
  { bfd = PersistentMap.empty() }: State,
  { at, id }: Recorded,
  { added, removed }: BfdAppliedEvent,
): State["bfd"] {
  let next = bfd;
  for (const key of removed) next = next.delete(key);
  for (const [key, discriminator] of added) {
    const fresh = { state: "Down", diagnostic: "", since: at, transitions: 0, fact: id } as const;
    next = next.set(key, { discriminator, ...fresh });
  }
  return next;
}

function kernelAfter(
  { kernel = PersistentMap.empty() }: State,
  { id }: Recorded,
  { added, removed }: KernelAppliedEvent,
): State["kernel"] {
  let next = kernel;
  for (const entry of removed) next = next.delete(entry);
  for (const entry of added) next = next.set(entry, id);
  return next;
}

/** A session that was taken back says nothing any more. */
function bfdSeen(
  { bfd }: State,
  { at, id }: Recorded,
  { session, to, diagnostic }: Extract<ObservedEvent, { type: "bfd-observed" }>,
): State["bfd"] {
  const known = bfd?.get(session);
  if (bfd === undefined || known === undefined) return bfd;
  const transitions = known.transitions + 1;
  return bfd.set(session, { ...known, state: to, diagnostic, since: at, transitions, fact: id });
}

/** The plan's inputs after one more fact; the same object where the event is none of theirs. */
export function applyDesired(desired: DesiredState, event: Event, fact: EventId): DesiredState {
  return match(event)
    .returnType<DesiredState>()
    .with({ type: "resource-applied" }, ({ resource, owner }) =>
      withResource(desired, resource, owner, fact),
    )
    .with({ type: "resource-deleted" }, ({ key }) => withoutResource(desired, key))
    .with({ type: "address-allocated" }, ({ service, addresses }) => ({
      ...holding(desired, service, addresses),
      allocations: desired.allocations.set(service, { addresses, fact }),
      awaiting: desired.awaiting.delete(service),
    }))
    .with({ type: "address-released" }, ({ service }) => withoutAllocation(desired, service))
    .with({ type: "address-awaited" }, ({ service, reason }) => {
      // Whoever waits holds nothing: an address that is no longer allowed goes back with this fact.
      const without = withoutAllocation(desired, service);
      return { ...without, awaiting: without.awaiting.set(service, { reason, fact }) };
    })
    .with({ type: "resource-quarantined" }, ({ key, rule, reason }) => ({
      ...desired,
      quarantined: desired.quarantined.set(key, { rule, reason, fact }),
    }))
    .with({ type: "quarantine-lifted" }, ({ key }) => ({
      ...desired,
      quarantined: desired.quarantined.delete(key),
    }))
    .with({ type: "endpoint-observed" }, ({ service, healthy, reason }) => ({
      ...desired,
      endpoints: desired.endpoints.set(service, { healthy, reason, fact }),
    }))
    .with({ type: "exports-observed" }, (event) => ({
      ...desired,
      exports: exportsAfter(desired, event, fact),
    }))
    .with({ type: "neighbor-found" }, (event) => ({
      ...desired,
      found: (desired.found ?? PersistentMap.empty<NeighborKey, FoundNeighbor>()).set(
        event.neighbor,
        { interface: event.interface, address: event.address, fact },
      ),
    }))
    .with({ type: "host-observed" }, ({ facts }) => ({ ...desired, host: { facts, fact } }))
    .with({ type: P.union("feed-advanced", "feed-diverged", "feed-converged") }, (event) => ({
      ...desired,
      feeds: feedsAfter(desired.feeds, event, fact),
    }))
    .with(
      {
        type: P.union(
          "change-accepted",
          "source-suspected",
          "source-trusted",
          "plan-changed-by-version",
          "plan-confirmed",
          "feed-refused",
          "session-observed",
          "bfd-observed",
          "bfd-process-observed",
          "speaker-daemon-observed",
          "routes-observed",
          "kernel-drifted",
          "kernel-read",
          "applied",
          "bfd-applied",
          "kernel-applied",
          "routes-imported",
          "apply-failed",
          "log-created",
          "log-recovered",
          "agent-started",
          "agent-stopped",
          "recording-interrupted",
          "erased",
        ),
      },
      () => desired,
    )
    .exhaustive();
}

/** The block in which addressesInBlock counts an address: IPv4 /24, IPv6 /120. */
const blockOf = (address: Address): Prefix =>
  prefixOf(address, familyOf(address) === "ipv4" ? 24 : 120);

/** The block of an address by its number: a search passes hundreds of full blocks, and reads no text for it. */
export function blockAt(value: bigint, family: Family): Prefix {
  const first = addressFromBigInt(value - (value % BigInt(BLOCK_SIZE)), family);
  return `${first}/${family === "ipv4" ? 24 : 120}` as Prefix;
}

/** Addresses of one block, when all are taken. */
export const BLOCK_SIZE = 256;

function withResource(
  desired: DesiredState,
  resource: Resource,
  owner: Owner,
  fact: EventId,
): DesiredState {
  const key = keyOf(resource);
  const held: Held = { key, resource, owner, fact };
  const ofType = desired.resources[resource.type] ?? PersistentMap.empty<ResourceKey, Held>();
  const before = ofType.get(key);
  return {
    ...desired,
    resources: { ...desired.resources, [resource.type]: ofType.set(key, held) },
    feeds: desired.feeds && feedsHolding(desired, held, before),
  };
}

function withoutResource(desired: DesiredState, key: ResourceKey): DesiredState {
  const type = typeOf(key);
  const ofType = desired.resources[type];
  if (ofType === undefined) return desired;
  return {
    ...withoutAllocation(desired, key),
    resources: { ...desired.resources, [type]: ofType.delete(key) },
    quarantined: desired.quarantined.delete(key),
    endpoints: desired.endpoints.delete(key),
    exports: desired.exports?.delete(key),
  };
}

/** `group/Kind`, the first two parts of a key, is the resource's type (kinds.ts). */
export function typeOf(key: ResourceKey): ResourceType {
  return key.split("/", 2).join("/") as ResourceType;
}

function withoutAllocation(desired: DesiredState, service: ResourceKey): DesiredState {
  return {
    ...holding(desired, service, []),
    allocations: desired.allocations.delete(service),
    awaiting: desired.awaiting.delete(service),
  };
}

/** Keeps the two indices of allocated addresses in step with what `service` holds from now on. */
function holding(
  desired: DesiredState,
  service: ResourceKey,
  now: readonly AllocatedAddress[],
): DesiredState {
  let { addressHolders, addressesInBlock } = desired;
  const before = desired.allocations.get(service)?.addresses ?? [];
  for (const { address } of before) {
    const others = (addressHolders.get(address) ?? []).filter((holder) => holder !== service);
    if (others.length > 0) addressHolders = addressHolders.set(address, others);
    else {
      addressHolders = addressHolders.delete(address);
      addressesInBlock = counted(addressesInBlock, address, -1);
    }
  }
  for (const { address } of now) {
    const holders = addressHolders.get(address);
    if (holders === undefined) addressesInBlock = counted(addressesInBlock, address, 1);
    addressHolders = addressHolders.set(address, [...(holders ?? []), service].toSorted());
  }
  return { ...desired, addressHolders, addressesInBlock };
}

function counted(
  blocks: PersistentMap<Prefix, number>,
  address: Address,
  difference: 1 | -1,
): PersistentMap<Prefix, number> {
  const block = blockOf(address);
  const count = (blocks.get(block) ?? 0) + difference;
  return count === 0 ? blocks.delete(block) : blocks.set(block, count);
}

function observedSession(
  state: State,
  fact: Recorded,
  event: Extract<ObservedEvent, { type: "session-observed" }>,
): ObservedSession {
  const before = state.sessions.get(event.neighbor);
  const lost = before?.state === "Established" && event.state !== "Established";
  return {
    peer: event.peer,
    state: event.state,
    reason: event.reason,
    since: fact.at,
    resets: (before?.resets ?? 0) + (lost ? 1 : 0),
    fact: fact.id,
  };
}
