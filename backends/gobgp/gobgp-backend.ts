/**
 * GoBGP behind the seam (backends/backend.ts): a gobgpd that is driven and watched over its gRPC API.
 *
 * Level-triggered: a whole intent is compared with what gobgpd lists; routes alone are told as they come. Turns run one after
 * the other. When gobgpd is gone, its sessions are shown as down with the reason; when it is back, it is made what was wanted
 * last, once. Reads next: reconcile.ts (a turn), link.ts (is it there), learned.ts (routes for the kernel).
 */
import { type Address, type Family, familyOf } from "../../events/address.ts";
import type { NeighborKey } from "../../events/ids.ts";
import {
  BackendError,
  type PathState,
  type RestartContext,
  type RevealSecret,
  type RouteBatch,
  type SessionFact,
  type SpeakerBackend,
} from "../backend.ts";
import type { Clock, Logger } from "../clock.ts";
import { deltaOf, neighborsOf, routeChanges } from "../delta.ts";
import type { ReadAddresses } from "../host-address.ts";
import type { NeighborIntent, SpeakerIntent } from "../intent.ts";
import { ADMIN_STATE, ESTABLISHED, type ListedPeer } from "./api/messages.ts";
import { capabilities, FOREIGN } from "./capabilities.ts";
import {
  globalFor,
  hasUnheard,
  isRoutesOnly,
  type ListenAt,
  mayTakeOver,
  type TakeOver,
} from "./desired.ts";
import type { WantedPeer } from "./difference.ts";
import { type GobgpAddress, openClient } from "./io/client.ts";
import { createSources, deviceWith, hostRouterId, ourAddress } from "./io/host.ts";
import { sayGoodbye } from "./goodbye.ts";
import { openGobgpd } from "./gobgpd.ts";
import { createLearned } from "./learned.ts";
import { routesOf } from "./listing.ts";
import { openLink } from "./link.ts";
import { GONE, type Look, track, type Tracked } from "./read/sessions.ts";
import { type Held, reconcile, tellRoutes } from "./reconcile.ts";
import { peerMessage } from "./render/peers.ts";
import { type Refused, type Speaking, speakingsOf } from "./render/speaking.ts";

export type GobgpOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reveal: RevealSecret;
  readonly restart: RestartContext;
  /** Where gobgpd takes connections; one port for all, as it goes. An empty list: it only dials. */
  readonly listen: readonly ListenAt[];
  readonly gobgpd: GobgpAddress;
  /** Neighbours of the intent that somebody else made in this gobgpd and that are replaced, by address. */
  readonly takeOver: TakeOver;
  /** gobgpd is ours to start, on the Unix socket of `gobgpd.address`; undefined: it is not. */
  readonly supervise: { readonly program: string } | undefined;
  /** Absent: asked of the system. */
  readonly addresses?: ReadAddresses | undefined;
};

/** What somebody else undoes is made again this often at most. */
const REPAIR_MILLIS = 5000;

