/**
 * Digests of state: equal content, equal digest, on every host and in whatever order it came to be.
 *
 * A digest of a PersistentMap is a small Merkle tree over its buckets; parts that two versions share are digested once, so
 * that after one change among 100,000 it costs one bucket. SHA-256 itself is handed in: pure code has no node:crypto.
 */
import { type Bucket, entriesOf, type PersistentMap } from "./persistent-map.ts";

/** Hexadecimal SHA-256 of the text's UTF-8 octets. */
export type Sha256 = (text: string) => string;

/** JSON with keys in code-unit order at every depth: one spelling for equal values. Undefined members are left out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** A digest function for maps whose entries read as `text`; it remembers the digests of shared parts. */
export function mapDigest<K extends string, V>(
  sha256: Sha256,
  text: (value: V, key: K) => string,
): (map: PersistentMap<K, V>) => string {
  const known = new WeakMap<object, string>();
  const remember = (part: object, make: () => string): string => {
    const before = known.get(part);
    if (before !== undefined) return before;
    const digest = make();
    known.set(part, digest);
    return digest;
  };
  const ofBucket = (bucket: Bucket | undefined): string =>
    bucket === undefined
      ? ""
      : remember(bucket, () =>
          sha256(
            [...entriesOf<K, V>(bucket)]
              .map(([key, value]) => `${JSON.stringify(key)}:${text(value, key)}`)
              .toSorted()
              .join("\n"),
          ),
        );
  // A row whose buckets were all emptied again must digest as one that never was: empties are left out, with their place.
  const ofRow = (row: readonly (Bucket | undefined)[] | undefined): string =>
    row === undefined ? "" : remember(row, () => joined(sha256, row.map(ofBucket)));
  return (map) => remember(map.rows, () => joined(sha256, map.rows.map(ofRow)));
}

function joined(sha256: Sha256, digests: readonly string[]): string {
  const kept = digests.flatMap((digest, place) => (digest === "" ? [] : [`${place}=${digest}`]));
  return kept.length === 0 ? "" : sha256(kept.join("\n"));
}
