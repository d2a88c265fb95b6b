/**
 * One neighbour's life: its session, what it is told, what it said, and what there is to say about it.
 *
 * Between the seam and the session's driver; opens nothing without its secret. Reads next: io/session-driver.ts,
 * out-attributes.ts.
 */
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { type Address, type Family, familyOf, parseAddress } from "../../events/address.ts";
import { type Prefix, prefixFamily } from "../../events/prefix.ts";
import type { PathState, RouteBatch, SessionFact, SessionStatus, ShownRoute } from "../backend.ts";
import type { NeighborIntent, OwnRoute, RouterIntent } from "../intent.ts";
import type { Negotiated, Peering } from "./fsm/signals.ts";
import { driveSession } from "./io/session-driver.ts";
import { malformedOf } from "./malformed.ts";
import { acceptance } from "./receive-rule.ts";
import type { NativeOptions } from "./native-backend.ts";
import { type Told, telling } from "./out-attributes.ts";
import {
  accepted,
  applyUpdate,
  attributesOf,
  clearRoutes,
  createAdjRibIn,
  DEFAULT_PREFIX_LIMIT,
  received,
  reconsider,
  routesIn,
} from "./rib/adj-rib-in.ts";
import { announce, markEndOfRib, toldCount, toldRoutes, withdraw } from "./rib/adj-rib-out.ts";
import { afiSafiOf } from "./wire/afi-safi.ts";
import type { Notification, OutAttributes, Update } from "./wire/message.ts";
import { bfdDown, maximumPrefixesReached } from "./wire/notification.ts";
import { decodeAttributes } from "./wire/route-attributes.ts";

export type Neighbor = {
  readonly intent: () => NeighborIntent;
  readonly router: () => RouterIntent;
  start(): void;
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
};

const FAMILIES = ["ipv4", "ipv6"] as const;
/** A burst of routes is told of once, when it has been quiet or has lasted this long. */
const BATCH_MILLIS = 500;

