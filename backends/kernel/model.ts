/**
 * All that this backend knows: the host, the fibs with who fills them, next hops, own entries.
 *
 * Pure. Reads next: reading.ts (who enters what the kernel says), kernel.ts (who acts).
 */
import { addressFromOctets, type Address, type Family } from "../../events/address.ts";
import type { Prefix } from "../../events/prefix.ts";
import type { HostAddress } from "../host-address.ts";
import {
  afterDump,
  beforeDump,
  dropDump,
  type Fib,
  fibName,
  isEmpty,
  newFib,
  repair,
} from "./fib.ts";
import { createForwardings, type Forwardings } from "./forwarding.ts";
import { type Host, newHost, type Words } from "./host.ts";
import type { Link } from "./netlink/entries.ts";
import { PROTOCOL } from "./netlink/numbers.ts";
import type { OwnState } from "./own.ts";

export type Model = {
  readonly host: Host;
  readonly own: OwnState;
  readonly forwardings: Forwardings;
  readonly fibs: Map<string, Fib>;
  /** Lane whose rules fill a fib (imports.ts). */
  readonly owners: Map<Fib, string>;
  readonly nexthopObjects: boolean;
  fib(family: Family, table: number, metric: number): Fib;
  knownFib(family: Family, table: number, metric: number): Fib | undefined;
  fibsOf(lane: string, family: Family): readonly Fib[];
  claim(lane: string, fib: Fib): boolean;
  /** False from the start of a reading until one has ended well: what is known is not what is there. */
  isWhole(): boolean;
  isOurs(address: Address, device: string, protocol?: number): boolean;
  /** Marks a prefix whose route was changed by others, unless such changes are only reported. */
  repair(fib: Fib, words: Words): void;
  beforeDump(): void;
  afterDump(repairs: boolean): { missing: number; extra: number; changed: number };
  dropDump(): void;
};

export type ModelOptions = {
  readonly nexthopObjects: boolean;
  readonly seed: number;
  readonly repairs: boolean;
  /** By what the log says; for addresses that the kernel does not mark. */
  inLedger(address: Address, device: string): boolean;
};

export function createModel({ nexthopObjects, seed, repairs, inLedger }: ModelOptions): Model {
  const host = newHost();
  const forwardings = createForwardings(nexthopObjects);
  const fibs = new Map<string, Fib>();
  const owners = new Map<Fib, string>();
  /** What fibsOf() found, until an owner changes: it is asked for every prefix. */
  const owned = new Map<string, readonly Fib[]>();
  let dumping = false;
  let whole = false;
  const fib: Model["fib"] = (family, table, metric) => {
    const name = fibName(family, table, metric);
    let one = fibs.get(name);
    if (one === undefined) {
      one = newFib({ family, table, metric }, seed);
      fibs.set(name, one);
      if (dumping) beforeDump(one);
    }
    return one;
  };
  return {
    host,
    forwardings,
    fibs,
    owners,
    own: { routes: new Map(), rules: new Map() },
    nexthopObjects,
    fib,
    knownFib: (family, table, metric) => fibs.get(fibName(family, table, metric)),
    fibsOf(lane, family) {
      const key = `${family}|${lane}`;
      let list = owned.get(key);
      if (list === undefined) {
        const all = [...owners].filter(([one, owner]) => owner === lane && one.family === family);
        list = all.map(([one]) => one);
        owned.set(key, list);
      }
      return list;
    },
    claim(lane, one) {
      const owner = owners.get(one);
      if (owner !== undefined && owner !== lane && !isEmpty(one)) return false;
      if (owner !== lane) owned.clear();
      owners.set(one, lane);
      return true;
    },
    isWhole: () => whole,
    isOurs(address, device, protocol) {
      let said = protocol;
      if (said === undefined) {
        for (const bound of host.addresses.of(address)) {
          if (host.links.get(bound.device)?.name === device) said = bound.protocol;
        }
      }
      return said === PROTOCOL || (said === 0 && inLedger(address, device));
    },
    repair(one, words) {
      if (repairs) repair(one, words);
    },
    beforeDump() {
      dumping = true;
      whole = false;
      for (const one of fibs.values()) beforeDump(one);
    },
    afterDump(mayRepair) {
      dumping = false;
      whole = true;
      const sum = { missing: 0, extra: 0, changed: 0 };
      for (const one of fibs.values()) {
        const { missing, extra, changed } = afterDump(one, forwardings, mayRepair);
        sum.missing += missing;
        sum.extra += extra;
        sum.changed += changed;
      }
      return sum;
    },
    dropDump() {
      dumping = false;
      for (const one of fibs.values()) dropDump(one, forwardings);
    },
  };
}

/** addressesOf(), made anew only where an address or a link is another one: each session that begins asks several times. */
export function knownAddresses(model: Model): () => readonly HostAddress[] {
  let version = -1;
  let links: readonly Link[] = [];
  let known: readonly HostAddress[] = [];
  return () => {
    const { addresses } = model.host;
    const now = [...model.host.links.values()];
    const isSame = now.length === links.length && now.every((link, i) => link === links[i]);
    if (!isSame || addresses.version !== version) known = [...addressesOf(model)];
    version = addresses.version;
    links = now;
    return known;
  };
}

/** What is bound to devices that are up; ours among it, where it is no local route. */
function* addressesOf({ host, isOurs }: Model): Generator<HostAddress> {
  for (const { address, device: index, protocol } of host.addresses.values()) {
    const link = host.links.get(index);
    if (link?.up !== true) continue;
    const { name: device, loopback } = link;
    yield { address, device, loopback, virtual: isOurs(address, device, protocol) };
  }
}

/** Canonical text of packed words. */
export function prefixText(family: Family, [length, ...words]: Words): Prefix {
  const octets = new Uint8Array(family === "ipv4" ? 4 : 16);
  const view = new DataView(octets.buffer);
  for (let i = 0; i * 4 < octets.length; i += 1) view.setUint32(i * 4, words[i] ?? 0, false);
  return `${addressFromOctets(octets)}/${length}` as Prefix;
}
