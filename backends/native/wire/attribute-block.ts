/**
 * The attributes of an UPDATE as they are kept in Adj-RIB-In: one form, whatever the session agreed.
 *
 * Four-octet AS numbers with AS4_PATH merged in (RFC 6793 §4.2.3); without what RFC 7606 discards; MP_REACH_NLRI without its
 * NLRI and MP_UNREACH_NLRI not at all, so that equal attributes are equal octets. Only called where the octets as received
 * are not already that. Reads next: route-attributes.ts (what shows them).
 */
import { checkAsPath, mergeAs4Path, readAsPath, type Segment, writeAsPath } from "./as-path.ts";
import { ATTRIBUTE, FLAG_EXTENDED_LENGTH, pushAttribute } from "./attribute-codes.ts";
import type { SessionOptions } from "./message.ts";
import { AS_TRANS } from "./open.ts";

/** One attribute in a buffer. `next` is where the one after it begins; beyond the block where the lengths are wrong. */
export type AttributeAt = {
  readonly at: number;
  readonly flags: number;
  readonly code: number;
  readonly start: number;
  readonly end: number;
};

/** Attributes from `start` on, up to the first that does not fit before `end`. For slow paths: it makes an object for each. */
export function* attributesIn(
  bytes: Uint8Array,
  start: number,
  end: number,
): Generator<AttributeAt> {
  for (let at = start; end - at >= 3;) {
    const flags = bytes[at] ?? 0;
    const isLong = (flags & FLAG_EXTENDED_LENGTH) !== 0;
    const value = at + (isLong ? 4 : 3);
    const first = bytes[at + 2] ?? 0;
    const next = value + (isLong ? (first << 8) | (bytes[at + 3] ?? 0) : first);
    if (next > end) return;
    yield { at, flags, code: bytes[at + 1] ?? 0, start: value, end: next };
    at = next;
  }
}

/** `dropped` holds the positions of attributes to leave out. The block was checked before. */
export function keptAttributes(
  bytes: Uint8Array,
  start: number,
  end: number,
  dropped: readonly number[],
  session: SessionOptions,
): Uint8Array {
  const kept = [...attributesIn(bytes, start, end)].filter(({ at }) => !dropped.includes(at));
  const old = session.as4 ? undefined : oldSpeakersPath(bytes, kept);
  const out: number[] = [];
  for (const { flags, code, start: from, end: to } of kept) {
    if (code === ATTRIBUTE.mpUnreach) continue;
    // RFC 6793 §6: from a four-octet speaker these two are to be discarded.
    if (code === ATTRIBUTE.as4Path || code === ATTRIBUTE.as4Aggregator) continue;
    let value: ArrayLike<number> = bytes.subarray(from, to);
    if (code === ATTRIBUTE.mpReach) value = withoutNlri(bytes, from);
    else if (old !== undefined && code === ATTRIBUTE.asPath) value = writeAsPath(old.path, 4);
    else if (old !== undefined && code === ATTRIBUTE.aggregator) value = old.aggregator;
    pushAttribute(out, flags, code, value);
  }
  return Uint8Array.from(out);
}

const withoutNlri = (bytes: Uint8Array, start: number): Uint8Array =>
  bytes.subarray(start, start + 4 + (bytes[start + 3] ?? 0) + 1);

/** RFC 6793 §4.2.3: what an old speaker's AS_PATH and AGGREGATOR mean together with what it carried through. */
function oldSpeakersPath(
  bytes: Uint8Array,
  kept: readonly AttributeAt[],
): { readonly path: readonly Segment[]; readonly aggregator: readonly number[] } {
  const find = (code: number): AttributeAt | undefined => kept.find((one) => one.code === code);
  const asPath = find(ATTRIBUTE.asPath);
  const path = asPath === undefined ? [] : readAsPath(bytes, asPath.start, asPath.end, 2);
  const aggregator = find(ATTRIBUTE.aggregator);
  const octets =
    aggregator === undefined ? [] : [...bytes.subarray(aggregator.start, aggregator.end)];
  const [high = 0, low = 0] = octets;
  const widened = [0, 0, ...octets];
  // A speaker that put its own two-octet number there aggregated anew: what was carried through is of before.
  if (aggregator !== undefined && ((high << 8) | low) !== AS_TRANS) {
    return { path, aggregator: widened };
  }
  const as4Aggregator = find(ATTRIBUTE.as4Aggregator);
  const isWhole = as4Aggregator !== undefined && as4Aggregator.end - as4Aggregator.start === 8;
  return {
    path: mergedPath(bytes, path, find(ATTRIBUTE.as4Path)),
    aggregator: isWhole ? [...bytes.subarray(as4Aggregator.start, as4Aggregator.end)] : widened,
  };
}

/** RFC 6793 §6: a malformed AS4_PATH is discarded, and the UPDATE goes on. */
function mergedPath(
  bytes: Uint8Array,
  path: readonly Segment[],
  as4Path: AttributeAt | undefined,
): readonly Segment[] {
  if (as4Path === undefined) return path;
  const { start, end } = as4Path;
  if (checkAsPath(bytes, start, end, 4, false) !== undefined) return path;
  return mergeAs4Path(path, readAsPath(bytes, start, end, 4));
}
