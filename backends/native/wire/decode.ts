/**
 * One framed message into what it says (RFC 4271 §4). Total: any octets give a value.
 *
 * UPDATE is the only one whose reading depends on what the OPENs agreed. Reads next: open.ts, update.ts.
 */
import type { Framed } from "./framing.ts";
import { MESSAGE_TYPE } from "./header.ts";
import type { Decoded, Message, SessionOptions } from "./message.ts";
import { badMessageType, decodeNotification } from "./notification.ts";
import { decodeOpen } from "./open.ts";
import { decodeRouteRefresh } from "./route-refresh.ts";
import { parseUpdate } from "./update.ts";

/** `framed` comes from nextMessage() over the same `bytes`; an update in the answer is a view into them. */
export function decodeMessage(
  bytes: Uint8Array,
  framed: Extract<Framed, { type: "message" }>,
  session: SessionOptions,
): Decoded<Message> {
  const { kind, bodyStart, end } = framed;
  switch (kind) {
    case MESSAGE_TYPE.open: {
      const read = decodeOpen(bytes, bodyStart, end);
      return read.ok ? { ok: true, value: { type: "open", open: read.value } } : read;
    }
    case MESSAGE_TYPE.update: {
      const read = parseUpdate(bytes, bodyStart, end, session);
      return read.ok ? { ok: true, value: { type: "update", update: read.value } } : read;
    }
    case MESSAGE_TYPE.notification: {
      const read = decodeNotification(bytes, bodyStart, end);
      return read.ok
        ? { ok: true, value: { type: "notification", notification: read.value } }
        : read;
    }
    case MESSAGE_TYPE.keepalive:
      return { ok: true, value: { type: "keepalive" } };
    case MESSAGE_TYPE.routeRefresh: {
      const read = decodeRouteRefresh(bytes, bodyStart, end);
      return read.ok ? { ok: true, value: { type: "route-refresh", refresh: read.value } } : read;
    }
    default:
      return { ok: false, error: badMessageType(kind) };
  }
}
