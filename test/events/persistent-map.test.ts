/**
 * The immutable map against a plain Map, and the digest that lives on its structure.
 */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, mapDigest } from "../../events/digest.ts";
import { diff, PersistentMap } from "../../events/persistent-map.ts";

type Edit = readonly [key: string, value: number | undefined];
const edits = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 60 }).map((n) => `10.0.${n}.0/24`),
    fc.option(fc.nat(5), { nil: undefined }),
  ),
  { maxLength: 120 },
);

const edited = (map: PersistentMap<string, number>, list: readonly Edit[]) =>
  list.reduce((m, [key, value]) => (value === undefined ? m.delete(key) : m.set(key, value)), map);

const plainly = (list: readonly Edit[]): Map<string, number> => {
  const map = new Map<string, number>();
  for (const [key, value] of list) {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
  return map;
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const empty = PersistentMap.empty<string, number>();

describe("a persistent map", () => {
  test("holds what a Map would hold after the same edits", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const map = edited(empty, list);
        const plain = plainly(list);
        expect(new Map(map)).toEqual(plain);
        expect(map.size).toBe(plain.size);
        for (const [key] of list) expect(map.get(key)).toBe(plain.get(key));
        expect(new Map(PersistentMap.from(plain))).toEqual(plain);
      }),
    );
  });

  test("made of entries with equal keys holds the last one of each, and one by one the same", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string({ maxLength: 2 }), fc.nat(9))), (list) => {
        const map = PersistentMap.from(list);
        expect(new Map(map)).toEqual(new Map(list));
        expect(map.size).toBe(new Map(list).size);
        expect([...map.keys()].toSorted()).toEqual([...new Map(list).keys()].toSorted());
        expect([...map.values()].toSorted()).toEqual([...new Map(list).values()].toSorted());
        expect([
          ...diff(
            map,
            list.reduce((m, [key, n]) => m.set(key, n), empty),
          ),
        ]).toEqual([]);
      }),
    );
  });

  test("leaves its older versions as they were", () => {
    const before = empty.set("a", 1).set("b", 2);
    before.set("a", 9).delete("b");
    expect([...before].toSorted()).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
  });

  test("is the same object where an edit changes nothing", () => {
    const map = empty.set("a", 1);
    expect(map.set("a", 1)).toBe(map);
    expect(map.delete("b")).toBe(map);
  });

  test("tells exactly what differs between two versions", () => {
    fc.assert(
      fc.property(edits, edits, (first, second) => {
        const before = edited(empty, first);
        const after = edited(before, second);
        const changes = [...diff(before, after)];
        const patched = new Map(before);
        for (const { key, before: old, after: young } of changes) {
          expect(old).toBe(before.get(key));
          expect(young).toBe(after.get(key));
          expect(old).not.toBe(young);
          if (young === undefined) patched.delete(key);
          else patched.set(key, young);
        }
        expect(patched).toEqual(new Map(after));
      }),
    );
  });
});

describe("a digest", () => {
  const digest = mapDigest<string, number>(sha256, String);

  test("depends on the content and not on the way there", () => {
    fc.assert(
      fc.property(edits, (list) => {
        const fresh = mapDigest<string, number>(sha256, String);
        expect(digest(edited(empty, list))).toBe(fresh(PersistentMap.from(plainly(list))));
      }),
    );
  });

  test("changes with a value, with a key and with an entry", () => {
    const map = empty.set("a", 1).set("b", 2);
    const others = [map.set("a", 2), map.delete("b"), map.set("c", 1), map.delete("a").set("x", 1)];
    expect(new Set([map, ...others].map(digest)).size).toBe(5);
  });

  test("is there for one hash once its pieces were gone through, and is the same", () => {
    let hashes = 0;
    const counting = mapDigest<string, number>((text) => {
      hashes += 1;
      return sha256(text);
    }, String);
    const map = PersistentMap.from(Array.from({ length: 500 }, (_, i) => [`k${i}`, i] as const));
    const pieces = [...counting.pieces(map)];
    expect(pieces.length).toBeGreaterThan(10);
    const before = hashes;
    expect(counting(map)).toBe(digest(map));
    expect(hashes - before).toBe(1);
  });

  test("of JSON does not see the order of keys", () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: undefined })).toBe('{"b":[{"c":2,"d":1}]}');
  });
});
