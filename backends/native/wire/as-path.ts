/**
 * AS_PATH and AS4_PATH (RFC 4271 §4.3, RFC 6793 §3): check, read, write, merge, show.
 *
 *   0                   1
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *  +-------------------------------+
 *  | Segment type  | Count of ASes |   then Count AS numbers of 2 or 4 octets; segments repeat
 *  +-------------------------------+
 *
 * checkAsPath() makes nothing and runs for each UPDATE; the others are for showing, old peers and what we send.
 */
import type { AttributeFault } from "./message.ts";
import { AS_TRANS } from "./open.ts";

export const AS_SET = 1;
export const AS_SEQUENCE = 2;
/** RFC 5065 §3. */
const AS_CONFED_SEQUENCE = 3;
const AS_CONFED_SET = 4;
/** The count of a segment is one octet. */
export const MAX_SEGMENT_ASES = 255;

export type Segment = { readonly type: number; readonly ases: readonly number[] };

const malformed = (clause: string, reason: string): AttributeFault => ({
  attribute: 2,
  action: "treat-as-withdraw",
  clause,
  reason,
});
const unknownSegment = malformed("RFC 7606 §7.2", "AS_PATH segment of unknown type");
const emptySegment = malformed("RFC 7606 §7.2", "AS_PATH segment without an AS number");
const overrun = malformed("RFC 7606 §7.2", "AS_PATH segment ends outside the attribute");
const confederation = malformed("RFC 5065 §5", "confederation segment from another AS");
const asZero = malformed("RFC 7607 §2", "AS number 0 in AS_PATH");

/** `external`: the peer is in another AS, so it may not send confederation segments. */
export function checkAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: 2 | 4,
  external: boolean,
): AttributeFault | undefined {
  for (let at = start; at < end;) {
    if (end - at < 2) return overrun;
    const type = bytes[at] ?? 0;
    const count = bytes[at + 1] ?? 0;
    if (type < AS_SET || type > AS_CONFED_SET) return unknownSegment;
    if (count === 0) return emptySegment;
    const next = at + 2 + count * width;
    if (next > end) return overrun;
    if (external && type >= AS_CONFED_SEQUENCE) return confederation;
    for (let as = at + 2; as < next; as += width) {
      if (readAs(bytes, as, width) === 0) return asZero;
    }
    at = next;
  }
  return undefined;
}

function readAs(bytes: Uint8Array, at: number, width: 2 | 4): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (width === 2) return high;
  return high * 0x1_0000 + (((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}

/** What checkAsPath() would refuse is cut off where it goes wrong. */
export function readAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: 2 | 4,
): readonly Segment[] {
  const segments: Segment[] = [];
  for (let at = start; at + 2 <= end;) {
    const count = bytes[at + 1] ?? 0;
    const next = at + 2 + count * width;
    if (next > end) break;
    const ases: number[] = [];
    for (let as = at + 2; as < next; as += width) ases.push(readAs(bytes, as, width));
    segments.push({ type: bytes[at] ?? 0, ases });
    at = next;
  }
  return segments;
}

/** Segments longer than 255 are split, which only AS_SEQUENCE survives unchanged in meaning (RFC 4271 §5.1.2). */
export function writeAsPath(segments: readonly Segment[], width: 2 | 4): readonly number[] {
  const out: number[] = [];
  for (const { type, ases } of segments) {
    for (let from = 0; from < ases.length; from += MAX_SEGMENT_ASES) {
      const part = ases.slice(from, from + MAX_SEGMENT_ASES);
      out.push(type, part.length);
      for (const as of part) pushAs(out, as, width);
    }
  }
  return out;
}

export function pushAs(out: number[], as: number, width: 2 | 4): void {
  if (width === 4) out.push(as >>> 24, (as >>> 16) & 0xff);
  // RFC 6793 §4.2.2: what does not fit is AS_TRANS in the two-octet path.
  const low = width === 2 && as > 0xffff ? AS_TRANS : as & 0xffff;
  out.push(low >> 8, low & 0xff);
}

/** RFC 4271 §9.1.2.2: a set counts as one; RFC 5065 §5.3: confederation segments as none. */
export function pathLength(segments: readonly Segment[]): number {
  let length = 0;
  for (const { type, ases } of segments) {
    if (type === AS_SEQUENCE) length += ases.length;
    else if (type === AS_SET) length += 1;
  }
  return length;
}

/** RFC 6793 §4.2.3: the leading ASes that an old speaker put in front, then the path with all its octets. */
export function mergeAs4Path(
  path: readonly Segment[],
  as4Path: readonly Segment[],
): readonly Segment[] {
  // RFC 6793 §4.2.2: confederation segments are not for AS4_PATH and are dropped from it (§6).
  const inner = as4Path.filter(({ type }) => type === AS_SEQUENCE || type === AS_SET);
  let missing = pathLength(path) - pathLength(inner);
  if (missing < 0 || inner.length === 0) return path;
  const merged: Segment[] = [];
  for (const segment of path) {
    const counts = segment.type === AS_SEQUENCE ? segment.ases.length : 1;
    if (segment.type >= AS_CONFED_SEQUENCE) merged.push(segment);
    else if (missing <= 0) break;
    else if (counts <= missing) {
      merged.push(segment);
      missing -= counts;
    } else {
      merged.push({ type: segment.type, ases: segment.ases.slice(0, missing) });
      missing = 0;
    }
  }
  const last = merged.at(-1);
  const [first, ...rest] = inner;
  if (last?.type !== AS_SEQUENCE || first?.type !== AS_SEQUENCE) return [...merged, ...inner];
  return [...merged.slice(0, -1), { ...last, ases: [...last.ases, ...first.ases] }, ...rest];
}

/** RFC 5396 §2 asplain: `65001 65002 {65003,65004}`; confederations in parentheses and brackets. */
export function asPathText(segments: readonly Segment[]): string {
  return segments.map(segmentText).join(" ");
}

function segmentText({ type, ases }: Segment): string {
  if (type === AS_SET) return `{${ases.join(",")}}`;
  if (type === AS_CONFED_SEQUENCE) return `(${ases.join(" ")})`;
  return type === AS_CONFED_SET ? `[${ases.join(",")}]` : ases.join(" ");
}
