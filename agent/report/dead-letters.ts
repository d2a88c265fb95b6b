/**
 * Dead letters: what of the feed could not be taken, told to whoever looks after it, at a bounded rate.
 *
 * Pure. What is poisoned is recorded in the log in any case; a flood of it must not become a flood of ours, so what is too
 * much is counted, and the count is told. Of the message only its digest and a redacted beginning leave the host.
 */
import { redact } from "../secrets/redact.ts";

export type DeadLetter = {
  /** What it was: stream and sequence. */
  readonly what: string;
  readonly reason: string;
  readonly octets: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** How it begins, where that is text, without passwords and keys. */
  readonly beginning: string | undefined;
};

export type Letterbox = {
  /** False: too many; it was counted. */
  put(letter: DeadLetter, nowMillis: number): boolean;
  /** The next one, with how many were left out since the last; undefined: nothing to tell. */
  take(
    nowMillis: number,
  ): { readonly letter: DeadLetter | undefined; readonly leftOut: number } | undefined;
  /** Puts back what could not be sent. */
  back(taken: { readonly letter: DeadLetter | undefined; readonly leftOut: number }): void;
  leftOut(): number;
};

/** So many at once, and then one in so many milliseconds. */
const BURST = 20;
const EACH_MILLIS = 5000;

export function letterbox(): Letterbox {
  const waiting: DeadLetter[] = [];
  let tokens = BURST;
  let at: number | undefined;
  let leftOut = 0;
  return {
    put(letter, nowMillis) {
      tokens = Math.min(BURST, tokens + (nowMillis - (at ?? nowMillis)) / EACH_MILLIS);
      at = nowMillis;
      if (tokens < 1 || waiting.length >= BURST) {
        leftOut += 1;
        return false;
      }
      tokens -= 1;
      waiting.push(letter);
      return true;
    },
    take(nowMillis) {
      const letter = waiting.shift();
      // A count alone is told when a letter could be, so that the end of a flood is told, too.
      const mayCount = leftOut > 0 && nowMillis >= (at ?? 0) + EACH_MILLIS;
      if (letter === undefined && !mayCount) return undefined;
      const taken = { letter, leftOut };
      leftOut = 0;
      return taken;
    },
    back(taken) {
      if (taken.letter !== undefined) waiting.unshift(taken.letter);
      leftOut += taken.leftOut;
    },
    leftOut: () => leftOut,
  };
}

/** Looked at for passwords before it is cut, so that none is cut in two. */
const LOOKED_AT = 16 * 1024;
const BEGINNING = 200;

/** Lossy: what is no UTF-8 has no beginning to show. */
export function beginningOf(octets: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(octets.subarray(0, LOOKED_AT), {
      stream: true,
    });
    return redact(text).slice(0, BEGINNING);
  } catch {
    return undefined;
  }
}
