/**
 * Own routes as gobgpd's paths: prefix and marker in the octets of BGP, which every version takes alike.
 *
 * Pure. Attributes are the export policy's business (policies.ts).
 */
import { type Prefix, prefixFamily } from "../../../events/prefix.ts";
import {
  ATTRIBUTE,
  OPTIONAL_NON_TRANSITIVE,
  OPTIONAL_TRANSITIVE,
  pushAttribute,
  WELL_KNOWN,
} from "../../native/wire/attribute-codes.ts";
import { prefixOctets } from "../../native/wire/nlri.ts";
import { familyMessage, type OwnPath } from "../api/messages.ts";
import { type Marker, markerNumbers } from "./markers.ts";

/** A path identifier of our own keeps a route that somebody else originates for the same prefix beside ours (choice). */
export const OUR_IDENTIFIER = 0x5275;
/** Paths in one message of a stream: some 100 kB. */
const BATCH_PATHS = 1000;

const ORIGIN_IGP = 0;

/** `marker` undefined: it is withdrawn. */
export function ownPath(prefix: Prefix, marker: Marker | undefined): OwnPath {
  const family = prefixFamily(prefix);
  return {
    is_withdraw: marker === undefined,
    family: familyMessage(family),
    identifier: OUR_IDENTIFIER,
    nlri_binary: prefixOctets(prefix, family),
    pattrs_binary: [ORIGIN, nextHopFor(prefix), ...(marker === undefined ? [] : [markOf(marker)])],
  };
}

const ORIGIN = octets(WELL_KNOWN, ATTRIBUTE.origin, [ORIGIN_IGP]);
const UNSPECIFIED = { ipv4: new Uint8Array(4), ipv6: new Uint8Array(16) } as const;

/** The policy names it for each neighbour; a withdrawal must have one, too. IPv6 has it in MP_REACH_NLRI (RFC 4760 §3). */
function nextHopFor(prefix: Prefix): Uint8Array {
  const family = prefixFamily(prefix);
  const nextHop = UNSPECIFIED[family];
  if (family === "ipv4") return octets(WELL_KNOWN, ATTRIBUTE.nextHop, nextHop);
  const reach = [0, 2, 1, nextHop.length, ...nextHop, 0, ...prefixOctets(prefix, family)];
  return octets(OPTIONAL_NON_TRANSITIVE, ATTRIBUTE.mpReach, reach);
}

const markOf = (marker: Marker): Uint8Array =>
  octets(
    OPTIONAL_TRANSITIVE,
    ATTRIBUTE.largeCommunities,
    markerNumbers(marker).flatMap((value) => [
      value >>> 24,
      (value >>> 16) & 255,
      (value >>> 8) & 255,
      value & 255,
    ]),
  );

function octets(flags: number, code: number, value: ArrayLike<number>): Uint8Array {
  const out: number[] = [];
  pushAttribute(out, flags, code, value);
  return Uint8Array.from(out);
}

export function* inBatches(paths: readonly OwnPath[]): Generator<readonly OwnPath[]> {
  for (let from = 0; from < paths.length; from += BATCH_PATHS) {
    yield paths.slice(from, from + BATCH_PATHS);
  }
}
