/**
 * Neighbours with a BFD profile → what the speaker's own BFD daemon keeps for them.
 *
 * Pure. Such a daemon knows profiles by name alone, so two of one name (BFDProfiles of two namespaces) become two names here.
 * Which sessions share a path, and how fast they run then, is the daemon's business. Reads next: bfd.ts (the engine's).
 */
import type { SpeakerBfd } from "../../backends/intent.ts";
import { canonicalJson } from "../../events/digest.ts";
import type { BfdProfileSpec } from "../../events/resources/bfd-profile.ts";
import type { DesiredState } from "../../events/state.ts";
import { isMultihop } from "./bfd.ts";
import type { Claims } from "./claims.ts";
import type { MergedNeighbor } from "./merge.ts";
import type { SpeakerOptions } from "./options.ts";

export type SpeakerBfdOf = (neighbor: MergedNeighbor) => SpeakerBfd | undefined;

/** `claims`: of all owners in force, whose profiles are told apart. */
export function speakerBfdOf(
  desired: DesiredState,
  claims: readonly Claims[],
  options: SpeakerOptions,
): SpeakerBfdOf {
  if (options.bfd !== "speaker") return () => undefined;
  const meanings = new Map<string, Set<string>>();
  for (const { bfd } of claims.flatMap(({ routers }) => routers.flatMap((one) => one.neighbors))) {
    if (bfd?.spec === undefined) continue;
    const known = meanings.get(bfd.name) ?? new Set();
    meanings.set(bfd.name, known.add(canonicalJson(bfd.spec)));
  }
  const nameOf = (name: string, spec: BfdProfileSpec): string => {
    const place = [...(meanings.get(name) ?? [])].toSorted().indexOf(canonicalJson(spec));
    return place <= 0 ? name : `${name}-${place + 1}`;
  };
  return (neighbor) => {
    const { bfd, remote } = neighbor;
    if (bfd?.spec === undefined) return undefined;
    return {
      profile: nameOf(bfd.name, bfd.spec),
      // Who is known by its interface is on that link.
      multihop: remote.type === "address" && isMultihop(desired, neighbor, remote.address),
      timing: timingOf(bfd.spec),
    };
  };
}

const timingOf = (spec: BfdProfileSpec): SpeakerBfd["timing"] => ({
  transmitIntervalMillis: spec.transmitIntervalMillis,
  receiveIntervalMillis: spec.receiveIntervalMillis,
  detectMultiplier: spec.detectMultiplier,
  echoIntervalMillis: spec.echoMode ? spec.echoIntervalMillis : undefined,
  passive: spec.passiveMode,
  minimumTimeToLive: spec.minimumTtl,
});
