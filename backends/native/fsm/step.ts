/**
 * BGP finite state machine (RFC 4271 §8.2.2) as one pure, total function over a neighbour and its connections.
 *
 * Every (state, input) has an answer and nothing throws; a peer's violation is an output (NOTIFICATION) and the end of that
 * connection. No sockets, no timers, no clock: the driver (../io/session-driver.ts) owns those and only obeys outputs.
 * Inputs of a connection that is gone are stale and change nothing. Reads next: negotiate.ts.
 */
import { match, P } from "ts-pattern";
import type { Notification, Open } from "../wire/message.ts";
import {
  connectionCollision,
  connectionRejected,
  fsmError,
  holdTimerExpired,
  sendHoldTimerExpired,
} from "../wire/notification.ts";
import { describeNotification } from "../wire/notification-text.ts";
import { negotiate, openOf, weWinCollision } from "./negotiate.ts";
import type { ConnectionId, Input, Negotiated, Output, Peering, Timer } from "./signals.ts";

export type Connection = {
  readonly id: ConnectionId;
  readonly initiator: "us" | "peer";
} & (
  | { readonly name: "OpenSent" }
  | { readonly name: "OpenConfirm"; readonly negotiated: Negotiated; readonly open: Open }
  | { readonly name: "Established"; readonly negotiated: Negotiated; readonly settled: boolean }
);

export type State = {
  /** Stopped: Idle for good. Dialing: Connect. Waiting: Active, the next try is timed. */
  readonly dial: "stopped" | "dialing" | "waiting";
  /** At most two; none Established beside another Established. */
  readonly connections: readonly Connection[];
  /** Failed tries since the last session: what the pause before the next one grows with. */
  readonly failures: number;
  /** Why the last try or session ended; empty before the first. */
  readonly reason: string;
};

export type Step = { readonly state: State; readonly outputs: readonly Output[] };

/** RFC 4271 §8.2.2, OpenSent: "a large value", 4 minutes suggested. */
const OPEN_HOLD_SECONDS = 240;
/** First pause after a failure; doubles up to the bound. RFC 4271 §8.1.1 DampPeerOscillations leaves the numbers open. */
const FIRST_RETRY_SECONDS = 1;
/** A peer that is there again is found again within half a minute, whatever ConnectRetryTime says. */
const MAX_RETRY_SECONDS = 30;
/** One of each direction; a third is somebody's mistake. */
const MAX_CONNECTIONS = 2;
/** Longer than two connections that were dialled at once can be apart; shorter than any host takes to crash and come back. */
const SETTLE_SECONDS = 3;

export const initial: State = { dial: "stopped", connections: [], failures: 0, reason: "" };

export function step(state: State, input: Input, peering: Peering): Step {
  return match(input)
    .returnType<Step>()
    .with({ type: "start" }, () => (state.dial === "stopped" ? dial(state) : keep(state)))
    .with({ type: "stop" }, ({ notification, reason }) => stop(state, notification, reason))
    .with({ type: "vanish" }, ({ reason }) => stop(state, undefined, reason))
    .with({ type: "dial-failed" }, ({ reason }) =>
      state.dial === "dialing" ? wait({ ...state, reason }, peering) : keep(state),
    )
    .with({ type: "dialed" }, ({ connection }) =>
      state.dial === "dialing"
        ? opened(state, connection, "us", peering)
        : refuse(state, connection),
    )
    .with({ type: "accepted" }, ({ connection }) =>
      state.dial === "stopped" || state.connections.length >= MAX_CONNECTIONS
        ? refuse(state, connection)
        : opened(state, connection, "peer", peering),
    )
    .with({ type: "timer-expired", timer: { name: "retry" } }, () =>
      state.dial === "waiting" && state.connections.length === 0 ? dial(state) : keep(state),
    )
    .with({ type: "timer-expired", timer: { name: "hold" } }, ({ timer }) =>
      ended(
        state,
        timer.connection,
        holdTimerExpired,
        "hold timer expired: the peer fell silent",
        peering,
      ),
    )
    .with({ type: "timer-expired", timer: { name: "keepalive" } }, ({ timer }) =>
      keepaliveDue(state, timer.connection),
    )
    .with({ type: "timer-expired", timer: { name: "settle" } }, ({ timer }) => ({
      state: settledIn(state, timer.connection),
      outputs: [],
    }))
    .with({ type: "closed" }, ({ connection, reason }) =>
      ended(state, connection, undefined, reason, peering),
    )
    .with({ type: "notification-received" }, ({ connection, notification }) =>
      ended(
        state,
        connection,
        "told",
        `the peer said: ${describeNotification(notification)}`,
        peering,
      ),
    )
    .with({ type: "fault" }, ({ connection, notification, reason }) =>
      ended(state, connection, notification, reason, peering),
    )
    .with({ type: "send-stalled" }, ({ connection }) =>
      ended(
        state,
        connection,
        sendHoldTimerExpired,
        "the peer reads nothing (send hold timer, RFC 9687)",
        peering,
      ),
    )
    .with({ type: "open-received" }, ({ connection, open }) =>
      onOpen(state, connection, open, peering),
    )
    .with({ type: P.union("keepalive-received", "update-received", "refresh-received") }, (heard) =>
      onHeard(state, heard, peering),
    )
    .exhaustive();
}

