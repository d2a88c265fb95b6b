/**
 * A change set: what one signer wants changed in a fleet's desired state, as the octets that are signed.
 *
 * Canonical JSON, made once by the publisher and never made again by a receiver: what is hashed, signed and stored are these
 * octets. Decoding is total: outside octets give a set or a refusal, and nothing of them is kept before all of it is judged.
 * Reads next: parts.ts (octets ⇄ messages), signing.ts, trust.ts.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { type Address, parseAddress } from "../../events/address.ts";
import { canonicalJson } from "../../events/digest.ts";
import type { AllocatedAddress } from "../../events/event.ts";
import type { ResourceKey } from "../../events/ids.ts";
import { MAX_DEPTH } from "../../events/resources/plain.ts";

/** A manifest as its author wrote it, its metadata reduced (puts.ts); still outside data to whoever receives it. */
export type Put = Readonly<Record<string, unknown>>;

/** The addresses that a Service has from now on; an empty list takes them back. */
export type Allocated = {
  readonly service: ResourceKey;
  readonly addresses: readonly AllocatedAddress[];
};

export type ChangeSet = {
  /** A base says everything that is in force, for newcomers and for who missed something. */
  readonly type: "change" | "base";
  readonly fleet: string;
  /** 1, 2, 3 … without gaps; a base has that of the change set it stands behind. */
  readonly generation: number;
  /**
   * SHA-256 (hexadecimal) of the octets of the change set before; empty in generation 1. In a base: of the change set of
   * `generation` itself, which is what the next one names.
   */
  readonly previous: string;
  readonly puts: readonly Put[];
  /** Tombstones; in a base all that are kept. */
  readonly deletes: readonly ResourceKey[];
  /** Which change with this set; in a base all in force. */
  readonly allocations: readonly Allocated[];
};

/** Why something is no change set, or is not applied; `rule` is a stable id. */
export type Refused = { readonly ok: false; readonly rule: FeedRule; readonly reason: string };

export type FeedRule =
  | "headers"
  | "parts"
  | "gzip"
  | "too-large"
  | "digest"
  | "signer"
  | "signature"
  | "not-text"
  | "not-json"
  | "nesting"
  | "forbidden-key"
  | "number"
  | "schema"
  | "fleet"
  | "scope"
  | "clear-secret"
  | "duplicate"
  | "manifest";

export const refusedFor = (rule: FeedRule, reason: string): Refused => ({
  ok: false,
  rule,
  reason,
});

export type DecodedSet = { readonly ok: true; readonly set: ChangeSet } | Refused;

/** What manifests may have, too (agent/manifests/text.ts): a fleet's base is a host's whole state. */
export const MAX_SET_OCTETS = 64 * 1024 * 1024;
/** Twice the largest fleet that is measured with. */
export const MAX_PUTS = 200_000;
/** A manifest may have its own depth inside of the set, its list and its braces. */
const MAX_NESTING = MAX_DEPTH + 2;

/** The octets that are signed. Throws where the set is larger than receivers take: the publisher divides it. */
export function encodeSet(set: ChangeSet): Uint8Array {
  const octets = new TextEncoder().encode(canonicalJson(set));
  if (octets.length > MAX_SET_OCTETS || set.puts.length > MAX_PUTS) {
    throw new RangeError(
      `a change set of ${set.puts.length} resources and ${octets.length} octets is larger than receivers take`,
    );
  }
  return octets;
}

/** SHA-256, hexadecimal: what the next set names as `previous`, and what is signed. */
export const digestOf = (octets: Uint8Array): string =>
  createHash("sha256").update(octets).digest("hex");

/** What a signer signs for a digest: a tag, so that no signature of something else is one of a change set. */
export function signedOctets(digest: string): Uint8Array {
  return Buffer.concat([Buffer.from("rutter change set 1\n"), Buffer.from(digest, "hex")]);
}

