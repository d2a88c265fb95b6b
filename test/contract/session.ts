/**
 * One session of a contract scenario, said once: the manifest that asks for it and the router's side of it follow from it.
 *
 * Pure. Never says what is held over it (expected.ts).
 */
import type { Family } from "../../events/address.ts";
import type { Neighbour } from "../live/router.ts";
import { type Need, NEEDS } from "./capabilities.ts";
import { frrConfiguration, type Manifest, metallb } from "./manifests.ts";
import {
  AS_OF,
  type FarName,
  farAddress,
  HOST_AS,
  isInside,
  type Lane,
  LANES,
  linkAddress,
} from "./world.ts";

export type Session = {
  readonly far: FarName;
  readonly transport: Family;
  readonly lane: Lane;
  readonly dualStack?: boolean;
  readonly password?: string;
  /** The AS is taken from the router's OPEN. */
  readonly dynamicAs?: boolean;
  /** The host's AS in this session, which is a router of its own beside that of the others. */
  readonly routerAs?: number;
  /** What the host is to this router instead of its AS (RFC 7705). */
  readonly localAs?: number;
  /** Asked for by the host, with a third of it as keepalive time; the default is 90 s. */
  readonly holdTimeSeconds?: number;
  /** Asked for by the host; the routers always keep routes where they are asked to. */
  readonly gracefulRestart?: boolean;
  /** VRF device of the host. */
  readonly vrf?: string;
  /** Carries EVPN and nothing else (RFC 7432); only FRR can be its router. */
  readonly evpn?: boolean;
};

/** MetalLB's default, which the plan pins whatever the speaker's own is. */
const DEFAULT_HOLD_SECONDS = 90;

export const holdTimeOf = ({ holdTimeSeconds = DEFAULT_HOLD_SECONDS }: Session): number =>
  holdTimeSeconds;
export const hostAddress = ({ transport, lane }: Session): string =>
  linkAddress("host", transport, lane);
export const remoteAddress = ({ far, transport, lane }: Session): string =>
  farAddress(far, transport, lane);
export function familiesOf({ dualStack, transport, evpn }: Session): readonly Family[] {
  if (evpn === true) return [];
  return dualStack === true ? ["ipv4", "ipv6"] : [transport];
}
const routerAs = ({ routerAs = HOST_AS }: Session): number => routerAs;
export const hostAs = (session: Session): number => session.localAs ?? routerAs(session);

/** What a backend must have to open it. */
export function needsOf(session: Session): readonly Need[] {
  const needs: Readonly<Partial<Record<Need, boolean>>> = {
    "tcp-md5": session.password !== undefined,
    "graceful-restart": session.gracefulRestart === true,
    "local-as": session.localAs !== undefined,
    "routers-per-vrf": session.routerAs !== undefined,
    vrf: session.vrf !== undefined,
    evpn: session.evpn === true,
  };
  return NEEDS.filter((need) => needs[need] === true);
}

/** The BGPPeer's name, as advertisements name it. */
export const peerName = ({ far, transport, lane }: Session): string =>
  `${far.toLowerCase()}-${transport}-${lane}`;

export function peerOf(session: Session): Manifest {
  const { far, lane, holdTimeSeconds, password, localAs, vrf } = session;
  if (session.evpn === true) return evpnPeer(session);
  const remoteAs =
    session.dynamicAs === true
      ? { dynamicASN: isInside(far) ? "internal" : "external" }
      : { peerASN: AS_OF[far] };
  return metallb("BGPPeer", peerName(session), {
    myASN: routerAs(session),
    ...remoteAs,
    peerAddress: remoteAddress(session),
    // Short, so that a session that a restart ended is back soon.
    connectTime: "2s",
    ...(lane === 0 ? {} : { sourceAddress: hostAddress(session) }),
    ...(LANES[lane].hops && !isInside(far) ? { ebgpMultiHop: true } : {}),
    ...(password === undefined ? {} : { password }),
    ...(localAs === undefined ? {} : { localASN: localAs }),
    ...(vrf === undefined ? {} : { vrf }),
    ...(holdTimeSeconds === undefined
      ? {}
      : { holdTime: `${holdTimeSeconds}s`, keepaliveTime: `${holdTimeSeconds / 3}s` }),
    ...(session.dualStack === true ? { dualStackAddressFamily: true } : {}),
    ...(session.gracefulRestart === true ? { enableGracefulRestart: true } : {}),
  });
}

/** No BGPPeer carries EVPN. */
const evpnPeer = (session: Session): Manifest =>
  frrConfiguration(peerName(session), {
    bgp: {
      routers: [
        {
          asn: HOST_AS,
          neighbors: [
            {
              asn: AS_OF[session.far],
              address: remoteAddress(session),
              sourceaddress: hostAddress(session),
              holdTime: `${holdTimeOf(session)}s`,
              keepaliveTime: `${holdTimeOf(session) / 3}s`,
              connectTime: "2s",
              addressFamilies: ["evpn"],
            },
          ],
        },
      ],
    },
  });

/** Enough for the one hop, and far from what a router may take for a neighbour on its link. */
const HOPS = 5;

/** Longer than any restart here takes, so that nothing that goes went for it. */
const KEPT_SECONDS = 600;

/** FRR's own lines, and BIRD's, of a router whose routes are to be kept while it restarts, and that keeps the host's. */
const keeping = (session: Session): readonly string[] =>
  session.far.startsWith("frr")
    ? [
        "bgp graceful-restart preserve-fw-state",
        `bgp graceful-restart restart-time ${KEPT_SECONDS}`,
        `neighbor ${hostAddress(session)} graceful-restart`,
      ]
    : ["graceful restart on;", `graceful restart time ${KEPT_SECONDS};`];

export function neighbourOf(session: Session): Neighbour {
  const { far, lane, password } = session;
  return {
    name: peerName(session).replaceAll("-", "_"),
    address: hostAddress(session),
    asn: hostAs(session),
    localAddress: remoteAddress(session),
    families: familiesOf(session),
    ...(session.gracefulRestart === true ? { raw: keeping(session) } : { gracefulRestart: true }),
    ...(LANES[lane].hops && !isInside(far) ? { multihop: HOPS } : {}),
    // A caller's hop limit must last, not only that of whoever answers.
    ...(LANES[lane].hops ? { passive: true } : {}),
    ...(password === undefined ? {} : { password }),
    ...(session.evpn === true
      ? {
          raw: [
            "address-family l2vpn evpn",
            `neighbor ${hostAddress(session)} activate`,
            "exit-address-family",
          ],
        }
      : {}),
  };
}
