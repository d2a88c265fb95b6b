/**
 * The receiving side of graceful restart (RFC 4724 §4.2): which routes of a peer stay without its session, and until when.
 *
 * Ages the peer's Adj-RIB-In and holds the two timers; takes no route from a table itself, for that goes in turns (inbound.ts).
 * Bounds: the peer's Restart Time until it is back, and a time of our own for what it has not said again since. What is still
 * stale when its session ends a second time goes. Reads next: rib/stale-routes.ts, inbound.ts (who calls).
 */
import type { Family } from "../../events/address.ts";
import type { Clock } from "../clock.ts";
import type { Negotiated } from "./fsm/signals.ts";
import type { AdjRibIn } from "./rib/adj-rib-in.ts";
import type { PeerFacts } from "./rib/attribute-facts.ts";
import { ageRoutes, condemnStale } from "./rib/stale-routes.ts";

/** RFC 4724 §4.2, last paragraphs: the upper bound for stale routes of a peer that is back; FRR's default (stalepath-time). */
export const DEFAULT_STALE_PATH_SECONDS = 360;

export type RestartingPeer = {
  /** The session ended, and not by a NOTIFICATION. False where nothing of the table stays. */
  away(rib: AdjRibIn, agreed: Negotiated): boolean;
  /** It is back. Condemns what it kept no forwarding state for. */
  back(rib: AdjRibIn, agreed: Negotiated): void;
  /** Nothing is waited for any more. */
  forget(): void;
  readonly isAway: () => boolean;
  /** For `rutter peers`; empty where no route is stale. */
  words(rib: AdjRibIn): string;
};

/** What time brings. */
export type RestartingPeerEvents = {
  /** It is not back within its Restart Time. */
  readonly givenUp: () => void;
  /** It is back, and what it has not said again was just condemned. */
  readonly condemned: () => void;
};

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly Family[];

export const staleCount = ({ stale }: AdjRibIn): number => stale.ipv4 + stale.ipv6;

export function createRestartingPeer(
  clock: Pick<Clock, "after">,
  stalePathSeconds: number,
  { givenUp, condemned }: RestartingPeerEvents,
): RestartingPeer {
  let state:
    | { readonly name: "here" }
    | { readonly name: "away" | "back"; readonly seconds: number; readonly cancel: () => void } = {
    name: "here",
  };

  const forget = (): void => {
    if (state.name !== "here") state.cancel();
    state = { name: "here" };
  };
  const wait = (name: "away" | "back", seconds: number, act: () => void): void => {
    forget();
    const cancel = clock.after(1000 * seconds, () => {
      state = { name: "here" };
      act();
    });
    state = { name, seconds, cancel };
  };

  return {
    away(rib, { restartFamilies, peerRestartSeconds }) {
      forget();
      if (peerRestartSeconds === 0) return false;
      for (const family of FAMILIES) ageRoutes(rib, family, restartFamilies.includes(family));
      if (staleCount(rib) === 0) return false;
      wait("away", peerRestartSeconds, givenUp);
      return true;
    },
    back(rib, { forwardingKept }) {
      forget();
      for (const family of FAMILIES) {
        if (!forwardingKept.includes(family)) condemnStale(rib, family);
      }
      if (staleCount(rib) === 0) return;
      wait("back", stalePathSeconds, () => {
        for (const family of FAMILIES) condemnStale(rib, family);
        condemned();
      });
    },
    forget,
    isAway: () => state.name === "away",
    words(rib) {
      const count = staleCount(rib);
      if (state.name === "here" || count === 0) return "";
      const kept = `${count} ${count === 1 ? "route" : "routes"} kept until`;
      return state.name === "away"
        ? `restarting: ${kept} it is back, ${state.seconds} s at most (RFC 4724)`
        : `back from a restart: ${kept} it has said all, ${state.seconds} s at most (RFC 4724)`;
    },
  };
}

/**
 * Who comes back under another identifier or AS is another speaker, and what was said before is not its word. Over another
 * device, link-local next hops lead elsewhere. That this host has other addresses now is no such thing.
 */
export const isSameSpeaker = (before: PeerFacts, after: PeerFacts): boolean =>
  before.neighbor === after.neighbor &&
  before.external === after.external &&
  before.remoteAs === after.remoteAs &&
  before.remoteAddress === after.remoteAddress &&
  before.remoteRouterId === after.remoteRouterId &&
  before.localRouterId === after.localRouterId &&
  before.localAses.join() === after.localAses.join() &&
  before.device === after.device;
