/**
 * Which pools an advertisement speaks for: names ∪ selectors, and neither means all (reference/rules.md §2.2.2).
 */
import type { BgpAdvertisement } from "../../events/resources/bgp-advertisement.ts";
import type { IpAddressPool } from "../../events/resources/ip-address-pool.ts";
import type { Held } from "../../events/state.ts";
import { selects } from "./labels.ts";

export function isAttached({ spec }: BgpAdvertisement, { metadata }: IpAddressPool): boolean {
  const { ipAddressPools, ipAddressPoolSelectors } = spec;
  return (
    (ipAddressPools.length === 0 && ipAddressPoolSelectors.length === 0) ||
    ipAddressPools.includes(metadata.name) ||
    ipAddressPoolSelectors.some((selector) => selects(selector, metadata.labels))
  );
}

export const attachedPools = (
  advertisement: BgpAdvertisement,
  pools: readonly Held<IpAddressPool>[],
): readonly Held<IpAddressPool>[] =>
  pools.filter(({ resource }) => isAttached(advertisement, resource));
