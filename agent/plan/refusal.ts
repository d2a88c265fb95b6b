/**
 * Why the speaker can't open a neighbour as it is asked for.
 *
 * Pure. Never weaker than asked: a session whose key, source or BFD can't be had is not opened at all (design: fails closed).
 */
import type { Capability } from "../../backends/backend.ts";
import { vrfLacking } from "./kernel-ability.ts";
import type { MergedNeighbor } from "./merge.ts";
import { has, lacking, type SpeakerOptions } from "./options.ts";

/** What the speaker lacks for this neighbour, in words; undefined where it can be opened. */
export function refusal(neighbor: MergedNeighbor, options: SpeakerOptions): string | undefined {
  const { remote, vrf, localAsOverride, secret, source, addressFamilies } = neighbor;
  const noVrf = vrfLacking(options.kernel, vrf);
  if (noVrf !== undefined) return noVrf;
  const needs: readonly (Capability | undefined)[] = [
    remote.type === "interface" ? "unnumbered" : undefined,
    vrf === "" ? undefined : "vrf",
    localAsOverride === undefined ? undefined : "local-as",
    secret === undefined ? undefined : "tcp-md5",
    addressFamilies.includes("unicast") ? undefined : "evpn",
  ];
  for (const capability of needs) {
    const reason = capability === undefined ? undefined : lacking(options, capability);
    if (reason !== undefined) return reason;
  }
  if (source?.type === "interface" && !has(options, "source-interface")) {
    return `sourceaddress ${source.interface} is an interface: not carried yet, write its address`;
  }
  return bfdRefusal(neighbor, options);
}

const ENGINE = "; `frr: {bfd: engine}` in agent.yaml has the agent keep BFD";

/** What BFDOptions ask for and the BFD engine can do, but not every speaker's own daemon. */
function bfdRefusal({ bfd }: MergedNeighbor, options: SpeakerOptions): string | undefined {
  if (bfd?.spec === undefined) return undefined;
  if (options.bfd === "taken")
    return `BFD profile ${bfd.name}: another speaker's daemon has BFD's port on this host${ENGINE}`;
  if (options.bfd !== "speaker") return undefined;
  const needs: readonly (Capability | undefined)[] = [
    bfd.strictMode ? "bfd-strict" : undefined,
    bfd.authentication === undefined ? undefined : "bfd-authentication",
  ];
  for (const capability of needs) {
    const reason = capability === undefined ? undefined : lacking(options, capability);
    if (reason !== undefined) return `BFD profile ${bfd.name}: ${reason}${ENGINE}`;
  }
  return undefined;
}
