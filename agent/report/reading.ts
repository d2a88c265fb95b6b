/**
 * What a reader of the audit stream makes of it: each fact once, gaps, and a log that is not the one that it was.
 *
 * Pure. A message says up to where its lane was told before; what a reader has is kept as that and the gaps in it, because a
 * refill may fill them later. Whatever was told of a seq must be told of it for ever: another hash there, or another hash
 * before it, is another log. Reads next: message.ts (a fact verified by itself), heads.ts (what is known from before).
 */
import type { Checkpoint } from "./checkpoint.ts";
import { contradiction, judge, type KnownHost, noted, type StreamPlace } from "./heads.ts";
import { hostKey, type KeyFinding, type KeyStanding } from "./host-key.ts";
import type { Lane } from "./lanes.ts";
import type { AuditFact } from "./message.ts";

export type Finding =
  /** The lane's facts above `from` and up to `to` were not seen (yet). */
  | { readonly type: "gap"; readonly lane: Lane; readonly from: number; readonly to: number }
  /** Nothing of the lane up to `to` is in the stream, and this reader never saw it. */
  | { readonly type: "begins-behind"; readonly lane: Lane; readonly to: number }
  /** `accepted`: rewritten, and an operator has said that it is to be taken as it is. */
  | { readonly type: "rewritten" | "accepted"; readonly reason: string }
  | KeyFinding;

export type Seen = {
  /** False: it was read before. */
  readonly isNew: boolean;
  readonly findings: readonly Finding[];
};

/** The lane's facts above `from` and up to `to`. */
export type LaneGap = { readonly lane: Lane; readonly from: number; readonly to: number };

/** Of one host. */
export type HostReading = {
  fact(lane: Lane, fact: AuditFact, place: StreamPlace): Seen;
  checkpoint(checkpoint: Checkpoint, place: StreamPlace): readonly Finding[];
  /** Of each lane: everything up to this seq was read. */
  positions(): Readonly<Partial<Record<Lane, number>>>;
  gaps(): readonly LaneGap[];
  /** What the stream did not have when this reader first came to it, and has not told since. */
  behind(): readonly LaneGap[];
  /** What is to be remembered of it; as before where the log was found rewritten. */
  known(): KnownHost | undefined;
  isRewritten(): boolean;
  key(): KeyStanding;
  /** The newest checkpoint of this reading. */
  newest(): Checkpoint | undefined;
};

/** `isBefore`: of before this reader began; it may come, and is not missed. */
type Gap = { readonly from: number; readonly to: number; readonly isBefore: boolean };
type Read = { upTo: number; gaps: Gap[] };

/** A stream with more holes has lost what it was for; the oldest gaps are said and forgotten. */
const GAPS_LIMIT = 1000;
/** Hashes kept, the newest, to hold others against: of one host some hundred kilobytes. */
const HASHES_LIMIT = 4096;

/**
 * `accepts`: another log in this one's place, or another key, is taken for the host's from now on. `pins`: the keys that the
 * reader's configuration has of it; none: the first that is heard is believed.
 */
