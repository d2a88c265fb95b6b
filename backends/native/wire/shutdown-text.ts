/**
 * Shutdown Communication: words from operator to operator in a Cease (RFC 9003 §2, which grew RFC 8203's 128 octets to 255).
 *
 *   0                   1
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *  +-------------------------------+
 *  |    Length     |  UTF-8 octets |
 *  +-------------------------------+
 *
 * The text comes from outside: control characters are taken out, so that it can be shown on a terminal and in a log.
 */

const MAX_TEXT_OCTETS = 255;

/** Empty for empty text; cut at 255 octets, at the border of a character. */
export function encodeShutdownText(text: string): Uint8Array {
  if (text === "") return new Uint8Array(0);
  const room = new Uint8Array(1 + MAX_TEXT_OCTETS);
  const { written } = new TextEncoder().encodeInto(text.toWellFormed(), room.subarray(1));
  room[0] = written;
  return room.slice(0, 1 + written);
}

/** Undefined where there is none, or where length or UTF-8 is wrong (RFC 9003 §3: that is no error of the session). */
export function decodeShutdownText(data: Uint8Array): string | undefined {
  const [length] = data;
  if (length === undefined || length === 0 || 1 + length > data.length) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(1, 1 + length));
    return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
