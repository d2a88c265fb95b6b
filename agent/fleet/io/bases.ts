/**
 * Change sets out of the feed's stream: the newest base, and everything from a sequence on, joined of their parts.
 *
 * Never judges what it reads: a set is octets that name a signer, and whoever is handed them asks whether that is true. Where
 * a message is none of a set it is said so, and reading goes on. Reads next: ../parts.ts, connection.ts.
 */
import type { FeedRule } from "../change-set.ts";
import { HEADERS, joinParts, type SignedOctets } from "../parts.ts";
import type { FleetNames } from "../subjects.ts";
import type { FleetConnection, StoredMessage } from "./connection.ts";

/** What one message, or the last part of a set, made whole. `sequence` is that message's. */
export type FeedItem =
  | { readonly type: "set"; readonly signed: SignedOctets; readonly sequence: number }
  | {
      readonly type: "unreadable";
      readonly rule: FeedRule;
      readonly reason: string;
      /** As the message says; empty where it says nothing of the kind. */
      readonly signer: string;
      readonly digest: string;
      readonly sequence: number;
      readonly body: Uint8Array;
    };

/** A joiner of messages; undefined: there is more to come. */
export function feedJoiner(): (message: StoredMessage) => FeedItem | undefined {
  const joiner = joinParts();
  return ({ headers, body, sequence }) => {
    const header = (name: string): string => headers[name] ?? "";
    const joined = joiner.push(header, body, sequence);
    if (joined.type === "more") return undefined;
    if (joined.type === "set") return { type: "set", signed: joined, sequence };
    const { rule, reason } = joined;
    const signer = bounded(header(HEADERS.signer));
    const digest = bounded(header(HEADERS.digest));
    return { type: "unreadable", rule, reason, signer, digest, sequence, body };
  };
}

/** Outside text that goes into the book; a key and a digest have 56 and 64 characters. */
const bounded = (text: string): string => text.slice(0, 64);

/** More parts than any set has are not looked for. */
const MAX_PARTS = 4096;

/**
 * The base that stands last in the stream; undefined: there is none, or the last message of that subject ends none (a
 * publisher stopped half-way, or it is something else). Then the whole stream says what is in force.
 */
export async function newestBase(
  connection: Pick<FleetConnection, "lastOfSubject" | "at">,
  { feedStream, bases }: Pick<FleetNames, "feedStream" | "bases">,
): Promise<FeedItem | undefined> {
  const last = await connection.lastOfSubject(feedStream, bases);
  if (last === undefined) return undefined;
  const [, part = "1"] = /^(\d+)\/\1$/.exec(last.headers[HEADERS.part] ?? "") ?? [];
  const first = Number(last.headers[HEADERS.first] ?? last.sequence - Number(part) + 1);
  if (!Number.isSafeInteger(first) || last.sequence - first >= MAX_PARTS) return undefined;
  const join = feedJoiner();
  for (let sequence = Math.max(1, first); sequence < last.sequence; sequence += 1) {
    const message = await connection.at(feedStream, sequence);
    if (message !== undefined) join(message);
  }
  return join(last);
}

/** All of the stream from a sequence to what is its end when the last message is read. */
export async function readToEnd(
  connection: Pick<FleetConnection, "read">,
  reading: {
    readonly stream: string;
    readonly consumer: string;
    readonly from: number;
    readonly onItem: (item: FeedItem) => void;
    readonly onMessage?: (sequence: number) => void;
  },
): Promise<void> {
  const ended = new AbortController();
  const join = feedJoiner();
  await connection.read(
    {
      stream: reading.stream,
      consumer: reading.consumer,
      from: reading.from,
      onStart: (pending) => {
        if (pending === 0) ended.abort();
      },
      onMessage: (message) => {
        const item = join(message);
        if (item !== undefined) reading.onItem(item);
        reading.onMessage?.(message.sequence);
        if (message.pending === 0) ended.abort();
      },
    },
    ended.signal,
  );
}
