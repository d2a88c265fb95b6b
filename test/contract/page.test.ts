/** The list of scenarios, and docs/contract.md as what it says of them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ELSEWHERE, MAY_LACK, NEEDS } from "./capabilities.ts";
import { GROUPS } from "./groups.ts";
import { PAGE, pageOf } from "./page-file.ts";
import { type Cell, readPage } from "./page.ts";
import { BACKENDS } from "./speakers.ts";

const results = readPage(readFileSync(PAGE, "utf8"));
const places = GROUPS.flatMap((group) =>
  group.scenarios.flatMap(({ name, needs }) =>
    BACKENDS.map((backend) => ({
      key: `${group.name}|${name}|${backend.name}`,
      excuses: needs.map((need) => [need, MAY_LACK[backend.name][need]] as const),
    })),
  ),
);

describe("the list", () => {
  test("names each scenario of a group once", () => {
    expect(new Set(places.map(({ key }) => key)).size).toBe(places.length);
    expect(places.length).toBeGreaterThan(30);
  });

  test("has a scenario for each capability, or says where else it is tried", () => {
    const needed = new Set(
      GROUPS.flatMap(({ scenarios }) => scenarios.flatMap((one) => one.needs)),
    );
    const forgotten = NEEDS.filter((need) => !needed.has(need) && ELSEWHERE[need] === undefined);
    expect(forgotten).toEqual([]);
    expect(Object.keys(ELSEWHERE).filter((need) => [...needed].join().includes(need))).toEqual([]);
  });

  test("asks only for sessions that its group has", () => {
    const strangers = GROUPS.flatMap(({ sessions, scenarios }) =>
      scenarios.flatMap((one) => (one.sessions ?? []).filter((each) => !sessions.includes(each))),
    );
    expect(strangers).toEqual([]);
  });
});

describe("docs/contract.md", () => {
  test("is what the list of scenarios and backends makes of its results", () => {
    expect(readFileSync(PAGE, "utf8")).toBe(pageOf(results));
    expect([...results.keys()].toSorted()).toEqual(places.map(({ key }) => key).toSorted());
  });

  test("shows each scenario passed, not possible on that machine, or excused by capabilities.ts", () => {
    const unexplained = places.filter(({ key, excuses }) => {
      const cell: Cell = results.get(key) ?? "not run";
      const excused = excuses.some(
        ([need, excuse]) => cell === `missing ${need}: ${excuse?.reason} (${excuse?.source})`,
      );
      return cell !== "passes" && !cell.startsWith("not here: ") && !excused;
    });
    expect(unexplained).toEqual([]);
  });

  test.for<[string, string, Cell]>([
    ["passes", "| a | passes |", "passes"],
    ["missing", "| a | missing raw: b (c) |", "missing raw: b (c)"],
    ["not run", "| a | something else |", "not run"],
  ])("is read back: %s", ([, line, cell]) => {
    const page = ["## Group", "| scenario | native |", "| --- | --- |", line].join("\n");
    expect(readPage(page).get("Group|a|native") ?? "not run").toBe(cell);
  });
});
