/**
 * Learned best paths on their way to the kernel: in each VRF those of the speaker that the plan names, of the others none.
 *
 * Where another one takes a VRF over, the kernel forgets what the one before told of it, and the new one says all it has. Reads next:
 * ../plan/peer-backends.ts (who feeds), ../../backends/best-paths.ts.
 */
import { map, type Observable } from "rxjs";
import type { SpeakerBackend } from "../../backends/backend.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { Kernel } from "../../backends/kernel/facts.ts";
import type { Planned } from "./reconcile.ts";

type Feeder = Pick<SpeakerBackend, "name" | "bestPaths">;

export type FeedingParts = {
  readonly kernel: Pick<Kernel, "learned" | "forget" | "settled">;
  /** The first one feeds every VRF that the plan gives to nobody else. */
  readonly speakers: readonly [Feeder, ...Feeder[]];
  readonly planned$: Observable<Planned>;
  readonly onBug: (error: unknown) => void;
};

export type Feeding = {
  /** Ends it; what these speakers told is taken out of the kernel, for they end with the agent while others work on. */
  stop(ending: readonly BackendName[]): Promise<void>;
};

export function startFeeding({ kernel, speakers, planned$, onBug }: FeedingParts): Feeding {
  const [first] = speakers;
  let feeders: ReadonlyMap<string, BackendName> = new Map();
  const feederOf = (vrf: string): BackendName => feeders.get(vrf) ?? first.name;
  /** VRFs of which the kernel was told something. */
  const fed = new Set<string>();
  const stops = new Map<BackendName, () => void>();
  const listen = (one: Feeder): void => {
    const { name } = one;
    stops.get(name)?.();
    const stop = one.bestPaths((told) => {
      if (feederOf(told.vrf) !== name) return;
      fed.add(told.vrf);
      kernel.learned(told);
    });
    stops.set(name, stop);
  };
  const change = (next: ReadonlyMap<string, BackendName>): void => {
    const before = feeders;
    const of = (all: typeof next, vrf: string): BackendName => all.get(vrf) ?? first.name;
    const moved = [...new Set([...before.keys(), ...next.keys()])].filter(
      (vrf) => of(before, vrf) !== of(next, vrf),
    );
    feeders = next;
    for (const vrf of moved) if (fed.delete(vrf)) kernel.forget(vrf).catch(onBug);
    const gaining = new Set(moved.map(feederOf));
    // It begins with all that it has, and what the kernel knows already changes nothing.
    for (const one of speakers) if (gaining.has(one.name) && stops.has(one.name)) listen(one);
  };
  const subscription = planned$.pipe(map(({ plan }) => plan.feeders)).subscribe(change);
  for (const one of speakers) listen(one);
  return {
    async stop(ending) {
      subscription.unsubscribe();
      for (const stop of stops.values()) stop();
      const left = [...fed].filter((vrf) => ending.includes(feederOf(vrf)));
      for (const vrf of left) await kernel.forget(vrf);
      if (left.length > 0) await kernel.settled();
    },
  };
}
