/**
 * What an intent is rendered as, kept as text: RUTTER_WRITE_GOLDEN=1 writes the files anew, and the difference is read by people.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { NO_TAGS } from "../../backends/frr/render/numbers.ts";
import { render } from "../../backends/frr/render/render.ts";
import { CASES } from "./cases.ts";
import { reveal, VERSION_8 } from "./intents.ts";
import { goldenText } from "./text.ts";

const GOLDEN = join(import.meta.dirname, "golden");
const names = Object.keys(CASES);

test.for(Object.entries(CASES))("%s is rendered as ever", ([name, intent]) => {
  const file = join(GOLDEN, `${name}.txt`);
  const text = goldenText(render(intent, { version: VERSION_8, reveal, tags: NO_TAGS }));
  if (process.env["RUTTER_WRITE_GOLDEN"] === "1") writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
});

test("there are at least 60 cases, and no text without one", () => {
  expect(names.length).toBeGreaterThanOrEqual(60);
  const kept = globSync("*.txt", { cwd: GOLDEN }).map((file) => basename(file, ".txt"));
  expect(kept.toSorted()).toEqual(names.toSorted());
});
