/**
 * The seam of the session: everything that can go into the state machine, everything that can come out.
 *
 * A neighbour can have two TCP connections at once until one is chosen (RFC 4271 §6.8), so inputs and outputs name theirs.
 * Plain data: a session can be recorded as JSON lines and replayed. Reads next: step.ts.
 */
import type { Address, Family } from "../../../events/address.ts";
import type { Asn } from "../../../events/ids.ts";
import type { Notification, Open, SessionOptions } from "../wire/message.ts";

/** Given by the driver, never used twice in one run. */
export type ConnectionId = number;

/** What this side wants of the session; changes only by a new session. */
export type Peering = {
  readonly localAs: Asn;
  readonly routerId: Address;
  readonly remoteAs:
    | { readonly type: "asn"; readonly asn: Asn }
    | { readonly type: "internal" }
    | { readonly type: "external" };
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly connectRetrySeconds: number;
  readonly families: readonly Family[];
  /** Offers to take IPv4 routes with IPv6 next hops (RFC 8950 §4). */
  readonly extendedNextHop: boolean;
  readonly gracefulRestart:
    | {
        readonly restartTimeSeconds: number;
        readonly restarting: boolean;
        readonly forwardingPreserved: boolean;
      }
    | undefined;
};

/** What two OPENs agreed on. */
export type Negotiated = SessionOptions & {
  readonly holdTimeSeconds: number;
  readonly keepaliveTimeSeconds: number;
  readonly remoteAs: Asn;
  readonly remoteRouterId: Address;
  /** IANA names of what the peer offers. */
  readonly capabilities: readonly string[];
  /** Both sides offered it (RFC 4724 §3). */
  readonly gracefulRestart: boolean;
  /** Restart Time of the peer; 0 where it has none. */
  readonly peerRestartSeconds: number;
  /** Agreed families that the peer can forward for while it restarts: those of its graceful restart capability (RFC 4724 §3). */
  readonly restartFamilies: readonly Family[];
  /** Of these the ones with the F bit: forwarding went on through the restart that it comes from. */
  readonly forwardingKept: readonly Family[];
  /** RFC 2918: it takes ROUTE-REFRESH. */
  readonly routeRefresh: boolean;
};

/** `retry` belongs to the neighbour, the others to a connection. */
export type Timer =
  | { readonly name: "retry" }
  | { readonly name: "hold"; readonly connection: ConnectionId }
  | { readonly name: "keepalive"; readonly connection: ConnectionId }
  /** Until it expires a second connection is a collision, not a peer that restarted. */
  | { readonly name: "settle"; readonly connection: ConnectionId };

export type Input =
  /** RFC 4271 §8.1.2, ManualStart and ManualStop. */
  | { readonly type: "start" }
  | { readonly type: "stop"; readonly notification: Notification; readonly reason: string }
  /** As stop without a word: an end that graceful restart shall bridge, ours (RFC 4724 §4.1) or the peer's (RFC 5882 §4.3). */
  | { readonly type: "vanish"; readonly reason: string }
  | { readonly type: "dialed"; readonly connection: ConnectionId }
  | { readonly type: "dial-failed"; readonly reason: string }
  | { readonly type: "accepted"; readonly connection: ConnectionId }
  | { readonly type: "closed"; readonly connection: ConnectionId; readonly reason: string }
  | { readonly type: "timer-expired"; readonly timer: Timer }
  | { readonly type: "open-received"; readonly connection: ConnectionId; readonly open: Open }
  | { readonly type: "keepalive-received"; readonly connection: ConnectionId }
  | { readonly type: "update-received"; readonly connection: ConnectionId }
  | { readonly type: "refresh-received"; readonly connection: ConnectionId }
  | {
      readonly type: "notification-received";
      readonly connection: ConnectionId;
      readonly notification: Notification;
    }
  /** The peer's octets break a rule, and this is the answer. */
  | {
      readonly type: "fault";
      readonly connection: ConnectionId;
      readonly notification: Notification;
      readonly reason: string;
    }
  /** Nothing could be sent for the Send Hold Time (RFC 9687 §3). */
  | { readonly type: "send-stalled"; readonly connection: ConnectionId };

export type Output =
  | { readonly type: "dial" }
  | { readonly type: "give-up-dialing" }
  | { readonly type: "send-open"; readonly connection: ConnectionId; readonly open: Open }
  | { readonly type: "send-keepalive"; readonly connection: ConnectionId }
  | {
      readonly type: "send-notification";
      readonly connection: ConnectionId;
      readonly notification: Notification;
    }
  | { readonly type: "hang-up"; readonly connection: ConnectionId }
  | { readonly type: "set-timer"; readonly timer: Timer; readonly seconds: number }
  | { readonly type: "clear-timer"; readonly timer: Timer }
  | {
      readonly type: "session-up";
      readonly connection: ConnectionId;
      readonly negotiated: Negotiated;
    }
  /** `graceful`: agreed on both sides, and no NOTIFICATION of either: routes may outlive the session (RFC 4724 §4.2). */
  | { readonly type: "session-down"; readonly reason: string; readonly graceful: boolean };
