/**
 * Text for people: tables, durations, YAML. Pure.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDocument } from "yaml";
import { factLine } from "../../agent/cli/fact-lines.ts";
import { duration, parseDuration, safe, safeJson, table } from "../../agent/cli/terminal.ts";
import { yaml } from "../../agent/cli/yaml.ts";
import { fact } from "../api/fake-core.ts";

describe("durations", () => {
  test.each([
    [0, "0s"],
    [59.9, "59s"],
    [192, "3m12s"],
    [3600, "1h"],
    [3605, "1h"],
    [90_061, "1d1h"],
    [-5, "0s"],
  ])("%d seconds read %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  test("are read in the units in which they are written", () => {
    expect(parseDuration("1h30m")).toBe(5400);
    expect(parseDuration("2d")).toBe(172_800);
    for (const text of ["", "10", "h", "1w", "-1s"]) expect(parseDuration(text)).toBeUndefined();
  });
});

describe("tables", () => {
  test("cut the last column to the terminal, and nothing where there is none", () => {
    const rows = [["a", "x".repeat(100)]];
    expect(table(["N", "WHY"], rows, 40).split("\n")[1]).toHaveLength(40);
    expect(table(["N", "WHY"], rows)).toContain("x".repeat(100));
  });
});

describe("text from outside", () => {
  test("never holds anything that a terminal obeys", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // oxlint-disable-next-line no-control-regex -- these are what must not be there
        expect(safe(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
        expect(JSON.parse(safeJson(JSON.stringify(text)))).toBe(text);
      }),
    );
  });

  test("a fact with a huge body stays one line", () => {
    const line = factLine({ ...fact(1), body: { reason: `a\n${"b".repeat(9999)}` } });
    expect(line.split("\n")).toHaveLength(2);
    expect(line.length).toBeLessThan(300);
  });

  test("a change set of a fleet that was refused says so in its line", () => {
    const advanced = (verdict: object) =>
      factLine({
        ...fact(1),
        type: "feed-advanced",
        body: { fleet: "berlin", set: "change", generation: 7, verdict, applied: ["a", "b"] },
      });
    expect(advanced({ result: "applied" })).toContain("change 7 of berlin applied=2");
    expect(advanced({ result: "refused", rule: "scope", reason: "not its kind" })).toContain(
      "change 7 of berlin REFUSED: not its kind",
    );
  });
});

test("YAML reads back as the value it was written from", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // JSON knows no -0.
      const plain: unknown = JSON.parse(JSON.stringify(value));
      const document = parseDocument(yaml(plain));
      expect(document.errors).toEqual([]);
      expect(document.toJS()).toEqual(plain);
    }),
  );
  const tricky = [
    "yes",
    "null",
    "1e3",
    "0x1f",
    "2026-01-31",
    "a: b",
    "- a",
    "#",
    "",
    " x",
    "~",
    "=",
    "<<",
    "1:30",
  ];
  expect(parseDocument(yaml(tricky), { version: "1.1" }).toJS()).toEqual(tricky);
});
