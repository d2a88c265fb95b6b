/**
 * What a plan would change on the wire: routes that appear, change and vanish for each peer, and sessions that would reset.
 *
 * Pure; costs what differs between the two plans.
 */
import { classify, neighborsOf, routeChanges } from "../../backends/delta.ts";
import {
  type BackendName,
  type Export,
  type NeighborIntent,
  NO_SPEAKER,
  type SpeakerIntent,
} from "../../backends/intent.ts";
import type { KernelIntent, KernelKey } from "../../backends/kernel/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import { diff, PersistentMap } from "../../events/persistent-map.ts";
import { comparePrefixes, type Prefix } from "../../events/prefix.ts";
import type { PlanJson } from "../api/contract.ts";
import { spoken } from "./claims.ts";
import type { Plan } from "./plan.ts";

type Lists = { readonly add: Prefix[]; readonly change: Prefix[]; readonly remove: Prefix[] };

/** Of a neighbour and a prefix: how it is told before and after, as text; undefined: it is not. */
type Told = Map<NeighborKey, Map<Prefix, { was?: string | undefined; now?: string | undefined }>>;

/** A neighbour that goes from one speaker to another resets; what both tell it is no change. */
export function preview(before: Plan | undefined, after: Plan): Omit<PlanJson, "held"> {
  const backends = new Set([
    ...Object.keys(before?.speakers ?? {}),
    ...Object.keys(after.speakers),
  ]) as Set<BackendName>;
  const told: Told = new Map();
  for (const backend of backends) {
    enterChanges(before?.speakers[backend], after.speakers[backend] ?? NO_SPEAKER, told);
  }
  const peers = new Map([...told].map(([key, prefixes]) => [key, listsOf(prefixes)] as const));
  const known = neighborsOfAll(before?.speakers ?? {});
  const next = neighborsOfAll(after.speakers);
  const home = routersByNeighbor(before?.speakers ?? {});
  const moved = routersByNeighbor(after.speakers);
  const names = new Map<NeighborKey, string>();
  for (const one of [...known.values(), ...next.values()]) names.set(one.key, one.name);
  const resets = [...known.values()].flatMap((one) => {
    const now = next.get(one.key);
    const resetting =
      now === undefined ||
      classify(one, now).effect === "hard" ||
      // Another AS or router id of ours is agreed in the OPEN.
      home.get(one.key) !== moved.get(one.key);
    return resetting ? [one.name] : [];
  });
  return {
    peers: [...peers]
      .filter(([, lists]) => lists.add.length + lists.change.length + lists.remove.length > 0)
      .map(([key, { add, change, remove }]) => ({
        peer: names.get(key) ?? key,
        add: add.toSorted(comparePrefixes),
        change: change.toSorted(comparePrefixes),
        remove: remove.toSorted(comparePrefixes),
      }))
      .toSorted((a, b) => (a.peer < b.peer ? -1 : 1)),
    kernel: entries(before?.kernel, after.kernel),
    speaker: besides(before, after),
    resets: resets.toSorted(),
    quarantined: [...after.quarantined]
      .map(([resource, { rule, reason }]) => ({ resource, rule, reason }))
      .toSorted((a, b) => (a.resource < b.resource ? -1 : 1)),
    notCarried: [...after.notCarried],
    warnings: [...after.warnings]
      .flatMap(([resource, reasons]) => reasons.map((reason) => ({ resource, reason })))
      .toSorted((a, b) => (a.resource < b.resource ? -1 : 1)),
  };
}

function entries(before: KernelIntent | undefined, after: KernelIntent): PlanJson["kernel"] {
  const add: string[] = [];
  const remove: string[] = [];
  const none = PersistentMap.empty<KernelKey, unknown>();
  const compare = (old: PersistentMap<KernelKey, unknown>, young: typeof old): void => {
    for (const { key, before: was, after: now } of diff(old, young)) {
      if (was === undefined) add.push(key);
      if (now === undefined) remove.push(key);
    }
  };
  compare(before?.addresses ?? none, after.addresses);
  compare(before?.routes ?? none, after.routes);
  compare(before?.rules ?? none, after.rules);
  compare(before?.sourceNats ?? none, after.sourceNats);
  return { add: add.toSorted(), remove: remove.toSorted() };
}

