/**
 * The last words of a gobgpd that crashed → what it ended over, in one line, and which message of a peer that was.
 *
 * Pure. Go prints a panic, then the functions on the stack with the slices they were given, each as {address, length, capacity}: a
 * decoder's outermost one is the message without its header (measured with gobgpd 3.10). Reads next: streams.ts (what was heard).
 */
import type { PeerMessage } from "../../daemons.ts";
import type { Heard } from "./streams.ts";

export type Crash = {
  /** `panic: …` or `fatal error: …`; undefined: it said nothing of the sort. */
  readonly panic: string | undefined;
  /** Octets of the message behind its header, where it was reading one. */
  readonly bodyLength: number | undefined;
};

const HEADER = 19;
const LINE_LIMIT = 300;

export function crashIn(words: string): Crash {
  const [panic] = /^(?:panic|fatal error): .*$/m.exec(words) ?? [];
  const [, length] =
    /packet\/bgp\.parseBody\([^{]*\{0x[0-9a-f]+\??, 0x([0-9a-f]+)/.exec(words) ?? [];
  return {
    panic: panic?.slice(0, LINE_LIMIT),
    bodyLength: length === undefined ? undefined : Number.parseInt(length, 16),
  };
}

/** `heard`: oldest first. undefined: nobody was heard, or no message of that length. */
export function messageOf(
  { panic, bodyLength }: Crash,
  heard: readonly Heard[],
): PeerMessage | undefined {
  if (panic === undefined) return undefined;
  const fitting =
    bodyLength === undefined
      ? heard
      : heard.filter(({ octets }) => octets.length === HEADER + bodyLength);
  const last = fitting.at(-1);
  if (last === undefined) return undefined;
  return {
    from: last.from,
    octets: hexOf(last.octets),
    certain: bodyLength !== undefined && fitting.length === 1,
  };
}

const hexOf = (octets: Uint8Array): string =>
  [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join("");
