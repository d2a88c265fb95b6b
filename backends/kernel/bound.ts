/**
 * The addresses of a host, found by address and by device: one lookup each, however many there are.
 *
 * Pure. Reads next: host.ts (who holds them), own.ts (which of them are ours).
 */
import type { Address } from "../../events/address.ts";
import type { BoundAddress } from "./netlink/entries.ts";

export type BoundAddresses = {
  readonly size: number;
  has(address: Address): boolean;
  /** On whatever devices. */
  of(address: Address): readonly BoundAddress[];
  on(address: Address, device: number): BoundAddress | undefined;
  set(bound: BoundAddress): void;
  delete(bound: Pick<BoundAddress, "address" | "device">): void;
  clear(): void;
  values(): Iterable<BoundAddress>;
};

const NOWHERE: readonly BoundAddress[] = [];

export function boundAddresses(): BoundAddresses {
  const all = new Map<Address, readonly BoundAddress[]>();
  const state = { size: 0 };
  const of = (address: Address): readonly BoundAddress[] => all.get(address) ?? NOWHERE;
  const remove = ({ address, device }: Pick<BoundAddress, "address" | "device">): void => {
    const list = of(address);
    const rest = list.filter((one) => one.device !== device);
    state.size -= list.length - rest.length;
    if (rest.length === 0) all.delete(address);
    else if (rest.length < list.length) all.set(address, rest);
  };
  return {
    get size() {
      return state.size;
    },
    has: (address) => all.has(address),
    of,
    on: (address, device) => of(address).find((one) => one.device === device),
    set(bound) {
      remove(bound);
      all.set(bound.address, [...of(bound.address), bound]);
      state.size += 1;
    },
    delete: remove,
    clear() {
      all.clear();
      state.size = 0;
    },
    *values() {
      for (const list of all.values()) yield* list;
    },
  };
}
