/**
 * Peers as gobgpd lists them → session status, with what changed since the look before.
 *
 * Pure: a tracker is handed the listing and the time. gobgpd 3.10 tells no reason for an end, so it is found from what it counts.
 * Reads next: capabilities.ts, ../gobgp-backend.ts.
 */
import { type Family, parseAddress } from "../../../events/address.ts";
import type { SessionState } from "../../../events/event.ts";
import type { NeighborKey } from "../../../events/ids.ts";
import {
  idleStatus,
  noRoutes,
  type RouteBatch,
  type RouteCounts,
  type SessionFact,
  type SessionStatus,
} from "../../backend.ts";
import type { NeighborIntent } from "../../intent.ts";
import { ADMIN_STATE, familyOfMessage, type ListedPeer } from "../api/messages.ts";
import { capabilitiesOf } from "./capabilities.ts";

/** Without a listing: why there is none. */
export type Look = { readonly peer: ListedPeer } | { readonly absent: string };

export type Tracked = {
  readonly status: SessionStatus;
  readonly notifications: { readonly received: number; readonly sent: number };
  /** End-of-RIB came, or need not be waited for: families that have said all. */
  readonly complete: ReadonlySet<Family>;
};

const STATES: readonly SessionState[] = [
  "Idle",
  "Idle",
  "Connect",
  "Active",
  "OpenSent",
  "OpenConfirm",
  "Established",
];

/** Beyond the listing: why we keep it shut down, and what gobgpd's log said of the last end. */
export type Beside = { readonly down?: string | undefined; readonly heard?: string | undefined };

export function track(
  neighbor: NeighborIntent,
  before: Tracked | undefined,
  look: Look,
  beside: Beside,
  nowMillis: number,
): { readonly tracked: Tracked; readonly facts: readonly (SessionFact | RouteBatch)[] } {
  const tracked =
    "peer" in look
      ? fromPeer(neighbor, before, look.peer, beside, nowMillis)
      : fromNothing(neighbor, before, look.absent, nowMillis);
  return { tracked, facts: factsOf(neighbor.key, before?.status, tracked.status) };
}

const none = { received: 0, sent: 0 } as const;

function fromNothing(
  neighbor: NeighborIntent,
  before: Tracked | undefined,
  reason: string,
  nowMillis: number,
): Tracked {
  const status = idleStatus(neighbor, reason, 0);
  return {
    status: since(status, before?.status, nowMillis),
    notifications: none,
    complete: new Set(),
  };
}

/** The moment goes on from before where neither the state nor, below Established, its reason is another. */
function since(
  status: SessionStatus,
  before: SessionStatus | undefined,
  nowMillis: number,
): SessionStatus {
  const wasUp = before?.state === "Established";
  const isUp = status.state === "Established";
  const isSame =
    before !== undefined &&
    before.state === status.state &&
    (isUp || before.reason === status.reason);
  return {
    ...status,
    sinceMillis: isSame ? before.sinceMillis : nowMillis,
    resets: (before?.resets ?? 0) + (wasUp && !isUp ? 1 : 0),
  };
}