const keep = (state: State): Step => ({ state, outputs: [] });

const dial = (state: State): Step => ({
  state: { ...state, dial: "dialing" },
  outputs: [{ type: "dial" }],
});

function wait(state: State, { connectRetrySeconds }: Peering): Step {
  const bound = Math.min(MAX_RETRY_SECONDS, connectRetrySeconds);
  const seconds = Math.min(bound, FIRST_RETRY_SECONDS * 2 ** Math.min(state.failures, 10));
  return {
    state: { ...state, dial: "waiting", failures: state.failures + 1 },
    outputs: [{ type: "set-timer", timer: { name: "retry" }, seconds }],
  };
}

function stop(state: State, notification: Notification | undefined, reason: string): Step {
  const outputs: Output[] = [{ type: "give-up-dialing" }, clear({ name: "retry" })];
  for (const connection of state.connections) outputs.push(...farewell(connection, notification));
  const established = establishedOf(state);
  if (established !== undefined) {
    const graceful = notification === undefined && established.negotiated.gracefulRestart;
    outputs.push({ type: "session-down", reason, graceful });
  }
  return { state: { ...initial, reason }, outputs };
}

function refuse(state: State, connection: ConnectionId): Step {
  // RFC 4486 §4, Connection Rejected: nobody expects it here.
  return {
    state,
    outputs: [
      { type: "send-notification", connection, notification: connectionRejected },
      { type: "hang-up", connection },
    ],
  };
}

function opened(
  state: State,
  id: ConnectionId,
  initiator: Connection["initiator"],
  peering: Peering,
): Step {
  const connections = [...state.connections, { id, initiator, name: "OpenSent" } as const];
  const dialing = initiator === "us" ? "waiting" : state.dial;
  return {
    state: { ...state, dial: dialing, connections },
    outputs: [
      { type: "send-open", connection: id, open: openOf(peering) },
      { type: "set-timer", timer: { name: "hold", connection: id }, seconds: OPEN_HOLD_SECONDS },
    ],
  };
}

function onOpen(state: State, id: ConnectionId, open: Open, peering: Peering): Step {
  const connection = state.connections.find((one) => one.id === id);
  if (connection === undefined) return keep(state);
  if (connection.name !== "OpenSent") {
    return ended(state, id, fsmError(connection.name), "the peer sent a second OPEN", peering);
  }
  const agreement = negotiate(peering, open);
  if (!agreement.ok) return ended(state, id, agreement.notification, agreement.reason, peering);
  const other = state.connections.find((one) => one.id !== id);
  if (other?.name === "Established" && !(other.negotiated.gracefulRestart && other.settled)) {
    // RFC 4271 §6.8: a collision with an Established connection closes the new one. Where both sides dialled at once, the
    // peer's late connection may be read only after this one was established: no restart, and to yield would lose both.
    return closeOne(state, id, connectionCollision);
  }
  if (other?.name === "OpenConfirm") {
    const mineStays = weWinCollision(peering, open);
    const loser = (connection.initiator === "us") === mineStays ? other : connection;
    const resolved = closeOne(state, loser.id, connectionCollision);
    if (loser.id === id) return resolved;
    return joined(resolved, confirm(resolved.state, connection, open, agreement.negotiated));
  }
  if (other?.name === "Established") {
    // RFC 4724 §4.2: with graceful restart a new connection replaces the old one, without a word on it.
    const replaced: Step = {
      state: { ...state, connections: state.connections.filter((one) => one.id !== other.id) },
      outputs: [
        ...farewell(other, undefined),
        { type: "session-down", reason: "the peer restarted", graceful: true },
      ],
    };
    return joined(replaced, confirm(replaced.state, connection, open, agreement.negotiated));
  }
  return confirm(state, connection, open, agreement.negotiated);
}

function confirm(
  state: State,
  { id, initiator }: Connection,
  open: Open,
  negotiated: Negotiated,
): Step {
  const confirmed: Connection = { id, initiator, name: "OpenConfirm", negotiated, open };
  return {
    state: withConnection(state, confirmed),
    outputs: [
      { type: "send-keepalive", connection: id },
      ...restartHold(id, negotiated),
      ...restartKeepalive(id, negotiated),
    ],
  };
}

function onHeard(
  state: State,
  input: Extract<Input, { type: "keepalive-received" | "update-received" | "refresh-received" }>,
  peering: Peering,
): Step {
  const connection = state.connections.find((one) => one.id === input.connection);
  if (connection === undefined) return keep(state);
  if (connection.name === "Established") {
    return { state, outputs: restartHold(connection.id, connection.negotiated) };
  }
  if (connection.name === "OpenConfirm" && input.type === "keepalive-received") {
    return establish(state, connection);
  }
  // RFC 4271 §8.2.2, "any other event" in OpenSent and OpenConfirm.
  const what = input.type.replace("-received", "").toUpperCase();
  return ended(
    state,
    connection.id,
    fsmError(connection.name),
    `the peer sent ${what} too early`,
    peering,
  );
}

