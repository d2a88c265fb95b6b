/**
 * State ⇄ text, for the snapshots that bound a replay.
 *
 * A snapshot is a cache: deleting all of them changes nothing but time, and one of another FOLD_VERSION is never read. So
 * the text has no shape to keep for ever; it only must give back an equal state. Reads next: fold.ts, log/log.ts.
 */
import type { Instant } from "./envelope.ts";
import { PersistentMap } from "./persistent-map.ts";
import type { BfdKey, EventId, NeighborKey, ResourceKey } from "./ids.ts";
import type { Prefix } from "./prefix.ts";
import type {
  DesiredState,
  FeedState,
  FoundNeighbor,
  ObservedDaemon,
  RecordedBfd,
  State,
  Wire,
} from "./state.ts";

export function snapshotText(state: State): string {
  return JSON.stringify(
    {
      ...state,
      desired: desiredOut(state.desired),
      // Mostly the very same object: then once is enough.
      desiredAtApply: Object.fromEntries(
        Object.entries(state.desiredAtApply).map(([backend, desired]) => [
          backend,
          desired === state.desired ? "same" : desiredOut(desired),
        ]),
      ),
      sessions: [...state.sessions],
      bfd: state.bfd && [...state.bfd],
      kernel: state.kernel && [...state.kernel],
      wires: Object.fromEntries(
        Object.entries(state.wires).map(([backend, wire]) => [backend, wireOut(wire)]),
      ),
    },
    (_key, value: unknown) => (typeof value === "bigint" ? { ns: value.toString() } : value),
  );
}

/** Reads what snapshotText() of the same FOLD_VERSION wrote. Throws on anything else: the caller then replays the whole log. */
export function stateFromSnapshot(text: string): State {
  const raw = JSON.parse(text) as Raw;
  const desired = desiredIn(raw.desired);
  return {
    ...raw,
    at: raw.at === undefined ? undefined : instantIn(raw.at),
    desired,
    desiredAtApply: mapValues(raw.desiredAtApply, (one) =>
      one === "same" ? desired : desiredIn(one),
    ),
    sessions: PersistentMap.from(
      raw.sessions.map(([key, session]) => [key, { ...session, since: instantIn(session.since) }]),
    ),
    wires: mapValues(raw.wires, (wire) => ({
      ...wire,
      neighbors: PersistentMap.from(wire.neighbors),
      routes: sharingTexts(wire.routes),
    })),
    bfd:
      raw.bfd &&
      PersistentMap.from(
        raw.bfd.map(([key, one]) => [key, { ...one, since: instantIn(one.since) }] as const),
      ),
    daemons:
      raw.daemons && mapValues(raw.daemons, (one) => ({ ...one, since: instantIn(one.since) })),
    kernel: raw.kernel && PersistentMap.from(raw.kernel),
    heldPlan: raw.heldPlan,
    run:
      raw.run === undefined ? undefined : { ...raw.run, startedAt: instantIn(raw.run.startedAt) },
  };
}

/** What JSON makes of a state: maps as entries, nanoseconds as `{ns}`, absent where it was undefined. */
type Entries<M> = M extends PersistentMap<infer K, infer V> ? [K, V][] : never;
type RawInstant = Omit<Instant, "wall" | "monotonic"> & {
  readonly wall: { readonly ns: string };
  readonly monotonic: { readonly ns: string };
};
type RawFeed = Omit<FeedState, "tombstones"> & {
  readonly tombstones: readonly (readonly [ResourceKey, number])[];
};
type RawDesired = Omit<RawMaps, "exports" | "feeds" | "found"> & {
  readonly feeds?: (readonly [string, RawFeed])[];
  readonly found?: [NeighborKey, FoundNeighbor][];
  readonly exports?: [ResourceKey, [Prefix, EventId][]][];
};
type RawMaps = {
  readonly [K in keyof DesiredState]: DesiredState[K] extends PersistentMap<infer A, infer B>
    ? [A, B][]
    : K extends "resources"
      ? {
          readonly [T in keyof DesiredState["resources"]]: Entries<
            NonNullable<DesiredState["resources"][T]>
          >;
        }
      : DesiredState[K];
};
type RawWire = {
  readonly [K in keyof Wire]: Wire[K] extends PersistentMap<infer A, infer B> ? [A, B][] : Wire[K];
};
type RawSession = Omit<Entries<State["sessions"]>[number][1], "since"> & {
  readonly since: RawInstant;
};
type RawBfd = Omit<RecordedBfd, "since"> & { readonly since: RawInstant };
type RawDaemon = Omit<ObservedDaemon, "since"> & { readonly since: RawInstant };
type Raw = Omit<
  State,
  "desired" | "desiredAtApply" | "sessions" | "bfd" | "daemons" | "kernel" | "wires" | "at" | "run"
