/**
 * Capabilities in an OPEN (RFC 5492 §4), and what each of ours holds.
 *
 *   0                   1
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *  +-------------------------------+
 *  |     Code      |    Length     |
 *  +-------------------------------+
 *  |       Value (variable)        |
 *  +-------------------------------+
 *
 *  graceful-restart (RFC 4724 §3)            add-path (RFC 7911 §4): AFI 2, SAFI 1, send/receive 1
 *  +-------------------------------+         extended-next-hop (RFC 8950 §4): AFI 2, SAFI 2, next hop AFI 2
 *  |R|N|0 0|  Restart time, 12 bits|
 *  +-------------------------------+         Each repeats to the end of the value.
 *  | AFI 2 octets, SAFI 1, |F|0… 1 |  …
 *  +-------------------------------+
 *
 * An unknown capability is kept and no error. Never negotiates: that is the FSM's. Reads next: open.ts.
 */
import { fromHex, toHex } from "./hex.ts";
import type { Capability, GracefulRestart } from "./message.ts";

/** IANA "Capability Codes". */
const CODE = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  gracefulRestart: 64,
  fourOctetAsn: 65,
  addPath: 69,
  enhancedRouteRefresh: 70,
} as const;

const RESTART_STATE = 0x80;
const GRACEFUL_NOTIFICATION = 0x40;
const FORWARDING = 0x80;
const MAX_RESTART_SECONDS = 0xfff;

/** Every capability of one parameter's value; undefined where a length runs over it or contradicts its own code. */
export function decodeCapabilities(value: Uint8Array): Capability[] | undefined {
  const found: Capability[] = [];
  for (let at = 0; at < value.length;) {
    const code = value[at];
    const length = value[at + 1];
    if (code === undefined || length === undefined) return undefined;
    if (at + 2 + length > value.length) return undefined;
    const capability = decodeOne(code, value.subarray(at + 2, at + 2 + length));
    if (capability === undefined) return undefined;
    found.push(capability);
    at += 2 + length;
  }
  return found;
}

/** A wrong length of what decides how later messages are read is an error; elsewhere the capability counts as unknown. */
function decodeOne(code: number, value: Uint8Array): Capability | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  switch (code) {
    case CODE.multiprotocol:
      if (value.length !== 4) return undefined;
      return {
        type: "multiprotocol",
        family: { afi: view.getUint16(0), safi: view.getUint8(3) },
      };
    case CODE.fourOctetAsn:
      return value.length === 4 ? { type: "four-octet-asn", asn: view.getUint32(0) } : undefined;
    case CODE.gracefulRestart:
      return value.length % 4 === 2 ? decodeGracefulRestart(view) : undefined;
    case CODE.addPath:
      return value.length % 4 === 0 ? decodeAddPath(view) : undefined;
    case CODE.extendedNextHop:
      return value.length % 6 === 0 ? decodeExtendedNextHop(view) : undefined;
    case CODE.routeRefresh:
      return value.length === 0 ? { type: "route-refresh" } : unknown(code, value);
    case CODE.enhancedRouteRefresh:
      return value.length === 0 ? { type: "enhanced-route-refresh" } : unknown(code, value);
    case CODE.extendedMessage:
      return value.length === 0 ? { type: "extended-message" } : unknown(code, value);
    default:
      return unknown(code, value);
  }
}

const unknown = (code: number, value: Uint8Array): Capability => ({
  type: "unknown",
  code,
  hex: toHex(value),
});

function decodeGracefulRestart(view: DataView): GracefulRestart {
  const flags = view.getUint8(0);
  const families: GracefulRestart["families"][number][] = [];
  for (let at = 2; at < view.byteLength; at += 4) {
    const family = { afi: view.getUint16(at), safi: view.getUint8(at + 2) };
    families.push({ family, forwarding: (view.getUint8(at + 3) & FORWARDING) !== 0 });
  }
  return {
    type: "graceful-restart",
    restartState: (flags & RESTART_STATE) !== 0,
    notification: (flags & GRACEFUL_NOTIFICATION) !== 0,
    restartTimeSeconds: view.getUint16(0) & MAX_RESTART_SECONDS,
    families,
  };
}

