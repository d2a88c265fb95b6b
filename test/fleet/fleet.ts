/**
 * A fleet in a test: a publisher that makes real change sets, and hosts that take them by the real decisions. No server, no
 * disk: what a host recorded is in memory.
 */
import { decide } from "../../agent/decide/decide.ts";
import type { Decision, Document } from "../../agent/decide/decision.ts";
import { type ChangeSet, digestOf, encodeSet, type Put } from "../../agent/fleet/change-set.ts";
import {
  baseOf,
  type FleetState,
  foldSet,
  nextSet,
  noFleetState,
} from "../../agent/fleet/fleet-state.ts";
import { readPuts } from "../../agent/fleet/puts.ts";
import { readFleetManifests } from "../../agent/fleet/read-manifests.ts";
import { unopened } from "../../agent/fleet/sealed.ts";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { fleetDigest } from "../../agent/fleet/state-digest.ts";
import type { ResourceKey } from "../../events/ids.ts";
import type { DesiredState, FeedState } from "../../events/state.ts";
import { nextId, type World, world } from "../plan/world.ts";

export const FLEET = "berlin";
export const OWNER = `feed:${FLEET}`;
export const signer = signerFromSeed(newSeed("user"));
export const trust = [{ key: signer.publicKey }];
export const key = (text: string): ResourceKey => text as ResourceKey;

/** Manifests of a text as a publisher sends them. */
export function putsOf(text: string): readonly Put[] {
  const read = readFleetManifests([{ name: "test.yaml", text }], FLEET, []);
  if (read.complaints.length > 0) throw new Error(JSON.stringify(read.complaints));
  return read.puts;
}

/** A set with the digest of its octets. */
export type Made = { readonly set: ChangeSet; readonly digest: string };

export const made = (set: ChangeSet): Made => ({ set, digest: digestOf(encodeSet(set)) });

export type Publisher = {
  /** The next change set of the fleet, folded in. */
  change(text: string, deletes?: readonly string[]): Made;
  /** A base of now. */
  base(): Made;
  state(): FleetState;
};

export function publisher(): Publisher {
  let state = noFleetState(FLEET);
  return {
    change(text, deletes = []) {
      const next = nextSet(state, putsOf(text), deletes.map(key));
      if (next.type !== "set") throw new Error(JSON.stringify(next));
      const one = made(next.set);
      const folded = foldSet(state, { ...one, ...signedBy }, trust);
      if (folded.result.type !== "applied") throw new Error(JSON.stringify(folded.result));
      state = folded.state;
      return one;
    },
    base: () => made(baseOf(state)),
    state: () => state,
  };
}

const signedBy = {
  signer: signer.publicKey,
  position: { stream: "rutter-berlin-feed", created: "2026-11-21T00:00:00Z", sequence: 1 },
};

/** A change set that nobody's publisher would make. */
export const bare = (set: Partial<ChangeSet>): Made =>
  made({
    type: "change",
    fleet: FLEET,
    generation: 1,
    previous: "",
    puts: [],
    deletes: [],
    allocations: [],
    ...set,
  });

export type Host = {
  give(one: Made, documents?: readonly Document[] | { rule: string; reason: string }): Decision;
  /** What somebody on the host commands. */
  command(command: Parameters<typeof decide>[1]): Decision;
  desired(): DesiredState;
  feed(): FeedState;
  /** Types of the facts of all decisions, by decision; empty ones left out. */
  readonly facts: readonly string[][];
};

/** A host that takes sets as its intake would, its signatures believed. */
export function host(before: World = world({})): Host {
  let { desired } = before;
  const positions = new Set<string>();
  const facts: string[][] = [];
  const after = (decision: Decision): Decision => {
    desired = decision.after;
    if (decision.facts.length > 0) facts.push(decision.facts.map(({ event }) => event.type));
    return decision;
  };
  return {
    give({ set, digest }, documents) {
      const read = readPuts(set, undefined, unopened);
      const position = `${set.type} ${set.generation} ${digest}`;
      const decision = decide(
        desired,
        {
          type: "feed",
          set,
          digest,
          ...signedBy,
          documents: documents ?? (read.ok ? read.documents : read),
          known: positions.has(position),
        },
        nextId,
      );
      if (decision.facts.some(({ event }) => event.type === "feed-advanced")) {
        positions.add(position);
      }
      return after(decision);
    },
    command: (command) => after(decide(desired, command, nextId)),
    desired: () => desired,
    feed() {
      const feed = desired.feeds?.get(FLEET);
      if (feed === undefined) throw new Error("nothing fed this host yet");
      return feed;
    },
    facts,
  };
}

const digest = fleetDigest((text) => digestOf(new TextEncoder().encode(text)));
export const digestIn = (desired: DesiredState): string => digest(desired, FLEET);

/** Keys that the feed has on a host, sorted. */
export const fed = (desired: DesiredState): readonly string[] =>
  Object.values(desired.resources)
    .flatMap((ofType) => [...ofType.values()])
    .filter(({ owner }) => owner === OWNER)
    .map((held) => held.key)
    .toSorted();

/** Addresses of a Service in the namespace default. */
export const addressesOn = (desired: DesiredState, name: string): readonly string[] =>
  (desired.allocations.get(key(`/Service/default/${name}`))?.addresses ?? []).map(
    ({ address }) => address,
  );

export const types = ({ facts }: Decision): readonly string[] =>
  facts.map(({ event }) => event.type);
