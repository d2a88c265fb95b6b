/**
 * metallb.io IPAddressPool: addresses that may be given to Services, and to which.
 *
 * Ranges become prefixes here, once. Overlap inside one pool is refused here; between pools it is the plan's.
 */
import * as z from "zod";
import { flag, int32, texts } from "./fields.ts";
import { type AddressEntry, addressEntryAt, refuseOverlaps } from "./ranges.ts";
import { type Reading, refuseDuplicates } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorsAt, writtenSelector } from "./selectors.ts";

export type IpAddressPool = Typed<"metallb.io/IPAddressPool", IpAddressPoolSpec>;

export type IpAddressPoolSpec = {
  /** In the order written, which is the order of allocation. */
  readonly addresses: readonly AddressEntry[];
  readonly autoAssign: boolean;
  /** IPv4 addresses that end in .0 and .255 are skipped. */
  readonly avoidBuggyIPs: boolean;
  readonly pinning: Pinning;
};

export type Pinning =
  | { readonly type: "none" }
  /** Namespaces by name or by label, AND one of the service selectors; where all three are empty, every Service. */
  | {
      readonly type: "pinned";
      /** Lower goes first; 0 goes last. */
      readonly priority: number;
      readonly namespaces: readonly string[];
      readonly namespaceSelectors: readonly LabelSelector[];
      readonly serviceSelectors: readonly LabelSelector[];
    };

export const writtenIpAddressPool = z.strictObject({
  addresses: texts.min(1, "needs at least one prefix or range"),
  autoAssign: flag.optional(),
  avoidBuggyIPs: flag.optional(),
  serviceAllocation: z
    .strictObject({
      priority: int32.optional(),
      namespaces: texts.optional(),
      namespaceSelectors: z.array(writtenSelector).optional(),
      serviceSelectors: z.array(writtenSelector).optional(),
    })
    .optional(),
});
type Written = z.infer<typeof writtenIpAddressPool>;

export function ipAddressPoolSpec(written: Written, reading: Reading): IpAddressPoolSpec {
  const placed = written.addresses.flatMap((line, i) => {
    const path = ["spec", "addresses", i];
    const entry = addressEntryAt(reading, path, line);
    return entry === undefined ? [] : [{ path, entry }];
  });
  refuseOverlaps(reading, placed);
  return {
    addresses: placed.map(({ entry }) => entry),
    autoAssign: written.autoAssign ?? true,
    avoidBuggyIPs: written.avoidBuggyIPs ?? false,
    pinning: pinningOf(written.serviceAllocation, reading),
  };
}

function pinningOf(written: Written["serviceAllocation"], reading: Reading): Pinning {
  if (written === undefined) return { type: "none" };
  const at = ["spec", "serviceAllocation"];
  const namespaces = written.namespaces ?? [];
  refuseDuplicates(reading, [...at, "namespaces"], namespaces, (name) => name, "this namespace");
  return {
    type: "pinned",
    priority: written.priority ?? 0,
    namespaces,
    namespaceSelectors: selectorsAt(
      reading,
      [...at, "namespaceSelectors"],
      written.namespaceSelectors,
    ),
    serviceSelectors: selectorsAt(
      reading,
      [...at, "serviceSelectors"],
      written.serviceSelectors,
      "allowed",
    ),
  };
}
