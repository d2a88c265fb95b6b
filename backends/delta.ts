/**
 * What differs between two intents, and what a difference costs a session.
 *
 * Pure; the plan previews with it, backends apply by it, and the log keeps its words. Every parameter of a neighbour has a
 * class (design §7): hitless, soft (the routes are told or judged anew) or hard (the session resets). A parameter that is
 * not in the table does not compile.
 */
import { canonicalJson } from "../events/digest.ts";
import type { AppliedDelta } from "../events/event.ts";
import type { NeighborKey } from "../events/ids.ts";
import { diff, PersistentMap } from "../events/persistent-map.ts";
import type { Prefix } from "../events/prefix.ts";
import type { Export, NeighborIntent, OwnRoute, RouterIntent, SpeakerIntent } from "./intent.ts";

export type Effect = "hitless" | "soft" | "hard";

const EFFECTS: Readonly<Record<Exclude<keyof NeighborIntent, "key" | "provenance">, Effect>> = {
  name: "hitless",
  backend: "hard",
  remoteAs: "hard",
  remote: "hard",
  localAddress: "hard",
  localInterface: "hard",
  localAsOverride: "hard",
  // Agreed in the OPEN (RFC 4271 §4.2): a new one takes a new session.
  holdTimeSeconds: "hard",
  keepaliveTimeSeconds: "hitless",
  connectRetrySeconds: "hitless",
  timeToLive: "hard",
  authentication: "hard",
  families: "hard",
  carriesEvpn: "hard",
  gracefulRestart: "hard",
  waitsForBfd: "hitless",
  speakerBfd: "hitless",
  receive: "soft",
  receiveGuard: "soft",
};

const RANK: Readonly<Record<Effect, number>> = { hitless: 0, soft: 1, hard: 2 };

/** The heaviest effect among the fields that differ; `hitless` with no fields where nothing does. */
export function classify(
  before: NeighborIntent,
  after: NeighborIntent,
): { readonly effect: Effect; readonly fields: readonly string[] } {
  let effect: Effect = "hitless";
  const fields: string[] = [];
  for (const [field, cost] of Object.entries(EFFECTS) as [keyof typeof EFFECTS, Effect][]) {
    if (same(content(before, field), content(after, field))) continue;
    fields.push(field);
    if (RANK[cost] > RANK[effect]) effect = cost;
  }
  return { effect, fields };
}

/** A secret is what its keyed digest says: two owners' Secrets of one value are no new session. */
const content = (neighbor: NeighborIntent, field: keyof typeof EFFECTS): unknown =>
  field === "authentication" ? neighbor.authentication?.secret.digest : neighbor[field];

/** In whatever order the members stand: what was read from the log has another one than what was planned. */
const same = (a: unknown, b: unknown): boolean =>
  a === b || canonicalJson(a ?? null) === canonicalJson(b ?? null);

/** Text of who is told what; equal texts mean the same on the wire, and exportsFromText() gives it back. */
export function setText(exports: readonly Export[]): string {
  const known = setTexts.get(exports);
  if (known !== undefined) return known;
  const text = JSON.stringify(exports);
  setTexts.set(exports, text);
  return text;
}

/** Many routes share one array of exports (agent/plan/routes.ts). */
const setTexts = new WeakMap<readonly Export[], string>();

/** Reads what setText() wrote, of this or an older version. */
export const exportsFromText = (text: string): readonly Export[] =>
  (
    JSON.parse(text) as (Omit<Export, "attributes"> & {
      readonly attributes: Partial<Export["attributes"]>;
    })[]
  ).map(({ to, attributes }) => ({
    to,
    attributes: {
      localPref: attributes.localPref,
      med: attributes.med,
      communities: attributes.communities ?? [],
      largeCommunities: attributes.largeCommunities ?? [],
      nextHop: attributes.nextHop,
    },
  }));

export type RouteChange = {
  readonly router: RouterIntent;
  readonly prefix: Prefix;
  /** undefined: it is gone. */
  readonly route: OwnRoute | undefined;
};

/** Routes whose export differs, router by router; costs what changed. */
export function* routeChanges(
  before: SpeakerIntent | undefined,
  after: SpeakerIntent,
): Generator<RouteChange> {
  const known = new Map(before?.routers.map((router) => [router.key, router]));
  for (const router of after.routers) {
    const old = known.get(router.key)?.routes ?? PersistentMap.empty<Prefix, OwnRoute>();
    known.delete(router.key);
    for (const change of diff(old, router.routes)) {
      if (change.before?.exports === change.after?.exports) continue;
      yield { router, prefix: change.key, route: change.after };
    }
  }
  for (const router of known.values()) {
    for (const prefix of router.routes.keys()) yield { router, prefix, route: undefined };
  }
}

/** Everything that differs, in the compact form of the log. */
export function deltaOf(before: SpeakerIntent | undefined, after: SpeakerIntent): AppliedDelta {
  const old = neighborsOf(before);
  const young = neighborsOf(after);
  const changed = [...young.values()].flatMap((neighbor) => {
    const known = old.get(neighbor.key);
    if (known === undefined) return [];
    const { effect, fields } = classify(known, neighbor);
    return fields.length === 0 ? [] : [{ neighbor: neighbor.key, effect, fields }];
  });
  const sets: string[] = [];
  const indices = new Map<readonly Export[], number>();
  const routes: (readonly [string, Prefix, number])[] = [];
  const routesRemoved: (readonly [string, Prefix])[] = [];
  for (const { router, prefix, route } of routeChanges(before, after)) {
    if (route === undefined) routesRemoved.push([router.key, prefix]);
    else {
      let index = indices.get(route.exports);
      if (index === undefined) {
        index = sets.push(setText(route.exports)) - 1;
        indices.set(route.exports, index);
      }
      routes.push([router.key, prefix, index]);
    }
  }
  return {
    neighborsAdded: [...young.keys()].filter((key) => !old.has(key)),
    neighborsChanged: changed,
    neighborsRemoved: [...old.keys()].filter((key) => !young.has(key)),
    sets,
    routes,
    routesRemoved,
  };
}

export const neighborsOf = (
  intent: SpeakerIntent | undefined,
): ReadonlyMap<NeighborKey, NeighborIntent> =>
  new Map(
    intent?.routers.flatMap((router) => router.neighbors.map((one) => [one.key, one] as const)),
  );
