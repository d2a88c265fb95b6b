/**
 * What an FRR can be asked for, so that the plan refuses the rest with a reason.
 *
 * Pure. Reads next: version.ts, ../backend.ts.
 */
import type { Capabilities, Capability } from "../backend.ts";
import type { FrrVersion } from "./version.ts";

export type FrrFacts = {
  /** undefined: bgpd did not answer yet; what every supported version has is declared. */
  readonly version: FrrVersion | undefined;
  /** Whether bfdd answers. */
  readonly hasBfdd: boolean;
};

const ALWAYS: readonly Capability[] = [
  "tcp-md5",
  "graceful-restart",
  "unnumbered",
  "vrf",
  "local-as",
  "vrf-import",
  "evpn",
  "raw",
];

export function frrCapabilities({ hasBfdd }: FrrFacts): Capabilities {
  const missing = new Map<Capability, string>([
    ["routers-per-vrf", "bgpd has one router, with one AS and one router ID, for each VRF"],
  ]);
  if (!hasBfdd)
    missing.set("bfd", "FRR's bfdd does not run here, or its vty socket does not answer");
  return { has: new Set<Capability>(hasBfdd ? [...ALWAYS, "bfd"] : ALWAYS), missing };
}
