/**
 * metallb.io L2Advertisement: announcing by ARP and neighbour discovery, which this agent stores and does not do yet.
 *
 * Read whole and strictly all the same, so that a mistake is told today and not when it begins to act.
 */
import * as z from "zod";
import { texts, whole } from "./fields.ts";
import { type Reading, refuseDuplicates } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorAt, selectorsAt, writtenSelector } from "./selectors.ts";

export type L2Advertisement = Typed<"metallb.io/L2Advertisement", L2AdvertisementSpec>;
export type L2AdvertisementSpec = {
  readonly ipAddressPools: readonly string[];
  readonly ipAddressPoolSelectors: readonly LabelSelector[];
  readonly nodeSelectors: readonly LabelSelector[];
  /** Empty: every interface. */
  readonly interfaces: readonly string[];
  readonly serviceSelectors: readonly LabelSelector[];
  /** `weight` 1–100; the highest sum is preferred. */
  readonly preferredNodeSelectors: readonly {
    readonly weight: number;
    readonly preference: LabelSelector;
  }[];
};

const at = (field: string): readonly string[] => ["spec", field];
const selectors = z.array(writtenSelector).optional();
export const writtenL2Advertisement = z.strictObject({
  ipAddressPools: texts.optional(),
  ipAddressPoolSelectors: selectors,
  nodeSelectors: selectors,
  interfaces: texts.optional(),
  serviceSelectors: selectors,
  preferredNodeSelectors: z
    .array(z.strictObject({ weight: whole(1, 100), preference: writtenSelector }))
    .optional(),
});

export function l2AdvertisementSpec(
  written: z.infer<typeof writtenL2Advertisement>,
  reading: Reading,
): L2AdvertisementSpec {
  const pools = written.ipAddressPools ?? [];
  refuseDuplicates(reading, at("ipAddressPools"), pools, (name) => name, "this name");
  return {
    ipAddressPools: pools,
    ipAddressPoolSelectors: selectorsAt(
      reading,
      at("ipAddressPoolSelectors"),
      written.ipAddressPoolSelectors,
    ),
    nodeSelectors: selectorsAt(reading, at("nodeSelectors"), written.nodeSelectors),
    interfaces: written.interfaces ?? [],
    serviceSelectors: selectorsAt(
      reading,
      at("serviceSelectors"),
      written.serviceSelectors,
      "allowed",
    ),
    preferredNodeSelectors: (written.preferredNodeSelectors ?? []).map(
      ({ weight, preference }, i) => ({
        weight,
        preference: selectorAt(
          reading,
          [...at("preferredNodeSelectors"), i, "preference"],
          preference,
        ),
      }),
    ),
  };
}
