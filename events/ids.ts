/**
 * Nominal value types: a bare string or number never crosses a module border unnamed.
 *
 * Never holds behaviour: a type, its maker and nothing else. Addresses and prefixes live in address.ts and prefix.ts.
 */

declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Identity of a fact, given at birth: `<run>-<counter>`; unique over all runs of all agents of one log. */
export type EventId = Brand<string, "EventId">;
/** Position of a recorded fact in one host's log, from 1 without gaps. A safe integer: 2^53 facts are out of reach. */
export type Seq = Brand<number, "Seq">;
/** One run of the agent program: 12 hexadecimal digits drawn at start. */
export type RunId = Brand<string, "RunId">;
/** `group/Kind/namespace/name`; the group of core kinds is empty, so is the namespace of cluster-scoped kinds. */
export type ResourceKey = Brand<string, "ResourceKey">;
/** `vrf|address-or-interface|localAddress`: what a session is known by (design: one owner for each). */
export type NeighborKey = Brand<string, "NeighborKey">;
/** `vrf|remote|local|interface|hops`: what a BFD session is known by; local and interface may be empty, hops is `single` or `multi`. */
export type BfdKey = Brand<string, "BfdKey">;
export type Asn = Brand<number, "Asn">;

/** RFC 6793 §2: an AS number is four octets; 0 is reserved (RFC 7607). Throws RangeError on anything else. */
export function asn(value: number): Asn {
  if (!Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
    throw new RangeError(`not an AS number: ${value}`);
  }
  return value as Asn;
}

export const eventId = (run: RunId, counter: number): EventId => `${run}-${counter}` as EventId;
export const seq = (value: number): Seq => value as Seq;

export function resourceKey(
  group: string,
  kind: string,
  namespace: string,
  name: string,
): ResourceKey {
  return `${group}/${kind}/${namespace}/${name}` as ResourceKey;
}

/** The parts of a key, in the order in which resourceKey() takes them. Names hold no slash (Kubernetes rule, checked at parse). */
export function resourceKeyParts(key: ResourceKey): {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
} {
  const [group = "", kind = "", namespace = "", name = ""] = key.split("/");
  return { group, kind, namespace, name };
}

export function neighborKey(vrf: string, remote: string, localAddress: string): NeighborKey {
  return `${vrf}|${remote}|${localAddress}` as NeighborKey;
}

export function bfdKey(
  vrf: string,
  remote: string,
  local: string,
  device: string,
  multihop: boolean,
): BfdKey {
  return `${vrf}|${remote}|${local}|${device}|${multihop ? "multi" : "single"}` as BfdKey;
}

export function bfdKeyParts(key: BfdKey): {
  readonly vrf: string;
  readonly remote: string;
  readonly local: string;
  readonly device: string;
  readonly multihop: boolean;
} {
  const [vrf = "", remote = "", local = "", device = "", hops] = key.split("|");
  return { vrf, remote, local, device, multihop: hops === "multi" };
}
