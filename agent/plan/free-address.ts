/**
 * The first address of a pool that a Service may take.
 *
 * Pure. Steps over blocks that are full (`addressesInBlock`), so that the search among 100,000 taken addresses looks at a few
 * hundred blocks and one block's addresses, not at all of them.
 */
import {
  type Address,
  addressFromBigInt,
  addressFromOctets,
  addressToBigInt,
  bitsOf,
  type Family,
} from "../../events/address.ts";
import { BLOCK_SIZE, blockAt } from "../../events/fold.ts";
import { type Prefix, prefixAddress, prefixFamily, prefixLength } from "../../events/prefix.ts";
import type { IpAddressPoolSpec } from "../../events/resources/ip-address-pool.ts";
import type { DesiredState } from "../../events/state.ts";

export type Search = {
  readonly desired: DesiredState;
  /** Whether a taken address may be shared; undefined: never, which lets full blocks be stepped over. */
  readonly mayShare: ((address: Address) => boolean) | undefined;
};

/** In the order in which the pool was written, low addresses first. */
export function freeAddress(
  pool: IpAddressPoolSpec,
  family: Family,
  search: Search,
): Address | undefined {
  for (const { prefixes } of pool.addresses) {
    for (const prefix of prefixes) {
      if (prefixFamily(prefix) !== family) continue;
      const found = freeInPrefix(prefix, pool.avoidBuggyIPs, search);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function freeInPrefix(
  prefix: Prefix,
  avoidBuggyIPs: boolean,
  { desired, mayShare }: Search,
): Address | undefined {
  const family = prefixFamily(prefix);
  const start = addressToBigInt(prefixAddress(prefix));
  const size = 1n << BigInt(bitsOf(family) - prefixLength(prefix));
  const block = BigInt(BLOCK_SIZE);
  for (let at = start; at < start + size; at = (at / block + 1n) * block) {
    const taken = desired.addressesInBlock.get(blockAt(at, family)) ?? 0;
    if (taken >= BLOCK_SIZE && mayShare === undefined) continue;
    const first = addressFromBigInt(at, family);
    const end = (at / block + 1n) * block;
    const count = Number((end < start + size ? end : start + size) - at);
    const found = freeInBlock(first, at, count, family, (address) => {
      if (avoidBuggyIPs && isBuggy(address, family)) return false;
      if (!desired.addressHolders.has(address)) return true;
      return mayShare?.(address) ?? false;
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

function freeInBlock(
  first: Address,
  at: bigint,
  count: number,
  family: Family,
  takes: (address: Address) => boolean,
): Address | undefined {
  for (let offset = 0; offset < count; offset += 1) {
    const address =
      offset === 0
        ? first
        : family === "ipv4"
          ? ipv4(Number(at) + offset)
          : addressFromBigInt(at + BigInt(offset), family);
    if (takes(address)) return address;
  }
  return undefined;
}

const ipv4 = (value: number): Address =>
  addressFromOctets(
    Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff),
  );

/** Some routers' and clients' software takes .0 and .255 for what they were in classful times (manifests.md §1.3). */
export const isBuggy = (address: Address, family: Family): boolean =>
  family === "ipv4" && (address.endsWith(".0") || address.endsWith(".255"));