/** Reads outside octets: size, UTF-8, nesting, JSON, keys, numbers, then the schema. Never throws. */
export function decodeSet(octets: Uint8Array): DecodedSet {
  if (octets.length > MAX_SET_OCTETS) {
    return refusedFor(
      "too-large",
      `has ${octets.length} octets; at most ${MAX_SET_OCTETS} are read`,
    );
  }
  const text = textOf(octets);
  if (text === undefined) return refusedFor("not-text", "is not UTF-8");
  // Before the parser sees it: what is nested by the thousand has no meaning in any kind.
  if (isTooDeep(octets)) {
    return refusedFor("nesting", `is nested deeper than ${MAX_NESTING} levels`);
  }
  const parsed = jsonOf(text);
  if (!parsed.ok) return refusedFor("not-json", `is not JSON: ${parsed.reason}`);
  const complaint = complaintAbout(parsed.value);
  if (complaint !== undefined) return complaint;
  const read = schema.safeParse(parsed.value);
  if (read.success) return { ok: true, set: read.data };
  const [issue] = read.error.issues;
  return refusedFor("schema", `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`);
}

function textOf(octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function jsonOf(
  text: string,
):
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string } {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, reason: error.message.slice(0, MAX_QUOTED) };
  }
}

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_LIST, CLOSE_LIST] = [
  0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d,
];
/** Of outside text in a reason. */
const MAX_QUOTED = 200;

function isTooDeep(octets: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < octets.length; at += 1) {
    const octet = octets[at];
    if (inText) {
      if (octet === BACKSLASH) at += 1;
      else if (octet === QUOTE) inText = false;
    } else if (octet === QUOTE) inText = true;
    else if (octet === OPEN_BRACE || octet === OPEN_LIST) {
      depth += 1;
      if (depth > MAX_NESTING) return true;
    } else if (octet === CLOSE_BRACE || octet === CLOSE_LIST) depth -= 1;
  }
  return false;
}

/** Keys that could reach a prototype, and numbers that JSON has and JavaScript has not (1e400). The depth is known to be small. */
function complaintAbout(value: unknown): Refused | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) {
    return refusedFor("number", "holds a number that is too large");
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found =
      key === "__proto__"
        ? refusedFor("forbidden-key", "holds the key __proto__, which is no field of any kind")
        : complaintAbout(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Group and namespace may be empty; each part is bounded by Kubernetes' names. */
export const resourceKeyText = z
  .string()
  .regex(/^[a-z0-9.-]{0,253}\/[A-Za-z0-9]{1,63}\/[a-z0-9-]{0,63}\/[a-z0-9.-]{1,253}$/, "is no key")
  .transform((text) => text as ResourceKey);
const digestText = z.string().regex(/^[0-9a-f]{64}$/, "is no SHA-256 in hexadecimal");
/** Both families of one Service. */
const MAX_ADDRESSES = 2;
const allocated = z.strictObject({
  service: resourceKeyText,
  addresses: z
    .array(
      z.strictObject({
        address: z.string().transform((text, context): Address => {
          const parsed = parseAddress(text);
          if (parsed === text) return parsed;
          context.addIssue({ code: "custom", message: "is no address in canonical form" });
          return z.NEVER;
        }),
        pool: resourceKeyText,
      }),
    )
    .max(MAX_ADDRESSES),
});
const distinct = (texts: readonly string[]): boolean => new Set(texts).size === texts.length;

const schema = z
  .strictObject({
    type: z.enum(["change", "base"]),
    fleet: z.string().min(1).max(253),
    generation: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
    previous: z.union([z.literal(""), digestText]),
    puts: z.array(z.record(z.string(), z.unknown())).max(MAX_PUTS),
    deletes: z.array(resourceKeyText).max(MAX_PUTS).refine(distinct, "names one twice"),
    allocations: z
      .array(allocated)
      .max(MAX_PUTS)
      .refine((all) => distinct(all.map(({ service }) => service)), "names one twice"),
  })
  .refine(
    ({ type, generation, previous }) =>
      (previous === "") === (type === "change" && generation === 1),
    {
      path: ["previous"],
      message: "is empty in the first change set and nowhere else",
    },
  );
