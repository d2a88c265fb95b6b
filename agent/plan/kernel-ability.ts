/**
 * What this host's kernel can't do of what is planned, in words: known before anything is tried.
 *
 * Pure. A device that is only not there yet is none of it: the backends wait for that and say so. Reads next: kernel-refusals.ts
 * (what comes of it for each resource).
 */
import type { KernelCapabilities, KernelCapability } from "../../backends/kernel/facts.ts";
import type { EgressService } from "../../events/resources/egress-service.ts";

/** A text: the kernel's routing could not be opened at all, and why. */
export type KernelAbility = KernelCapabilities | string;

function lacking(
  kernel: KernelAbility,
  ...needs: readonly (KernelCapability | undefined)[]
): string | undefined {
  if (typeof kernel === "string") return kernel;
  for (const need of needs) {
    const why = need === undefined ? undefined : kernel.missing.get(need);
    if (why !== undefined) return why;
  }
  return undefined;
}

const needsVrf = (vrf: string): KernelCapability | undefined => (vrf === "" ? undefined : "vrf");

/** Why nothing can be in this VRF. Of a kernel that could not be opened it is not known: sessions do without. */
export function vrfLacking(kernel: KernelAbility, vrf: string): string | undefined {
  const why = typeof kernel === "string" ? undefined : lacking(kernel, needsVrf(vrf));
  return why === undefined ? undefined : `VRF ${vrf}: ${why}`;
}

/** Why no learned route can be installed there. */
export const importLacking = (kernel: KernelAbility, vrf: string): string | undefined =>
  lacking(kernel, "changes", needsVrf(vrf));

/** Why nothing of the kernel can be known there. */
export const exportLacking = (kernel: KernelAbility, vrf: string): string | undefined =>
  lacking(kernel, needsVrf(vrf));

/** Why traffic can't be given another way out. */
export const ruleLacking = (
  kernel: KernelAbility,
  { network }: EgressService["spec"],
): string | undefined => lacking(kernel, "changes", network.type === "vrf" ? "vrf" : undefined);

/** Why traffic can't be given another source address. */
export const natLacking = (kernel: KernelAbility): string | undefined =>
  lacking(kernel, "changes", "nft");
