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
  /** Whether bfdd is there to keep BFD. */
  readonly hasBfdd: boolean;
  /** Whether zebra is there, without which bgpd's routes stay out of the kernel. */
  readonly hasZebra: boolean;
};

/** `bfd`, for who does not leave it to bfdd: a session that BFD calls down is cleared. */
const ALWAYS: readonly Capability[] = [
  "tcp-md5",
  "graceful-restart",
  "unnumbered",
  "vrf",
  "local-as",
  "vrf-import",
  "evpn",
  "raw",
  "bfd",
  "source-interface",
];

export function frrCapabilities({ version, hasZebra }: FrrFacts): Capabilities {
  const has = new Set<Capability>(ALWAYS);
  const missing = new Map<Capability, string>([
    ["routers-per-vrf", "bgpd has one router, with one AS and one router ID, for each VRF"],
    ["bfd-authentication", "bfdd has no authentication of BFD"],
  ]);
  if (hasZebra) has.add("installs-routes");
  else missing.set("installs-routes", "zebra does not run here, or its vty socket does not answer");
  if (version !== undefined && canWaitForBfd(version)) has.add("bfd-strict");
  else missing.set("bfd-strict", `${nameOf(version)} starts BGP whatever BFD says; 10.5 does not`);
  return { has, missing };
}

const nameOf = (version: FrrVersion | undefined): string =>
  version === undefined
    ? "FRR, whose version is not known yet,"
    : `FRR ${version.major}.${version.minor}`;
