/**
 * Sockets and timers of one neighbour.
 *
 * The law: one input → session → obey all orders in order → next input. Inputs that come while orders are obeyed wait in a
 * queue. Timers are named; setting one replaces it; hanging up clears those of the connection. Jitter (RFC 4271 §10) is added
 * here. No protocol decision is made here: ../session.ts makes them. Reads next: ../session.ts, dial.ts.
 */
import type { Socket } from "node:net";
import { familyOf } from "../../../events/address.ts";
import type { Clock } from "../../clock.ts";
import type { NeighborIntent } from "../../intent.ts";
import type { ConnectionId, Input, Negotiated, Peering, Timer } from "../fsm/signals.ts";
import { establishedOf, stateName } from "../fsm/step.ts";
import { type Endpoint, endpointFrom } from "../host-addresses.ts";
import { drain } from "../rib/drain.ts";
import { hasPending, readvertise } from "../rib/adj-rib-out.ts";
import { createSession, feed, type Order, receive, type Session } from "../session.ts";
import { encodeKeepalive } from "../wire/header.ts";
import type { Notification, Update } from "../wire/message.ts";
import { encodeNotification } from "../wire/notification.ts";
import { encodeOpen } from "../wire/open.ts";
import { SystemError } from "../../os/libc.ts";
import { limitHops } from "./accepted.ts";
import { type Dialing, dial, type Way } from "./dial.ts";

export type Events = {
  /** An Established session; routes may be told from now on. */
  onUp(negotiated: Negotiated, local: Endpoint | undefined): void;
  onDown(reason: string, graceful: boolean): void;
  onUpdate(update: Update): void;
  /** State or reason may have changed. */
  onChange(): void;
};

export type SessionDriver = {
  readonly session: Session;
  start(): void;
  accept(socket: Socket): void;
  stop(notification: Notification, reason: string): void;
  /** As stop without a word, so that a peer with graceful restart keeps our routes. */
  vanish(reason: string): void;
  /** The Established session is over without a word on it, and tried anew; RFC 5882 §4.3, where the peer may be restarting. */
  lose(reason: string): void;
  /** The peer's octets broke a rule that the RIB sees. */
  fault(notification: Notification, reason: string): void;
  /** Writes what waits in Adj-RIB-Out, as far as the socket takes it. */
  flush(): void;
  readonly name: () => ReturnType<typeof stateName>;
};

type Link = {
  readonly id: ConnectionId;
  readonly socket: Socket;
  /** Octets that came while others were being read; the socket is paused when it is not empty. */
  waiting: Uint8Array[];
  reading: boolean;
  /** When reading has to give way in this turn of the loop; undefined where it has not begun. */
  turnEnd: number | undefined;
  /** The send hold timer (RFC 9687 §3.1), while octets wait for the peer to read. */
  cancelStall: (() => void) | undefined;
  /** The kernel took what was written with this. */
  readonly taken: () => void;
};

/** What is written before the socket is asked again; some 16 full messages. */
const WRITE_OCTETS = 64 * 1024;
/**
 * Reading beyond this waits for the next turn of the loop: a full table must not hold up keepalives and other peers. libuv alone
 * would read 32 times 64 kB before it looks at anybody else, which is half a million prefixes.
 */
const READ_TURN_MILLIS = 10;
/** What is read between two looks at the clock: some 2,000 prefixes. What the socket hands over at once is eight times as much. */
const LOOK_OCTETS = 8 * 1024;
/** RFC 9687 §3: at least eight minutes, or twice the hold time. */
const SEND_HOLD_MILLIS = 480_000;
/** RFC 4271 §10: 0.75 to 1.0 of the value, for all timers but the hold timer. */
const JITTER_FROM = 0.75;
/** How long a NOTIFICATION may take to leave before the socket is destroyed. */
const FAREWELL_MILLIS = 1000;

