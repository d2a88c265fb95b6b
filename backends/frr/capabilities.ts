/**
 * What an FRR can be asked for, so that the plan refuses the rest with a reason.
 *
 * Pure. Reads next: version.ts, ../backend.ts.
 */
import type { Capabilities, Capability } from "../backend.ts";
import { canWaitForBfd } from "./render/neighbor.ts";
import type { FrrVersion } from "./version.ts";

export type FrrFacts = {
  /** undefined: bgpd did not answer yet; what every supported version has is declared. */
  readonly version: FrrVersion | undefined;
  /** Whether bfdd answers. */
  readonly hasBfdd: boolean;
  readonly hasZebra: boolean;
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
  "source-interface",
];

export function frrCapabilities({ version, hasBfdd, hasZebra }: FrrFacts): Capabilities {
  const has = new Set<Capability>(ALWAYS);
  const missing = new Map<Capability, string>([
    ["routers-per-vrf", "bgpd has one router, with one AS and one router ID, for each VRF"],
    ["bfd-authentication", "bfdd has no authentication (RFC 5880 §6.7)"],
  ]);
  const noBfdd = "FRR's bfdd does not run here, or its vty socket does not answer";
  if (hasBfdd) has.add("bfd");
  else missing.set("bfd", noBfdd);
  if (hasBfdd && version !== undefined && canWaitForBfd(version)) has.add("bfd-strict");
  else
    missing.set(
      "bfd-strict",
      hasBfdd ? "FRR before 10.5 opens a session whatever BFD says" : noBfdd,
    );
  if (hasZebra) has.add("installs-routes");
  else missing.set("installs-routes", "zebra does not run here, or its vty socket does not answer");
  return { has, missing };
}
