/**
 * One BFD session: the state machine of RFC 5880 §6.8 over one plain, serialisable value.
 *
 * The functions change the value they are given, for a session is touched hundreds of times a second; they own no clock, no
 * socket and no timer: each deadline is a number in the value, and engine.ts asks for the nearest. All times are microseconds
 * of the monotonic clock. Reads next: engine.ts (which packet belongs to whom), packet.ts.
 */
import type { BfdTiming } from "./intent.ts";
import type { ControlPacket } from "./packet.ts";
import type { BfdState } from "../../events/event.ts";

export type Session = {
  timing: BfdTiming;
  /** bfd.SessionState, bfd.LocalDiag. */
  state: BfdState;
  diagnostic: number;
  /** bfd.RemoteSessionState and what the peer's last packet said. */
  remoteState: BfdState;
  remoteDiagnostic: number;
  /** bfd.RemoteDiscr; 0 while nobody is heard. */
  remoteDiscriminator: number;
  /** bfd.RemoteMinRxInterval; 1 until the peer says (§6.8.1). */
  remoteMinRxMicros: number;
  remoteDesiredTxMicros: number;
  remoteDetectMultiplier: number;
  remoteMinEchoRxMicros: number;
  remoteDemand: boolean;
  remoteIndependent: boolean;
  /** bfd.DesiredMinTxInterval and bfd.RequiredMinRxInterval, as packets say them. */
  desiredTxMicros: number;
  requiredRxMicros: number;
  /** The same, as they are acted on: a slower rate and a shorter detection wait for the end of the poll (§6.8.3). */
  txInUseMicros: number;
  rxInUseMicros: number;
  /** A Poll Sequence is going on (§6.5); another one follows, for what changed after its first packet. */
  polling: boolean;
  pollAgain: boolean;
  /** Deadlines; Infinity where there is none. */
  transmitAt: number;
  detectAt: number;
  echoAt: number;
  echoDetectAt: number;
  /** Last packet and last echo that counted; -Infinity before the first. */
  heardAt: number;
  echoHeardAt: number;
  /** An echo came back since the echo function started: from then on it is what detects. */
  echoAnswered: boolean;
  echoSequence: number;
  sinceAt: number;
  transitions: number;
};

/** What a session asks for: state() where it changed, send() where a packet must go out now. */
export type SessionEffects = {
  changed(from: BfdState, detection: Detection | undefined): void;
  send(final: boolean): void;
  sendEcho(): void;
  /** Uniform in [0, 1). */
  random(): number;
};

/** How silence was found: from the last packet or echo that counted to now, and what was allowed. */
export type Detection = { readonly afterMicros: number; readonly allowedMicros: number };

export const diag = {
  none: 0,
  timeExpired: 1,
  echoFailed: 2,
  neighborDown: 3,
  adminDown: 7,
} as const;

/** §6.8.3: while not Up, nobody asks for more than a packet a second. Also where echoes do the work (§6.8.9). */
const SLOW_MICROS = 1_000_000;

export function newSession(timing: BfdTiming, now: number, random: number): Session {
  const tx = Math.max(SLOW_MICROS, timing.transmitIntervalMillis * 1000);
  const rx = timing.receiveIntervalMillis * 1000;
  return {
    timing,
    state: "Down",
    diagnostic: diag.none,
    remoteState: "Down",
    remoteDiagnostic: diag.none,
    remoteDiscriminator: 0,
    remoteMinRxMicros: 1,
    remoteDesiredTxMicros: 0,
    remoteDetectMultiplier: 0,
    remoteMinEchoRxMicros: 0,
    remoteDemand: false,
    remoteIndependent: false,
    desiredTxMicros: tx,
    requiredRxMicros: rx,
    txInUseMicros: tx,
    rxInUseMicros: rx,
    polling: false,
    pollAgain: false,
    // Sessions that begin together must not speak together.
    transmitAt: timing.passive ? Number.POSITIVE_INFINITY : now + random * FIRST_WITHIN_MICROS,
    detectAt: Number.POSITIVE_INFINITY,
    echoAt: Number.POSITIVE_INFINITY,
    echoDetectAt: Number.POSITIVE_INFINITY,
    heardAt: Number.NEGATIVE_INFINITY,
    echoHeardAt: Number.NEGATIVE_INFINITY,
    echoAnswered: false,
    // Nobody off the path can guess what is under way.
    echoSequence: Math.floor(random * 0x1_0000_0000),
    sinceAt: now,
    transitions: 0,
  };
}

const FIRST_WITHIN_MICROS = 100_000;

export const nextDeadline = (s: Session): number =>
  Math.min(s.transmitAt, s.detectAt, s.echoAt, s.echoDetectAt);

