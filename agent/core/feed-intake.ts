/**
 * What comes by a fleet's feed, judged and recorded: octets in, a verdict out. Whoever reads the stream calls only this.
 *
 * In this order: is the signer anybody, is the signature theirs, can it be read, is it this fleet's, may the signer say all of
 * it, can every manifest be read; then the decision (agent/decide/feed.ts) and its commit. What is no change set is a fact of
 * its own. Calls are decided in the order in which they are made, and may share a commit. Never connects anywhere.
 * Reads next: agent/fleet/parts.ts (what makes the octets).
 */
import type { Actor, Source } from "../../events/envelope.ts";
import type { FeedPosition } from "../../events/feed-event.ts";
import type { EventLog } from "../../events/log/log.ts";
import type { DesiredState } from "../../events/state.ts";
import type { Document } from "../decide/decision.ts";
import { feedAwaits } from "../decide/feed.ts";
import { type ChangeSet, decodeSet, type Refused, refusedFor } from "../fleet/change-set.ts";
import { keysIn } from "../fleet/fleet-state.ts";
import { type SignedOctets, verifySigned } from "../fleet/parts.ts";
import { readPuts } from "../fleet/puts.ts";
import type { Opener } from "../fleet/signing.ts";
import { isTrusted, judge, type TrustRule } from "../fleet/trust.ts";
import type { Answer, Commands } from "../pipeline/commands.ts";
import { nodeLabels } from "../plan/labels.ts";
import type { SecretBatch, Secrets } from "../secrets/secrets.ts";
import { secretsFirst } from "./changes.ts";

export type Taken = {
  /** Of this host afterwards. */
  readonly generation: number;
} & (
  | { readonly type: "advanced" }
  /** It took its place before, or is older than where this host began. */
  | { readonly type: "known" }
  /** Sets before it are missing here: a base of this or a later generation helps, or those sets. */
  | { readonly type: "gap" }
  /** It belongs to another history than this host's; a base of a later generation helps. */
  | { readonly type: "diverged"; readonly reason: string }
  /** `moved`: it was the next change set, and the generation has moved on without it. Otherwise it was no set for this host. */
  | {
      readonly type: "refused";
      readonly moved: boolean;
      readonly rule: string;
      readonly reason: string;
    }
);

/** What the parts of a message say of themselves, where no set could be made of them. */
export type Unreadable = {
  readonly rule: string;
  readonly reason: string;
  /** Empty where the message says nothing of the kind. */
  readonly signer: string;
  readonly digest: string;
};

export type FeedIntake = {
  /** Resolves after the commit. Rejects with LogError NOT_RECORDED: then nothing happened, and the same call may be made again. */
  take(signed: SignedOctets, position: FeedPosition): Promise<Taken>;
  /** Records what joinParts() refused, once for each position. Rejects as take(). */
  refuse(unreadable: Unreadable, position: FeedPosition): Promise<Taken>;
};

type Parts = {
  readonly fleet: string;
  readonly trust: readonly TrustRule[];
  /** This host's curve key; undefined where it has none. */
  readonly opener: Opener | undefined;
  readonly commands: Pick<Commands, "submit" | "head">;
  readonly log: Pick<EventLog, "find">;
  readonly secrets: Pick<Secrets, "batch">;
};

export function createFeedIntake(parts: Parts): FeedIntake {
  // What is on its way to the disk is known as what is in the log. Both calls decide before they first wait, so that order holds.
  const flying = new Set<string>();
  const isKnown = (source: Placed): boolean =>
    flying.has(source.position) || parts.log.find(source) !== undefined;
  const submit: Submit = async (command, actor, source, before) => {
    const { position = "" } = source;
    flying.add(position);
    try {
      return await parts.commands.submit(command, actor, source, before);
    } finally {
      flying.delete(position);
    }
  };
  const book: Book = { isKnown, submit };
  return {
    take: (signed, position) => take(parts, book, signed, position),
    refuse: (unreadable, position) => refuse(parts, book, unreadable, position),
  };
}

type Placed = Source & { readonly position: string };
type Submit = Commands["submit"];
type Book = { readonly isKnown: (source: Placed) => boolean; readonly submit: Submit };

