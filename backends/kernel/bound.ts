/**
 * The addresses of a host, found by address and by device, or its local routes, by address and by table: one lookup each, however
 * many there are.
 *
 * Pure. Reads next: host.ts (who holds them), own.ts (which of them are ours).
 */
import type { Address } from "../../events/address.ts";

/** `place`: what tells two of one address apart. */
export type Bound<T extends { readonly address: Address }> = {
  readonly size: number;
  /** Another number after each change. */
  readonly version: number;
  has(address: Address): boolean;
  /** At whatever places. */
  of(address: Address): readonly T[];
  on(address: Address, place: number): T | undefined;
  set(bound: T): void;
  delete(address: Address, place: number): void;
  clear(): void;
  values(): Iterable<T>;
};

const NOWHERE: readonly never[] = [];

export function newBound<T extends { readonly address: Address }>(
  placeOf: (one: T) => number,
): Bound<T> {
  const all = new Map<Address, readonly T[]>();
  const state = { size: 0, version: 0 };
  const of = (address: Address): readonly T[] => all.get(address) ?? NOWHERE;
  const remove = (address: Address, place: number): void => {
    state.version += 1;
    const list = of(address);
    const rest = list.filter((one) => placeOf(one) !== place);
    state.size -= list.length - rest.length;
    if (rest.length === 0) all.delete(address);
    else if (rest.length < list.length) all.set(address, rest);
  };
  return {
    get size() {
      return state.size;
    },
    get version() {
      return state.version;
    },
    has: (address) => all.has(address),
    of,
    on: (address, place) => of(address).find((one) => placeOf(one) === place),
    set(bound) {
      remove(bound.address, placeOf(bound));
      all.set(bound.address, [...of(bound.address), bound]);
      state.size += 1;
    },
    delete: remove,
    clear() {
      all.clear();
      state.size = 0;
      state.version += 1;
    },
    *values() {
      for (const list of all.values()) yield* list;
    },
  };
}