export function driveSession(
  neighbor: NeighborIntent,
  peering: () => Peering,
  way: Way,
  clock: Clock,
  events: Events,
): SessionDriver {
  const session = createSession();
  const links = new Map<ConnectionId, Link>();
  const timers = new Map<string, () => void>();
  const inputs: (() => Iterable<Order>)[] = [];
  let obeying = false;
  let counter = 0;
  let dialing: Dialing | undefined;

  const put = (orders: () => Iterable<Order>): void => {
    inputs.push(orders);
    if (obeying) return;
    obeying = true;
    try {
      for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
        for (const order of next()) obey(order);
      }
    } finally {
      obeying = false;
    }
    events.onChange();
  };
  const input = (one: Input): void => put(() => feed(session, one, peering()));

  const timerKey = (timer: Timer): string =>
    timer.name === "retry" ? "retry" : `${timer.name} ${timer.connection}`;
  const clearTimer = (timer: Timer): void => {
    timers.get(timerKey(timer))?.();
    timers.delete(timerKey(timer));
  };
  const setTimer = (timer: Timer, seconds: number): void => {
    clearTimer(timer);
    const jitter = timer.name === "hold" ? 1 : JITTER_FROM + clock.random() * (1 - JITTER_FROM);
    const cancel = clock.after(seconds * 1000 * jitter, () => {
      timers.delete(timerKey(timer));
      input({ type: "timer-expired", timer });
    });
    timers.set(timerKey(timer), cancel);
  };

  const accept = (socket: Socket): void => {
    try {
      limitHops(socket, familyOf(way.far().address), neighbor.timeToLive);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      socket.destroy();
      return;
    }
    attach(socket, "accepted");
  };

  const attach = (socket: Socket, initiator: "dialed" | "accepted"): void => {
    counter += 1;
    const id = counter;
    const link: Link = {
      id,
      socket,
      waiting: [],
      reading: false,
      turnEnd: undefined,
      cancelStall: undefined,
      taken: () => taken(link),
    };
    links.set(id, link);
    socket.removeAllListeners("error");
    socket.on("error", (error: NodeJS.ErrnoException) => {
      input({
        type: "closed",
        connection: id,
        reason: `connection lost: ${error.code ?? error.message}`,
      });
    });
    socket.on("close", () => {
      input({ type: "closed", connection: id, reason: "the peer closed the connection" });
    });
    socket.on("data", (octets: Uint8Array) => {
      link.waiting.push(octets);
      if (!link.reading) read(link);
    });
    socket.on("drain", flush);
    input({ type: initiator, connection: id });
    socket.resume();
  };

  /** Reads what waits, for one turn of the loop; the rest after others had theirs. */
  const read = (link: Link): void => {
    link.reading = true;
    const end = turnEndOf(link);
    for (let octets = link.waiting.shift(); octets !== undefined; octets = link.waiting.shift()) {
      const portion = octets.subarray(0, LOOK_OCTETS);
      if (octets.length > LOOK_OCTETS) link.waiting.unshift(octets.subarray(LOOK_OCTETS));
      put(() => receive(session, link.id, portion, peering()));
      if (!links.has(link.id)) return;
      if (clock.monotonicMillis() > end) {
        // A paused socket is not read from, so libuv goes on to the others.
        link.socket.pause();
        setImmediate(() => {
          if (!links.has(link.id)) return;
          read(link);
          if (!link.reading) link.socket.resume();
        });
        return;
      }
    }
    link.reading = false;
  };

  /** Several portions come in one turn of the loop, each by a call of its own: together they have one time. */
  const turnEndOf = (link: Link): number => {
    if (link.turnEnd === undefined) {
      link.turnEnd = clock.monotonicMillis() + READ_TURN_MILLIS;
      setImmediate(() => {
        link.turnEnd = undefined;
      });
    }
    return link.turnEnd;
  };

  const obey = (order: Order): void => {
    switch (order.type) {
      case "dial":
        dialing = dial(neighbor, way, clock.after, (result) => {
          dialing = undefined;
          if ("socket" in result) attach(result.socket, "dialed");
          else input({ type: "dial-failed", reason: result.reason });
        });
        return;
      case "give-up-dialing":
        dialing?.cancel();
        dialing = undefined;
        return;
      case "send-open":
        send(order.connection, encodeOpen(order.open));
        return;
      case "send-keepalive":
        send(order.connection, encodeKeepalive());
        return;
      case "send-notification":
        send(order.connection, encodeNotification(order.notification));
        return;
      case "hang-up":
        hangUp(order.connection);
        return;
      case "set-timer":
        setTimer(order.timer, order.seconds);
        return;
      case "clear-timer":
        clearTimer(order.timer);
        return;
      case "session-up":
        events.onUp(
          order.negotiated,
          endpointFrom(links.get(order.connection)?.socket.localAddress),
        );
        flush();
        return;
      case "session-down":
        events.onDown(order.reason, order.graceful);
        return;
      case "take-update":
        events.onUpdate(order.update);
        return;
      case "readvertise":
        readvertise(session.ribOut, "ipv4");
        readvertise(session.ribOut, "ipv6");
        flush();
        return;
      default:
        order satisfies never;
    }
  };

  const send = (id: ConnectionId, octets: Uint8Array): void => {
    const link = links.get(id);
    if (link === undefined || !link.socket.writable) return;
    link.socket.write(octets, link.taken);
    watchTaking(link);
  };

  /** Octets left for the kernel: the peer reads, or has read enough for them. */
  const taken = (link: Link): void => {
    link.cancelStall?.();
    link.cancelStall = undefined;
    if (links.has(link.id)) watchTaking(link);
  };
  /** RFC 9687 §3.1: whatever waits, be it one KEEPALIVE, is waited for so long and no longer. */
  const watchTaking = (link: Link): void => {
    if (link.cancelStall !== undefined || link.socket.writableLength === 0) return;
    const known = established();
    const hold = known?.id === link.id ? known.negotiated.holdTimeSeconds : 0;
    link.cancelStall = clock.after(Math.max(SEND_HOLD_MILLIS, 2000 * hold), () => {
      input({ type: "send-stalled", connection: link.id });
    });
  };

  const hangUp = (id: ConnectionId): void => {
    const link = links.get(id);
    if (link === undefined) return;
    links.delete(id);
    link.cancelStall?.();
    const { socket } = link;
    socket.removeAllListeners();
    socket.on("error", () => socket.destroy());
    // What is written leaves first; a peer that does not take it is not waited for.
    socket.end(() => socket.destroy());
    clock.after(FAREWELL_MILLIS, () => socket.destroy());
  };

  const established = (): ReturnType<typeof establishedOf> => establishedOf(session.state);

  const flush = (): void => {
    const { id, negotiated } = established() ?? {};
    if (id === undefined || negotiated === undefined) return;
    const link = links.get(id);
    if (link === undefined) return;
    const { socket } = link;
    while (hasPending(session.ribOut) && socket.writable && !socket.writableNeedDrain) {
      const { messages } = drain(session.ribOut, negotiated, WRITE_OCTETS);
      if (messages.length === 0) break;
      socket.cork();
      for (const message of messages) socket.write(message, link.taken);
      socket.uncork();
    }
    watchTaking(link);
  };

  return {
    session,
    start: () => input({ type: "start" }),
    accept,
    stop: (notification, reason) => input({ type: "stop", notification, reason }),
    vanish: (reason) => input({ type: "vanish", reason }),
    lose: (reason) => {
      const { id } = established() ?? {};
      if (id !== undefined) input({ type: "closed", connection: id, reason });
    },
    fault: (notification, reason) => {
      const { id } = established() ?? {};
      if (id !== undefined) input({ type: "fault", connection: id, notification, reason });
    },
    flush,
    name: () => stateName(session.state),
  };
}
