/**
 * `show bgp vrf all summary json`, and the same with `failed`: who is in which state, and whether anything moved.
 *
 * Pure. The whole answer costs bgpd 11 µs for each neighbour and family, the one of those that failed less than 1 µs (FRR 8.4.4, 1,000
 * neighbours), so the second is asked often and the first when the second says something new, or once in a while.
 * Reads next: session-record.ts (what is made of it).
 */
import type { SessionState } from "../../../events/event.ts";
import { noRoutes, type SessionStatus } from "../../backend.ts";
import {
  countAt,
  isObject,
  type Json,
  numberAt,
  objectAt,
  objectsIn,
  readObject,
  textAt,
} from "./json.ts";
import { familyFromFrr, peerNameOf, type PeerName, vrfFromFrr } from "./names.ts";

export type SummaryPeer = {
  readonly state: SessionState;
  /** FRR's `Admin`, `PfxCt`, `Policy`: why it stays down; `OK` otherwise. */
  readonly hold: string;
  /** Times it was Established, and times it was left again, since bgpd started. */
  readonly established: number;
  readonly dropped: number;
  /** Milliseconds in this state, to a whole second; undefined where it never was Established. */
  readonly ageMillis: number | undefined;
  /** Prefixes past policy, and told, over all families and of each. */
  readonly received: number;
  readonly sent: number;
  readonly byFamily: SessionStatus["byFamily"];
};

export type TableSize = { readonly version: number; readonly prefixes: number };

export type Summary = {
  readonly peers: ReadonlyMap<PeerName, SummaryPeer>;
  /** By `vrf|family`. */
  readonly tables: ReadonlyMap<string, TableSize>;
};

/** Why a session was left last, or what it waits for. */
export type LastReset = {
  /** FRR's words (`BFD down received`); empty where it says nothing. */
  readonly dueTo: string;
  /** Both codes of the NOTIFICATION as `Cease/Administrative Shutdown`; empty where there was none. */
  readonly notification: string;
  /** RFC 9003; empty where the peer said nothing. */
  readonly description: string;
};

export type Failed = {
  /** Equal as long as nobody fails, comes back, or is told another reason. */
  readonly digest: string;
  readonly resets: ReadonlyMap<PeerName, LastReset>;
};

const STATES: ReadonlySet<string> = new Set([
  "Idle",
  "Connect",
  "Active",
  "OpenSent",
  "OpenConfirm",
  "Established",
]);
const isState = (text: string): text is SessionState => STATES.has(text);

/** FRR's `Clearing` and `Deleted` are Idle in the RFC's words; undefined for what is no state at all. */
export function stateFromFrr(text: string | undefined): SessionState | undefined {
  const [word = ""] = (text ?? "").split(" ");
  if (word === "Clearing" || word === "Deleted") return "Idle";
  return isState(word) ? word : undefined;
}

type FamilyPart = { readonly vrf: string; readonly key: string; readonly part: Json };

const partsOf = (answer: Json): readonly FamilyPart[] =>
  objectsIn(answer).flatMap(([vrf, families]) =>
    objectsIn(families).map(([key, part]) => ({ vrf: vrfFromFrr(vrf), key, part })),
  );

/** undefined: this is no such answer. A neighbour without a state in it is left out. */
export function parseSummary(text: string): Summary | undefined {
  const answer = readObject(text);
  if (answer === undefined) return undefined;
  const peers = new Map<PeerName, SummaryPeer>();
  const tables = new Map<string, TableSize>();
  for (const { vrf, key, part } of partsOf(answer)) {
    const family = familyFromFrr(key);
    const version = numberAt(part, "tableVersion");
    if (family !== undefined && version !== undefined) {
      tables.set(`${vrf}|${family}`, { version, prefixes: countAt(part, "ribCount") });
    }
    for (const [id, peer] of objectsIn(objectAt(part, "peers"))) {
      const state = stateFromFrr(textAt(peer, "state"));
      if (state === undefined) continue;
      const name = peerNameOf(vrf, id);
      const before = peers.get(name);
      const [received, sent] = [countAt(peer, "pfxRcd"), countAt(peer, "pfxSnt")];
      peers.set(name, {
        state,
        hold: textAt(peer, "peerState") ?? "OK",
        established: countAt(peer, "connectionsEstablished"),
        dropped: countAt(peer, "connectionsDropped"),
        ageMillis:
          textAt(peer, "peerUptime") === "never" ? undefined : countAt(peer, "peerUptimeMsec"),
        received: (before?.received ?? 0) + received,
        sent: (before?.sent ?? 0) + sent,
        byFamily: {
          ...(before?.byFamily ?? noRoutes),
          ...(family === undefined ? {} : { [family]: { sent, received, accepted: received } }),
        },
      });
    }
  }
  return { peers, tables };
}

/** undefined: this is no such answer. */
export function parseFailed(text: string): Failed | undefined {
  const answer = readObject(text);
  if (answer === undefined) return undefined;
  const resets = new Map<PeerName, LastReset>();
  const words: string[] = [];
  for (const { vrf, key, part } of partsOf(answer)) {
    words.push(`${vrf}|${key}|${countAt(part, "totalPeers")}`);
    for (const [id, peer] of objectsIn(objectAt(part, "peers"))) {
      const name = peerNameOf(vrf, id);
      const reset = lastResetOf(peer);
      resets.set(name, reset);
      const moved = [
        countAt(peer, "connectionsEstablished"),
        countAt(peer, "connectionsDropped"),
        ...Object.values(reset),
      ];
      words.push(`${name}|${moved.join("|")}`);
    }
  }
  return { digest: words.join("\n"), resets };
}

export const lastResetOf = (peer: unknown): LastReset => {
  const object = isObject(peer) ? peer : {};
  return {
    dueTo: textAt(object, "lastResetDueTo") ?? "",
    notification: textAt(object, "lastNotificationReason") ?? "",
    description: textAt(object, "lastShutdownDescription") ?? "",
  };
};
