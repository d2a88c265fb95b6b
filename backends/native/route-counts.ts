/**
 * How many routes go out to a peer and come in from it, over all families and of each.
 *
 * Pure. Reads next: neighbor.ts, which tells it.
 */
import type { Family } from "../../events/address.ts";
import type { RouteCounts, SessionStatus } from "../backend.ts";
import type { Inbound } from "./inbound.ts";
import { type AdjRibOut, toldCount } from "./rib/adj-rib-out.ts";

/** `out` undefined: there is no session, so nothing is told. */
export function routeCounts(
  out: AdjRibOut | undefined,
  inbound: Pick<Inbound, "count">,
): RouteCounts & Pick<SessionStatus, "byFamily"> {
  const counts = (family?: Family): RouteCounts => ({
    sent: out === undefined ? 0 : toldCount(out, family),
    received: inbound.count("received", family),
    accepted: inbound.count("accepted", family),
  });
  return { ...counts(), byFamily: { ipv4: counts("ipv4"), ipv6: counts("ipv6") } };
}