/** §6.8.4, asynchronous mode; 0 while nothing is known of the peer. */
export const detectionTime = (s: Session): number =>
  s.remoteDetectMultiplier * Math.max(s.rxInUseMicros, s.remoteDesiredTxMicros);

/** §6.8.7: before jitter. */
export const transmitInterval = (s: Session): number =>
  Math.max(s.txInUseMicros, s.remoteMinRxMicros);

/** §6.8.9: no faster than the peer takes them; one a second until the first came back. */
export const echoInterval = (s: Session): number =>
  Math.max(
    (s.timing.echoIntervalMillis ?? 0) * 1000,
    s.remoteMinEchoRxMicros,
    s.echoAnswered ? 0 : SLOW_MICROS,
  );

const echoRuns = (s: Session): boolean =>
  s.timing.echoIntervalMillis !== undefined && s.state === "Up" && s.remoteMinEchoRxMicros > 0;

/** What RFC 5880 calls an active echo function; a path on which no echo ever came back is watched by Control packets alone. */
const echoDetects = (s: Session): boolean => s.echoAnswered && echoRuns(s);

/** §6.8.7: not even a change of state is told to who never spoke to a passive system. */
const isMute = (s: Session): boolean => s.timing.passive && s.remoteDiscriminator === 0;

/** §6.8.7: when nothing is sent but in answer to a poll. */
function isSilent(s: Session): boolean {
  if (isMute(s) || s.remoteMinRxMicros === 0) return true;
  return s.remoteDemand && s.state === "Up" && s.remoteState === "Up" && !s.polling;
}

/** A valid, authentic packet of this session that arrived at `arrived` (§6.8.6). */
export function receive(
  s: Session,
  packet: ControlPacket,
  arrived: number,
  now: number,
  effects: SessionEffects,
): void {
  const interval = transmitInterval(s);
  const silent = isSilent(s);
  s.remoteDiscriminator = packet.myDiscriminator;
  s.remoteState = packet.state;
  s.remoteDiagnostic = packet.diagnostic;
  s.remoteDemand = packet.demand;
  s.remoteIndependent = packet.controlPlaneIndependent;
  s.remoteMinRxMicros = packet.requiredMinRxMicros;
  s.remoteDesiredTxMicros = packet.desiredMinTxMicros;
  s.remoteDetectMultiplier = packet.detectMultiplier;
  s.remoteMinEchoRxMicros = packet.requiredMinEchoRxMicros;
  if (packet.final && s.polling) endPoll(s);
  s.heardAt = arrived;
  s.detectAt = arrived + detectionTime(s);
  if (s.state !== "AdminDown") follow(s, packet.state, now, effects);
  settleEcho(s, now, effects);
  if (packet.poll) effects.send(true);
  // §6.8.7: a peer that takes more or less than before is not made to wait for the old interval's end.
  if (isSilent(s)) s.transmitAt = Number.POSITIVE_INFINITY;
  else if (silent || transmitInterval(s) < interval) {
    s.transmitAt = Math.min(s.transmitAt, now + jittered(s, effects.random()));
  }
}

function follow(s: Session, remote: BfdState, now: number, effects: SessionEffects): void {
  if (remote === "AdminDown") {
    if (s.state !== "Down") become(s, "Down", diag.neighborDown, now, undefined, effects);
    return;
  }
  if (s.state === "Down") {
    if (remote === "Down") become(s, "Init", s.diagnostic, now, undefined, effects);
    else if (remote === "Init") become(s, "Up", diag.none, now, undefined, effects);
  } else if (s.state === "Init") {
    if (remote !== "Down") become(s, "Up", diag.none, now, undefined, effects);
  } else if (remote === "Down") {
    become(s, "Down", diag.neighborDown, now, undefined, effects);
  }
}

/** One of our echoes came back. */
export function receiveEcho(s: Session, arrived: number, now: number): void {
  if (!echoRuns(s)) return;
  s.echoHeardAt = arrived;
  if (!s.echoAnswered) {
    s.echoAnswered = true;
    s.echoAt = Math.min(s.echoAt, now + echoInterval(s));
    setIntervals(s);
  }
  s.echoDetectAt = arrived + s.timing.detectMultiplier * echoInterval(s);
}