/** What differs beside neighbours and routes. */
function besides(before: Plan | undefined, after: Plan): PlanJson["speaker"] {
  const [old, young] = [askedBesides(before), askedBesides(after)];
  const names = [...new Set([...old.keys(), ...young.keys()])].toSorted();
  return {
    add: names.filter((name) => !old.has(name)),
    change: names.filter(
      (name) => old.has(name) && young.has(name) && old.get(name) !== young.get(name),
    ),
    remove: names.filter((name) => !young.has(name)),
  };
}

function askedBesides(plan: Plan | undefined): ReadonlyMap<string, string> {
  const speakers = Object.values(plan?.speakers ?? {}).flatMap((one) => one ?? []);
  return new Map(
    speakers.flatMap(({ routers, raw }) => [
      ...raw.map(
        ({ owner, raw: lines }) =>
          [
            `raw lines of ${spoken(owner)}`,
            JSON.stringify([lines.text, lines.secrets.map(({ digest }) => digest)]),
          ] as const,
      ),
      ...routers.flatMap(({ vrf, imports, evpn }) => {
        const where = vrf === "" ? "the default VRF" : `VRF ${vrf}`;
        return [
          ...imports.map(
            (from) =>
              [
                `routes of ${from === "" ? "the default VRF" : `VRF ${from}`} in ${where}`,
                "",
              ] as const,
          ),
          ...(evpn === undefined ? [] : [[`EVPN of ${where}`, JSON.stringify(evpn)] as const]),
        ];
      }),
    ]),
  );
}

/** Of all speakers. */
export const neighborsOfAll = (
  speakers: Plan["speakers"],
): ReadonlyMap<NeighborKey, NeighborIntent> =>
  new Map(Object.values(speakers).flatMap((speaker) => [...neighborsOf(speaker)]));

const routersByNeighbor = (speakers: Plan["speakers"]): ReadonlyMap<NeighborKey, string> =>
  new Map(
    Object.values(speakers)
      .flatMap(({ routers }) => routers)
      .flatMap(({ key, neighbors }) => neighbors.map((one) => [one.key, key] as const)),
  );

/** What a speaker tells otherwise than before; costs what differs. */
function enterChanges(old: SpeakerIntent | undefined, young: SpeakerIntent, told: Told): void {
  const before = new Map(old?.routers.map((router) => [router.key, router]));
  for (const { router, prefix, route } of routeChanges(old, young)) {
    const was = textsOf(before.get(router.key)?.routes.get(prefix)?.exports ?? []);
    const now = textsOf(route?.exports ?? []);
    for (const key of new Set([...was.keys(), ...now.keys()])) {
      const prefixes = told.get(key) ?? new Map<Prefix, { was?: string; now?: string }>();
      told.set(key, prefixes);
      const known = prefixes.get(prefix);
      prefixes.set(prefix, {
        was: was.get(key) ?? known?.was,
        now: now.get(key) ?? known?.now,
      });
    }
  }
}

function listsOf(prefixes: NonNullable<ReturnType<Told["get"]>>): Lists {
  const lists: Lists = { add: [], change: [], remove: [] };
  for (const [prefix, { was, now }] of prefixes) {
    if (now === undefined) lists.remove.push(prefix);
    else if (was === undefined) lists.add.push(prefix);
    else if (was !== now) lists.change.push(prefix);
  }
  return lists;
}

const textsOf = (exports: readonly Export[]): ReadonlyMap<NeighborKey, string> =>
  new Map(
    exports.flatMap(({ to, attributes }) => {
      const text = JSON.stringify(attributes);
      return to.map((key) => [key, text] as const);
    }),
  );
