/**
 * What a reader remembers of each host's log, and the judgement whether the log it hears of now is still that one.
 *
 * Pure. What is remembered is a key and some (seq, hash): a log is append-only, so each of them must hold for ever. The first
 * word of a host is believed (there is nothing to hold against it); afterwards fewer facts or another hash at a seq that is
 * known are said. Reads next: checkpoint.ts; ../cli/known-heads.ts (the file).
 */
import * as z from "zod";
import { type Checkpoint, Head } from "./checkpoint.ts";

/** Where a message stood: another stream of the same name has another `created`. */
const StreamPlace = z.object({ created: z.string(), sequence: z.int().min(0) });
export type StreamPlace = Readonly<z.infer<typeof StreamPlace>>;

const KnownHost = z.object({
  key: z.string(),
  /** Keys that were this host's before, and were replaced with an operator's word. */
  former: z.array(z.string()).readonly().optional(),
  /** Another key that was heard and is not believed; `at`: of its first checkpoint, RFC 3339. */
  other: z.object({ key: z.string(), at: z.string() }).readonly().optional(),
  /** In order of seq; the last one is the newest head. */
  heads: z.array(Head).readonly(),
  /** Of the newest checkpoint, RFC 3339. */
  at: z.string(),
  place: StreamPlace,
  /** Where in the stream this log began that an operator took for another one's place; what stands before is of that other. */
  begins: StreamPlace.optional(),
});
export type KnownHost = Readonly<z.infer<typeof KnownHost>>;

/** By fleet and host. */
const KnownFleets = z.record(z.string(), z.record(z.string(), KnownHost));
export type KnownFleets = z.infer<typeof KnownFleets>;

export const knownText = (fleets: KnownFleets): string =>
  `${JSON.stringify({ version: 1, fleets }, null, 1)}\n`;

/** What knownText() wrote; undefined: it is something else. */
export function readKnown(text: string): KnownFleets | undefined {
  try {
    const parsed = z
      .object({ version: z.literal(1), fleets: KnownFleets })
      .safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.fleets : undefined;
  } catch {
    // A file that somebody edited.
    return undefined;
  }
}

export type Judgement =
  | { readonly type: "goes-on" | "first" | "known" }
  | { readonly type: "rewritten"; readonly reason: string };

/** A year of checkpoints is thinned out; the oldest and the newest stay. */
const HEADS_LIMIT = 256;

const says = ({ seq, hash }: Head): string => `seq ${seq} with hash ${hash.slice(0, 12)}…`;

/** What is known to stand at another hash than `head` says; undefined: nothing contradicts. */
export const contradiction = (known: KnownHost | undefined, head: Head): string | undefined => {
  const before = known?.heads.find(({ seq }) => seq === head.seq);
  return before === undefined || before.hash === head.hash
    ? undefined
    : `${says(before)} was known, and now it has ${head.hash.slice(0, 12) || "nothing"} there`;
};

/** In one stream a later sequence is later; another stream was made later, and only clocks compare. */
const isAfter = (known: KnownHost, { at }: Checkpoint, place: StreamPlace): boolean =>
  known.place.created === place.created
    ? place.sequence > known.place.sequence
    : Date.parse(at) > Date.parse(known.at);

/** Whether the log goes on from what is known. Whose signature it is was asked before (host-key.ts). */
export function judge(
  known: KnownHost | undefined,
  checkpoint: Checkpoint,
  place: StreamPlace,
): Judgement {
  const newest = known?.heads.at(-1);
  if (known === undefined || newest === undefined) return { type: "first" };
  const { seq, hash, before } = checkpoint;
  const rewritten = (reason: string): Judgement => ({ type: "rewritten", reason });
  const contrary =
    contradiction(known, { seq, hash }) ??
    (before === null ? undefined : contradiction(known, before));
  if (contrary !== undefined) return rewritten(contrary);
  if (!isAfter(known, checkpoint, place)) return { type: "known" };
  return seq < newest.seq
    ? rewritten(`it has ${seq} facts, and had ${newest.seq} before`)
    : { type: "goes-on" };
}

/** What is remembered after a checkpoint that goes on, or that an operator accepts. */
export function noted(
  known: KnownHost | undefined,
  { key, seq, hash, at }: Checkpoint,
  place: StreamPlace,
): KnownHost {
  const heads = (known?.heads ?? []).filter((head) => head.seq < seq);
  return { ...known, key, heads: thinned([...heads, { seq, hash }]), at, place };
}

/** Whether a message is of a log that was given up. */
export const isGivenUp = (
  known: KnownHost | undefined,
  { created, sequence }: StreamPlace,
): boolean => known?.begins?.created === created && sequence < known.begins.sequence;

/** Every other one of the older half goes, but the first. */
function thinned(heads: readonly Head[]): readonly Head[] {
  if (heads.length <= HEADS_LIMIT) return heads;
  return heads.filter((_, index) => index >= HEADS_LIMIT / 2 || index % 2 === 0);
}
