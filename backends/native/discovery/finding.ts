/**
 * Who the neighbour on an interface is, and when we say that we are there: decisions over points in time, for the shell.
 *
 * Pure. A link of an unnumbered session has one router at its other end; where several answer, the first one stays for as long
 * as it is heard. Reads next: packet.ts, ../io/router-discovery.ts (who sends, hears and keeps the time).
 */
import type { Address } from "../../../events/address.ts";

export type Heard = { readonly address: Address; readonly atMillis: number };

/** Three intervals of an unnumbered peer's zebra, which is also the lifetime that its advertisements give. */
const SILENT_MILLIS = 30_000;
/** FRR's interval for neighbours that are known by their interface, as MaxRtrAdvInterval; RFC 4861 §6.2.1 allows 4 to 1800 s. */
const ADVERTISE_MILLIS = 10_000;
/** RFC 4861 §6.2.1, MinRtrAdvInterval: a third, so that speakers on one link do not fall into step. */
const LEAST_SHARE = 0.33;
/** RFC 4861 §10, MIN_DELAY_BETWEEN_RAS. */
const BETWEEN_ADVERTISEMENTS_MILLIS = 3000;
/** RFC 4861 §10, MAX_RA_DELAY_TIME. */
const ANSWER_DELAY_MILLIS = 500;
/** RFC 4861 §10, MAX_RTR_SOLICITATIONS and RTR_SOLICITATION_INTERVAL. */
const MOST_SOLICITATIONS = 3;
export const SOLICITATION_MILLIS = 4000;

/**
 * The neighbour after an advertisement from `address`. Another address than before takes over only where the one before has been
 * silent: a peer that came back with another link-local address says nothing under the old one any more.
 */
export function neighborAfter(
  before: Heard | undefined,
  address: Address,
  nowMillis: number,
): Heard {
  const isOther = before !== undefined && before.address !== address;
  const stays = isOther && nowMillis - before.atMillis < SILENT_MILLIS;
  return stays ? before : { address, atMillis: nowMillis };
}

/** Milliseconds to the next unsolicited advertisement (RFC 4861 §6.2.4); `random` in [0, 1). */
export const advertisePause = (random: number): number =>
  ADVERTISE_MILLIS * (LEAST_SHARE + random * (1 - LEAST_SHARE));

/**
 * Milliseconds until somebody is answered who asked, or who is new and may not know us: at random a little later, and never
 * sooner after the last advertisement than RFC 4861 §6.2.6 has it.
 */
export const answerPause = (
  lastSentMillis: number | undefined,
  nowMillis: number,
  random: number,
): number => {
  const rest =
    lastSentMillis === undefined
      ? 0
      : Math.max(0, BETWEEN_ADVERTISEMENTS_MILLIS - (nowMillis - lastSentMillis));
  return rest + random * ANSWER_DELAY_MILLIS;
};

/** RFC 4861 §6.3.7: asked for three times, then waited for. */
export const mayAsk = (asked: number, before: Heard | undefined): boolean =>
  before === undefined && asked < MOST_SOLICITATIONS;