> & {
  readonly desired: RawDesired;
  readonly desiredAtApply: Readonly<Record<string, RawDesired | "same">>;
  readonly sessions: [Entries<State["sessions"]>[number][0], RawSession][];
  readonly bfd?: [BfdKey, RawBfd][];
  readonly daemons?: Readonly<Record<string, RawDaemon>>;
  readonly kernel?: [string, EventId][];
  readonly wires: Readonly<Record<string, RawWire>>;
  readonly at?: RawInstant;
  readonly run?: Omit<NonNullable<State["run"]>, "startedAt"> & { readonly startedAt: RawInstant };
};

const instantIn = (raw: RawInstant): Instant => ({
  ...raw,
  wall: BigInt(raw.wall.ns),
  monotonic: BigInt(raw.monotonic.ns),
});

function desiredOut(desired: DesiredState): unknown {
  return mapValues(desired as Readonly<Record<string, unknown>>, (part, name) =>
    name === "feeds"
      ? part && [...(part as NonNullable<DesiredState["feeds"]>)].map(feedOut)
      : part instanceof PersistentMap
        ? [...(part as PersistentMap<string, unknown>)].map((entry) =>
            entry[1] instanceof PersistentMap ? [entry[0], [...entry[1]]] : entry,
          )
        : name === "resources"
          ? mapValues(part as Readonly<Record<string, Iterable<unknown>>>, (ofType) => [...ofType])
          : part,
  );
}

function desiredIn(raw: RawDesired): DesiredState {
  return {
    resources: mapValues(raw.resources as Readonly<Record<string, [never, never][]>>, (entries) =>
      PersistentMap.from(entries),
    ),
    allocations: PersistentMap.from(raw.allocations),
    addressHolders: PersistentMap.from(raw.addressHolders),
    addressesInBlock: PersistentMap.from(raw.addressesInBlock),
    awaiting: PersistentMap.from(raw.awaiting),
    quarantined: PersistentMap.from(raw.quarantined),
    endpoints: PersistentMap.from(raw.endpoints),
    exports:
      raw.exports &&
      PersistentMap.from(
        raw.exports.map(([rule, prefixes]) => [rule, PersistentMap.from(prefixes)] as const),
      ),
    found: raw.found && PersistentMap.from(raw.found),
    feeds: raw.feeds && PersistentMap.from(raw.feeds.map(feedIn)),
    host: raw.host,
  };
}

const feedOut = ([fleet, feed]: readonly [string, FeedState]): readonly [string, RawFeed] => [
  fleet,
  { ...feed, tombstones: [...feed.tombstones] },
];

const feedIn = ([fleet, feed]: readonly [string, RawFeed]): readonly [string, FeedState] => [
  fleet,
  {
    ...feed,
    tombstones: PersistentMap.from(feed.tombstones),
    position: feed.position,
    diverged: feed.diverged,
  },
];

const wireOut = (wire: Wire): unknown => ({
  ...wire,
  neighbors: [...wire.neighbors],
  routes: [...wire.routes],
});

/** Equal texts become one string again: a wire has many routes and few ways of telling them. */
function sharingTexts(routes: RawWire["routes"]): Wire["routes"] {
  const known = new Map<string, string>();
  return PersistentMap.from(
    routes.map(([key, text]) => {
      const shared = known.get(text) ?? text;
      known.set(shared, shared);
      return [key, shared] as const;
    }),
  );
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  change: (value: A, name: string) => B,
): Record<string, B> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, change(value, name)]),
  );
}
