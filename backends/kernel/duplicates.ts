/**
 * Virtual IPs on a link that another host has: not bound (IPv4), or bound to no use (IPv6), and tried again later.
 *
 * IPv4 is asked for here before it is bound (RFC 5227), but for what is already there: a restart asks nobody. For IPv6 the kernel
 * asks by itself once it is bound (RFC 4862 §5.4) and then leaves a duplicate as it is for ever; so one of ours is taken away
 * and bound anew. Tries come ever later, up to ten minutes. Reads next: own-keeping.ts, io/arp-probe.ts.
 */
import { type Address, familyOf } from "../../events/address.ts";
import type { Clock, Logger } from "../clock.ts";
import type { OwnProblem } from "./facts.ts";
import type { Host } from "./host.ts";
import { whoHas } from "./io/arp-probe.ts";
import type { OwnItem } from "./own.ts";

const FIRST_TRY_MILLIS = 10_000;
const LAST_TRY_MILLIS = 600_000;

export type Duplicates = {
  /** Which of these may be bound, and what hinders the others; at once where none is for a link. */
  sift(items: readonly OwnItem[]): Promise<{
    readonly free: readonly OwnItem[];
    readonly taken: readonly (OwnProblem & { readonly item: OwnItem })[];
  }>;
  /** Addresses that are of no use now: where another host has one or may have, `again` is called in a while. */
  left(useless: Iterable<Address>): void;
  stop(): void;
};

/** Of both forms: the kernel answers ARP for either. */
type AddressItem = Extract<OwnItem, { kind: "address" | "local" }>;

export function createDuplicates(
  host: Host,
  clock: Clock,
  logger: Logger,
  again: () => void,
): Duplicates {
  /** By their texts; asked for again when all is. */
  const refused = new Map<string, { readonly address: Address; readonly reason: string }>();
  let wait = FIRST_TRY_MILLIS;
  let cancel: (() => void) | undefined;

  const isAsked = (item: OwnItem): item is AddressItem => {
    if (item.kind !== "address" && item.kind !== "local") return false;
    const link = host.links.get(item.device);
    return (
      familyOf(item.address) === "ipv4" &&
      link !== undefined &&
      !link.loopback &&
      link.vrfTable === undefined
    );
  };

  const isContested = (address: Address): boolean =>
    host.addresses.of(address).some(({ duplicate, tentative }) => duplicate || tentative) ||
    [...refused.values()].some((one) => one.address === address);

  return {
    async sift(items) {
      const fresh = items.filter(isAsked).filter(({ text }) => !refused.has(text));
      const asked = Map.groupBy(fresh, ({ device }) => device);
      for (const [device, ofDevice] of asked) {
        const addresses = new Set(ofDevice.map(({ address }): Address => address));
        const found = await whoHas(device, addresses, clock);
        const name = host.links.get(device)?.name ?? `#${device}`;
        if (typeof found === "string") {
          logger.warn({ device: name, problem: found }, "bound without asking who has them");
          continue;
        }
        for (const item of ofDevice) {
          const hardware = found.get(item.address);
          if (hardware === undefined) continue;
          const reason = `another host on ${name} has ${item.address} (${hardware} answers ARP)`;
          refused.set(item.text, { address: item.address, reason });
        }
      }
      const taken = items.flatMap((item) => {
        const reason = refused.get(item.text)?.reason;
        return reason === undefined ? [] : [{ entry: item.text, reason, item }];
      });
      return { free: items.filter(({ text }) => !refused.has(text)), taken };
    },
    left(useless) {
      if (![...useless].some(isContested)) {
        cancel?.();
        cancel = undefined;
        refused.clear();
        wait = FIRST_TRY_MILLIS;
        return;
      }
      cancel ??= clock.after(wait, () => {
        cancel = undefined;
        refused.clear();
        wait = Math.min(2 * wait, LAST_TRY_MILLIS);
        again();
      });
    },
    stop() {
      cancel?.();
      cancel = undefined;
    },
  };
}