/** Does what is due at `now`; silence is judged up to `heardUpTo`, until when everything that arrived has been received. */
export function due(s: Session, now: number, heardUpTo: number, effects: SessionEffects): void {
  if (s.detectAt <= heardUpTo) {
    const detection = { afterMicros: now - s.heardAt, allowedMicros: detectionTime(s) };
    s.detectAt = Number.POSITIVE_INFINITY;
    // §6.8.1: who was silent for a Detection Time may come back as another.
    s.remoteDiscriminator = 0;
    s.remoteState = "Down";
    s.remoteMinRxMicros = 1;
    s.remoteDemand = false;
    s.remoteMinEchoRxMicros = 0;
    if (s.state === "Init" || s.state === "Up") {
      become(s, "Down", diag.timeExpired, now, detection, effects);
    }
    if (isSilent(s)) s.transmitAt = Number.POSITIVE_INFINITY;
  }
  if (s.echoDetectAt <= heardUpTo) {
    const allowedMicros = s.timing.detectMultiplier * echoInterval(s);
    const detection = { afterMicros: now - s.echoHeardAt, allowedMicros };
    s.echoDetectAt = Number.POSITIVE_INFINITY;
    if (s.state === "Up") become(s, "Down", diag.echoFailed, now, detection, effects);
  }
  if (s.echoAt <= now) {
    effects.sendEcho();
    s.echoAt = now + echoInterval(s) * (1 - 0.25 * effects.random());
  }
  if (s.transmitAt <= now) {
    effects.send(false);
    const next = s.transmitAt + jittered(s, effects.random());
    // A process that was held up does not make up for it by a burst.
    s.transmitAt = next > now ? next : now + jittered(s, effects.random());
  }
}

/**
 * §6.8.7: 75–100 % of the interval, at most 90 % where one lost packet is enough. Never more than 90 % here: then a packet may be
 * late by a tenth of the interval before it is later than was agreed.
 */
const jittered = (s: Session, random: number): number =>
  transmitInterval(s) * (0.75 + 0.15 * random);

/** Other parameters, without a flap: what the RFC makes slower or laxer waits for the peer's Final (§6.8.3). */
export function retime(s: Session, timing: BfdTiming, now: number, effects: SessionEffects): void {
  s.timing = timing;
  setIntervals(s);
  settleEcho(s, now, effects);
  if (isSilent(s)) s.transmitAt = Number.POSITIVE_INFINITY;
  else s.transmitAt = Math.min(s.transmitAt, now + jittered(s, effects.random()));
}

export function adminDown(s: Session, now: number, effects: SessionEffects): void {
  if (s.state === "AdminDown") return;
  become(s, "AdminDown", diag.adminDown, now, undefined, effects);
}

function become(
  s: Session,
  to: BfdState,
  diagnostic: number,
  now: number,
  detection: Detection | undefined,
  effects: SessionEffects,
): void {
  const from = s.state;
  s.state = to;
  s.diagnostic = diagnostic;
  s.sinceAt = now;
  s.transitions += 1;
  setIntervals(s);
  settleEcho(s, now, effects);
  effects.changed(from, detection);
  // The peer learns it now and not an interval later.
  if (!isMute(s)) effects.send(false);
  s.transmitAt = isSilent(s) ? Number.POSITIVE_INFINITY : now + jittered(s, effects.random());
}

/** §6.8.3: what packets say from now on, and from when on it counts. */
function setIntervals(s: Session): void {
  const slow = s.state === "Up" && !echoDetects(s) ? 0 : SLOW_MICROS;
  const tx = Math.max(slow, s.timing.transmitIntervalMillis * 1000);
  // Only where echoes run: the peer need not send fast what nobody waits for (§6.8.3).
  const rx = Math.max(echoDetects(s) ? SLOW_MICROS : 0, s.timing.receiveIntervalMillis * 1000);
  const isChanged = tx !== s.desiredTxMicros || rx !== s.requiredRxMicros;
  s.desiredTxMicros = tx;
  s.requiredRxMicros = rx;
  const isUp = s.state === "Up";
  if (!isUp || tx < s.txInUseMicros) s.txInUseMicros = tx;
  if (!isUp || rx > s.rxInUseMicros) s.rxInUseMicros = rx;
  if (!isUp) {
    s.polling = false;
    s.pollAgain = false;
  } else if (isChanged) {
    // A Final may answer a packet of before this change: that one proves nothing of it.
    s.pollAgain = s.polling;
    s.polling = true;
  }
  if (Number.isFinite(s.detectAt)) s.detectAt = Math.max(s.detectAt, s.heardAt + detectionTime(s));
}

function endPoll(s: Session): void {
  if (s.pollAgain) {
    s.pollAgain = false;
    return;
  }
  s.polling = false;
  s.txInUseMicros = s.desiredTxMicros;
  s.rxInUseMicros = s.requiredRxMicros;
}

/** Starts and ends the echo function with what it needs (§6.8.9). */
function settleEcho(s: Session, now: number, effects: SessionEffects): void {
  const runs = echoRuns(s);
  const ran = Number.isFinite(s.echoAt);
  if (runs === ran) return;
  s.echoAnswered = false;
  s.echoDetectAt = Number.POSITIVE_INFINITY;
  s.echoAt = runs
    ? now + effects.random() * (s.timing.echoIntervalMillis ?? 0) * 1000
    : Number.POSITIVE_INFINITY;
  setIntervals(s);
}
