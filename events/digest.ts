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

/** Digests maps of one sort; what it has digested once it knows by the part's identity. */
export type MapDigest<K extends string, V> = {
  (map: PersistentMap<K, V>): string;
  /** Digests it piece by piece, so that who goes through this first has the whole for nothing. */
  pieces(map: PersistentMap<K, V>): Iterable<unknown>;
};

/** A digest function for maps whose entries read as `text`; it remembers the digests of shared parts. */
export function mapDigest<K extends string, V>(
  sha256: Sha256,
  text: (value: V, key: K) => string,
): MapDigest<K, V> {
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
            Array.from(
              entriesOf<K, V>(bucket),
              ([key, value]) => `${JSON.stringify(key)}:${text(value, key)}`,
            )
              .toSorted()
              .join("\n"),
          ),
        );
  // A row whose buckets were all emptied again must digest as one that never was: empties are left out, with their place.
  const ofRow = (row: readonly (Bucket | undefined)[] | undefined): string =>
    row === undefined ? "" : remember(row, () => joined(sha256, row.map(ofBucket)));
  const digest = (map: PersistentMap<K, V>): string =>
    remember(map.rows, () => joined(sha256, map.rows.map(ofRow)));
  return Object.assign(digest, {
    *pieces(map: PersistentMap<K, V>) {
      for (const row of map.rows) yield ofRow(row);
    },
  });
}

function joined(sha256: Sha256, digests: readonly string[]): string {
  const kept = digests.flatMap((digest, place) => (digest === "" ? [] : [`${place}=${digest}`]));
  return kept.length === 0 ? "" : sha256(kept.join("\n"));
}
