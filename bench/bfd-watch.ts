/**
 * What the far end notes of one BFD session: gaps between the packets that arrive, and how long its own silence stayed unseen.
 *
 * Fed with every packet of the subject and every packet that goes to it; holds no socket and no clock. A death is a session
 * that says nothing more; it ends with the subject's Down. Reads next: bfd-peer.ts (who feeds it), bfd-far.ts (who asks).
 */
import type { ControlPacket } from "../backends/bfd/packet.ts";
import { diag } from "../backends/bfd/session.ts";

/** Milliseconds each, but for the counts. */
export type Seen = {
  /** Between two packets that say Up and the fast rate: by the kernel's time stamps. */
  readonly gaps: readonly number[];
  /** From the last packet that was sent to the subject until its Down was here. */
  readonly detections: readonly number[];
  /** Downs of the subject although it was sent to all the time: it found Detection Time expired. */
  readonly falseDowns: number;
  /** The far end found Detection Time expired: the subject was silent for so long. */
  readonly silences: number;
  /** Longest gap between two packets to the subject while all was well: the far end's own lateness. */
  readonly longestPause: number;
};

export type Watch = {
  /** Begins anew. */
  reset(): void;
  /** Lets the far end die so often. */
  die(times: number): void;
  readonly deathsLeft: () => number;
  readonly settled: () => boolean;
  /** A packet is about to be sent; false: it must not be. */
  allows(octets: Uint8Array): boolean;
  sent(now: number): void;
  arrived(packet: ControlPacket, at: number, now: number): void;
  silent(): void;
  /** Does what is due. */
  act(now: number): void;
  readonly nextDue: () => number;
  readonly seen: () => Seen;
};

/** Before each death: polls have ended on both sides, and what was late before is forgotten. */
const SETTLE_MICROS = 300_000;
const SETTLE_INTERVALS = 3;
/** From the subject's Down until the far end speaks again. */
const DEAD_MICROS = 50_000;
/** An hour at 10 ms. */
const MOST_GAPS = 500_000;

/** `speak` sends what was held back last, so that a session comes up again without waiting for the slow rate. */
export function createWatch(intervalMicros: number, speak: (octets: Uint8Array) => void): Watch {
  const settling = SETTLE_MICROS + SETTLE_INTERVALS * intervalMicros;
  let gaps: number[] = [];
  let detections: number[] = [];
  let falseDowns = 0;
  let silences = 0;
  let longestPause = 0;
  let deaths = 0;
  let state = "Down";
  let fastAt: number | undefined;
  let steadySince = Number.POSITIVE_INFINITY;
  let lastSent: number | undefined;
  let isDead = false;
  let heldBack: Uint8Array | undefined;
  let actAt = Number.POSITIVE_INFINITY;

  const steady = (now: number): void => {
    if (steadySince !== Number.POSITIVE_INFINITY) return;
    steadySince = now;
    // The phase between the far end's last packet and the subject's timers is any.
    if (deaths > 0) actAt = now + settling + Math.random() * intervalMicros;
  };
  const unsteady = (): void => {
    fastAt = undefined;
    lastSent = undefined;
    steadySince = Number.POSITIVE_INFINITY;
    if (!isDead) actAt = Number.POSITIVE_INFINITY;
  };
  return {
    reset() {
      gaps = [];
      detections = [];
      falseDowns = 0;
      silences = 0;
      longestPause = 0;
    },
    die(times) {
      deaths = times;
      unsteady();
    },
    deathsLeft: () => deaths,
    settled: () => steadySince !== Number.POSITIVE_INFINITY,
    allows(octets) {
      if (isDead) heldBack = octets.slice();
      return !isDead;
    },
    sent(now) {
      if (fastAt !== undefined && lastSent !== undefined) {
        longestPause = Math.max(longestPause, now - lastSent);
      }
      lastSent = now;
    },
    arrived(packet, at, now) {
      const was = state;
      ({ state } = packet);
      if (state === "Down" && was === "Up") {
        const expired = packet.diagnostic === diag.timeExpired;
        if (isDead && expired && lastSent !== undefined) {
          detections.push((at - lastSent) / 1000);
          deaths -= 1;
        } else if (expired && !isDead) falseDowns += 1;
        unsteady();
        if (isDead) actAt = now + DEAD_MICROS;
        return;
      }
      const isFast = state === "Up" && packet.desiredMinTxMicros === intervalMicros && !packet.poll;
      if (!isFast) {
        if (!isDead) unsteady();
        return;
      }
      if (fastAt !== undefined && gaps.length < MOST_GAPS) gaps.push((at - fastAt) / 1000);
      fastAt = at;
      if (!isDead) steady(now);
    },
    silent() {
      if (!isDead) silences += 1;
    },
    act(now) {
      if (now < actAt) return;
      actAt = Number.POSITIVE_INFINITY;
      isDead = !isDead;
      if (isDead || heldBack === undefined) return;
      speak(heldBack);
      heldBack = undefined;
    },
    nextDue: () => actAt,
    seen: () => ({
      gaps,
      detections,
      falseDowns,
      silences,
      longestPause: longestPause / 1000,
    }),
  };
}
