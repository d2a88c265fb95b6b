/**
 * Checkpoints: what a host signs of its log now and then, so that whoever keeps one notices a log that was written anew.
 *
 * Pure. A checkpoint says how many facts there are, the hash at the end, and the log's own hash where the checkpoint before it
 * stood: a log that was cut, set back or replaced contradicts an older one, however long it has grown since. Reads next:
 * heads.ts (the judgement), report.ts (when one is made).
 */
import * as z from "zod";
import { type Signer, verifySignature } from "../fleet/signing.ts";
import { LANES } from "./lanes.ts";
import type { Message } from "./message.ts";

const seq = z.int().min(0);
const hash = z.string().regex(/^(?:[0-9a-f]{64})?$/);
/** `hash` is empty where the log does not reach `seq`. */
export const Head = z.object({ seq, hash });

/** Of each lane: its newest acknowledged seq, and up to which seq the log was looked through for it. */
const Positions = z.record(z.string(), z.object({ last: seq, to: seq }));
export type Positions = Readonly<z.infer<typeof Positions>>;

/** The audit stream as it was when the lanes were last held against it, and the holes that stay in them (holes.ts). */
const Held = z.object({
  created: z.string(),
  /** Messages that had been taken out of it. */
  removed: seq,
  missing: z.array(
    z.object({ lane: z.enum(LANES), from: seq, to: seq, why: z.enum(["read", "limits", "log"]) }),
  ),
});
export type Held = z.infer<typeof Held>;

const Schema = z.object({
  fleet: z.string(),
  host: z.string(),
  /** Facts in the log. */
  count: seq,
  seq,
  hash,
  /** RFC 3339, the host's wall clock. */
  at: z.string(),
  /** `U…` of the host. */
  key: z.string(),
  /** What this log has at the seq of the checkpoint before; null: there was none. */
  before: Head.nullable(),
  lanes: Positions,
  /** Absent: not known, or told by an older version. */
  held: Held.optional(),
  /** The fleet's feed as this host has it; absent: told by an older version. */
  feed: z.object({ generation: seq, digest: z.string() }).nullable().optional(),
});
export type Checkpoint = z.infer<typeof Schema>;
export type Head = Readonly<z.infer<typeof Head>>;

const DOMAIN = new TextEncoder().encode("rutter checkpoint 1\n");
const signed = (octets: Uint8Array): Uint8Array => Buffer.concat([DOMAIN, octets]);

export function checkpointMessage(checkpoint: Checkpoint, signer: Signer): Message {
  const body = new TextEncoder().encode(JSON.stringify(checkpoint));
  return {
    headers: {
      "Rutter-Signer": signer.publicKey,
      "Rutter-Signature": Buffer.from(signer.sign(signed(body))).toString("base64url"),
    },
    body,
  };
}

export type ReadCheckpoint =
  | { readonly ok: true; readonly checkpoint: Checkpoint }
  | { readonly ok: false; readonly reason: string };

/** A message of `host`'s checkpoint subject. Outside data: never throws. */
export function readCheckpoint(
  { headers, body }: Message,
  { fleet, host }: { readonly fleet: string; readonly host: string },
): ReadCheckpoint {
  const wrong = (reason: string): ReadCheckpoint => ({ ok: false, reason });
  const parsed = Schema.safeParse(jsonOf(body));
  if (!parsed.success) return wrong("it is no checkpoint");
  const checkpoint = parsed.data;
  if (checkpoint.fleet !== fleet || checkpoint.host !== host) {
    return wrong(`it is of ${checkpoint.host} in ${checkpoint.fleet}`);
  }
  const signature = Buffer.from(headers["Rutter-Signature"] ?? "", "base64url");
  if (headers["Rutter-Signer"] !== checkpoint.key) return wrong("its signer is not its key");
  return verifySignature(checkpoint.key, signed(body), signature)
    ? { ok: true, checkpoint }
    : wrong("its signature is not its key's");
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // Octets from outside; the schema refuses what is no object.
    return undefined;
  }
}

export type Due = {
  /** undefined: none was made in this run. */
  readonly made: { readonly atMillis: number; readonly seq: number } | undefined;
  readonly nowMillis: number;
  readonly seq: number;
  readonly everyMillis: number;
};

/** A storm of facts is nailed down before the time is over. */
const DUE_FACTS = 10_000;

/** After a start, after a time, and after so many facts. */
export const isDue = ({ made, nowMillis, seq: head, everyMillis }: Due): boolean =>
  made === undefined || nowMillis >= made.atMillis + everyMillis || head >= made.seq + DUE_FACTS;