export function createGobgpBackend(options: GobgpOptions): SpeakerBackend {
  const { clock, logger, reveal, restart } = options;
  const started = clock.monotonicMillis();
  const client = openClient(options.gobgpd);
  const listeners = new Set<(fact: SessionFact | RouteBatch) => void>();
  const paths = new Map<NeighborKey, PathState>();
  const tracked = new Map<NeighborKey, Tracked>();
  /** External peers that turn out to be of our own AS, with the reason. */
  const misfits = new Map<NeighborKey, string>();
  const forgiving = new Map<NeighborKey, () => void>();
  const heard = new Map<string, string>();
  let repaired = Number.NEGATIVE_INFINITY;
  const everUp = new Set<NeighborKey>();
  /** The newest that was asked for, and what the last turn made so. */
  let wanted: SpeakerIntent | undefined;
  let applied: SpeakerIntent | undefined;
  let held: Held | undefined;
  let speaking: readonly Speaking[] = [];
  let refused: readonly Refused[] = [];
  let foreign: ReadonlySet<string> = new Set();
  let turn: Promise<unknown> = Promise.resolve();
  let away: string | undefined = `${GONE}has not answered yet`;
  let isClosed = false;
  const sources = createSources(options.addresses);
  const daemon = openGobgpd(options, (address, reason) => heard.set(address, reason));

  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const next = turn.then(act, act);
    turn = next.catch(() => undefined);
    return next;
  };

  const otherNextHop = (neighbor: NeighborIntent, family: Family): Address | undefined => {
    if (neighbor.remote.type !== "address" || !neighbor.families.includes(family)) return undefined;
    const local = neighbor.localAddress ?? tracked.get(neighbor.key)?.status.localAddress;
    return ourAddress(neighbor.remote.address, local, family);
  };

  /** Why a neighbour is kept shut down; undefined: it is not. */
  const downReason = ({ key, waitsForBfd }: NeighborIntent): string | undefined => {
    const path = paths.get(key);
    if (path?.type === "down") return `BFD Down: ${path.reason}`;
    if (misfits.has(key)) return misfits.get(key);
    const isUp = tracked.get(key)?.status.state === "Established";
    return waitsForBfd && path?.type !== "up" && !isUp ? "waits for BFD to be Up" : undefined;
  };

  /** RFC 4724 §4.1: R only while peers still wait; gobgpd sets the F bits with it, so forwarding must have gone on. */
  const isRestarting = ({ key, gracefulRestart }: NeighborIntent): boolean =>
    everUp.has(key) ||
    (restart.restarting &&
      restart.forwardingPreserved &&
      clock.monotonicMillis() - started < 1000 * (gracefulRestart?.restartTimeSeconds ?? 0));

  const wantedPeers = (
    intent: SpeakerIntent,
    now: readonly Speaking[],
    listed: readonly ListedPeer[],
  ): ReadonlyMap<string, WantedPeer> => {
    const [before, after] = [neighborsOf(applied), neighborsOf(intent)];
    const known = new Set(listed.map((one) => one.conf?.neighbor_address));
    return new Map(
      now.map((one) => {
        const { neighbor, address } = one;
        const down = downReason(neighbor);
        const secret = neighbor.authentication?.secret;
        const message = peerMessage(one, {
          password: secret && reveal(secret),
          restarting: !known.has(address) && isRestarting(neighbor),
          adminDown: neighbor.waitsForBfd && down !== undefined,
        });
        const old = before.get(neighbor.key);
        const isForgiven =
          intent !== applied &&
          old !== undefined &&
          JSON.stringify(old) !== JSON.stringify(after.get(neighbor.key));
        return [
          address,
          { message, down, takeOver: mayTakeOver(options.takeOver, address), isForgiven },
        ];
      }),
    );
  };

  const reconcileAll = async (intent: SpeakerIntent): Promise<void> => {
    const known = held;
    held = undefined;
    const now = speakingsOf(intent, { otherNextHop, hasSecret, near: sources.near });
    let wasThere = false;
    const result = await reconcile(
      client,
      {
        intent,
        speaking: now.speaking,
        peers(listed) {
          wasThere = hasUnheard(speaking, now.speaking, listed);
          return wantedPeers(intent, now.speaking, listed);
        },
        global: globalFor(intent, options.listen, hostRouterId),
        isRouterIdAsked: intent.routers[0]?.routerId !== undefined,
      },
      known,
    );
    speaking = now.speaking.filter(({ address }) => !result.foreign.has(address));
    const theirs = now.speaking.filter(({ address }) => result.foreign.has(address));
    refused = [...now.refused, ...theirs.map(({ neighbor }) => ({ neighbor, reason: FOREIGN }))];
    foreign = result.foreign;
    held = result;
    if (result.changes > 0) logger.info({ calls: result.changes }, "gobgpd was changed");
    link.look();
    if (wasThere && away === undefined) learned.resync();
  };
  const hasSecret = ({ authentication }: NeighborIntent): boolean =>
    authentication === undefined || reveal(authentication.secret) !== undefined;

  const applyNow = async (after: SpeakerIntent): Promise<void> => {
    const before = applied;
    try {
      if (held !== undefined && before !== undefined && isRoutesOnly(before, after)) {
        const known = held;
        held = undefined;
        held = await tellRoutes(client, after, speaking, known, [...routeChanges(before, after)]);
      } else await reconcileAll(after);
    } catch (error) {
      if (error instanceof BackendError) {
        logger.warn({ code: error.code }, error.message);
        away = error.message;
        link.failed(error);
      }
      throw error;
    }
    away = undefined;
    for (const { neighbor } of speaking) {
      const old = neighborsOf(before).get(neighbor.key);
      if (old !== undefined && old.remoteAs !== neighbor.remoteAs) misfits.delete(neighbor.key);
    }
    applied = after;
  };

  const say = (facts: readonly (SessionFact | RouteBatch)[]): void => {
    for (const fact of facts) for (const listener of listeners) listener(fact);
  };
  const follow = (neighbor: NeighborIntent, look: Look): void => {
    const now = clock.monotonicMillis();
    const before = tracked.get(neighbor.key);
    const address = neighbor.remote.type === "address" ? neighbor.remote.address : "";
    const result = track(
      neighbor,
      before,
      look,
      { down: downReason(neighbor), heard: heard.get(address) },
      now,
    );
    tracked.set(neighbor.key, result.tracked);
    if (result.tracked.status.state === "Established") {
      everUp.add(neighbor.key);
      heard.delete(address);
    }
    say(result.facts);
  };
  const followAll = (listed: readonly ListedPeer[]): void => {
    const peers = new Map(listed.map((one) => [one.conf?.neighbor_address ?? "", one]));
    const known = neighborsOf(wanted);
    for (const key of tracked.keys()) {
      if (known.has(key)) continue;
      tracked.delete(key);
      everUp.delete(key);
      misfits.delete(key);
    }
    // Somebody took ours away, or theirs that stood in our way.
    let isOther = [...foreign].some((address) => !peers.has(address));
    for (const { neighbor, reason } of refused) follow(neighbor, { absent: reason });
    for (const { neighbor, address } of speaking) {
      if (!known.has(neighbor.key)) continue;
      const peer = peers.get(address);
      if (peer === undefined) isOther = true;
      follow(
        neighbor,
        peer === undefined ? { absent: `${GONE}does not have this neighbour` } : { peer },
      );
      if (peer !== undefined) lookAfter(neighbor, address, peer);
    }
    learned.check();
    if (sources.moved(known.values())) void again();
    const now = clock.monotonicMillis();
    if (!isOther || held === undefined || now - repaired < REPAIR_MILLIS) return;
    repaired = now;
    void again();
  };

  /** What gobgpd does not do by itself. */
  const lookAfter = (neighbor: NeighborIntent, address: Address, { state }: ListedPeer): void => {
    const one = speaking.find((each) => each.address === address);
    if (state?.session_state === ESTABLISHED && one !== undefined) {
      if (neighbor.remoteAs.type === "external" && state.peer_asn === one.localAs) {
        misfits.set(
          neighbor.key,
          `wrong AS: the peer says it is AS ${state.peer_asn}, which is ours; another was expected`,
        );
        void shut(one);
      }
      const family = familyOf(address) === "ipv4" ? "ipv6" : "ipv4";
      if (otherNextHop(neighbor, family) !== one.otherNextHop) void again();
    }
    if (state?.admin_state !== ADMIN_STATE.prefixLimit || forgiving.has(neighbor.key)) return;
    const after = Object.values(neighbor.receiveGuard?.maximumPrefixes ?? {}).flatMap(
      ({ beyond }) => (beyond.type === "restart" ? beyond.afterSeconds : []),
    );
    if (after.length === 0) return;
    const cancel = clock.after(1000 * Math.min(...after), () => {
      forgiving.delete(neighbor.key);
      void quietly(() => client.call("EnablePeer", { address }));
    });
    forgiving.set(neighbor.key, cancel);
  };

  /** An order of our own, beside apply(): what fails is found again by the next look. */
  const quietly = (act: () => Promise<unknown>): Promise<void> =>
    inTurn(async () => {
      if (isClosed || !link.isUp()) return;
      await act();
      link.look();
    }).catch((error: unknown) => {
      if (!(error instanceof BackendError)) throw error;
      logger.warn({ code: error.code }, error.message);
      link.failed(error);
    });
  const again = (): Promise<void> => quietly(async () => wanted && reconcileAll(wanted));
  const shut = ({ neighbor, address }: Speaking): Promise<void> =>
    quietly(async () => {
      const communication = downReason(neighbor);
      if (communication === undefined) await client.call("EnablePeer", { address });
      else await client.call("DisablePeer", { address, communication });
    });

  const learned = createLearned({
    client,
    clock,
    sourceOf: (address) => {
      const one = speaking.find((each) => each.address === address);
      if (one === undefined) return undefined;
      const device = deviceWith(tracked.get(one.neighbor.key)?.status.localAddress);
      return { key: one.neighbor.key, device };
    },
    neighbors: () =>
      speaking.map(({ neighbor }) => ({ neighbor, tracked: tracked.get(neighbor.key) })),
    isPlanned: () => applied !== undefined,
    onFailure: (error) => link.failed(error),
  });

  const link = openLink(client, clock, logger, {
    async onUp() {
      daemon.up();
      await inTurn(async () => {
        held = undefined;
        // What is asked for meanwhile has its own turn.
        const intent = wanted;
        if (intent === undefined) return;
        await reconcileAll(intent);
        applied = intent;
      });
      away = undefined;
      learned.resync();
    },
    onDown(error) {
      away = daemon.problem() ?? error.message;
      daemon.down(error);
      held = undefined;
      learned.away();
      for (const neighbor of neighborsOf(wanted).values()) follow(neighbor, { absent: away });
    },
    onPeers: followAll,
    onEvent(event) {
      if (event.peer !== undefined) link.look();
      if (event.table !== undefined) learned.moved(event.table.paths);
    },
  });

  return {
    name: "gobgp",
    capabilities,
    daemons: daemon,
    apply(after) {
      wanted = after;
      return inTurn(async () => {
        const delta = deltaOf(applied, after);
        await applyNow(after);
        return { delta };
      });
    },
    watch(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    bestPaths: learned.listen,
    path(key, state) {
      if (state.type === "unknown") paths.delete(key);
      else paths.set(key, state);
      const one = speaking.find(({ neighbor }) => neighbor.key === key);
      if (one !== undefined) void shut(one);
    },
    sessions: () =>
      [...neighborsOf(wanted).values()]
        .map(
          (neighbor) =>
            (
              tracked.get(neighbor.key) ??
              track(neighbor, undefined, { absent: away ?? "" }, {}, started).tracked
            ).status,
        )
        .toSorted((a, b) => (a.neighbor < b.neighbor ? -1 : 1)),
    async *routes(direction, only) {
      for (const { neighbor, address } of speaking) {
        if (only !== undefined && neighbor.key !== only) continue;
        for (const family of neighbor.families)
          yield* routesOf(client, wanted, neighbor, address, family, direction);
      }
    },
    async close(mode) {
      if (isClosed) return;
      isClosed = true;
      link.close();
      learned.close();
      for (const cancel of forgiving.values()) cancel();
      await turn;
      if (mode === "final") await sayGoodbye(client, speaking, logger);
      client.close();
      await daemon.stop(mode === "final" ? "SIGTERM" : "SIGKILL");
      listeners.clear();
    },
  };
}