export function hostReading(
  remembered: KnownHost | undefined,
  positions: Readonly<Partial<Record<Lane, number>>>,
  accepts = false,
  pins: readonly string[] = [],
): HostReading {
  const keys = hostKey(remembered, { pins, accepts });
  const lanes = new Map<Lane, Read>();
  for (const lane of ["desired", "sessions", "routes"] as const) {
    const upTo = positions[lane];
    if (upTo !== undefined) lanes.set(lane, { upTo, gaps: [] });
  }
  const hashes = new Map<number, string>();
  let known = remembered;
  let isRewritten = false;
  let begins: StreamPlace | undefined;
  let newest: Checkpoint | undefined;

  const remember = (seq: number, hash: string): void => {
    hashes.set(seq, hash);
    const [oldest] = hashes.keys();
    if (hashes.size > HASHES_LIMIT && oldest !== undefined) hashes.delete(oldest);
  };
  /** From here on another log is read; what is remembered of the old one stays in the file. */
  const beginAnew = (reason: string, place: StreamPlace): Finding => {
    isRewritten = !accepts;
    begins = place;
    known = undefined;
    hashes.clear();
    lanes.clear();
    return { type: accepts ? "accepted" : "rewritten", reason };
  };
  const contrary = ({ seq, hash, previousHash }: AuditFact): string | undefined => {
    const old = hashes.get(seq);
    if (old !== undefined && old !== hash) return `seq ${seq} was told with another hash before`;
    const before = hashes.get(seq - 1);
    if (before !== undefined && before !== previousHash) {
      return `seq ${seq} does not follow the seq ${seq - 1} that was told`;
    }
    return (
      contradiction(known, { seq, hash }) ??
      (seq > 1 ? contradiction(known, { seq: seq - 1, hash: previousHash }) : undefined)
    );
  };

  function fact(lane: Lane, one: AuditFact, place: StreamPlace): Seen {
    const { believed, findings: said } = keys.fact(one.seq, one.signer);
    const findings: Finding[] = [...said];
    if (!believed && pins.length > 0) return { isNew: false, findings };
    const reason = contrary(one);
    if (reason !== undefined) findings.push(beginAnew(reason, place));
    if (!believed) return { isNew: true, findings };
    remember(one.seq, one.hash);
    remember(one.seq - 1, one.previousHash);
    const read = lanes.get(lane);
    if (read === undefined) {
      const before = { from: 0, to: one.previous, isBefore: true };
      lanes.set(lane, { upTo: one.seq, gaps: one.previous > 0 ? [before] : [] });
      if (one.previous > 0) findings.push({ type: "begins-behind", lane, to: one.previous });
      return { isNew: true, findings };
    }
    const isLate = read.gaps.some(({ from, to }) => one.seq > from && one.seq <= to);
    read.gaps = read.gaps.flatMap((gap) => without(gap, one.previous, one.seq));
    if (one.seq <= read.upTo) return { isNew: isLate, findings };
    if (one.previous > read.upTo) findings.push(miss(lane, read, one.previous));
    read.upTo = one.seq;
    return { isNew: true, findings };
  }

  function miss(lane: Lane, read: Read, to: number): Finding {
    const from = read.upTo;
    read.gaps = [...read.gaps, { from, to, isBefore: false }].slice(-GAPS_LIMIT);
    return { type: "gap", lane, from, to };
  }

  function checkpoint(one: Checkpoint, place: StreamPlace): readonly Finding[] {
    const { believed, findings: said } = keys.checkpoint(one.key, one.at, known?.at);
    const findings: Finding[] = [...said];
    if (!believed) return findings;
    const judgement = judge(known, one, place);
    if (judgement.type === "rewritten") findings.push(beginAnew(judgement.reason, place));
    if (judgement.type === "known") return findings;
    const told = hashes.get(one.seq);
    if (told !== undefined && told !== one.hash) {
      findings.push(beginAnew(`seq ${one.seq} was told with another hash`, place));
    }
    known = noted(known, one, place);
    newest = one;
    // Facts are acknowledged before a checkpoint counts them, so they stand before it in the stream.
    for (const [lane, read] of lanes) {
      const last = one.lanes[lane]?.last ?? 0;
      if (last <= read.upTo) continue;
      findings.push(miss(lane, read, last));
      read.upTo = last;
    }
    return findings;
  }

  const gapsOf = (which: (read: Read) => readonly Gap[]): readonly LaneGap[] =>
    [...lanes].flatMap(([lane, read]) => which(read).map(({ from, to }) => ({ lane, from, to })));

  return {
    fact,
    checkpoint,
    positions: () =>
      Object.fromEntries(
        [...lanes].map(([lane, read]) => [lane, missed(read)[0]?.from ?? read.upTo]),
      ),
    gaps: () => gapsOf(missed),
    behind: () => gapsOf(({ gaps }) => gaps.filter(({ isBefore }) => isBefore)),
    known: () => {
      if (isRewritten) return remembered;
      const now = known === undefined || begins === undefined ? known : { ...known, begins };
      return now && keys.remembered(now);
    },
    key: keys.standing,
    isRewritten: () => isRewritten,
    newest: () => newest,
  };
}

const missed = ({ gaps }: Read): readonly Gap[] => gaps.filter(({ isBefore }) => !isBefore);

/** What is left of a gap when everything above `from` and up to `to` was told. */
function without(gap: Gap, from: number, to: number): Gap[] {
  if (to <= gap.from || from >= gap.to) return [gap];
  const below = from > gap.from ? [{ ...gap, to: from }] : [];
  const above = to < gap.to ? [{ ...gap, from: to }] : [];
  return [...below, ...above];
}
