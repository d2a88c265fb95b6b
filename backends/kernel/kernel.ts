/**
 * The kernel backend: holds what it was told, drives the pump, hears the kernel, tells facts.
 *
 * Level-triggered. Nothing is flushed at the start: what an earlier run left is recognised by its mark, kept where it is still
 * wanted, and swept only after the speakers have said all (`complete`). What the kernel does by itself or others do is noticed
 * by its news; where news may be missing (lost, or never told: routes that go with a link) the kernel is read anew, at most
 * once a second. Reads next: facts.ts (the seam), model.ts, reading.ts, importer.ts, fib.ts.
 */
import type { Prefix } from "../../events/prefix.ts";
import type { BestPaths } from "../best-paths.ts";
import type { Clock, Logger } from "../clock.ts";
import type { HostAddress } from "../host-address.ts";
import { announcements } from "./announcements.ts";
import type { Kernel, KernelApplied, KernelCapabilities, KernelLedger } from "./facts.ts";
import { markLeftovers, retryBlocked, wantNothing } from "./fib.ts";
import { connectedPrefixes, networksOf } from "./host.ts";
import { createExporter } from "./exporter.ts";
import { createImporters } from "./importers.ts";
import { vrfOfLane } from "./imports.ts";
import type { KernelIntent } from "./intent.ts";
import { probeKernel } from "./io/probe.ts";
import { NetlinkError, newBatch, openNews, openOrders, RECEIVE_OCTETS } from "./io/socket.ts";
import { knownAddresses, createModel, type Model } from "./model.ts";
import type { Message } from "./netlink/codec.ts";
import { addressText } from "./own.ts";
import { createOwnKeeping } from "./own-keeping.ts";
import { createPump, sendAll } from "./pump.ts";
import { enter, isRouteOfOurs, readAll } from "./reading.ts";
import { shownRoutes, statusOf } from "./showing.ts";

export type KernelOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Networks and hosts that manage this one: no learned route may take over the way to them. */
  readonly protectedPrefixes: readonly Prefix[];
  /** What is done where somebody changes what is ours. */
  readonly drift: "repair" | "report";
  /** The nft program; by its name on the PATH unless told. */
  readonly nft?: string;
  /** Between two readings of everything; 60 s unless told, longer where a reading takes long. */
  readonly resyncMillis?: number;
  /** Of each socket that hears the kernel's news. */
  readonly receiveOctets?: number;
  /** Off: routes carry their hops themselves, as on a kernel without next hop objects. */
  readonly nexthopObjects?: boolean;
};

const RESYNC_MILLIS = 60_000;
/** A reading is worth at most this share of the time. */
const RESYNC_SHARE = 0.005;
/** Readings for cause are this far apart at least. */
const RESYNC_GAP_MILLIS = 1000;
/** What comes together is looked at together: a link that goes down comes with its addresses and routes. */
const GATHER_MILLIS = 30;

