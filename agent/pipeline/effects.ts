/**
 * What an apply is recorded as: the difference to what the log says is on the wire, and what a later version needs to compare.
 *
 * Pure. After a restart a speaker reports everything as new, though the wire and the log have it; the log gets what really
 * differs. Reads next: upgrade.ts (which reads it again), backends/delta.ts (the texts).
 */
import { setText } from "../../backends/delta.ts";
import type { NeighborIntent, OwnRoute, SpeakerIntent } from "../../backends/intent.ts";
import { canonicalJson, mapDigest, type Sha256 } from "../../events/digest.ts";
import type { AppliedDelta, EffectEvent } from "../../events/event.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { Prefix } from "../../events/prefix.ts";
import { type Wire, wireKey } from "../../events/state.ts";

type AppliedEvent = Extract<EffectEvent, { type: "applied" }>;

/** Everything of a neighbour that the wire can tell; what caused it and who drives it is left out. */
export function parametersText(neighbor: NeighborIntent): string {
  const { provenance: _provenance, ...parameters } = neighbor;
  return canonicalJson(parameters);
}

export type IntentDigester = {
  (intent: SpeakerIntent): string;
  /** Piece by piece, of large ones; see MapDigest. */
  pieces(intent: SpeakerIntent): Iterable<unknown>;
};

/** Digest of an intent, independent of how it came to be; cheap after a small change (events/digest.ts). */
export function intentDigester(sha256: Sha256): IntentDigester {
  const routes = mapDigest(sha256, (route: OwnRoute) => setText(route.exports));
  const digest = (intent: SpeakerIntent): string =>
    sha256(
      canonicalJson([
        ...intent.routers.map((router) => [
          router.key,
          router.neighbors.map(parametersText),
          routes(router.routes),
          ...(router.imports.length > 0 ? [router.imports] : []),
          ...(router.evpn === undefined ? [] : [router.evpn]),
        ]),
        ...intent.raw.map(({ raw }) => [raw.text, raw.secrets.map((one) => one.digest)]),
      ]),
    );
  return Object.assign(digest, {
    *pieces(intent: SpeakerIntent) {
      for (const router of intent.routers) yield* routes.pieces(router.routes);
    },
  });
}

/** The `applied` event; of what the log has already (`wire`) nothing is said again. */
export function appliedEvent(
  backend: string,
  program: string,
  intentDigest: string,
  intent: SpeakerIntent,
  delta: AppliedDelta,
  wire: Wire | undefined,
): AppliedEvent {
  const news = wire === undefined ? delta : againstWire(intent, wire, delta);
  const told = new Set<NeighborKey>([
    ...news.neighborsAdded,
    ...news.neighborsChanged.map(({ neighbor }) => neighbor),
  ]);
  const neighbors = intent.routers.flatMap((router) =>
    router.neighbors
      .filter(({ key }) => told.has(key))
      .map((neighbor) => [neighbor.key, router.key, parametersText(neighbor)] as const),
  );
  return { type: "applied", backend, program, intentDigest, neighbors, delta: news };
}

/**
 * The part of a speaker's delta that the log does not have. What left the intent while no agent ran is not in the delta of
 * a fresh speaker: withDepartures() adds it.
 */
function againstWire(intent: SpeakerIntent, wire: Wire, delta: AppliedDelta): AppliedDelta {
  const texts = new Map(
    intent.routers.flatMap((router) =>
      router.neighbors.map((neighbor) => [neighbor.key, parametersText(neighbor)] as const),
    ),
  );
  const known = (neighbor: NeighborKey): boolean =>
    wire.neighbors.get(neighbor)?.parameters === texts.get(neighbor);
  return {
    ...delta,
    neighborsAdded: delta.neighborsAdded.filter((neighbor) => !known(neighbor)),
    neighborsChanged: delta.neighborsChanged.filter(({ neighbor }) => !known(neighbor)),
    neighborsRemoved: delta.neighborsRemoved.filter((neighbor) => wire.neighbors.has(neighbor)),
    routes: delta.routes.filter(
      ([router, prefix, set]) => wire.routes.get(wireKey(router, prefix)) !== delta.sets[set],
    ),
    routesRemoved: delta.routesRemoved.filter(([router, prefix]) =>
      wire.routes.has(wireKey(router, prefix)),
    ),
  };
}

/** The first delta after a start, with what the wire had and the intent no longer has. */
export function withDepartures(
  intent: SpeakerIntent,
  wire: Wire | undefined,
  delta: AppliedDelta,
): AppliedDelta {
  if (wire === undefined) return delta;
  const routers = new Map(intent.routers.map((router) => [router.key, router]));
  const neighbors = new Set(
    intent.routers.flatMap((router) => router.neighbors.map(({ key }) => key)),
  );
  const gone = [...wire.routes.keys()]
    .map((key) => splitWireKey(key))
    .filter(([router, prefix]) => routers.get(router)?.routes.has(prefix) !== true);
  return {
    ...delta,
    neighborsRemoved: [
      ...delta.neighborsRemoved,
      ...[...wire.neighbors.keys()].filter((key) => !neighbors.has(key)),
    ],
    routesRemoved: [...delta.routesRemoved, ...gone],
  };
}

/** The two parts of a WireKey; router keys hold no space. */
export function splitWireKey(key: string): readonly [router: string, prefix: Prefix] {
  const space = key.lastIndexOf(" ");
  return [key.slice(0, space), key.slice(space + 1) as Prefix];
}

export const isNothing = (delta: AppliedDelta): boolean =>
  delta.neighborsAdded.length +
    delta.neighborsChanged.length +
    delta.neighborsRemoved.length +
    delta.routes.length +
    delta.routesRemoved.length ===
  0;
