/**
 * Sessions and packets as the engine's tests look at them, and spoil them.
 *
 * Read next: link.ts, engine.test.ts, timers.test.ts.
 */
import { expect } from "vitest";
import { CONTROL_OCTETS, type ControlPacket, decodeControl } from "../../backends/bfd/packet.ts";
import type { BfdStatus } from "../../backends/bfd/parameters.ts";
import type { Datagram } from "../../backends/bfd/port.ts";
import { type End, type Link, makeLink, parametersOf, type Sent, TIMING } from "./link.ts";

export const status = ({ engine }: End): BfdStatus => {
  const [one] = engine.statuses();
  if (one === undefined) throw new Error("no session");
  return one;
};
export const packetOf = ({ octets }: Sent): ControlPacket => {
  const packet = decodeControl(octets);
  if (typeof packet === "string") throw new Error(packet);
  return packet;
};

export function upLink(timings: readonly [object, object] = [{}, {}], random?: () => number): Link {
  const link = makeLink(random);
  for (const end of [0, 1] as const) {
    const timing = { ...TIMING, ...timings[end] };
    link.ends[end].engine.hold([parametersOf(end, { timing })], link.now());
  }
  link.run(10_000);
  for (const end of link.ends) expect(status(end).state).toBe("Up");
  return link;
}

export const datagramOf = (octets: Uint8Array): Datagram => ({
  to: "single-hop",
  vrf: "",
  remote: new Uint8Array([10, 0, 0, 2]),
  local: new Uint8Array([10, 0, 0, 1]),
  interface: "eth0",
  timeToLive: 255,
  octets,
  arrivedMicros: 0,
});

export function withOctet(datagram: Datagram, at: number, value: number): Datagram {
  const octets = datagram.octets.slice();
  octets[at] = value;
  return { ...datagram, octets };
}
export const withFlag = (datagram: Datagram, flag: number): Datagram =>
  datagram.octets.length < CONTROL_OCTETS
    ? datagram
    : withOctet(datagram, 1, (datagram.octets[1] ?? 0) | flag);
export function withWord(datagram: Datagram, at: number, value: number): Datagram {
  if (datagram.octets.length < CONTROL_OCTETS) return datagram;
  const octets = datagram.octets.slice();
  new DataView(octets.buffer).setUint32(at, value);
  return { ...datagram, octets };
}
