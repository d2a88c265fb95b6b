/**
 * The quick reader says what the whole parser says, or nothing.
 * Method: random texts of the shapes that matter, read by both.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSimply } from "../../agent/manifests/simple-yaml.ts";
import { isFields } from "../../events/resources/reading.ts";
import { readYaml } from "../../agent/manifests/yaml-document.ts";

const whole = (text: string): unknown => {
  const documents = readYaml(text);
  return documents.length === 0 ? null : documents[0]?.value;
};

describe("the quick reader", () => {
  test.for([
    "a: b\nc:\n  d: 1\n  e: [] \nf:\n- x\n- y: 1\n  z:\n  - 2\n",
    "kind: List\nitems:\n- a: 1\n  b:\n    c: 2\n-   a: 3\n",
    "a: |\n  one\n   two\n\n  three\nb: |-\n  x\n\nc: 1\n",
    "a: 'q'\nb: \"q: #\"\nc: 1.5\nd: 1e3\ne: -7\nf: yes\ng: ~\nh: 10.0.0.0/24\ni: 1m30s\nj: 65535:65282\n",
    "a:\nb: {}\n# c\n\nc: - \n".replace("c: - \n", "c: -x\n"),
    "- - 1\n  - 2\n- 3\n",
  ])("reads %j", (text) => {
    const simple = readSimply(text);
    expect(simple).toBeDefined();
    expect(simple?.value).toEqual(whole(text));
  });

  test.for([
    "a: b: c",
    "a: b\n c",
    "a: &x 1\nb: *x",
    "a: !!str 1",
    "a: 1\na: 2",
    "a:\n\t- b",
    "a: 'it''s'",
    'a: "\\n"',
    "a: [1]",
    "<<: 1",
    "__proto__: 1",
    "a: 0x10",
    "a: .inf",
    "- \n- a",
    "a: >\n  b",
    "a: b # c",
    "'a': 1",
    "yes: 1",
    "a: |\n   x\n  y",
    "a: x\u00a0",
    "? a",
    "a: `b",
    "a: %b",
    "a: @b",
    "a: x\r\n",
  ])("leaves %j to the whole parser", (text) => {
    expect(readSimply(text)).toBeUndefined();
  });

  test("agrees with the whole parser on random lines", () => {
    const word = fc.constantFrom(
      "a",
      "b: c",
      "1",
      "-1",
      "1.5",
      ".5",
      "1e2",
      "007",
      "0x1f",
      "yes",
      "Off",
      "null",
      "~",
      "true",
      "''",
      '"x"',
      "{}",
      "[]",
      "|",
      "|-",
      "- a",
      "-",
      "-a",
      "a b",
      "a #b",
      "#",
      "10.0.0.1",
      "::1",
      "a:b",
      "a:",
      "<<",
      "!x",
      "&x",
      "*x",
      "@",
      "é",
      "y",
      "+",
      ".",
      "..",
      "1_000",
      "2026-01-02",
      "+1",
      "0o7",
    );
    const line = fc
      .record({
        indent: fc.integer({ min: 0, max: 5 }),
        dash: fc.constantFrom("", "", "- ", "- - ", "-   "),
        key: fc.constantFrom("", "a", "b", "c", "key", "on", "x.y/z", "1"),
        value: fc.oneof(fc.constant(""), word),
      })
      .map(
        ({ indent, dash, key, value }) =>
          `${" ".repeat(indent)}${dash}${key === "" ? value : `${key}:${value === "" ? "" : ` ${value}`}`}`,
      );
    const text = fc
      .tuple(fc.array(line, { minLength: 1, maxLength: 7 }), fc.constantFrom("", "\n", "\n\n"))
      .map(([lines, end]) => lines.join("\n") + end);
    let simple = 0;
    fc.assert(
      fc.property(text, (given) => {
        const quick = readSimply(given);
        if (quick === undefined) return;
        simple += 1;
        const [document, ...more] = readYaml(given);
        expect({ value: quick.value, mistakes: [], more: 0 }).toEqual({
          value: document === undefined ? null : document.value,
          mistakes: document?.mistakes ?? [],
          more: more.length,
        });
      }),
      { numRuns: 20_000 },
    );
    expect(simple).toBeGreaterThan(300);
  });

  test("reads whole structures back as they were printed", () => {
    const leaf = fc.oneof(
      fc.integer({ min: -1000, max: 70000 }),
      fc.boolean(),
      fc.constantFrom("x", "10.0.0.0/24", "1m", "no-export", "65535:65282"),
    );
    const key = fc.constantFrom("a", "spec", "name", "x.y/z");
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.dictionary(key, tie("tree"), { minKeys: 1 }),
        fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
      ),
    }));
    const print = (value: unknown, indent: number): string => {
      const pad = " ".repeat(indent);
      if (Array.isArray(value))
        return value.map((item) => `\n${pad}- ${print(item, indent + 2).trimStart()}`).join("");
      if (typeof value === "object" && value !== null)
        return Object.entries(value)
          .map(([name, item]) => `\n${pad}${name}: ${print(item, indent + 2)}`)
          .join("");
      return String(value);
    };
    fc.assert(
      fc.property(fc.dictionary(key, tree, { minKeys: 1 }), (value) => {
        const text = print(value, 0).slice(1).replaceAll(/ +$/gm, "");
        expect(readSimply(text)?.value).toEqual(whole(text));
        expect(readSimply(text)).toBeDefined();
      }),
    );
  });

  test("knows the line on which each map and list begins", () => {
    const simple = readSimply("# c\nitems:\n- a: 1\n\n- a: 2\n");
    const fields = simple?.value;
    const items = isFields(fields) ? fields["items"] : undefined;
    expect(items).toHaveLength(2);
    const list: readonly unknown[] = Array.isArray(items) ? items : [];
    const lineOf = (item: unknown) => (item instanceof Object ? simple?.lineOf.get(item) : -1);
    expect([items, ...list].map(lineOf)).toEqual([2, 2, 4]);
  });
});
