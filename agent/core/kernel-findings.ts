/**
 * What `doctor` has to say of the kernel: only what the configuration of this host needs is asked for.
 */
import type { Kernel, KernelCapability } from "../../backends/kernel/facts.ts";
import { probeSysctls } from "../../backends/kernel/io/probe.ts";
import { familyOf } from "../../events/address.ts";
import type { Plan } from "../plan/plan.ts";
import type { KernelFindings } from "./doctor.ts";

export function kernelFindings(kernel: Kernel, plan: Plan): KernelFindings {
  const { addresses, imports, rules, sourceNats } = plan.kernel;
  const isUsed = {
    vrf:
      [...plan.neighbors.values()].some(({ neighbor }) => neighbor.vrf !== "") ||
      [...rules.values()].some(({ table }) => typeof table !== "number"),
    imports: imports.length > 0,
    egress: rules.size + sourceNats.size > 0,
    echo: plan.bfd.sessions.some(({ timing }) => timing.echoIntervalMillis !== undefined),
  };
  const capabilities: Readonly<Partial<Record<KernelCapability, boolean>>> = {
    vrf: isUsed.vrf,
    changes: isUsed.imports || isUsed.egress || plan.kernel.addresses.size > 0,
    nft: sourceNats.size > 0,
    "nexthop-objects": isUsed.imports,
    "ipv4-via-ipv6": isUsed.imports,
  };
  const knobs: readonly (readonly [RegExp, boolean])[] = [
    [/forward/, isUsed.egress || isUsed.echo],
    [/rp_filter|multipath/, isUsed.imports],
    [/l3mdev/, isUsed.vrf],
  ];
  return {
    lacking: [...kernel.capabilities.missing].flatMap(([name, why]) =>
      capabilities[name] === true || isRefusedFor(plan, why) ? [why] : [],
    ),
    problems: kernel.status().problems,
    onDevices: [...addresses.values()].filter(
      ({ as, address }) => as === "address" && familyOf(address) === "ipv4",
    ).length,
    sysctls: probeSysctls().filter(
      ({ name, good }) => !good && knobs.some(([which, used]) => used && which.test(name)),
    ),
  };
}

/** What the plan left out is in no intent. */
const isRefusedFor = ({ notCarried }: Plan, why: string): boolean =>
  notCarried.some(({ reason }) => reason.includes(why));
