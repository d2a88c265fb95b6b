/**
 * `show ip route vrf V bgp json` of zebra: what it made of bgpd's best paths.
 *
 * Pure. The agent verifies by it and by the kernel; it never installs what zebra installs.
 */
import { type Address, parseAddress } from "../../../events/address.ts";
import { parsePrefix, type Prefix } from "../../../events/prefix.ts";
import { isObject, isTrueAt, listAt, readObject, textAt } from "./json.ts";

export type InstalledRoute = {
  readonly prefix: Prefix;
  /** Chosen among the protocols of this host. */
  readonly selected: boolean;
  /** The kernel took it. */
  readonly installed: boolean;
  /** Each once. */
  readonly hops: readonly { readonly gateway: Address | undefined; readonly device: string }[];
};

/** undefined: this is no such answer. */
export function parseInstalled(text: string): readonly InstalledRoute[] | undefined {
  const answer = readObject(text);
  if (answer === undefined) return undefined;
  return Object.keys(answer).flatMap((key) => {
    const prefix = parsePrefix(key)?.prefix;
    if (prefix === undefined) return [];
    return listAt(answer, key)
      .filter(isObject)
      .map((one) => ({
        prefix,
        selected: isTrueAt(one, "selected"),
        installed: isTrueAt(one, "installed"),
        hops: listAt(one, "nexthops")
          .filter(isObject)
          .filter((hop) => isTrueAt(hop, "fib") && !isTrueAt(hop, "duplicate"))
          .map((hop) => ({
            gateway: parseAddress(textAt(hop, "ip") ?? ""),
            device: textAt(hop, "interfaceName") ?? "",
          })),
      }));
  });
}
