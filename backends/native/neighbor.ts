/**
 * One neighbour's life: its session, what it is told, what it said, and what there is to say about it.
 *
 * Between the seam and the session's driver; opens nothing without its secret. Reads next: io/session-driver.ts,
 * out-attributes.ts.
 */
import type { Socket } from "node:net";
import { type Address, type Family, familyOf } from "../../events/address.ts";
import type { Asn } from "../../events/ids.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import type { PathState, RouteBatch, SessionFact, SessionStatus, ShownRoute } from "../backend.ts";
import type { ReadAddresses } from "../host-address.ts";
import type { NeighborIntent, OwnRoute, RouterIntent } from "../intent.ts";
import type { BestPathFeed } from "./best-path-feed.ts";
import type { Negotiated, Peering } from "./fsm/signals.ts";
import { routerIdNumber } from "./fsm/negotiate.ts";
import { deviceOf, type Endpoint, nextHopsFrom, ownAddresses } from "./host-addresses.ts";
import { createInbound } from "./inbound.ts";
import { driveSession } from "./io/session-driver.ts";
import { malformedOf } from "./malformed.ts";
import { beyondOf } from "./maximum-prefixes.ts";
import type { NativeOptions } from "./native-backend.ts";
import { type Told, telling } from "./out-attributes.ts";
import type { RibInChange } from "./rib/adj-rib-in.ts";
import type { PeerFacts } from "./rib/attribute-facts.ts";
import { announce, markEndOfRib, toldRoutes, withdraw } from "./rib/adj-rib-out.ts";
import { routeCounts } from "./route-counts.ts";
import { endpointOf, sourceOf } from "./session-ends.ts";
import { shownIn, shownOut } from "./shown-routes.ts";
import { afiSafiOf } from "./wire/afi-safi.ts";
import type { Notification, Update } from "./wire/message.ts";
import { bfdDown, maximumPrefixesReached, otherConfigurationChange } from "./wire/notification.ts";

export type Neighbor = {
  readonly intent: () => NeighborIntent;
  readonly router: () => RouterIntent;
  start(): void;
  /** Why it cannot even be tried now; undefined: it can. */
  refuse(reason: string | undefined): void;
  /** The link-local address of a neighbour that is known by its interface; a session with another one before ends. */
  meet(address: Address): void;
  /** What an interface as the source has now; a session from another address before ends, and one without any is not tried. */
  speakFrom(read: ReadAddresses): void;
  /** Whether a connection from there is this neighbour's. */
  isAt(from: Endpoint): boolean;
  accept(socket: Socket): void;
  /** A change that needs no new session. */
  update(router: RouterIntent, intent: NeighborIntent): void;
  /** True where it puts something into Adj-RIB-Out. */
  tell(prefix: Prefix, route: OwnRoute | undefined): boolean;
  flush(): void;
  stop(notification: Notification, reason: string): void;
  /** What BFD says (SpeakerBackend.path). */
  path(state: PathState): void;
  vanish(): void;
  status(): SessionStatus;
  received(): Iterable<ShownRoute>;
  advertised(): Iterable<ShownRoute>;
  /** It has said all its routes of the family, or its time for that is over. */
  isSettled(family: Family): boolean;
};

/** A burst of routes is told of once, when it has been quiet or has lasted this long. */
const BATCH_MILLIS = 500;

