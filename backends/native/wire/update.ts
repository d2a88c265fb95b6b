/**
 * UPDATE as received (RFC 4271 §4.3), judged by RFC 7606: from octets to ranges of octets, no object per route.
 *
 *  +---------------------------------------------------------------+
 *  | Withdrawn length, 2 octets    |  withdrawn prefixes           |
 *  +---------------------------------------------------------------+
 *  | Total attribute length, 2     |  path attributes              |
 *  +---------------------------------------------------------------+
 *  |  NLRI, to the end of the message                              |
 *  +---------------------------------------------------------------+
 *
 * The NLRI is found from the total attribute length, whatever an attribute says of its own (RFC 7606 §4). A fault that
 * leaves the NLRI readable costs these routes and no session. Total: any octets give a value.
 * Reads next: attribute-check.ts, mp-attributes.ts, attribute-block.ts.
 */
import type { Family } from "../../../events/address.ts";
import {
  flagsFault,
  missingAsPath,
  missingNextHop,
  missingOrigin,
  overrunningAttribute,
  repeatedAttribute,
  valueFault,
} from "./attribute-check.ts";
import { ATTRIBUTE, FLAG_EXTENDED_LENGTH } from "./attribute-codes.ts";
import { keptAttributes } from "./attribute-block.ts";
import type {
  AttributeFault,
  Decoded,
  NlriRange,
  Notification,
  SessionOptions,
  Update,
} from "./message.ts";
import { readMpReach, readMpUnreach } from "./mp-attributes.ts";
import { nlriReadable } from "./nlri.ts";
import {
  invalidNetworkField,
  malformedAttributeList,
  optionalAttributeError,
} from "./notification.ts";

const none: readonly never[] = [];
const empty = new Uint8Array(0);
/** Attribute types below this are counted in the bits of one number. */
const LOW_CODES = 32;
/** Faults kept of one UPDATE, for people: the first few tell the story, and a hostile one could bring a thousand. */
const MAX_FAULTS = 8;

/** What the walk over the attributes finds. */
type Scan = {
  readonly bytes: Uint8Array;
  readonly session: SessionOptions;
  low: number;
  high: Set<number> | undefined;
  faults: AttributeFault[] | undefined;
  dropped: number[] | undefined;
  isWithdraw: boolean;
  hasMpReach: boolean;
  reach: NlriRange | undefined;
  unreach: NlriRange | undefined;
  /** True where the octets as received are not the form that is kept. */
  mustRebuild: boolean;
};

/** `start` is past the header, `end` the end of the message. The error is what ends the session. */
export function parseUpdate(
  bytes: Uint8Array,
  start: number,
  end: number,
  session: SessionOptions,
): Decoded<Update> {
  // RFC 4271 §6.3, kept by RFC 7606 §3(b): lengths that contradict the message leave nothing to go on.
  if (end - start < 4) return fault(malformedAttributeList);
  const withdrawnEnd = start + 2 + u16(bytes, start);
  if (withdrawnEnd + 2 > end) return fault(malformedAttributeList);
  const attributes = withdrawnEnd + 2;
  const nlri = attributes + u16(bytes, withdrawnEnd);
  if (nlri > end) return fault(malformedAttributeList);
  const addPath = session.addPath.includes("ipv4");
  const isAgreed = session.families.includes("ipv4");
  // RFC 7606 §5.3: NLRI that cannot be read leaves no way to know which routes are meant.
  if (
    isAgreed &&
    !(
      nlriReadable(bytes, start + 2, withdrawnEnd, "ipv4", addPath) &&
      nlriReadable(bytes, nlri, end, "ipv4", addPath)
    )
  ) {
    return fault(invalidNetworkField);
  }
  const scan: Scan = {
    bytes,
    session,
    low: 0,
    high: undefined,
    faults: undefined,
    dropped: undefined,
    isWithdraw: false,
    hasMpReach: false,
    reach: undefined,
    unreach: undefined,
    mustRebuild: !session.as4,
  };
  const error = walk(scan, attributes, nlri);
  if (error !== undefined) return fault(error);
  checkMandatory(scan, nlri < end);
  // RFC 7606 §5.2: with nothing to withdraw, treat-as-withdraw would hide the fault.
  if (scan.isWithdraw && nlri === end && !scan.hasMpReach) return fault(malformedAttributeList);
  const classic = (from: number, to: number): NlriRange | undefined =>
    isAgreed && from < to ? { family: "ipv4", addPath, start: from, end: to } : undefined;
  return {
    ok: true,
    value: conclude(
      scan,
      attributes,
      classic(start + 2, withdrawnEnd),
      classic(nlri, end),
      nlri,
      end,
    ),
  };
}

const fault = (error: Notification): { readonly ok: false; readonly error: Notification } => ({
  ok: false,
  error,
});
const u16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** From attribute to attribute; the answer is what ends the session, if anything does. */
function walk(scan: Scan, from: number, end: number): Notification | undefined {
  const { bytes } = scan;
  for (let at = from; at < end;) {
    const flags = bytes[at] ?? 0;
    const isLong = (flags & FLAG_EXTENDED_LENGTH) !== 0;
    const start = at + (isLong ? 4 : 3);
    const code = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
    const next = start > end ? start : start + (isLong ? u16(bytes, at + 2) : (bytes[at + 2] ?? 0));
    if (next > end) {
      // RFC 7606 §4; where it is the NLRI itself that is cut, there is nothing left to withdraw by (§7.11, §7.12).
      if (code === ATTRIBUTE.mpReach || code === ATTRIBUTE.mpUnreach) return malformedAttributeList;
      note(scan, overrunningAttribute(code));
      return undefined;
    }
    const error = one(scan, at, flags, code, start, next);
    if (error !== undefined) return error;
    at = next;
  }
  return undefined;
}

