/**
 * From a path's next hop to the hop that a route names: through which device, over which gateway (RFC 4271 §5.1.3, RFC 8950).
 *
 * Pure. Resolved over the routes of others only (connected, static, of another daemon): one of our imports that resolved by
 * another would stay or fall with it, and the kernel would never say so. A default route resolves, as it does for the kernel.
 * Reads next: host.ts, imports.ts.
 */
import {
  type Address,
  addressFromOctets,
  addressOctets,
  type Family,
  familyOf,
} from "../../events/address.ts";
import type { Path } from "../best-paths.ts";
import { type Host, isOwnAddress, linkNamed, longestMatch, type Words } from "./host.ts";
import { RTN_UNICAST } from "./netlink/numbers.ts";
import type { Hop } from "./netlink/route.ts";

export type Unresolved =
  | "no-route"
  | "device-missing"
  | "device-down"
  | "own-address"
  | "rejected"
  | "too-deep"
  | "wrong-family";

export type Resolution =
  | { readonly type: "hop"; readonly hop: Hop }
  | { readonly type: "unresolved"; readonly reason: Unresolved };

/** Static routes over static routes; more than this is a loop or nobody's intention. */
const MOST_DEPTH = 4;

export function addressWords(octets: Uint8Array): Words {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const word = (i: number): number => (i * 4 < octets.length ? view.getUint32(i * 4, false) : 0);
  return [octets.length * 8, word(0), word(1), word(2), word(3)];
}

const unresolved = (reason: Unresolved): Resolution => ({ type: "unresolved", reason });

/** For a route of `family` whose paths come in by the VRF with `table`. */
export function resolvePath(host: Host, family: Family, table: number, path: Path): Resolution {
  const own = familyOf(path.nextHop);
  // An IPv6 route over an IPv4 gateway is not to be had (the kernel refuses it).
  if (family === "ipv6" && own === "ipv4") return unresolved("wrong-family");
  const octets = addressOctets(path.nextHop);
  if (path.interface !== "") {
    const link = linkNamed(host, path.interface);
    if (link === undefined) return unresolved("device-missing");
    if (!link.up) return unresolved("device-down");
    return { type: "hop", hop: { device: link.index, gateway: octets } };
  }
  return resolveAddress(host, own, table, octets, path.nextHop, 0);
}

function resolveAddress(
  host: Host,
  family: Family,
  table: number,
  octets: Uint8Array,
  address: Address,
  depth: number,
): Resolution {
  if (depth > MOST_DEPTH) return unresolved("too-deep");
  if (isOwnAddress(host, address)) return unresolved("own-address");
  const match = longestMatch(host, family, table, addressWords(octets));
  if (match === undefined) return unresolved("no-route");
  if (match.target.type !== RTN_UNICAST) return unresolved("rejected");
  let reason: Unresolved = "no-route";
  for (const { device, gateway } of match.target.hops) {
    const link = host.links.get(device);
    if (link?.up !== true) {
      reason = link === undefined ? "device-missing" : "device-down";
      continue;
    }
    if (gateway === undefined) return { type: "hop", hop: { device, gateway: octets } };
    // What the other's route says is on its link, as far as the kernel is concerned.
    const next = addressFromOctets(gateway);
    if (isLinkLocal(next)) return { type: "hop", hop: { device, gateway } };
    const further = resolveAddress(host, familyOf(next), table, gateway, next, depth + 1);
    if (further.type === "hop") return further;
    reason = further.reason;
  }
  return unresolved(reason);
}

/** fe80::/10 (RFC 4291 §2.5.6). */
const isLinkLocal = (address: Address): boolean => /^fe[89ab]/.test(address);
