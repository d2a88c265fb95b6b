/**
 * An address of this host, as whoever reads the kernel tells it to whoever speaks from it.
 *
 * Only types. Reads next: native/host-addresses.ts (what is made of them), kernel/facts.ts (who tells them).
 */
import type { Address } from "../events/address.ts";

export type HostAddress = {
  readonly address: Address;
  /** Name of the device that it is bound to, which is up. */
  readonly device: string;
  readonly loopback: boolean;
  /** A virtual IP, bound by this agent: it comes and goes with what it serves, and is nothing to be known by. */
  readonly virtual: boolean;
};

/** All of now, in the order in which they were bound. Asked where a session begins, with tens of thousands bound. */
export type ReadAddresses = () => Iterable<HostAddress>;
