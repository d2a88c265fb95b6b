/**
 * What is not announced although it is planned: prefixes for whose addresses this host receives nothing.
 *
 * Pure. A virtual IP that could not be bound would draw traffic that ends nowhere (metallb's users ask for the order: the
 * dataplane first). An aggregate goes only with the last of its addresses. Reads next: speaker.ts (who asks),
 * ../../backends/kernel/own-keeping.ts (who finds it out).
 */
import type { SpeakerIntent } from "../../backends/intent.ts";
import type { KernelIntent } from "../../backends/kernel/intent.ts";
import type { Address } from "../../events/address.ts";
import type { Prefix } from "../../events/prefix.ts";

/** Addresses, each with the reason; of no use to whoever is told of them. */
export type Unusable = ReadonlyMap<Address, string>;

export const allUsable: Unusable = new Map();

/** Prefixes that are held back, each with the reason. */
export function withheld(
  addresses: KernelIntent["addresses"],
  unusable: Unusable,
): ReadonlyMap<Prefix, string> {
  const found = new Map<Prefix, string>();
  if (unusable.size === 0) return found;
  const served = new Set<Prefix>();
  for (const { address, announcedAs } of addresses.values()) {
    const reason = unusable.get(address);
    for (const prefix of announcedAs) {
      if (reason === undefined) served.add(prefix);
      else found.set(prefix, reason);
    }
  }
  for (const prefix of served) found.delete(prefix);
  return found;
}

/** `intent` itself where nothing of it is held back. */
export function withhold(
  intent: SpeakerIntent,
  addresses: KernelIntent["addresses"],
  unusable: Unusable,
): SpeakerIntent {
  const prefixes = withheld(addresses, unusable);
  if (prefixes.size === 0) return intent;
  return {
    ...intent,
    routers: intent.routers.map((router) => {
      let { routes } = router;
      for (const prefix of prefixes.keys()) routes = routes.delete(prefix);
      return routes === router.routes ? router : { ...router, routes };
    }),
  };
}
