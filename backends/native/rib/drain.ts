/**
 * Adj-RIB-Out onto the wire, as much at a time as the socket takes (RFC 4271 §9.2).
 *
 * Pulled, never pushed: what is not asked for keeps coalescing in the RIB. Reads next: adj-rib-out.ts, ../wire/encode-updates.ts.
 */
import type { Family } from "../../../events/address.ts";
import type { Prefix } from "../../../events/prefix.ts";
import {
  announcer,
  type CannotSend,
  encodeEndOfRib,
  type MessageWriter,
  withdrawer,
} from "../wire/encode-updates.ts";
import type { SessionOptions } from "../wire/message.ts";
import { abandon, type AdjRibOut, type Group, pullFrom } from "./adj-rib-out.ts";

export type Drained = {
  /** Whole UPDATE messages, in order; empty where nothing waits. */
  readonly messages: readonly Uint8Array[];
  readonly octets: number;
  /** Routes that this session cannot carry: taken out of the queue, told to nobody, for the caller to show. */
  readonly unsendable: readonly {
    readonly reason: CannotSend;
    readonly prefixes: readonly Prefix[];
  }[];
};

/** Messages of at least `budgetOctets` together, if that much waits; the last one may go over it by 4095 octets. */
export function drain(rib: AdjRibOut, session: SessionOptions, budgetOctets: number): Drained {
  const messages: Uint8Array[] = [];
  const unsendable: Drained["unsendable"][number][] = [];
  let octets = 0;
  for (const group of rib.queue) {
    if (octets >= budgetOctets) break;
    const writer = writerOf(group, session);
    if (typeof writer === "string") {
      unsendable.push({ reason: writer, prefixes: abandon(rib, group) });
      continue;
    }
    const pull = pullFrom(rib, group);
    let message = writer(pull);
    while (message !== undefined) {
      messages.push(message);
      octets += message.length;
      message = octets < budgetOctets ? writer(pull) : undefined;
    }
  }
  if (rib.queue.size === 0) {
    for (const family of rib.endOfRib) {
      rib.endOfRib.delete(family);
      if (!session.families.includes(family)) continue;
      const marker = encodeEndOfRib(family);
      messages.push(marker);
      octets += marker.length;
    }
  }
  return { messages, octets, unsendable };
}

function writerOf(group: Group, session: SessionOptions): MessageWriter | CannotSend {
  const family: Family = group.family;
  return group.set === undefined
    ? withdrawer(family)
    : announcer(family, group.set.attributes, session);
}
