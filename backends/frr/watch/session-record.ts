/**
 * One session as it was last seen, and what changes when it is seen again.
 *
 * Pure. bgpd forgets why a session ended as soon as it waits for the next one, so the reason is kept here from the moment that the
 * end was seen. Reads next: watcher.ts (who looks), ../../backend.ts (SessionStatus).
 */
import type { SessionState } from "../../../events/event.ts";
import { idleStatus, noRoutes, type SessionStatus } from "../../backend.ts";
import type { NeighborIntent } from "../../intent.ts";
import type { NeighborDetail } from "./neighbor-detail.ts";
import type { LastReset, SummaryPeer } from "./summary.ts";

export type SessionRecord = {
  readonly state: SessionState;
  readonly sinceMillis: number;
  /** Why it was left last; empty where it never was. */
  readonly lost: string;
  /** Why it is down now, beside that; empty in an Established session. */
  readonly waits: string;
  readonly peer: SummaryPeer | undefined;
  readonly detail: NeighborDetail | undefined;
};

export type Sight = {
  /** undefined: bgpd has no such neighbour. */
  readonly peer: SummaryPeer | undefined;
  /** Of those that failed only. */
  readonly reset: LastReset | undefined;
  /** Where it was asked for. */
  readonly detail: NeighborDetail | undefined;
  /** Why it was lost, said by somebody else (BMP); empty where nobody did. */
  readonly heard: string;
  readonly nowMillis: number;
};

/** What bgpd calls the reason of a reset, and is what it waits for since. */
const WAITS: Readonly<Record<string, string>> = {
  "Waiting for NHT": "bgpd has no route to the peer",
  "Waiting for peer OPEN": "no answer from the peer yet",
  "Waiting for Peer IPv6 LLA": "the peer's link-local address is not known yet",
  "Waiting for VRF to be initialized": "the VRF is not there",
  "No AFI/SAFI activated for peer": "",
};
const HOLDS: Readonly<Record<string, string>> = {
  Admin: "shut down in bgpd's configuration",
  PfxCt: "held down: the peer said more prefixes than its maximum",
  Policy: "no address family is active for it, or its VRF is not there",
};
export const NOT_CONFIGURED = "not in bgpd's configuration yet";
/** What bgpd's own configuration says is no reason to hang on. */
const isWait = (dueTo: string): boolean =>
  dueTo === "" || Object.hasOwn(WAITS, dueTo) || dueTo.startsWith("Waiting for");

/** True where the neighbour is to be asked about before it is recorded. */
export function needsDetail(
  record: SessionRecord | undefined,
  peer: SummaryPeer | undefined,
): boolean {
  if (peer === undefined) return false;
  if (record?.detail === undefined || record.peer === undefined) return true;
  const { state, established, dropped } = record.peer;
  const isOther = established !== peer.established || dropped !== peer.dropped;
  return isOther || (state !== peer.state && isUp(state) !== isUp(peer.state));
}

const isUp = (state: SessionState): boolean => state === "Established";

export function observed(record: SessionRecord | undefined, sight: Sight): SessionRecord {
  const { peer } = sight;
  const detail = sight.detail ?? record?.detail;
  const state = peer?.state ?? "Idle";
  const reset = sight.reset ?? sight.detail?.lastReset;
  const wasLost = record !== undefined && (peer?.dropped ?? 0) > (record.peer?.dropped ?? 0);
  const lost = lossOf(reset, sight, wasLost) ?? record?.lost ?? "";
  const waits = isUp(state) ? "" : waitOf(peer, reset);
  const isSame =
    record !== undefined &&
    isUp(record.state) === isUp(state) &&
    record.peer?.established === peer?.established;
  return {
    state,
    // Below Established the reason counts, not which of the states it is in.
    sinceMillis: isSame && record.lost === lost ? record.sinceMillis : startOf(record, sight),
    lost,
    waits,
    peer,
    detail,
  };
}

/** What was seen to begin began now; what was there already is as old as bgpd says. */
const startOf = (record: SessionRecord | undefined, { peer, nowMillis }: Sight): number =>
  record?.peer === undefined ? nowMillis - (peer?.ageMillis ?? 0) : nowMillis;

/** undefined: nothing new. */
function lossOf(
  reset: LastReset | undefined,
  { detail, heard }: Pick<Sight, "detail" | "heard">,
  wasLost: boolean,
): string | undefined {
  const description = detail?.lastReset.description ?? "";
  if (reset !== undefined && reset.notification !== "") {
    const from = reset.dueTo.includes("send") ? "bgpd sent" : "the peer sent";
    return `${from} ${reset.notification}${description === "" ? "" : `: ${description}`}`;
  }
  if (reset !== undefined && !isWait(reset.dueTo)) return reset.dueTo;
  if (!wasLost) return undefined;
  // bgpd waits for the next session already, and has forgotten.
  if (heard !== "") return heard;
  return detail?.bfdDown === true ? "BFD says that the path is down" : "the session was lost";
}

function waitOf(peer: SummaryPeer | undefined, reset: LastReset | undefined): string {
  if (peer === undefined) return NOT_CONFIGURED;
  const held = HOLDS[peer.hold];
  if (held !== undefined) return held;
  const { dueTo = "" } = reset ?? {};
  return WAITS[dueTo] ?? (isWait(dueTo) ? dueTo : "");
}

const reasonOf = ({ lost, waits, state }: SessionRecord): string => {
  const said = [waits, lost].filter((one) => one !== "");
  return said.length === 0 && !isUp(state) ? "not established yet" : said.join("; before: ");
};

/** `record` undefined: not looked at yet. */
export function statusOf(
  intent: NeighborIntent,
  record: SessionRecord | undefined,
  nowMillis: number,
): SessionStatus {
  if (record === undefined) return idleStatus(intent, "not looked at yet", nowMillis);
  const up = isUp(record.state) ? record.detail : undefined;
  return {
    neighbor: intent.key,
    name: intent.name,
    state: record.state,
    sinceMillis: record.sinceMillis,
    reason: reasonOf(record),
    holdTimeSeconds: up?.holdTimeSeconds ?? intent.holdTimeSeconds,
    keepaliveTimeSeconds: up?.keepaliveTimeSeconds ?? intent.keepaliveTimeSeconds,
    localAddress: up?.localAddress,
    found: foundOf(intent, record.detail),
    remoteAs: up?.remoteAs,
    remoteRouterId: up?.remoteRouterId,
    capabilities: up?.capabilities ?? [],
    families: up?.families ?? [],
    sent: record.peer?.sent ?? 0,
    // bgpd counts what is past policy only.
    received: record.peer?.received ?? 0,
    accepted: record.peer?.received ?? 0,
    byFamily: record.peer?.byFamily ?? noRoutes,
    resets: record.peer?.dropped ?? 0,
  };
}

/** bgpd knows who answers on an interface by the router advertisements that zebra hears there. */
const foundOf = (
  { remote }: NeighborIntent,
  detail: NeighborDetail | undefined,
): SessionStatus["found"] =>
  remote.type === "address" || detail?.remoteAddress === undefined
    ? undefined
    : { interface: remote.interface, address: detail.remoteAddress };

/** What a fact is told for: as the native speaker does, up or down, why, and how often it went down. */
export const newsOf = ({ state, reason, resets }: SessionStatus): string =>
  isUp(state) ? `Established ${resets}` : `down ${reason} ${resets}`;