function decodeAddPath(view: DataView): Capability {
  const families = [];
  for (let at = 0; at < view.byteLength; at += 4) {
    const family = { afi: view.getUint16(at), safi: view.getUint8(at + 2) };
    families.push({ family, direction: view.getUint8(at + 3) });
  }
  return { type: "add-path", families };
}

function decodeExtendedNextHop(view: DataView): Capability {
  const families = [];
  for (let at = 0; at < view.byteLength; at += 6) {
    const family = { afi: view.getUint16(at), safi: view.getUint16(at + 2) };
    families.push({ family, nextHopAfi: view.getUint16(at + 4) });
  }
  return { type: "extended-next-hop", families };
}

/** Code, length and value of each, one after another. Throws where a value has more than 255 octets: our own bug. */
export function encodeCapabilities(capabilities: readonly Capability[]): Uint8Array {
  const out: number[] = [];
  for (const capability of capabilities) {
    const [code, value] = encodeOne(capability);
    if (value.length > 255) throw new Error(`capability ${code} has ${value.length} octets`);
    out.push(code, value.length, ...value);
  }
  return Uint8Array.from(out);
}

const u16 = (value: number): readonly number[] => [(value >> 8) & 0xff, value & 0xff];
const u32 = (value: number): readonly number[] => [...u16(value >>> 16), ...u16(value)];

function encodeOne(
  capability: Capability,
): readonly [number, Iterable<number> & ArrayLike<number>] {
  switch (capability.type) {
    case "multiprotocol":
      return [CODE.multiprotocol, [...u16(capability.family.afi), 0, capability.family.safi]];
    case "route-refresh":
      return [CODE.routeRefresh, []];
    case "enhanced-route-refresh":
      return [CODE.enhancedRouteRefresh, []];
    case "extended-message":
      return [CODE.extendedMessage, []];
    case "four-octet-asn":
      return [CODE.fourOctetAsn, u32(capability.asn)];
    case "graceful-restart":
      return [CODE.gracefulRestart, gracefulRestartOctets(capability)];
    case "add-path":
      return [
        CODE.addPath,
        capability.families.flatMap(({ family, direction }) => [
          ...u16(family.afi),
          family.safi,
          direction,
        ]),
      ];
    case "extended-next-hop":
      return [
        CODE.extendedNextHop,
        capability.families.flatMap(({ family, nextHopAfi }) => [
          ...u16(family.afi),
          ...u16(family.safi),
          ...u16(nextHopAfi),
        ]),
      ];
    case "unknown":
    default:
      return [capability.code, fromHex(capability.hex)];
  }
}

function gracefulRestartOctets(capability: GracefulRestart): readonly number[] {
  const seconds = Math.min(MAX_RESTART_SECONDS, Math.max(0, capability.restartTimeSeconds));
  const [high = 0, low = 0] = u16(seconds);
  const flags =
    (capability.restartState ? RESTART_STATE : 0) |
    (capability.notification ? GRACEFUL_NOTIFICATION : 0);
  return [
    flags | high,
    low,
    ...capability.families.flatMap(({ family, forwarding }) => [
      ...u16(family.afi),
      family.safi,
      forwarding ? FORWARDING : 0,
    ]),
  ];
}

/** The last of a type counts where a capability may stand once only (RFC 4724 §3); undefined where there is none. */
export function lastCapability<T extends Capability["type"]>(
  capabilities: readonly Capability[],
  type: T,
): Extract<Capability, { type: T }> | undefined {
  const isOne = (one: Capability): one is Extract<Capability, { type: T }> => one.type === type;
  return capabilities.findLast(isOne);
}

/** Name as in the IANA registry of capability codes, for people. */
export function capabilityName(capability: Capability): string {
  switch (capability.type) {
    case "multiprotocol":
      return `Multiprotocol ${capability.family.afi}/${capability.family.safi}`;
    case "route-refresh":
      return "Route Refresh";
    case "enhanced-route-refresh":
      return "Enhanced Route Refresh";
    case "four-octet-asn":
      return "4-octet AS number";
    case "graceful-restart":
      return "Graceful Restart";
    case "add-path":
      return "ADD-PATH";
    case "extended-next-hop":
      return "Extended Next Hop Encoding";
    case "extended-message":
      return "BGP Extended Message";
    case "unknown":
    default:
      return `capability ${capability.code}`;
  }
}
