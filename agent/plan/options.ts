/**
 * What the plan has to know of the speakers that it plans for: what each can do, who keeps BFD, and what this host's kernel can.
 *
 * Pure. The answers come from the backends (backends/backend.ts) and from agent.yaml; agent/compose.ts puts them together.
 */
import type { Capabilities, Capability } from "../../backends/backend.ts";
import type { BackendName } from "../../backends/intent.ts";
import type { KernelAbility } from "./kernel-ability.ts";

export type SpeakerOptions = {
  readonly backend: BackendName;
  readonly capabilities: Capabilities;
  /**
   * `speaker`: its own daemon keeps the sessions of all its neighbours. `taken`: another speaker's daemon has BFD's port on this host,
   * and nobody keeps any for these neighbours. Absent: the BFD engine does.
   */
  readonly bfd?: "engine" | "speaker" | "taken";
  readonly kernel: KernelAbility;
};

/** The first speaker, which has every neighbour that no PeerBackend gives away, and those that run beside it. */
export type PlanOptions = SpeakerOptions & { readonly besides?: readonly SpeakerOptions[] };

/** UDP ports 3784 and 4784 have one owner on a host: beside a speaker whose daemon keeps BFD nobody else does. */
export function besideEachOther(
  first: SpeakerOptions,
  others: readonly SpeakerOptions[],
): PlanOptions {
  if (others.length === 0) return first;
  const isKept = [first, ...others].some(({ bfd }) => bfd === "speaker");
  const keeping = (one: SpeakerOptions): SpeakerOptions =>
    one.bfd === "speaker" ? one : { ...one, bfd: isKept ? "taken" : "engine" };
  return { ...keeping(first), besides: others.map(keeping) };
}

/** All of them; the first one first. */
export const speakersOf = (options: PlanOptions): readonly SpeakerOptions[] => [
  options,
  ...(options.besides ?? []),
];

export const has = ({ capabilities }: SpeakerOptions, capability: Capability): boolean =>
  capabilities.has.has(capability);

/** Why the speaker can't, in words; undefined where it can. */
export function lacking(options: SpeakerOptions, capability: Capability): string | undefined {
  if (has(options, capability)) return undefined;
  const why = options.capabilities.missing.get(capability) ?? "not carried yet";
  return `the ${options.backend} speaker has no ${capability}: ${why}`;
}
