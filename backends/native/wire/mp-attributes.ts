/**
 * MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4; next hops of RFC 2545 §3 and RFC 8950 §3).
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +---------------------------------------------------------------+
 *  |              AFI              |     SAFI      | Next hop len  |
 *  +---------------------------------------------------------------+
 *  |  next hop: 4, 16 or 32 octets | Reserved (0)  |  NLRI …       |
 *  +---------------------------------------------------------------+
 *  MP_UNREACH_NLRI: AFI, SAFI, NLRI …
 *
 * What cannot be located here cannot be withdrawn either, so its faults end the session (RFC 7606 §7.11, §7.12).
 */
import { familyOfAfiSafi } from "./afi-safi.ts";
import type { AttributeFault, NlriRange, SessionOptions } from "./message.ts";
import { nlriReadable } from "./nlri.ts";

/** `session-reset`: the NLRI cannot be located. `skip`: of a family that was not agreed (RFC 4760 §6). */
export type MpNlri =
  | { readonly type: "nlri"; readonly nlri: NlriRange; readonly fault: AttributeFault | undefined }
  | { readonly type: "skip" }
  | { readonly type: "session-reset" };

const skip: MpNlri = { type: "skip" };
const sessionReset: MpNlri = { type: "session-reset" };

const badNextHop: AttributeFault = {
  attribute: 14,
  action: "treat-as-withdraw",
  clause: "RFC 4271 §6.3",
  reason: "MP_REACH_NLRI next hop is no address of a host",
};

export function readMpReach(
  bytes: Uint8Array,
  start: number,
  end: number,
  session: SessionOptions,
): MpNlri {
  // RFC 7606 §7.11: shorter than its fixed fields.
  if (end - start < 5) return sessionReset;
  const afi = ((bytes[start] ?? 0) << 8) | (bytes[start + 1] ?? 0);
  const family = familyOfAfiSafi(afi, bytes[start + 2] ?? 0);
  if (family === undefined || !session.families.includes(family)) return skip;
  const length = bytes[start + 3] ?? 0;
  const nextHop = start + 4;
  const nlriStart = nextHop + length + 1;
  const known =
    family === "ipv4"
      ? length === 4 || (session.extendedNextHop && (length === 16 || length === 32))
      : length === 16 || length === 32;
  // RFC 7606 §7.11: after a next hop of unexpected length the NLRI cannot be found.
  if (!known || nlriStart > end) return sessionReset;
  const addPath = session.addPath.includes(family);
  if (!nlriReadable(bytes, nlriStart, end, family, addPath)) return sessionReset;
  const hostly =
    length === 4 ? isIpv4Host(bytes, nextHop) : isIpv6Host(bytes, nextHop, length === 32);
  return {
    type: "nlri",
    nlri: { family, addPath, start: nlriStart, end },
    fault: hostly ? undefined : badNextHop,
  };
}

export function readMpUnreach(
  bytes: Uint8Array,
  start: number,
  end: number,
  session: SessionOptions,
): MpNlri {
  // RFC 7606 §7.12.
  if (end - start < 3) return sessionReset;
  const afi = ((bytes[start] ?? 0) << 8) | (bytes[start + 1] ?? 0);
  const family = familyOfAfiSafi(afi, bytes[start + 2] ?? 0);
  if (family === undefined || !session.families.includes(family)) return skip;
  const addPath = session.addPath.includes(family);
  if (!nlriReadable(bytes, start + 3, end, family, addPath)) return sessionReset;
  return { type: "nlri", nlri: { family, addPath, start: start + 3, end }, fault: undefined };
}

/** RFC 4271 §6.3: a valid host address: not 0.0.0.0/8, 127/8, or class D and E. */
export function isIpv4Host(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] ?? 0;
  return first !== 0 && first !== 127 && first < 224;
}

/** Not multicast, not loopback; `::` only where a link-local address stands beside it (seen from unnumbered peers). */
function isIpv6Host(bytes: Uint8Array, at: number, linkLocalFollows: boolean): boolean {
  if (bytes[at] === 0xff) return false;
  for (let i = at; i < at + 15; i += 1) if (bytes[i] !== 0) return true;
  const last = bytes[at + 15] ?? 0;
  return last > 1 || (last === 0 && linkLocalFollows);
}