function establish(state: State, connection: Extract<Connection, { name: "OpenConfirm" }>): Step {
  const { id, initiator, negotiated } = connection;
  const others = state.connections.filter((one) => one.id !== id);
  return {
    state: {
      dial: "waiting",
      connections: [{ id, initiator, name: "Established", negotiated, settled: false }],
      failures: 0,
      reason: "",
    },
    outputs: [
      ...others.flatMap((one) => farewell(one, connectionCollision)),
      { type: "give-up-dialing" },
      clear({ name: "retry" }),
      ...restartHold(id, negotiated),
      { type: "set-timer", timer: { name: "settle", connection: id }, seconds: SETTLE_SECONDS },
      { type: "session-up", connection: id, negotiated },
    ],
  };
}

function keepaliveDue(state: State, id: ConnectionId): Step {
  const connection = state.connections.find((one) => one.id === id);
  if (connection === undefined || connection.name === "OpenSent") return keep(state);
  return {
    state,
    outputs: [
      { type: "send-keepalive", connection: id },
      ...restartKeepalive(id, connection.negotiated),
    ],
  };
}

/** A connection is over, by our NOTIFICATION, by the peer's (`told`) or by none; where it was the last, the next try is timed. */
function ended(
  state: State,
  id: ConnectionId,
  by: Notification | "told" | undefined,
  reason: string,
  peering: Peering,
): Step {
  const connection = state.connections.find((one) => one.id === id);
  if (connection === undefined) return keep(state);
  const closed = closeOne(state, id, by === "told" ? undefined : by);
  if (connection.name === "Established") {
    // RFC 4724 §4.2: a NOTIFICATION of either side ends all, also the one of our hold timer: RFC 8538's N bit is not offered.
    const graceful = connection.negotiated.gracefulRestart && by === undefined;
    const down: Output = { type: "session-down", reason, graceful };
    const waited = wait({ ...closed.state, reason }, peering);
    return joined({ ...closed, outputs: [...closed.outputs, down] }, waited);
  }
  if (closed.state.connections.length > 0 || closed.state.dial === "dialing") {
    return { ...closed, state: { ...closed.state, reason } };
  }
  return joined(closed, wait({ ...closed.state, reason }, peering));
}

const closeOne = (
  state: State,
  id: ConnectionId,
  notification: Notification | undefined,
): Step => ({
  state: { ...state, connections: state.connections.filter((one) => one.id !== id) },
  outputs: state.connections
    .filter((one) => one.id === id)
    .flatMap((one) => farewell(one, notification)),
});

function farewell({ id }: Connection, notification: Notification | undefined): readonly Output[] {
  return [
    clear({ name: "hold", connection: id }),
    clear({ name: "keepalive", connection: id }),
    clear({ name: "settle", connection: id }),
    ...(notification === undefined
      ? []
      : [{ type: "send-notification", connection: id, notification } as const]),
    { type: "hang-up", connection: id },
  ];
}

/** RFC 4271 §4.2: a hold time of zero has no hold timer, and no keepalives. */
const restartHold = (
  connection: ConnectionId,
  { holdTimeSeconds }: Negotiated,
): readonly Output[] =>
  holdTimeSeconds === 0
    ? [clear({ name: "hold", connection })]
    : [{ type: "set-timer", timer: { name: "hold", connection }, seconds: holdTimeSeconds }];

const restartKeepalive = (
  connection: ConnectionId,
  { keepaliveTimeSeconds }: Negotiated,
): readonly Output[] =>
  keepaliveTimeSeconds === 0
    ? []
    : [
        {
          type: "set-timer",
          timer: { name: "keepalive", connection },
          seconds: keepaliveTimeSeconds,
        },
      ];

const clear = (timer: Timer): Output => ({ type: "clear-timer", timer });

const settledIn = (state: State, id: ConnectionId): State => ({
  ...state,
  connections: state.connections.map((one) =>
    one.id === id && one.name === "Established" ? { ...one, settled: true } : one,
  ),
});

const withConnection = (state: State, connection: Connection): State => ({
  ...state,
  connections: state.connections.map((one) => (one.id === connection.id ? connection : one)),
});

const joined = (first: Step, second: Step): Step => ({
  state: second.state,
  outputs: [...first.outputs, ...second.outputs],
});

export const establishedOf = (
  state: State,
): Extract<Connection, { name: "Established" }> | undefined =>
  state.connections.find((one) => one.name === "Established");

/** RFC 4271 §8.2.2 name of where the neighbour as a whole is. */
export function stateName(
  state: State,
): "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established" {
  const names = state.connections.map(({ name }) => name);
  for (const name of ["Established", "OpenConfirm", "OpenSent"] as const) {
    if (names.includes(name)) return name;
  }
  return state.dial === "stopped" ? "Idle" : state.dial === "dialing" ? "Connect" : "Active";
}
