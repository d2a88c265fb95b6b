/**
 * All BFD sessions of a process: who is meant by a packet, whether it may be believed, what is due next.
 *
 * RFC 5880 (asynchronous mode, demand mode as responder, polls, echo, authentication), RFC 5881 (single hop, hop limit 255),
 * RFC 5883 (multihop). Not here: demand mode of our own, point-to-multipoint, S-BFD. The engine holds no socket and no clock
 * (port.ts); whoever drives it hands in every datagram that waits before it asks what is due, so that a process that was held
 * up accuses nobody. Junk costs a comparison or two and a count, never a line of log.
 * Reads next: session.ts (one session), io/loop.ts (who drives it).
 */
import { addressOctets } from "../../events/address.ts";
import type { BfdKey } from "../../events/ids.ts";
import { dueQueue } from "../due-queue.ts";
import { sectionOctets, sign, verify } from "./authentication.ts";
import {
  CONTROL_OCTETS,
  type ControlPacket,
  decodeControl,
  decodeEcho,
  type Discard,
  ECHO_OCTETS,
  encodeControl,
  encodeEcho,
} from "./packet.ts";
import {
  addressName,
  HOPS_ONE,
  isFrom,
  leastHops,
  type Member,
  remember,
  statusOf,
} from "./member.ts";
import type { BfdState } from "../../events/event.ts";
import type { BfdParameters, BfdStatus } from "./parameters.ts";
import type { Datagram, EnginePort } from "./port.ts";
import {
  adminDown,
  type Detection,
  detectionTime,
  due,
  newSession,
  nextDeadline,
  receive,
  receiveEcho,
  retime,
  transmitInterval,
} from "./session.ts";

export type Engine = {
  /** Level-triggered: these sessions and no others. What stays is changed in place and never flaps. */
  hold(wanted: readonly BfdParameters[], now: number): Held;
  receive(datagram: Datagram, now: number): void;
  /** Transmits what is due, and detects silence up to `heardUpTo`: everything that arrived until then has been received. */
  act(now: number, heardUpTo?: number): void;
  nextDue(): number | undefined;
  /** Whether any session that was taken back still says AdminDown to its peer. */
  leaving(): boolean;
  /** In the order in which they were taken. */
  statuses(): readonly BfdStatus[];
  discards(): Readonly<Record<string, number>>;
};

export type Held = {
  readonly added: readonly BfdKey[];
  readonly changed: readonly BfdKey[];
  readonly removed: readonly BfdKey[];
};

export type EngineOptions = {
  /** C bit (RFC 5880 §4.1): sessions go on while the agent is away. */
  readonly controlPlaneIndependent: boolean;
};

/** A peer that is told AdminDown for this long and hears none of it finds out by its own Detection Time. */
const LEAVE_MICROS = 1_000_000;
/** Longest packet: mandatory section and the longest authentication section. */
const MOST_OCTETS = CONTROL_OCTETS + 28;

