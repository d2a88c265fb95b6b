/**
 * Finds the neighbour on each interface of an unnumbered session by router advertisements, and lets it find us (RFC 4861 §6.2).
 *
 * Sends and hears on interfaces that are asked for only, and looks twice a second whether they exist: an interface that is made
 * anew under the same name is another one, and what was known of it is forgotten. Never changes an interface.
 * Reads next: ../discovery/finding.ts (what is decided), icmpv6.ts, ../native-backend.ts (what follows).
 */
import type { Address } from "../../../events/address.ts";
import type { Clock } from "../../clock.ts";
import { SystemError, whenReadable } from "../../os/libc.ts";
import {
  advertisePause,
  answerPause,
  type Heard,
  mayAsk,
  neighborAfter,
  SOLICITATION_MILLIS,
} from "../discovery/finding.ts";
import { readRouterMessage, routerAdvertisement, routerSolicitation } from "../discovery/packet.ts";
import { ALL_NODES, ALL_ROUTERS, openRouterSocket, type RouterSocket } from "./icmpv6.ts";
import { deviceIndex } from "./libc.ts";

/** `address`: the neighbour's link-local one. */
export type Found =
  | { readonly type: "neighbor"; readonly address: Address }
  | { readonly type: "waiting"; readonly reason: string };

export type RouterDiscovery = {
  /** Those that are spoken and listened on from now on. */
  follow(interfaces: Iterable<string>): void;
  found(name: string): Found;
  close(): void;
};

/** A session is there within about a second after its interface. */
const LOOK_MILLIS = 500;
/** An interface that is down, or whose address is still being checked for duplicates, is tried again so soon. */
const RETRY_MILLIS = 1000;
/** Packets taken in one turn of the loop: a flood on the link stays bounded. */
const MOST_PACKETS = 64;

type Link = {
  readonly name: string;
  /** 0 while it does not exist. */
  index: number;
  socket: RouterSocket | undefined;
  /** Why it has no socket though it exists; empty otherwise. */
  problem: string;
  stopReading: () => void;
  heard: Heard | undefined;
  asked: number;
  sentMillis: number | undefined;
  /** When the next advertisement is due, on the monotonic clock. */
  dueMillis: number;
  cancelAdvertising: () => void;
  cancelAsking: () => void;
};

const nothing = (): void => undefined;

/** `isOwn`: an address of this host, which is no neighbour's. Calls back with an interface whose found() is another now. */
export function createRouterDiscovery(
  clock: Clock,
  isOwn: (address: Address) => boolean,
  changed: (name: string) => void,
): RouterDiscovery {
  const links = new Map<string, Link>();
  let cancelLook: (() => void) | undefined;

  const advertiseIn = (link: Link, millis: number): void => {
    link.cancelAdvertising();
    link.dueMillis = clock.monotonicMillis() + millis;
    link.cancelAdvertising = clock.after(millis, () => advertise(link));
  };
  const advertise = (link: Link): void => {
    if (link.socket?.send(ALL_NODES, routerAdvertisement()) === true) {
      link.sentMillis = clock.monotonicMillis();
      advertiseIn(link, advertisePause(clock.random()));
    } else advertiseIn(link, RETRY_MILLIS);
  };
  const answer = (link: Link): void => {
    const now = clock.monotonicMillis();
    const pause = answerPause(link.sentMillis, now, clock.random());
    if (now + pause < link.dueMillis) advertiseIn(link, pause);
  };
  const ask = (link: Link): void => {
    if (!mayAsk(link.asked, link.heard)) return;
    const isSent = link.socket?.send(ALL_ROUTERS, routerSolicitation()) === true;
    if (isSent) link.asked += 1;
    link.cancelAsking = clock.after(isSent ? SOLICITATION_MILLIS : RETRY_MILLIS, () => ask(link));
  };

  const read = (link: Link): void => {
    for (let count = 0; count < MOST_PACKETS; count += 1) {
      const packet = link.socket?.receive();
      if (packet === undefined) return;
      const { source } = packet;
      if (packet.interfaceIndex !== link.index) continue;
      const message = readRouterMessage(packet.octets, source, packet.hopLimit);
      if (message === "solicitation") answer(link);
      if (message !== "advertisement" || isOwn(source)) continue;
      const before = link.heard?.address;
      link.heard = neighborAfter(link.heard, source, clock.monotonicMillis());
      if (link.heard.address === before) continue;
      // Who is new may have missed what we said before.
      answer(link);
      changed(link.name);
    }
  };

  const open = (link: Link): void => {
    try {
      const socket = openRouterSocket(link.name, link.index);
      link.socket = socket;
      link.problem = "";
      link.stopReading = whenReadable(socket.fd, () => read(link));
      advertise(link);
      ask(link);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      link.problem = `interface ${link.name} takes no router advertisements (${error.code}): is IPv6 enabled on it?`;
    }
  };
  const shut = (link: Link): void => {
    link.cancelAdvertising();
    link.cancelAsking();
    link.stopReading();
    link.stopReading = nothing;
    link.socket?.close();
    link.socket = undefined;
    link.heard = undefined;
    link.asked = 0;
    link.sentMillis = undefined;
  };

  const look = (): void => {
    for (const link of links.values()) {
      const now = deviceIndex(link.name);
      if (now === link.index && (now === 0 || link.socket !== undefined)) continue;
      shut(link);
      link.index = now;
      if (now !== 0) open(link);
      changed(link.name);
    }
    cancelLook = links.size === 0 ? undefined : clock.after(LOOK_MILLIS, look);
  };

  return {
    follow(interfaces) {
      const wanted = new Set(interfaces);
      for (const [name, link] of links) {
        if (wanted.has(name)) continue;
        shut(link);
        links.delete(name);
      }
      for (const name of wanted) {
        if (links.has(name)) continue;
        const link: Link = {
          name,
          index: deviceIndex(name),
          socket: undefined,
          problem: "",
          stopReading: nothing,
          heard: undefined,
          asked: 0,
          sentMillis: undefined,
          dueMillis: 0,
          cancelAdvertising: nothing,
          cancelAsking: nothing,
        };
        links.set(name, link);
        if (link.index !== 0) open(link);
      }
      if (links.size > 0) cancelLook ??= clock.after(LOOK_MILLIS, look);
    },
    found(name) {
      const link = links.get(name);
      if (link?.heard !== undefined) return { type: "neighbor", address: link.heard.address };
      if (link === undefined || link.index === 0)
        return { type: "waiting", reason: noInterface(name) };
      const silent = `waits for a router advertisement on ${name}: nobody there has said yet that it is a router (RFC 4861)`;
      return { type: "waiting", reason: link.problem === "" ? silent : link.problem };
    },
    close() {
      for (const link of links.values()) shut(link);
      links.clear();
      cancelLook?.();
    },
  };
}

export const noInterface = (name: string): string =>
  `interface ${name} does not exist on this host`;
