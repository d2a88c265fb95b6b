/**
 * Which addresses and ports something listens on, out of the text of /proc/net/{tcp,tcp6,udp,udp6}.
 *
 * Pure: the text comes in, a value goes out; proc-net.ts reads. Never says who listens. What the kernel does not show
 * stays unknown: a socket on `::` is taken to serve IPv4 too, as it does unless its program set IPV6_V6ONLY.
 */
import { type Address, address, addressFromOctets, familyOf } from "../../events/address.ts";
import type { ServicePort } from "../../events/resources/service.ts";
import type { Result } from "./rise-fall.ts";

export type Table = "tcp" | "tcp6" | "udp" | "udp6";

/** `TCP/80`. */
export type PortKey = `${ServicePort["protocol"]}/${number}`;

/** Listening addresses by port; canonical text, wildcards as `0.0.0.0` and `::`. */
export type Listeners = ReadonlyMap<PortKey, ReadonlySet<Address>>;

export const portKey = ({ protocol, port }: Pick<ServicePort, "protocol" | "port">): PortKey =>
  `${protocol}/${port}`;

/** State of a listening TCP socket, TCP_LISTEN of Linux's net/tcp_states.h. */
const LISTEN = "0A";
/** State of a UDP socket that is not connected, and so takes datagrams from anybody: TCP_CLOSE of the same file. */
const UNCONNECTED = "07";
const LINE = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /;

/**
 * Adds what one table shows to `into`. The tables spell addresses as 32-bit words in the host's own octet order.
 * Lines that are not understood are passed over: a newer kernel may have more to say.
 */
export function addListeners(
  into: Map<PortKey, Set<Address>>,
  table: Table,
  text: string,
  littleEndian: boolean,
): void {
  const [protocol, wanted] = table.startsWith("tcp")
    ? (["TCP", LISTEN] as const)
    : (["UDP", UNCONNECTED] as const);
  for (const line of text.split("\n")) {
    const [, words, port, state] = LINE.exec(line) ?? [];
    if (words === undefined || port === undefined || state !== wanted) continue;
    const local = addressFromWords(words, littleEndian);
    if (local === undefined) continue;
    const key = portKey({ protocol, port: Number.parseInt(port, 16) });
    const known = into.get(key);
    if (known === undefined) into.set(key, new Set([local]));
    else known.add(local);
  }
}

/** True where the text of a TCP table has come to the sockets that do not listen: the kernel shows those that do first. */
export const isPastListeners = (line: string): boolean => {
  const state = LINE.exec(line)?.[3];
  return state !== undefined && state !== LISTEN;
};

function addressFromWords(hex: string, littleEndian: boolean): Address | undefined {
  if (hex.length !== 8 && hex.length !== 32) return undefined;
  const octets = new Uint8Array(hex.length / 2);
  for (const i of octets.keys()) {
    const at = littleEndian ? (i & ~3) + 3 - (i & 3) : i;
    octets[i] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  }
  return addressFromOctets(isMapped(octets) ? octets.slice(12) : octets);
}

/** RFC 4291 §2.5.5.2: an IPv4 address in an IPv6 socket. */
const isMapped = (octets: Uint8Array): boolean =>
  octets.length === 16 &&
  octets.subarray(0, 10).every((octet) => octet === 0) &&
  octets[10] === 0xff &&
  octets[11] === 0xff;

/** Ports at which the two differ: where a look again is worth its while. */
export function changedPorts(before: Listeners, after: Listeners): readonly PortKey[] {
  const changed: PortKey[] = [];
  for (const [port, addresses] of after) {
    const old = before.get(port);
    if (old === undefined || old.size !== addresses.size || !isSubset(addresses, old)) {
      changed.push(port);
    }
  }
  for (const port of before.keys()) if (!after.has(port)) changed.push(port);
  return changed;
}

const isSubset = <T>(inner: ReadonlySet<T>, outer: ReadonlySet<T>): boolean => {
  for (const item of inner) if (!outer.has(item)) return false;
  return true;
};

/** Names at most this many ports and addresses in a reason; a Service may have hundreds. */
const MAX_NAMED = 4;

/** Does something listen on one of these ports, on one of these addresses or on all (design §5)? */
export function isListenedOn(
  listeners: Listeners,
  ports: readonly ServicePort[],
  addresses: readonly Address[],
): Result {
  for (const port of ports) {
    const key = portKey(port);
    const open = listeners.get(key);
    if (open === undefined) continue;
    const served = addresses.filter((one) => covers(open, one));
    if (served.length === 0) continue;
    const dead = addresses.filter((one) => !served.includes(one));
    const but = dead.length === 0 ? "" : `, but not on ${named(dead)}`;
    return { ok: true, reason: `something listens on ${key}${but}` };
  }
  const seen = ports.filter(({ protocol }) => protocol !== "SCTP");
  if (seen.length === 0) {
    return {
      ok: false,
      reason:
        "listeners on SCTP cannot be seen: give the Service a ServiceEndpoint of another type",
    };
  }
  return {
    ok: false,
    reason: `nothing listens on ${named(seen.map(portKey))} at ${named(addresses)} or on all addresses`,
  };
}

const ANY_IPV4 = address("0.0.0.0");
const ANY_IPV6 = address("::");

function covers(open: ReadonlySet<Address>, wanted: Address): boolean {
  if (open.has(wanted) || open.has(ANY_IPV6)) return true;
  return familyOf(wanted) === "ipv4" && open.has(ANY_IPV4);
}

const named = (items: readonly string[]): string =>
  items.length <= MAX_NAMED
    ? items.join(", ")
    : `${items.slice(0, MAX_NAMED).join(", ")} and ${items.length - MAX_NAMED} more`;