export function createEngine(port: EnginePort, options: EngineOptions): Engine {
  const members = new Map<BfdKey, Member>();
  const leaving = new Set<Member>();
  const byDiscriminator = new Map<number, Member>();
  const byAddress = new Map<string, Member[]>();
  const queue = dueQueue<Member>();
  const discards: Record<string, number> = {};
  const out = new Uint8Array(MOST_OCTETS);
  let clock = 0;

  const schedule = (member: Member): void => {
    const at = Math.min(nextDeadline(member.session), member.leavesAt);
    if (at >= member.queuedAt || at === Number.POSITIVE_INFINITY) return;
    member.queuedAt = at;
    queue.add(at, member);
  };

  const discard = (reason: Discard, member?: Member): void => {
    discards[reason] = (discards[reason] ?? 0) + 1;
    if (member !== undefined) member.counters.discarded += 1;
  };

  const send = (member: Member, final: boolean): void => {
    const { parameters, session: s, memory } = member;
    const { authentication } = parameters;
    const length =
      CONTROL_OCTETS + (authentication === undefined ? 0 : sectionOctets(authentication));
    const packet = out.subarray(0, length);
    encodeControl(
      {
        diagnostic: s.diagnostic,
        state: s.state,
        // §6.5: never both.
        poll: s.polling && !final,
        final,
        controlPlaneIndependent: options.controlPlaneIndependent,
        authenticated: authentication !== undefined,
        demand: false,
        detectMultiplier: s.timing.detectMultiplier,
        myDiscriminator: parameters.localDiscriminator,
        yourDiscriminator: s.remoteDiscriminator,
        desiredMinTxMicros: s.desiredTxMicros,
        requiredMinRxMicros: s.requiredRxMicros,
        requiredMinEchoRxMicros: (s.timing.echoIntervalMillis ?? 0) * 1000,
      },
      packet,
      length,
    );
    if (authentication !== undefined) sign(packet, authentication, memory);
    member.counters.sent += 1;
    remember(member.departures, clock);
    port.sendControl(parameters.key, packet);
  };

  const added = (parameters: BfdParameters, now: number): void => {
    const session = newSession(parameters.timing, now, port.random());
    const member: Member = {
      parameters,
      session,
      memory: {
        sendSequence: Math.floor(port.random() * 0x1_0000_0000),
        receivedSequence: 0,
        known: false,
      },
      former: undefined,
      remote: addressOctets(parameters.remote),
      local: parameters.local === undefined ? undefined : addressOctets(parameters.local),
      queuedAt: Number.POSITIVE_INFINITY,
      leavesAt: Number.POSITIVE_INFINITY,
      arrivals: [],
      departures: [],
      counters: { sent: 0, received: 0, echoSent: 0, echoReceived: 0, discarded: 0 },
      effects: {
        changed: (from, detection) => changed(member, from, detection),
        send: (final) => send(member, final),
        sendEcho() {
          session.echoSequence = (session.echoSequence + 1) >>> 0;
          const echo = out.subarray(0, ECHO_OCTETS);
          encodeEcho(member.parameters.localDiscriminator, session.echoSequence, echo);
          member.counters.echoSent += 1;
          port.sendEcho(member.parameters.key, echo);
        },
        random: port.random,
      },
    };
    members.set(parameters.key, member);
    byDiscriminator.set(parameters.localDiscriminator, member);
    const name = addressName(member.remote);
    byAddress.set(name, [...(byAddress.get(name) ?? []), member]);
    schedule(member);
  };

  const changed = (member: Member, from: BfdState, detection: Detection | undefined): void => {
    const { session: s, parameters } = member;
    if (leaving.has(member)) return;
    port.changed({
      key: parameters.key,
      from,
      to: s.state,
      diagnostic: s.diagnostic,
      remoteState: s.remoteState,
      remoteDiagnostic: s.remoteDiagnostic,
      atMicros: clock,
      detectedAfterMicros: detection?.afterMicros,
      detectionTimeMicros: detection?.allowedMicros ?? detectionTime(s),
      arrivalsMicros: [...member.arrivals],
      departuresMicros: [...member.departures],
      remoteControlPlaneIndependent: s.remoteIndependent,
    });
  };

  /** Says AdminDown until the peer must have heard it, and is found by nobody any more. */
  const removed = (member: Member, now: number): void => {
    const { key, localDiscriminator } = member.parameters;
    leaving.add(member);
    members.delete(key);
    byDiscriminator.delete(localDiscriminator);
    const name = addressName(member.remote);
    const others = (byAddress.get(name) ?? []).filter((one) => one !== member);
    if (others.length === 0) byAddress.delete(name);
    else byAddress.set(name, others);
    const wasHeard = member.session.remoteDiscriminator !== 0;
    const interval = transmitInterval(member.session);
    adminDown(member.session, now, member.effects);
    member.session.detectAt = Number.POSITIVE_INFINITY;
    // Told again at the rate that it knows, for packets get lost.
    member.leavesAt = wasHeard ? now + Math.min(LEAVE_MICROS, 3 * interval) : now;
    member.session.txInUseMicros = Math.min(interval, LEAVE_MICROS / 3);
    member.session.transmitAt = now + member.session.txInUseMicros;
    schedule(member);
  };

  const find = (packet: ControlPacket, datagram: Datagram): Member | undefined => {
    if (packet.yourDiscriminator !== 0) return byDiscriminator.get(packet.yourDiscriminator);
    return byAddress.get(addressName(datagram.remote))?.find((one) => isFrom(one, datagram));
  };

  const isAuthentic = (member: Member, packet: ControlPacket, datagram: Datagram): boolean => {
    const { authentication } = member.parameters;
    if (packet.authenticated !== (authentication !== undefined)) return false;
    if (authentication === undefined) return true;
    const { session: s, memory, former } = member;
    // §6.8.1: who was silent for twice the Detection Time may have started anew.
    if (clock - s.heardAt > 2 * detectionTime(s)) memory.known = false;
    const octets = datagram.octets.subarray(0, datagram.octets[3]);
    if (verify(octets, authentication, memory, packet.detectMultiplier)) return true;
    if (former === undefined || former.until < clock) return false;
    return verify(octets, former.authentication, memory, packet.detectMultiplier);
  };

  const takeEcho = (datagram: Datagram): void => {
    const { timeToLive, octets } = datagram;
    if (timeToLive === HOPS_ONE) {
      // The peer's own: sent back, if it is a peer's at all and was invited (RFC 5880 §6.8.9).
      const sessions = byAddress.get(addressName(datagram.remote));
      const invited = sessions?.some(
        ({ session: { timing }, parameters: { multihop, interface: device } }) =>
          !multihop &&
          timing.echoIntervalMillis !== undefined &&
          (device === "" || device === datagram.interface),
      );
      if (invited === true) port.returnEcho();
      else discard("echo");
      return;
    }
    const echo = decodeEcho(octets);
    const member = echo && byDiscriminator.get(echo.discriminator);
    if (echo === undefined || member === undefined || timeToLive !== HOPS_ONE - 1) {
      discard("echo");
      return;
    }
    const { session, counters } = member;
    // Older ones are replays, or so late that they prove nothing.
    if ((session.echoSequence - echo.sequence) >>> 0 >= session.timing.detectMultiplier) {
      discard("echo", member);
      return;
    }
    counters.echoReceived += 1;
    receiveEcho(session, datagram.arrivedMicros, clock);
    schedule(member);
  };

  return {
    hold(wanted, now) {
      clock = now;
      const keys = new Set(wanted.map(({ key }) => key));
      const gone = [...members.values()].filter(({ parameters }) => !keys.has(parameters.key));
      for (const member of gone) removed(member, now);
      const news: BfdKey[] = [];
      const altered: BfdKey[] = [];
      for (const parameters of wanted) {
        const member = members.get(parameters.key);
        if (member === undefined) {
          added(parameters, now);
          news.push(parameters.key);
        } else if (JSON.stringify(member.parameters) !== JSON.stringify(parameters)) {
          alter(member, parameters, now);
          altered.push(parameters.key);
        }
      }
      return { added: news, changed: altered, removed: gone.map((one) => one.parameters.key) };
    },

    receive(datagram, now) {
      clock = now;
      if (datagram.to === "echo") {
        takeEcho(datagram);
        return;
      }
      const packet = decodeControl(datagram.octets);
      if (typeof packet === "string") {
        discard(packet);
        return;
      }
      const member = find(packet, datagram);
      if (member === undefined) {
        discard("no-session");
        return;
      }
      const reason = !isFrom(member, datagram)
        ? "wrong-source"
        : datagram.timeToLive < leastHops(member)
          ? "hop-limit"
          : isAuthentic(member, packet, datagram)
            ? undefined
            : "authentication";
      if (reason !== undefined) {
        discard(reason, member);
        return;
      }
      member.counters.received += 1;
      remember(member.arrivals, datagram.arrivedMicros);
      receive(member.session, packet, datagram.arrivedMicros, now, member.effects);
      schedule(member);
    },

    act(now, heardUpTo = now) {
      clock = now;
      const unjudged: Member[] = [];
      for (let member = queue.take(now); member !== undefined; member = queue.take(now)) {
        // An entry that a nearer one replaced is passed over; its member has that one, or had it already.
        if (member.queuedAt > now) continue;
        member.queuedAt = Number.POSITIVE_INFINITY;
        if (member.leavesAt <= now) {
          leaving.delete(member);
          continue;
        }
        due(member.session, now, heardUpTo, member.effects);
        if (nextDeadline(member.session) <= now) unjudged.push(member);
        else schedule(member);
      }
      for (const member of unjudged) schedule(member);
    },

    nextDue: () => queue.next(),
    leaving: () => leaving.size > 0,
    statuses: () => [...members.values()].map(statusOf),
    discards: () => ({ ...discards }),
  };

  function alter(member: Member, parameters: BfdParameters, now: number): void {
    const { authentication } = member.parameters;
    const isOtherKey = JSON.stringify(authentication) !== JSON.stringify(parameters.authentication);
    if (isOtherKey && authentication !== undefined) {
      member.former = { authentication, until: now + detectionTime(member.session) };
    }
    if (parameters.localDiscriminator !== member.parameters.localDiscriminator) {
      byDiscriminator.delete(member.parameters.localDiscriminator);
      byDiscriminator.set(parameters.localDiscriminator, member);
    }
    member.parameters = parameters;
    retime(member.session, parameters.timing, now, member.effects);
    schedule(member);
  }
}
