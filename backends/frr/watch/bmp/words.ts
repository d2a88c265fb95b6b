/**
 * Why a session was lost, as BMP tells it, in words (RFC 7854 §4.9).
 *
 * Pure. Reads next: message.ts.
 */
import { describeNotification } from "../../../native/wire/notification-text.ts";
import type { DownCause } from "./message.ts";

/** RFC 4271 §8.1.3, §8.1.4. */
const EVENTS: ReadonlyMap<number, string> = new Map([
  [10, "the hold timer expired"],
  [18, "the connection failed"],
]);

/** Empty where it says nothing: FRR 8.4.4 tells neither the NOTIFICATION that bgpd sent nor the event. */
export function lossInWords(cause: DownCause): string {
  switch (cause.type) {
    case "notification-sent":
      return `bgpd sent ${describeNotification(cause.notification)}`;
    case "notification-received":
      return `the peer sent ${describeNotification(cause.notification)}`;
    case "closed-by-peer":
      return "the peer closed the connection";
    case "deconfigured":
      return "bgpd's configuration has the neighbour no more";
    case "local":
      return EVENTS.get(cause.fsmEvent) ?? "";
    case "unknown":
      return "";
  }
}