function fromPeer(
  neighbor: NeighborIntent,
  before: Tracked | undefined,
  { state, timers, transport, afi_safis }: ListedPeer,
  beside: Beside,
  nowMillis: number,
): Tracked {
  const name = STATES[state?.session_state ?? 0] ?? "Idle";
  const isUp = name === "Established";
  const notifications = {
    received: state?.messages?.received?.notification ?? 0,
    sent: state?.messages?.sent?.notification ?? 0,
  };
  const sums = { sent: 0, received: 0, accepted: 0 };
  const byFamily = { ...noRoutes };
  const complete = new Set<Family>();
  for (const one of isUp ? afi_safis : []) {
    // gobgpd counts the End-of-RIB marker among what it advertises to a peer with graceful restart.
    const marker = neighbor.gracefulRestart === undefined ? 0 : 1;
    const counts: RouteCounts = {
      sent: Math.max(0, (one.state?.advertised ?? 0) - marker),
      received: one.state?.received ?? 0,
      accepted: one.state?.accepted ?? 0,
    };
    sums.sent += counts.sent;
    sums.received += counts.received;
    sums.accepted += counts.accepted;
    const family = familyOfMessage(one.config?.family ?? null);
    if (family !== undefined) byFamily[family] = counts;
    if (family !== undefined && one.mp_graceful_restart?.state?.end_of_rib_received === true)
      complete.add(family);
  }
  const said = isUp ? capabilitiesOf(state?.remote_cap ?? []) : undefined;
  const status: SessionStatus = {
    ...idleStatus(neighbor, "", 0),
    ...sums,
    byFamily,
    state: name,
    reason: isUp ? "" : reasonOf(neighbor, before, state, notifications, beside),
    holdTimeSeconds: isUp ? (timers?.state?.negotiated_hold_time ?? 0) : neighbor.holdTimeSeconds,
    keepaliveTimeSeconds: isUp
      ? (timers?.state?.keepalive_interval ?? 0)
      : neighbor.keepaliveTimeSeconds,
    localAddress: isUp ? parseAddress(transport?.local_address ?? "") : undefined,
    remoteAs: isUp ? state?.peer_asn : undefined,
    remoteRouterId: isUp ? parseAddress(state?.router_id ?? "") : undefined,
    capabilities: said?.names ?? [],
    families: neighbor.families.filter((family) => said?.families.includes(family) === true),
  };
  return { status: since(status, before?.status, nowMillis), notifications, complete };
}

function reasonOf(
  neighbor: NeighborIntent,
  before: Tracked | undefined,
  state: ListedPeer["state"],
  now: Tracked["notifications"],
  { down, heard }: Beside,
): string {
  if (down !== undefined) return down;
  if (state?.admin_state === ADMIN_STATE.prefixLimit) return limitWords(neighbor);
  if (state?.admin_state === ADMIN_STATE.down) return "shut down in gobgpd";
  if (heard !== undefined) return `gobgpd says: ${heard}`;
  const { received = 0, sent = 0 } = before?.notifications ?? {};
  if (now.received > received)
    return "the peer ended the session with a NOTIFICATION (gobgpd's log says which)";
  if (now.sent > sent) return "gobgpd ended the session with a NOTIFICATION (its log says which)";
  if (before?.status.state === "Established") return "the connection was lost";
  if (
    before === undefined ||
    before.status.reason === "" ||
    before.status.reason.startsWith(GONE)
  ) {
    return "no session yet: the peer did not answer or refused, and gobgpd tries again";
  }
  return before.status.reason;
}

/** Begins every reason that is the speaker's, not the peer's. */
export const GONE = "gobgpd ";

function limitWords({ receiveGuard }: NeighborIntent): string {
  const parts = Object.entries(receiveGuard?.maximumPrefixes ?? {}).map(
    ([family, { count, beyond }]) => {
      const then =
        beyond.type === "restart"
          ? `tried again after ${beyond.afterSeconds} s`
          : "down until this peer's configuration changes";
      return `more than ${count} ${family} prefixes; ${then}`;
    },
  );
  return `the peer sent ${parts.join(", or ")}`;
}

function factsOf(
  neighbor: NeighborKey,
  before: SessionStatus | undefined,
  after: SessionStatus,
): readonly (SessionFact | RouteBatch)[] {
  const facts: (SessionFact | RouteBatch)[] = [];
  if (before?.state !== after.state || before.reason !== after.reason) {
    facts.push({ type: "session", neighbor, status: after });
  }
  const moved = after.received - (before?.received ?? 0);
  if (moved !== 0 && after.state === "Established") {
    const [announced, withdrawn] = moved > 0 ? [moved, 0] : [0, -moved];
    facts.push({ type: "routes", neighbor, received: after.received, announced, withdrawn });
  }
  return facts;
}
