/**
 * A session as one value: the state machine, the octets that are no whole message yet, and what the peer was told.
 *
 * Pure: octets and inputs go in, orders come out, one at a time so that each is obeyed before the next message is read.
 * dumpSession() gives it as JSON, and the restored one goes on as if nothing had been. Reads next: fsm/step.ts,
 * io/session-driver.ts (who obeys).
 */
import { initial, type State, step } from "./fsm/step.ts";
import type { ConnectionId, Input, Negotiated, Output, Peering } from "./fsm/signals.ts";
import {
  type AdjRibOut,
  type AdjRibOutDump,
  createAdjRibOut,
  dumpAdjRibOut,
  restoreAdjRibOut,
} from "./rib/adj-rib-out.ts";
import { decodeMessage } from "./wire/decode.ts";
import { nextMessage } from "./wire/framing.ts";
import { fromHex, toHex } from "./wire/hex.ts";
import type { Message, Notification, SessionOptions, Update } from "./wire/message.ts";
import { describeNotification } from "./wire/notification-text.ts";

export type Session = {
  state: State;
  /** Octets that came and are no whole message yet, by connection. */
  readonly unparsed: Map<ConnectionId, Uint8Array>;
  ribOut: AdjRibOut;
};

/** What the driver obeys: orders of the state machine, and updates of an Established session in their place among them. */
export type Order =
  | Output
  | { readonly type: "take-update"; readonly update: Update }
  | { readonly type: "readvertise"; readonly connection: ConnectionId };

export const createSession = (): Session => ({
  state: initial,
  unparsed: new Map(),
  ribOut: createAdjRibOut(),
});

export function* feed(session: Session, input: Input, peering: Peering): Generator<Order> {
  const { state, outputs } = step(session.state, input, peering);
  session.state = state;
  for (const output of outputs) {
    if (output.type === "hang-up") session.unparsed.delete(output.connection);
    if (output.type === "session-up") session.ribOut = createAdjRibOut();
    yield output;
  }
}

/** Octets of one connection, in any portions. Stops by itself where the connection ends. */
export function* receive(
  session: Session,
  connection: ConnectionId,
  octets: Uint8Array,
  peering: Peering,
): Generator<Order> {
  if (!isOpen(session, connection)) return;
  const before = session.unparsed.get(connection);
  const bytes = before === undefined ? octets : joined(before, octets);
  session.unparsed.delete(connection);
  let at = 0;
  while (isOpen(session, connection)) {
    const options = optionsOf(session.state, connection);
    const framed = nextMessage(bytes, at, bytes.length, options.extendedMessage);
    if (framed.type === "need-more") {
      // A copy: the driver's buffer is used again.
      if (at < bytes.length) session.unparsed.set(connection, bytes.slice(at));
      return;
    }
    if (framed.type === "error") {
      yield* feed(session, faultOf(connection, framed.error), peering);
      return;
    }
    at = framed.end;
    const decoded = decodeMessage(bytes, framed, options);
    if (!decoded.ok) yield* feed(session, faultOf(connection, decoded.error), peering);
    else yield* heard(session, connection, decoded.value, peering);
  }
}

function* heard(
  session: Session,
  connection: ConnectionId,
  message: Message,
  peering: Peering,
): Generator<Order> {
  const wasEstablished = negotiatedOf(session.state, connection)?.established === true;
  yield* feed(session, inputOf(connection, message), peering);
  if (!wasEstablished) return;
  if (message.type === "update") yield { type: "take-update", update: message.update };
  // RFC 7313 §3.2: 0 asks, 1 and 2 frame an answer and are for others.
  if (message.type === "route-refresh" && message.refresh.subtype === 0) {
    yield { type: "readvertise", connection };
  }
}

function inputOf(connection: ConnectionId, message: Message): Input {
  switch (message.type) {
    case "open":
      return { type: "open-received", connection, open: message.open };
    case "keepalive":
      return { type: "keepalive-received", connection };
    case "update":
      return { type: "update-received", connection };
    case "route-refresh":
      return { type: "refresh-received", connection };
    case "notification":
      return { type: "notification-received", connection, notification: message.notification };
  }
}

const faultOf = (connection: ConnectionId, notification: Notification): Input => ({
  type: "fault",
  connection,
  notification,
  reason: `the peer broke the protocol, we answered: ${describeNotification(notification)}`,
});

const isOpen = (session: Session, connection: ConnectionId): boolean =>
  session.state.connections.some(({ id }) => id === connection);

/** Before anything is agreed only the smallest messages are read (RFC 4271 §4.1). */
const NOTHING_AGREED: SessionOptions = {
  as4: true,
  external: true,
  families: [],
  addPath: [],
  extendedMessage: false,
  extendedNextHop: false,
};

export function negotiatedOf(
  state: State,
  id: ConnectionId,
): (Negotiated & { readonly established: boolean }) | undefined {
  const connection = state.connections.find((one) => one.id === id);
  if (connection === undefined || connection.name === "OpenSent") return undefined;
  return { ...connection.negotiated, established: connection.name === "Established" };
}

function optionsOf(state: State, id: ConnectionId): SessionOptions {
  const connection = state.connections.find((one) => one.id === id);
  return connection === undefined || connection.name === "OpenSent"
    ? NOTHING_AGREED
    : connection.negotiated;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

export type SessionDump = {
  readonly state: State;
  readonly unparsed: readonly (readonly [ConnectionId, string])[];
  readonly ribOut: AdjRibOutDump;
};

/** Plain JSON. */
export const dumpSession = ({ state, unparsed, ribOut }: Session): SessionDump => ({
  state,
  unparsed: [...unparsed].map(([id, octets]) => [id, toHex(octets)] as const),
  ribOut: dumpAdjRibOut(ribOut),
});

export const restoreSession = ({ state, unparsed, ribOut }: SessionDump): Session => ({
  state,
  unparsed: new Map(unparsed.map(([id, hex]) => [id, fromHex(hex)])),
  ribOut: restoreAdjRibOut(ribOut),
});