function one(
  scan: Scan,
  at: number,
  flags: number,
  code: number,
  start: number,
  end: number,
): Notification | undefined {
  if (isRepeated(scan, code)) {
    // RFC 7606 §3(g): twice the NLRI attribute is the one repetition that is not survived.
    if (code === ATTRIBUTE.mpReach || code === ATTRIBUTE.mpUnreach) return malformedAttributeList;
    drop(scan, at, repeatedAttribute(code));
    return undefined;
  }
  if (code === ATTRIBUTE.mpReach || code === ATTRIBUTE.mpUnreach) {
    const error = multiprotocol(scan, code, start, end);
    if (error !== undefined) return optionalAttributeError(scan.bytes.subarray(at, end));
  }
  if (code === ATTRIBUTE.as4Path || code === ATTRIBUTE.as4Aggregator) scan.mustRebuild = true;
  const wrong = valueFault(code, scan.bytes, start, end, scan.session);
  // RFC 7606 §3(h): of two faults the one that is handled more strictly counts.
  const worst = wrong?.action === "treat-as-withdraw" ? wrong : (flagsFault(flags, code) ?? wrong);
  if (worst !== undefined) drop(scan, at, worst);
  return undefined;
}

function multiprotocol(scan: Scan, code: number, start: number, end: number): true | undefined {
  const { bytes, session } = scan;
  const isReach = code === ATTRIBUTE.mpReach;
  const read = (isReach ? readMpReach : readMpUnreach)(bytes, start, end, session);
  if (read.type === "session-reset") return true;
  scan.mustRebuild = true;
  if (isReach) scan.hasMpReach = true;
  if (read.type === "skip") return undefined;
  if (isReach) scan.reach = read.nlri;
  else scan.unreach = read.nlri;
  if (read.fault !== undefined) note(scan, read.fault);
  return undefined;
}

function isRepeated(scan: Scan, code: number): boolean {
  if (code < LOW_CODES) {
    const bit = 1 << code;
    const was = (scan.low & bit) !== 0;
    scan.low |= bit;
    return was;
  }
  scan.high ??= new Set();
  const { size } = scan.high;
  return scan.high.add(code).size === size;
}

function note(scan: Scan, wrong: AttributeFault): void {
  scan.faults ??= [];
  if (wrong.action === "treat-as-withdraw") scan.isWithdraw = true;
  if (scan.faults.length < MAX_FAULTS) scan.faults.push(wrong);
}

function drop(scan: Scan, at: number, wrong: AttributeFault): void {
  note(scan, wrong);
  if (wrong.action !== "attribute-discard") return;
  scan.dropped ??= [];
  scan.dropped.push(at);
  scan.mustRebuild = true;
}

/** RFC 7606 §3(d), RFC 4271 §5: judged by presence; one that is malformed is noted already. */
function checkMandatory(scan: Scan, hasNlri: boolean): void {
  if (!hasNlri && !scan.hasMpReach) return;
  const has = (code: number): boolean => (scan.low & (1 << code)) !== 0;
  if (!has(ATTRIBUTE.origin)) note(scan, missingOrigin);
  if (!has(ATTRIBUTE.asPath)) note(scan, missingAsPath);
  if (hasNlri && !has(ATTRIBUTE.nextHop)) note(scan, missingNextHop);
}

function conclude(
  scan: Scan,
  attributesStart: number,
  withdrawn: NlriRange | undefined,
  nlri: NlriRange | undefined,
  attributesEnd: number,
  end: number,
): Update {
  const { bytes, session, reach, unreach, isWithdraw } = scan;
  const gone = [withdrawn, unreach, ...(isWithdraw ? [nlri, reach] : none)];
  const come = isWithdraw ? none : present([nlri, reach]);
  const outcome = scan.faults === undefined ? "ok" : "attribute-discard";
  return {
    bytes,
    withdrawn: present(gone),
    announced: come,
    attributes:
      come.length === 0 ? empty : attributesOf(scan, attributesStart, attributesEnd, session),
    outcome: isWithdraw ? "treat-as-withdraw" : outcome,
    faults: scan.faults ?? none,
    endOfRib: endOfRib(scan, attributesStart, attributesEnd, withdrawn, end),
  };
}

const present = (ranges: readonly (NlriRange | undefined)[]): readonly NlriRange[] =>
  ranges.filter((range): range is NlriRange => range !== undefined && range.start < range.end);

function attributesOf(scan: Scan, start: number, end: number, session: SessionOptions): Uint8Array {
  return scan.mustRebuild
    ? keptAttributes(scan.bytes, start, end, scan.dropped ?? none, session)
    : scan.bytes.subarray(start, end);
}

/** RFC 4724 §2: an UPDATE of the least length, or one whose only attribute is an empty MP_UNREACH_NLRI. */
function endOfRib(
  scan: Scan,
  attributesStart: number,
  attributesEnd: number,
  withdrawn: NlriRange | undefined,
  end: number,
): Family | undefined {
  if (withdrawn !== undefined || attributesEnd !== end) return undefined;
  if (attributesStart === end) return scan.session.families.includes("ipv4") ? "ipv4" : undefined;
  const only = scan.low === 1 << ATTRIBUTE.mpUnreach && scan.high === undefined;
  const { unreach } = scan;
  return only && unreach?.start === unreach?.end ? unreach?.family : undefined;
}