async function take(
  parts: Parts,
  book: Book,
  signed: SignedOctets,
  position: FeedPosition,
): Promise<Taken> {
  const read = readSet(parts, signed);
  const { signer, digest } = signed;
  if (!read.ok) {
    const { rule, reason } = read;
    return refuse(parts, book, { rule, reason, signer, digest }, position);
  }
  const { set } = read;
  const source = positionOf(set, digest);
  const known = book.isKnown(source);
  const { puts: _puts, ...rest } = set;
  const command = { type: "feed", set: rest, digest, signer, position, known } as const;
  const batch = parts.secrets.batch();
  // A set that is not the next one is told apart without its manifests.
  const documents = feedAwaits(parts.commands.head(), command)
    ? documentsOf(parts, set, signer, batch)
    : [];
  if ("rule" in documents && set.type === "base") {
    const { rule, reason } = documents;
    return refuse(parts, book, { rule, reason, signer, digest }, position);
  }
  const { decision } = await book.submit(
    { ...command, documents },
    { type: "signer", key: signer },
    // A base may mend again what it brought before: its position stands for the first time only.
    known ? { name: source.name } : source,
    secretsFirst(batch),
  );
  return takenOf(set, decision);
}

function readSet(
  { fleet, trust }: Parts,
  signed: SignedOctets,
): { readonly ok: true; readonly set: ChangeSet } | Refused {
  const { signer } = signed;
  if (!isTrusted(trust, signer)) {
    return refusedFor("signer", `${signer} is no signer that is trusted here`);
  }
  if (!verifySigned(signed))
    return refusedFor("signature", `its signature is not that of ${signer}`);
  const decoded = decodeSet(signed.octets);
  return decoded.ok && decoded.set.fleet !== fleet
    ? refusedFor("fleet", `it is a change set of fleet ${decoded.set.fleet.slice(0, 63)}`)
    : decoded;
}

function documentsOf(
  { trust, opener, commands }: Parts,
  set: ChangeSet,
  signer: string,
  batch: SecretBatch,
): readonly Document[] | Refused {
  const read = readPuts(set, opener, batch.seal);
  if (!read.ok) return read;
  const judgement = judge(keysIn(set, read.documents), signer, trust, nodeLabels(commands.head()));
  return judgement.ok ? read.documents : judgement;
}

const positionOf = ({ type, fleet, generation }: ChangeSet, digest: string): Placed => ({
  name: `feed:${fleet}`,
  position: `${type === "base" ? "base " : ""}${generation} ${digest}`,
});

function takenOf(
  { fleet, generation: wanted }: ChangeSet,
  { facts, after }: Answer["decision"],
): Taken {
  const generation = generationIn(after, fleet);
  for (const { event } of facts) {
    if (event.type === "feed-advanced") {
      const { verdict } = event;
      return verdict.result === "applied"
        ? { type: "advanced", generation }
        : { type: "refused", moved: true, generation, rule: verdict.rule, reason: verdict.reason };
    }
    if (event.type === "feed-diverged")
      return { type: "diverged", generation, reason: event.reason };
  }
  const told = after.feeds?.get(fleet)?.diverged;
  if (wanted === generation + 1 && told !== undefined) {
    return { type: "diverged", generation, reason: told.reason };
  }
  return { type: wanted > generation ? "gap" : "known", generation };
}

const agent: Actor = { type: "agent" };

async function refuse(
  { fleet, commands }: Parts,
  { isKnown, submit }: Book,
  { rule, reason, signer, digest }: Unreadable,
  position: FeedPosition,
): Promise<Taken> {
  const { stream, created, sequence } = position;
  const source = { name: `feed:${fleet}`, position: `refused ${stream} ${created} ${sequence}` };
  if (!isKnown(source)) {
    // The signer is what the message says, so the agent is who says this.
    await submit(
      { type: "feed-refusal", fleet, rule, reason, position, signer, digest },
      agent,
      source,
    );
  }
  const generation = generationIn(commands.head(), fleet);
  return { type: "refused", moved: false, generation, rule, reason };
}

const generationIn = (desired: DesiredState, fleet: string): number =>
  desired.feeds?.get(fleet)?.generation ?? 0;
