/**
 * A neighbour goes from one speaker to another: it leaves the old one before the new one hears of it.
 *
 * Two speakers that dial one far end would take the session from each other. So what another one still has is left out of what a
 * speaker is told, and it is told again when that one let go. What a daemon was told by an earlier run counts, for it may have it
 * still: its first apply settles that. Where there is one speaker nothing ever waits.
 */
import { BehaviorSubject, type Observable } from "rxjs";
import type { BackendName, SpeakerIntent } from "../../backends/intent.ts";
import type { NeighborKey } from "../../events/ids.ts";
import type { State } from "../../events/state.ts";

export type Handover = {
  /** Emits at once, and whenever a speaker let go of somebody. */
  readonly released$: Observable<unknown>;
  /** Neighbours of this intent that another speaker has still, with its name. */
  waits(speaker: BackendName, intent: SpeakerIntent): ReadonlyMap<NeighborKey, BackendName>;
  /** The part that it may be told now; from here on it has these. `intent` itself where nothing waits. */
  tell(speaker: BackendName, intent: SpeakerIntent): SpeakerIntent;
  /** It took that, and has nobody else. */
  told(speaker: BackendName, intent: SpeakerIntent): void;
};

const nobody: ReadonlyMap<NeighborKey, BackendName> = new Map();

/** `wires`: what the log says that each was told last. */
export function createHandover(speakers: readonly BackendName[], wires: State["wires"]): Handover {
  const released$ = new BehaviorSubject<unknown>(undefined);
  if (speakers.length < 2) {
    return { released$, waits: () => nobody, tell: (_, intent) => intent, told: () => undefined };
  }
  const having = new Map<BackendName, ReadonlySet<string>>(
    speakers.map((name) => [name, new Set([...(wires[name]?.neighbors.keys() ?? [])].map(farEnd))]),
  );
  const waits: Handover["waits"] = (speaker, intent) => {
    const found = new Map<NeighborKey, BackendName>();
    for (const { key } of neighborsIn(intent)) {
      const at = farEnd(key);
      const other = speakers.find((one) => one !== speaker && having.get(one)?.has(at) === true);
      if (other !== undefined) found.set(key, other);
    }
    return found;
  };
  return {
    released$,
    waits,
    tell(speaker, intent) {
      const waiting = waits(speaker, intent);
      const told = waiting.size === 0 ? intent : without(intent, waiting);
      const known = having.get(speaker) ?? new Set();
      // Until it answered it may have both.
      having.set(speaker, known.union(farEndsIn(told)));
      return told;
    },
    told(speaker, intent) {
      const before = having.get(speaker) ?? new Set();
      const now = farEndsIn(intent);
      having.set(speaker, now);
      if (!before.isSubsetOf(now)) released$.next(undefined);
    },
  };
}

/** VRF and far end; with another source address it is the same one's business. */
const farEnd = (key: NeighborKey): string => key.split("|", 2).join("|");

const neighborsIn = ({ routers }: SpeakerIntent) => routers.flatMap(({ neighbors }) => neighbors);

const farEndsIn = (intent: SpeakerIntent): ReadonlySet<string> =>
  new Set(neighborsIn(intent).map(({ key }) => farEnd(key)));

const without = (
  intent: SpeakerIntent,
  waiting: ReadonlyMap<NeighborKey, BackendName>,
): SpeakerIntent => ({
  ...intent,
  routers: intent.routers.map((router) => ({
    ...router,
    neighbors: router.neighbors.filter(({ key }) => !waiting.has(key)),
  })),
});
