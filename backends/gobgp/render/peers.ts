/**
 * A neighbour of the intent as gobgpd's peer, with a description that tells that it is ours and what it was made from.
 *
 * Pure. gobgpd makes a peer anew where almost any field differs, even the description (UpdatePeer), so the description is a
 * digest of exactly what takes a new session; timers and limits alone are updated in place. Reads next: ../difference.ts.
 */
import { type Family, familyOf } from "../../../events/address.ts";
import type { NeighborIntent } from "../../intent.ts";
import { type FamilyMessage, familyMessage, type PeerMessage } from "../api/messages.ts";
import { digestOf } from "./names.ts";
import type { Speaking } from "./speaking.ts";

/** Before the digest; a neighbour whose description begins so was made by us. */
const MADE_BY_US = "rutter ";

export const isMadeByUs = (description: string): boolean => description.startsWith(MADE_BY_US);

export type PeerOptions = {
  readonly password: string | undefined;
  /** RFC 4724 §4.1: sets the R bit, and with it gobgpd's F bits. */
  readonly restarting: boolean;
  /** It begins shut down: BGP waits for BFD. */
  readonly adminDown: boolean;
};

/** What a restarted gobgpd waits for its peers before it tells own routes, which hang on no peer: as short as it goes. */
const DEFERRAL_SECONDS = 1;

export function peerMessage(one: Speaking, options: PeerOptions): PeerMessage {
  const { neighbor, address, internal } = one;
  const { gracefulRestart, remote } = neighbor;
  return {
    conf: {
      auth_password: options.password ?? "",
      description: descriptionOf(one),
      local_asn: one.localAs,
      neighbor_address: address,
      peer_asn: peerAsn(one),
      type: internal ? 0 : 1,
      admin_down: options.adminDown,
    },
    // gobgpd sends to eBGP peers with hop limit 1 unless it is told otherwise.
    ebgp_multihop: {
      enabled: !internal && neighbor.timeToLive > 1,
      multihop_ttl: internal ? 0 : neighbor.timeToLive,
    },
    timers: {
      config: {
        connect_retry: neighbor.connectRetrySeconds,
        hold_time: neighbor.holdTimeSeconds,
        keepalive_interval: neighbor.keepaliveTimeSeconds,
      },
    },
    transport: {
      local_address: neighbor.localAddress ?? (familyOf(address) === "ipv4" ? "0.0.0.0" : "::"),
      remote_port: remote.type === "address" ? remote.port : 0,
    },
    graceful_restart: {
      enabled: gracefulRestart !== undefined,
      restart_time: gracefulRestart?.restartTimeSeconds ?? 0,
      deferral_time: gracefulRestart === undefined ? 0 : DEFERRAL_SECONDS,
      local_restarting: gracefulRestart !== undefined && options.restarting,
    },
    afi_safis: neighbor.families.map((family) => {
      const limit = limitOf(neighbor, family);
      return {
        config: { family: familyMessage(family), enabled: true },
        mp_graceful_restart: { config: { enabled: gracefulRestart !== undefined } },
        ...(limit === undefined ? {} : { prefix_limits: limit }),
      };
    }),
  };
}

/** 0: gobgpd takes any AS from the OPEN; that it is another than ours is looked at when the session is up. */
const peerAsn = ({ neighbor: { remoteAs }, localAs }: Speaking): number =>
  remoteAs.type === "asn" ? remoteAs.asn : remoteAs.type === "internal" ? localAs : 0;

function limitOf(
  { receiveGuard }: NeighborIntent,
  family: Family,
): { family: FamilyMessage; max_prefixes: number; shutdown_threshold_pct: number } | undefined {
  const maximum = receiveGuard?.maximumPrefixes[family];
  if (maximum === undefined || maximum.beyond.type === "warn") return undefined;
  return {
    family: familyMessage(family),
    max_prefixes: maximum.count,
    shutdown_threshold_pct: maximum.warnAtPercent ?? 0,
  };
}

/** Everything of class hard (backends/delta.ts), and whether limits are there at all: gobgpd changes them only where they are. */
const descriptionOf = ({ neighbor, localAs, internal }: Speaking): string =>
  MADE_BY_US +
  digestOf([
    neighbor.remoteAs,
    neighbor.remote,
    neighbor.localAddress ?? null,
    localAs,
    internal,
    neighbor.holdTimeSeconds,
    neighbor.timeToLive,
    neighbor.authentication?.secret.digest ?? null,
    neighbor.families,
    neighbor.gracefulRestart ?? null,
  ]);