/** Opens the sockets and asks what the kernel can. Throws SystemError where there is no netlink to be had. */
export async function createKernel(options: KernelOptions): Promise<Kernel> {
  const { clock, logger, nft = "nft", receiveOctets = RECEIVE_OCTETS } = options;
  const orders = openOrders();
  const batch = newBatch();
  let capabilities: KernelCapabilities;
  try {
    capabilities = await probeKernel(orders, nft);
  } catch (error) {
    orders.close();
    throw error;
  }
  let recorded: KernelLedger = { has: () => false };
  /** Since then. */
  const bound = new Set<string>();
  const model: Model = createModel({
    nexthopObjects: (options.nexthopObjects ?? true) && capabilities.has.has("nexthop-objects"),
    seed: Math.floor(clock.random() * 2 ** 32),
    repairs: options.drift === "repair",
    inLedger: (address, device) => {
      const entry = addressText({ address, device });
      return bound.has(entry) || recorded.has(entry);
    },
  });
  const addresses = knownAddresses(model);
  const complete = new Set<string>();
  const tell = announcements(clock, model, () => importers.all);
  const exporter = createExporter(model, tell.fact);
  let intent: KernelIntent | undefined;
  let connected: ReadonlySet<string> = new Set();
  const state = { closing: false };
  let resyncs = 0;
  let lastResync = Number.NEGATIVE_INFINITY;
  /** Why the next reading is due. */
  const resyncReasons = new Set<string>();
  let cancelResync: (() => void) | undefined;
  let cancelGather: (() => void) | undefined;
  let cancelPeriod: (() => void) | undefined;
  let stopNews = (): void => {};
  /** Of the host, from before a reading, until one has ended well. */
  let standing: readonly HostAddress[] = [];
  let changedHost = { links: false, addresses: false, vrfs: false };
  let ownTouched = false;
  /** What of ours is bound may not be what it was, and is not put right. */
  let ownSeen = false;

  const pump = createPump({
    orders,
    forwardings: model.forwardings,
    fibs: () => model.fibs.values(),
    settled(doubt, failures) {
      tell.soon();
      const [first] = failures;
      if (first !== undefined)
        logger.warn({ ...first, count: failures.length }, "the kernel refused orders");
      if (doubt) resyncSoon("orders were refused");
    },
  });

  const { host, forwardings, fib, fibsOf, claim } = model;
  const importers = createImporters({
    host,
    forwardings,
    fib,
    fibsOf,
    claim,
    protectedPrefixes: options.protectedPrefixes,
    seed: () => Math.floor(clock.random() * 2 ** 32),
    kick: () => pump.kick(),
    closing: () => state.closing,
  });

  /** What nobody wants may go where everybody who feeds the table has said all; see best-paths.ts. */
  const allowSweep = (): void => {
    if (intent === undefined) return;
    const { imports } = intent;
    for (const fib of model.fibs.values()) {
      if (fib.mayRemove) continue;
      const owner = model.owners.get(fib);
      const vrfs = owner === undefined ? imports.map(({ vrf }) => vrf) : [vrfOfLane(owner)];
      if (!vrfs.every((vrf) => complete.has(`${vrf}|${fib.family}`))) continue;
      fib.mayRemove = true;
      markLeftovers(fib);
    }
    pump.kick();
  };

  const own = createOwnKeeping({
    model,
    pump,
    orders,
    batch,
    tell,
    capabilities,
    nft,
    clock,
    logger,
    receiveOctets,
    drift: options.drift,
    lost: (reason) => resyncSoon(reason),
    guarded: (work) => guarded(work),
    bound: (address, device) => void bound.add(addressText({ address, device })),
  });

  const hostChanged = async (): Promise<void> => {
    const told = changedHost;
    changedHost = { links: false, addresses: false, vrfs: false };
    const before = connected;
    connected = connectedPrefixes(model.host);
    exporter.look(told.links || told.addresses || told.vrfs);
    await importers.hostChanged([...before.symmetricDifference(connected)]);
    if (told.links || told.addresses || told.vrfs) {
      tell.fact({ type: "host", ...told });
      ownTouched = true;
    }
    if (ownTouched) {
      ownTouched = false;
      if (intent !== undefined) await own.keep(intent);
    } else if (ownSeen && intent !== undefined) await own.look(intent);
    ownSeen = false;
  };

  const gather = (): void => {
    cancelGather ??= clock.after(GATHER_MILLIS, () => {
      cancelGather = undefined;
      guarded(hostChanged());
    });
  };

  const guarded = (work: Promise<unknown>): void => {
    work.catch((error: unknown) => {
      if (state.closing) return;
      if (!(error instanceof NetlinkError)) throw error;
      logger.warn({ code: error.code }, error.message);
      resyncSoon(error.message);
    });
  };

  const onNews = (message: Message): void => {
    // Which came first, theirs or ours, nobody says: the outcome of ours would be entered over it.
    if ((pump.isOut() || !model.isWhole()) && isRouteOfOurs(message))
      resyncSoon("a route was changed under our orders");
    const news = enter(model, message, orders.port);
    if (news.type === "nothing") return;
    if (news.type === "drift") {
      tell.drift(news.what, news.entry, options.drift);
      if (news.what !== "route" && news.what !== "nexthop") own.doubt();
      if (options.drift === "report") {
        ownSeen ||= news.what === "address" || news.what === "own-route";
      } else {
        if (news.what === "nexthop") resyncSoon("a next hop object was changed");
        else if (news.what !== "route") ownTouched = true;
        // The kernel drops routes with the address that they are sent from.
        if (news.what === "address") resyncSoon("an address of ours was removed");
      }
    } else {
      if (news.what !== "route") own.doubt();
      if (news.what === "link") changedHost.links = true;
      if (news.what === "address") changedHost.addresses = true;
      if (news.what === "vrf") changedHost.vrfs = changedHost.links = true;
      if (news.silent) resyncSoon(`${news.what} changed`);
    }
    pump.kick();
    gather();
  };

  const resyncSoon = (reason: string): void => {
    if (state.closing) return;
    resyncReasons.add(reason);
    if (cancelResync !== undefined) return;
    const wait = Math.max(
      2 * GATHER_MILLIS,
      lastResync + RESYNC_GAP_MILLIS - clock.monotonicMillis(),
    );
    cancelResync = clock.after(wait, () => {
      cancelResync = undefined;
      const reasons = [...resyncReasons].join("; ");
      resyncReasons.clear();
      guarded(resync(reasons));
    });
  };

  /** Reads everything and takes it for true. Tells only what was not as believed. */
  const resync = async (reason: string): Promise<void> => {
    const started = clock.monotonicMillis();
    lastResync = started;
    if (model.isWhole()) standing = addresses();
    const difference = await pump.alone(async () => {
      model.beforeDump();
      try {
        await readAll(model, orders);
      } catch (error) {
        model.dropDump();
        throw error;
      }
      const repairs = options.drift === "repair" || reason !== PERIOD;
      const found = model.afterDump(repairs);
      if (repairs) await sendAll(orders, batch, model.forwardings.restore());
      return found;
    });
    own.doubt();
    resyncs += 1;
    const millis = clock.monotonicMillis() - started;
    lastResync = clock.monotonicMillis();
    for (const fib of model.fibs.values()) retryBlocked(fib);
    const { missing, extra, changed } = difference;
    if (reason !== PERIOD || missing + extra + changed > 0) {
      tell.fact({ type: "resynced", reason, millis, ...difference });
    }
    if (missing + changed > 0 && reason === PERIOD) {
      tell.drift("route", "found by a reading of the tables", options.drift, missing + changed);
    }
    period(millis);
    ownTouched ||= options.drift === "repair" || reason !== PERIOD;
    await hostChanged();
    await own.lookAtNats();
    allowSweep();
    pump.kick();
  };

  const period = (tookMillis: number): void => {
    cancelPeriod?.();
    const every = Math.max(options.resyncMillis ?? RESYNC_MILLIS, tookMillis / RESYNC_SHARE);
    cancelPeriod = clock.after(every, () => guarded(resync(PERIOD)));
  };

  return {
    capabilities,
    async start(ledger) {
      recorded = ledger;
      const lost = (): void => resyncSoon("the kernel's news were lost (ENOBUFS)");
      stopNews = openNews({ port: orders.port, receiveOctets, take: onNews, lost });
      for (let attempt = 1; ; attempt += 1) {
        try {
          await resync(START);
          return;
        } catch (error) {
          if (!(error instanceof NetlinkError) || attempt >= START_ATTEMPTS) throw error;
          await new Promise<void>((resolve) => {
            clock.after(GATHER_MILLIS * attempt, resolve);
          });
        }
      }
    },
    async apply(wanted): Promise<KernelApplied> {
      intent = wanted;
      const change = await own.keep(wanted);
      await importers.setRules(wanted.imports);
      // A table whose routes go in a moment may be another's afterwards.
      if (importers.contested()) guarded(pump.idle().then(() => importers.hostChanged([])));
      exporter.setRules(wanted.exports);
      allowSweep();
      return change;
    },
    learned(event: BestPaths) {
      if (event.type === "batch") importers.learn(event);
      else {
        complete.add(`${event.vrf}|${event.family}`);
        allowSweep();
      }
      pump.kick();
    },
    forget: importers.forget,
    export: exporter.setRules,
    offers: exporter.offers,
    networks: () => networksOf(model.host),
    addresses: () => (model.isWhole() ? addresses() : standing),
    watch: tell.watch,
    status: () =>
      statusOf(model, importers.all.values(), exporter.counts(), {
        drift: tell.driftCount(),
        resyncs,
        problems: own.problems(),
      }),
    routes: () => shownRoutes(model, importers.all),
    settled: () => pump.idle(),
    async close(mode) {
      if (state.closing) return;
      if (mode === "final") {
        intent = undefined;
        for (const fib of model.fibs.values()) wantNothing(fib, model.forwardings);
        importers.clear();
        await own.clear();
        await pump.idle();
      }
      state.closing = true;
      for (const cancel of [cancelResync, cancelGather, cancelPeriod]) cancel?.();
      tell.stop();
      own.stop();
      pump.stop();
      stopNews();
      orders.close();
    },
  };
}

const PERIOD = "periodic";
const START = "start";
const START_ATTEMPTS = 5;
