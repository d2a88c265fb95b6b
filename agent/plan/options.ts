/**
 * What the plan has to know of the speaker that it plans for: what that can do, and who keeps BFD.
 *
 * Pure. The answers come from the backend (backends/backend.ts) and from agent.yaml; agent/compose.ts puts them together.
 */
import type { Capabilities, Capability } from "../../backends/backend.ts";
import type { BackendName } from "../../backends/intent.ts";

export type PlanOptions = {
  readonly backend: BackendName;
  readonly capabilities: Capabilities;
  /** `speaker`: its own daemon keeps the sessions of all neighbours. Absent: the BFD engine does. */
  readonly bfd?: "engine" | "speaker";
};

export const has = ({ capabilities }: PlanOptions, capability: Capability): boolean =>
  capabilities.has.has(capability);

/** Why the speaker can't, in words; undefined where it can. */
export function lacking(options: PlanOptions, capability: Capability): string | undefined {
  if (has(options, capability)) return undefined;
  const why = options.capabilities.missing.get(capability) ?? "not carried yet";
  return `the ${options.backend} speaker has no ${capability}: ${why}`;
}