export function createNeighbor(
  { clock, logger, reveal, restart }: NativeOptions,
  firstRouter: RouterIntent,
  first: NeighborIntent,
  routerId: Address,
  firstPath: PathState,
  say: (fact: SessionFact | RouteBatch) => void,
): Neighbor {
  let router = firstRouter;
  let intent = first;
  let path = firstPath;
  let isRunning = false;
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
  const refusal =
    secret !== undefined && key === undefined
      ? `the password ${secret.secret.name} is missing on this host: apply it again; the session is never opened without it`
      : undefined;
  const ribIn = createAdjRibIn({
    accepts: acceptance(intent.receive),
    limit: DEFAULT_PREFIX_LIMIT,
    seed: Math.floor(clock.random() * 2 ** 32),
  });

  /** RFC 4724 §4.1: R only while peers still wait for the restarted speaker. */
  const peering = (): Peering => ({
    localAs: router.localAs,
    routerId,
    remoteAs: intent.remoteAs,
    holdTimeSeconds: intent.holdTimeSeconds,
    keepaliveTimeSeconds: intent.keepaliveTimeSeconds,
    connectRetrySeconds: intent.connectRetrySeconds,
    families: intent.families,
    gracefulRestart: intent.gracefulRestart && {
      restartTimeSeconds: intent.gracefulRestart.restartTimeSeconds,
      restarting:
        restart.restarting &&
        clock.monotonicMillis() - started < 1000 * intent.gracefulRestart.restartTimeSeconds,
      forwardingPreserved: restart.forwardingPreserved,
    },
  });

  const driver = driveSession(intent, peering, key, clock, {
    onUp(negotiated, address) {
      up = negotiated;
      malformed.forget();
      localAddress = address;
      since = clock.monotonicMillis();
      told = telling({
        neighbor: intent.key,
        localAs: router.localAs,
        external: negotiated.external,
        nextHops: nextHopsFrom(address),
      });
      for (const route of router.routes.values()) put(route.prefix, route);
      // RFC 4724 §2: the marker is told to every peer; one without graceful restart takes it for a withdrawal of nothing.
      for (const family of negotiated.families) markEndOfRib(driver.session.ribOut, family);
    },
    onDown() {
      up = undefined;
      told = undefined;
      since = clock.monotonicMillis();
      resets += 1;
      clearRoutes(ribIn);
      if (isHeldBack()) clock.after(0, hold);
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

  const take = (update: Update): void => {
    malformed.see(update);
    const { announced, withdrawn, exceeded } = applyUpdate(ribIn, update);
    if (announced + withdrawn > 0) count(announced, withdrawn);
    if (exceeded === undefined) return;
    const { family, limit } = exceeded;
    driver.fault(
      maximumPrefixesReached(afiSafiOf(family), limit),
      `the peer sent more than ${limit} ${family} prefixes`,
    );
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
      say({ type: "routes", neighbor: intent.key, received: total(received), ...moved });
    });
  };

  const total = (counter: (rib: typeof ribIn, family: Family) => number): number =>
    FAMILIES.reduce((sum, family) => sum + counter(ribIn, family), 0);

  const tellChange = (): void => {
    const isEstablished = driver.session.state.connections.some(
      (one) => one.name === "Established",
    );
    const text = isEstablished ? `Established ${resets}` : `down ${reason()} ${resets}`;
    if (text === said) return;
    said = text;
    say({ type: "session", neighbor: intent.key, status: status() });
  };

  /** In strict mode BFD comes first; a session that is there already is not ended for it. */
  const isHeldBack = (): boolean => intent.waitsForBfd && path.type !== "up";
  const hold = (): void => {
    if (!isRunning || !isHeldBack()) return;
    isRunning = false;
    driver.stop(bfdDown, path.type === "down" ? path.reason : driver.session.state.reason);
  };
  const run = (): void => {
    if (isRunning) return;
    isRunning = refusal === undefined && !isHeldBack();
    if (isRunning) driver.start();
    else tellChange();
  };
  const reason = (): string => {
    if (refusal !== undefined) return refusal;
    if (up !== undefined) return malformed.words();
    const before = driver.session.state.reason;
    if (isRunning) return before;
    return `waits for BFD to be Up (strict mode)${before === "" ? "" : `; before: ${before}`}`;
  };
  const status = (): SessionStatus => ({
    neighbor: intent.key,
    name: intent.name,
    state: refusal === undefined ? driver.name() : "Refused",
    sinceMillis: since,
    reason: reason(),
    holdTimeSeconds: up?.holdTimeSeconds ?? intent.holdTimeSeconds,
    keepaliveTimeSeconds: up?.keepaliveTimeSeconds ?? intent.keepaliveTimeSeconds,
    localAddress,
    remoteAs: up?.remoteAs,
    remoteRouterId: up?.remoteRouterId,
    capabilities: up?.capabilities ?? [],
    families: up?.families ?? [],
    sent: up === undefined ? 0 : toldCount(driver.session.ribOut),
    received: total(received),
    accepted: total(accepted),
    resets,
  });

  return {
    intent: () => intent,
    router: () => router,
    start: run,
    accept(socket) {
      if (isRunning) driver.accept(socket);
      else socket.destroy();
    },
    path(next) {
      path = next;
      if (next.type !== "down") run();
      else if (!intent.waitsForBfd) driver.fault(bfdDown, next.reason);
      else hold();
    },
    update(nextRouter, next) {
      router = nextRouter;
      if (JSON.stringify(next.receive) !== JSON.stringify(intent.receive)) {
        reconsider(ribIn, acceptance(next.receive));
      }
      intent = next;
      run();
    },
    tell: put,
    flush: driver.flush,
    stop: driver.stop,
    vanish: driver.vanish,
    status,
    *received() {
      for (const route of routesIn(ribIn)) {
        const attributes = decodeAttributes(attributesOf(ribIn, route.attributes));
        yield {
          prefix: route.prefix,
          neighbor: intent.key,
          pathId: 0,
          nextHop: attributes.nextHop ?? addressOf(intent),
          asPath: attributes.asPathText,
          origin: attributes.origin,
          localPref: attributes.localPref,
          med: attributes.med,
          communities: attributes.communities,
          largeCommunities: attributes.largeCommunities,
          accepted: route.accepted,
          reason: route.accepted ? "" : rejection(intent),
          provenance: intent.provenance,
          raw: attributes.raw,
        };
      }
    },
    *advertised() {
      if (up === undefined) return;
      for (const [prefix, attributes] of toldRoutes(driver.session.ribOut)) {
        yield shownOut(prefix, attributes, intent, router.routes.get(prefix)?.provenance ?? []);
      }
    },
  };
}

const rejection = ({ receive }: NeighborIntent): string =>
  receive.type === "nothing"
    ? "nothing is accepted from this peer (RFC 8212): no manifest asks for it"
    : "no prefix of the receive rule matches";

const addressOf = ({ remote }: NeighborIntent): Address => {
  if (remote.type === "address") return remote.address;
  throw new Error("the native speaker has no unnumbered peers");
};

const shownOut = (
  prefix: Prefix,
  attributes: OutAttributes,
  intent: NeighborIntent,
  provenance: ShownRoute["provenance"],
): ShownRoute => ({
  prefix,
  neighbor: intent.key,
  pathId: 0,
  nextHop: attributes.nextHop,
  asPath: attributes.asPath.join(" "),
  origin: attributes.origin,
  localPref: attributes.localPref,
  med: attributes.med,
  communities: attributes.communities.map((one) => `${one >>> 16}:${one & 0xffff}`),
  largeCommunities: attributes.largeCommunities,
  accepted: true,
  reason: "",
  provenance,
  raw: [],
});

/** Next hop self: the session's own address, and for the other family a global address of the same interface (asks 24). */
function nextHopsFrom(local: Address | undefined): Partial<Record<Family, Address>> {
  if (local === undefined) return {};
  const family = familyOf(local);
  const other: Family = family === "ipv4" ? "ipv6" : "ipv4";
  const beside = Object.values(networkInterfaces())
    .map((addresses) => (addresses ?? []).flatMap(({ address }) => parseAddress(address) ?? []))
    .find((addresses) => addresses.includes(local))
    ?.find((address) => familyOf(address) === other && !address.startsWith("fe80:"));
  return { [family]: local, ...(beside === undefined ? {} : { [other]: beside }) };
}
