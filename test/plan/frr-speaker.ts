/**
 * What a speaker such as FRR can do, less what a test takes away, and what is planned for it.
 */
import type { PlanOptions } from "../../agent/plan/options.ts";
import { plan, type Plan } from "../../agent/plan/plan.ts";
import type { Capability } from "../../backends/backend.ts";
import type { RouterIntent } from "../../backends/intent.ts";
import type { World } from "./world.ts";

export const ALL: readonly Capability[] = [
  "tcp-md5",
  "graceful-restart",
  "unnumbered",
  "vrf",
  "local-as",
  "vrf-import",
  "bfd",
  "evpn",
  "raw",
  "source-interface",
  "installs-routes",
];
export const frr = (
  less: readonly Capability[] = [],
  more: Partial<PlanOptions> = {},
): PlanOptions => ({
  backend: "frr",
  capabilities: {
    has: new Set(ALL.filter((one) => !less.includes(one))),
    missing: new Map(less.map((one) => [one, "FRR 1.0 has none"])),
  },
  ...more,
});
export const planned = ({ desired }: World, by: PlanOptions = frr()): Plan => plan(desired, by);
export const routers = (made: Plan): readonly RouterIntent[] => made.speakers.frr?.routers ?? [];
export const router = (made: Plan, vrf: string): RouterIntent | undefined =>
  routers(made).find((one) => one.vrf === vrf);
