/**
 * The page that shows scenario × backend, made and read back.
 *
 * Pure. The page is its own record: what it says of results is read from it again when another group's are written.
 * Read next: page-file.ts.
 */
import { ELSEWHERE } from "./capabilities.ts";
import type { Group } from "./scenario.ts";

/** What stands in one field of the table. */
export type Cell = "passes" | "fails" | "not run" | `missing ${string}` | `not here: ${string}`;

/** By `group|scenario|backend`. */
export type Results = ReadonlyMap<string, Cell>;

/** What a user may want of a BGP speaker and no kind has a field for; a scenario comes with the field. */
const NOT_EXPRESSIBLE: readonly (readonly [string, string])[] = [
  ["AS_PATH prepend", "no kind has a field for it; raw lines of FRR are the only way"],
];

const isCell = (text: string): text is Cell =>
  ["passes", "fails", "not run"].includes(text) || /^(?:missing |not here: )/.test(text);

/** With columns of one width, as the formatter leaves them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  const line = (fields: readonly string[], fill: string): string =>
    `| ${fields.map((field, i) => field.padEnd(widths[i] ?? 0, fill)).join(" | ")} |`;
  const rule = head.map(() => "");
  return [line(head, " "), line(rule, "-"), ...rows.map((row) => line(row, " "))];
}

export function renderPage(
  groups: readonly Group[],
  backends: readonly string[],
  results: Results,
): string {
  const cell = (group: Group, scenario: string, backend: string): Cell =>
    results.get(`${group.name}|${scenario}|${backend}`) ?? "not run";
  const rows = (group: Group) =>
    group.scenarios.map(({ name }) => [name, ...backends.map((one) => cell(group, name, one))]);
  const section = (group: Group): readonly string[] => [
    `## ${group.name}`,
    "",
    ...table(["scenario", ...backends], rows(group)),
    "",
  ];
  return [
    "# What every speaker backend does alike",
    "",
    "Made by the run, never by hand: `RUTTER_CONTRACT_PAGE=1 npx vitest run --project live --no-file-parallelism contract`.",
    "Each scenario is the whole agent with manifests; what counts is what FRR and BIRD hold in their own tables, inside and outside of the",
    "agent's AS. Where backends may differ without being wrong: `test/contract/expected.ts`. What one may lack: `test/contract/capabilities.ts`.",
    "",
    ...groups.flatMap(section),
    "## Without a scenario",
    "",
    ...Object.entries(ELSEWHERE).map(([need, where]) => `- ${need}: ${where}.`),
    "",
    "## Not expressible",
    "",
    ...NOT_EXPRESSIBLE.map(([what, why]) => `- ${what}: ${why}.`),
    "",
  ].join("\n");
}

/** The results that a page shows. */
export function readPage(page: string): Results {
  const results = new Map<string, Cell>();
  let group = "";
  let backends: readonly string[] = [];
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) group = line.slice(3);
    const [name, ...fields] = line
      .split("|")
      .slice(1, -1)
      .map((field) => field.trim());
    if (name === "scenario") backends = fields;
    else if (name !== undefined) {
      for (const [i, field] of fields.entries()) {
        if (isCell(field)) results.set(`${group}|${name}|${backends[i]}`, field);
      }
    }
  }
  return results;
}