export function createNeighbor(
  options: NativeOptions,
  firstRouter: RouterIntent,
  first: NeighborIntent,
  routerId: Address,
  firstPath: PathState,
  say: (fact: SessionFact | RouteBatch) => void,
  feed: BestPathFeed,
): Neighbor {
  const { clock, logger, reveal, restart, addresses } = options;
  let router = firstRouter;
  let intent = first;
  let path = firstPath;
  let running = false;
  let up: Negotiated | undefined;
  let localAddress: Address | undefined;
  let told: Told | undefined;
  let since = clock.monotonicMillis();
  let resets = 0;
  let said = "";
  const malformed = malformedOf(first.name, logger);
  let batch: { announced: number; withdrawn: number } | undefined;
  const started = clock.monotonicMillis();
  const secret = intent.authentication;
  const key = secret === undefined ? undefined : reveal(secret.secret);
  const noSecret =
    secret !== undefined && key === undefined
      ? `the password ${secret.secret.name} is missing on this host: apply it again; the session is never opened without it`
      : undefined;
  const inbound = createInbound(options, feed, router.vrf, first, () => tellChange());
  let far: Endpoint | undefined = endpointOf(first);
  const known = (): Endpoint => {
    if (far === undefined) throw new Error(`${first.name} is tried before it was found`);
    return far;
  };
  const source = sourceOf(first, router.vrf);
  let refused: string | undefined;
  const refusal = (): string | undefined => noSecret ?? refused ?? source.problem();
  /** Set while the maximum of prefixes keeps the session down. */
  let halted: { readonly cancel: () => void } | undefined;

  /**
   * What we are to this peer: in OPEN, in AS_PATH, and in what is internal. Routes are told with it alone and taken without it
   * (RFC 7705 §3, "No Prepend Inbound" and "Replace Old AS"), so that the router's own AS does not show.
   */
  const localAs = (): Asn => intent.localAsOverride ?? router.localAs;
  /** RFC 4724 §4.1: R only while peers still wait for the restarted speaker. */
  const peering = (): Peering => ({
    localAs: localAs(),
    routerId,
    remoteAs: intent.remoteAs,
    holdTimeSeconds: intent.holdTimeSeconds,
    keepaliveTimeSeconds: intent.keepaliveTimeSeconds,
    connectRetrySeconds: intent.connectRetrySeconds,
    families: intent.families,
    extendedNextHop: offersExtendedNextHop(intent),
    gracefulRestart: intent.gracefulRestart && {
      restartTimeSeconds: intent.gracefulRestart.restartTimeSeconds,
      restarting:
        restart.restarting &&
        clock.monotonicMillis() - started < 1000 * intent.gracefulRestart.restartTimeSeconds,
      forwardingPreserved: restart.forwardingPreserved,
    },
  });

  const way = { key, device: router.vrf, far: known, near: source.address };
  const driver = driveSession(intent, peering, way, clock, {
    onUp(negotiated, local) {
      up = negotiated;
      malformed.forget();
      localAddress = local?.address;
      since = clock.monotonicMillis();
      told = telling({
        neighbor: intent.key,
        localAs: localAs(),
        external: negotiated.external,
        nextHops: nextHopsFrom(local, router.vrf, negotiated.extendedNextHop, addresses),
      });
      inbound.up(negotiated, peerFacts(negotiated, local));
      for (const route of router.routes.values()) put(route.prefix, route);
      // RFC 4724 §2: the marker is told to every peer; one without graceful restart takes it for a withdrawal of nothing.
      for (const family of negotiated.families) markEndOfRib(driver.session.ribOut, family);
    },
    onDown(_reason, graceful) {
      up = undefined;
      told = undefined;
      since = clock.monotonicMillis();
      resets += 1;
      inbound.down(graceful && !forwardingFailed());
      // Not from inside the driver's own turn.
      if (waitsForBfd()) clock.after(0, hold);
    },
    onUpdate: (update) => take(update),
    onChange: () => tellChange(),
  });

  const put = (prefix: Prefix, route: OwnRoute | undefined): boolean => {
    if (up === undefined || told === undefined) return false;
    const family = prefixFamily(prefix);
    const attributes = up.families.includes(family) && route ? told(route, family) : undefined;
    if (attributes === undefined) withdraw(driver.session.ribOut, prefix);
    else announce(driver.session.ribOut, prefix, attributes);
    return true;
  };

  const peerFacts = (negotiated: Negotiated, local: Endpoint | undefined): PeerFacts => ({
    neighbor: intent.key,
    external: negotiated.external,
    remoteAs: negotiated.remoteAs,
    remoteAddress: known().address,
    remoteRouterId: routerIdNumber(negotiated.remoteRouterId),
    localRouterId: routerIdNumber(routerId),
    localAses: [localAs(), router.localAs],
    localAddresses: ownAddresses(router.vrf, addresses),
    device: deviceOf(local, router.vrf, addresses),
  });

  const take = (update: Update): void => {
    // What was read before the session's end is obeyed does not count any more.
    if (halted !== undefined) return;
    malformed.see(update);
    const { announced, withdrawn, exceeded } = inbound.take(update);
    if (announced + withdrawn > 0) count(announced, withdrawn);
    if (exceeded !== undefined) halt(exceeded);
  };

  /** RFC 4486 §4: the session ends, and comes back later or when the intent changes. */
  const halt = ({ family, limit }: NonNullable<RibInChange["exceeded"]>): void => {
    const beyond = beyondOf(intent, family);
    const isLater = beyond.type === "restart";
    halted = {
      cancel: isLater ? clock.after(1000 * beyond.afterSeconds, resume) : () => undefined,
    };
    const then = isLater
      ? `tried again after ${beyond.afterSeconds} s`
      : "down until this peer's configuration changes";
    const reason = `the peer sent more than ${limit} ${family} prefixes; ${then}`;
    logger.warn({ peer: intent.name }, reason);
    cease(maximumPrefixesReached(afiSafiOf(family), limit), reason);
  };
  const resume = (): void => {
    halted?.cancel();
    halted = undefined;
    run();
  };

  /** In strict mode BFD comes first; a session that is there already is not ended for it. */
  const waitsForBfd = (): boolean => intent.waitsForBfd && path.type !== "up";
  const run = (): void => {
    if (running) return;
    running = refusal() === undefined && halted === undefined && !waitsForBfd();
    if (running) driver.start();
    else tellChange();
  };
  const cease = (notification: Notification, reason: string): void => {
    running = false;
    driver.stop(notification, reason);
    inbound.drop();
  };
  const hold = (): void => {
    if (!running || !waitsForBfd()) return;
    const why = path.type === "down" ? path.reason : driver.session.state.reason;
    if (!mayRestart()) cease(bfdDown, why);
    else {
      running = false;
      driver.vanish(why);
    }
  };

  /** RFC 5882 §4.3: where BFD does not share fate with the peer's control plane, its Down is no restart. */
  const forwardingFailed = (): boolean =>
    path.type === "down" && path.remoteControlPlaneIndependent;
  const mayRestart = (): boolean =>
    !forwardingFailed() &&
    (inbound.isKeeping() ||
      (up !== undefined && up.restartFamilies.length > 0 && up.peerRestartSeconds > 0));
  const failed = (why: string): void => {
    const isRestart = mayRestart();
    // Also where the session is gone already, and its routes are held: graceful restart is aborted.
    if (!isRestart) inbound.drop();
    if (intent.waitsForBfd) hold();
    else if (isRestart) driver.lose(why);
    else driver.fault(bfdDown, why);
    tellChange();
  };

  const count = (announced: number, withdrawn: number): void => {
    if (batch !== undefined) {
      batch.announced += announced;
      batch.withdrawn += withdrawn;
      return;
    }
    batch = { announced, withdrawn };
    clock.after(BATCH_MILLIS, () => {
      const moved = batch ?? { announced: 0, withdrawn: 0 };
      batch = undefined;
      const received = inbound.count("received");
      say({ type: "routes", neighbor: intent.key, received, ...moved });
    });
  };

  const tellChange = (): void => {
    const isEstablished = driver.session.state.connections.some(
      (one) => one.name === "Established",
    );
    const text = isEstablished ? `Established ${resets}` : `down ${reason()} ${resets}`;
    if (text === said) return;
    said = text;
    say({ type: "session", neighbor: intent.key, status: status() });
  };

  const troubles = (): string => joined(malformed.words(), inbound.words());

  const reason = (): string => {
    const missing = refusal();
    if (missing !== undefined) return missing;
    if (up !== undefined) return troubles();
    const before = driver.session.state.reason;
    const isHeld = !running && halted === undefined && waitsForBfd();
    const held = isHeld ? "waits for BFD to be Up (strict mode)" : "";
    const why = isHeld && before !== "" ? `before: ${before}` : before;
    return joined(inbound.words(), held, why);
  };

  const status = (): SessionStatus => ({
    neighbor: intent.key,
    name: intent.name,
    state: refusal() === undefined ? driver.name() : "Refused",
    sinceMillis: since,
    reason: reason(),
    holdTimeSeconds: up?.holdTimeSeconds ?? intent.holdTimeSeconds,
    keepaliveTimeSeconds: up?.keepaliveTimeSeconds ?? intent.keepaliveTimeSeconds,
    localAddress,
    found: intent.remote.type === "address" ? undefined : far,
    remoteAs: up?.remoteAs,
    remoteRouterId: up?.remoteRouterId,
    capabilities: up?.capabilities ?? [],
    families: up?.families ?? [],
    ...routeCounts(up && driver.session.ribOut, inbound),
    resets,
  });

  const refuse = (why: string | undefined): void => {
    if (why === refused) return;
    refused = why;
    since = clock.monotonicMillis();
    halted?.cancel();
    halted = undefined;
    if (why === undefined) run();
    else cease(otherConfigurationChange, why);
    tellChange();
  };

  return {
    intent: () => intent,
    router: () => router,
    start: run,
    refuse,
    meet(address) {
      const { remote } = intent;
      if (remote.type !== "interface" || address === far?.address) return;
      if (far !== undefined) {
        logger.info({ peer: intent.name, before: far.address, address }, "another neighbour");
        refuse(`the neighbour on ${remote.interface} is ${address} now`);
      }
      far = { address, interface: remote.interface };
    },
    speakFrom(read) {
      if (!source.look(read)) return;
      since = clock.monotonicMillis();
      const change = `${intent.localInterface} has the address ${source.address()} now`;
      if (running) cease(otherConfigurationChange, source.problem() ?? change);
      run();
    },
    isAt: ({ address, interface: zone }) => far?.address === address && far.interface === zone,
    accept(socket) {
      if (running) driver.accept(socket);
      else socket.destroy();
    },
    path(next) {
      path = next;
      if (next.type === "down") failed(next.reason);
      else run();
    },
    update(nextRouter, next) {
      const isOther = textOf(next) !== textOf(intent);
      router = nextRouter;
      intent = next;
      const exceeded = inbound.update(next);
      if (halted !== undefined && isOther) resume();
      else if (exceeded !== undefined) halt(exceeded);
      else run();
    },
    tell: put,
    flush: driver.flush,
    stop(notification, why) {
      halted?.cancel();
      cease(notification, why);
    },
    vanish() {
      halted?.cancel();
      running = false;
      // First: it is we who restart, and nothing is kept for the peer.
      inbound.drop();
      driver.vanish("restarting");
    },
    status,
    *received() {
      const rib = inbound.rib();
      if (rib !== undefined) yield* shownIn(rib, intent);
    },
    *advertised() {
      if (up === undefined) return;
      for (const [prefix, attributes] of toldRoutes(driver.session.ribOut)) {
        yield shownOut(prefix, attributes, intent, router.routes.get(prefix)?.provenance ?? []);
      }
    },
    isSettled: inbound.isSettled,
  };
}

/**
 * RFC 8950 leaves open when the capability is offered. FRR does by itself over link-local addresses, and over global ones where it is
 * told to; manifests have no word for it, but dualStackAddressFamily and unnumbered peers ask for IPv4 over one IPv6 session, which
 * a host without IPv4 on that link can have in no other way. Nothing changes for a peer that does not offer it, too.
 */
const offersExtendedNextHop = ({ remote, families }: NeighborIntent): boolean =>
  families.includes("ipv4") && (remote.type === "interface" || familyOf(remote.address) === "ipv6");

const joined = (...words: readonly string[]): string =>
  words.filter((one) => one !== "").join("; ");

/** What an operator can change of it. */
const textOf = (intent: NeighborIntent): string => JSON.stringify({ ...intent, provenance: [] });
