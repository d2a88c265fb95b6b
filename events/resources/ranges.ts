/**
 * What pools are written in: prefixes and `start-end` ranges, summarised into the fewest prefixes that say the same.
 *
 * Pure arithmetic on addresses. Never compares pools with each other: the plan does. Read from: ip-address-pool.ts, cluster.ts.
 */
import {
  type Address,
  addressFromBigInt,
  addressToBigInt,
  bitsOf,
  type Family,
  familyOf,
} from "../address.ts";
import {
  parsePrefix,
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from "../prefix.ts";
import { quoted, readAddress, warnHostBits } from "./fields.ts";
import { type Path, type Reading } from "./reading.ts";

/** One line of a pool: what the user wrote, and the prefixes it means, in order of address. Never empty. */
export type AddressEntry = { readonly text: string; readonly prefixes: readonly Prefix[] };

type Span = { readonly family: Family; readonly first: bigint; readonly last: bigint };

/** The fewest prefixes that hold exactly `first` to `last`: at most 2 × 32 or 2 × 128. Both of one family, in order. */
export function summarise(first: Address, last: Address): readonly Prefix[] {
  const family = familyOf(first);
  const bits = bitsOf(family);
  const end = addressToBigInt(last);
  const prefixes: Prefix[] = [];
  for (let at = addressToBigInt(first); at <= end;) {
    let size = 1n;
    let length: number = bits;
    while (length > 0 && at % (size * 2n) === 0n && at + size * 2n - 1n <= end) {
      size *= 2n;
      length -= 1;
    }
    prefixes.push(prefixOf(addressFromBigInt(at, family), length));
    at += size;
  }
  return prefixes;
}

/** Reads one entry; undefined where it was refused. */
export function addressEntryAt(
  reading: Reading,
  path: Path,
  written: string,
): AddressEntry | undefined {
  const prefixes = written.includes("/")
    ? prefixEntry(reading, path, written)
    : rangeEntry(reading, path, written);
  if (prefixes?.[0] === undefined) return undefined;
  if (prefixLength(prefixes[0]) > 0) return { text: written, prefixes };
  reading.refuse(
    path,
    "out-of-range",
    `${quoted(written)} is every address there is: write the part that is yours`,
  );
  return undefined;
}

function prefixEntry(reading: Reading, path: Path, written: string): readonly Prefix[] | undefined {
  const parsed = parsePrefix(written.trim());
  if (parsed === undefined) {
    reading.refuse(path, "bad-value", `${quoted(written)} is not a prefix (address/length)`);
    return undefined;
  }
  warnHostBits(reading, path, written, parsed);
  return [parsed.prefix];
}

function rangeEntry(reading: Reading, path: Path, written: string): readonly Prefix[] | undefined {
  const ends = written.split("-").map((end) => readAddress(end.trim()));
  const [first, last] = ends;
  if (ends.length !== 2 || first === undefined || last === undefined) {
    const hint =
      first !== undefined && ends.length === 1 ? `: write ${first}/${bitsOf(familyOf(first))}` : "";
    reading.refuse(
      path,
      "bad-value",
      `${quoted(written)} is neither address/length nor start-end${hint}`,
    );
    return undefined;
  }
  if (familyOf(first) !== familyOf(last)) {
    reading.refuse(
      path,
      "family-mismatch",
      `${quoted(written)} starts and ends in different families`,
    );
    return undefined;
  }
  if (addressToBigInt(first) <= addressToBigInt(last)) return summarise(first, last);
  reading.refuse(path, "out-of-range", `${quoted(written)} starts after its end: swap the two`);
  return undefined;
}

/** Entries of one list that share an address: each is refused at its place, with the entry it meets. */
export function refuseOverlaps(
  reading: Reading,
  entries: readonly { readonly path: Path; readonly entry: AddressEntry }[],
): void {
  const spans = entries.map(({ path, entry }) => ({ path, text: entry.text, ...spanOf(entry) }));
  const inOrder = spans.toSorted((a, b) => compareSpans(a, b));
  let reach = inOrder[0];
  for (const span of inOrder.slice(1)) {
    if (reach !== undefined && span.family === reach.family && span.first <= reach.last) {
      reading.refuse(
        span.path,
        "overlap",
        `${quoted(span.text)} shares addresses with ${quoted(reach.text)}: give each address to one entry`,
      );
    }
    if (reach === undefined || span.family !== reach.family || span.last > reach.last) reach = span;
  }
}

/** An entry is contiguous, so its first and last prefix bound it. */
function spanOf(entry: AddressEntry): Span {
  const [head] = entry.prefixes;
  const tail = entry.prefixes.at(-1);
  if (head === undefined || tail === undefined) throw new Error("an address entry is never empty");
  const family = prefixFamily(head);
  const size = 1n << BigInt(bitsOf(family) - prefixLength(tail));
  return {
    family,
    first: addressToBigInt(prefixAddress(head)),
    last: addressToBigInt(prefixAddress(tail)) + size - 1n,
  };
}

function compareSpans(a: Span, b: Span): number {
  if (a.family !== b.family) return a.family === "ipv4" ? -1 : 1;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last === b.last ? 0 : a.last > b.last ? -1 : 1;
}
