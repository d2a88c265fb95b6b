/**
 * docs/contract.md on the disk: each group's results are put into it where the environment asks for that.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GROUPS } from "./groups.ts";
import { type Cell, readPage, renderPage, type Results } from "./page.ts";
import { BACKENDS } from "./speakers.ts";

export type { Cell } from "./page.ts";
/** By `scenario|backend`. */
export type Cells = Map<string, Cell>;

export const PAGE = join(import.meta.dirname, "../../docs/contract.md");
const ASKED = "RUTTER_CONTRACT_PAGE";

export const pageOf = (results: Results): string =>
  renderPage(
    GROUPS,
    BACKENDS.map(({ name }) => name),
    results,
  );

/** Whether this run is to write the page. */
export const isAsked = (): boolean => process.env[ASKED] !== undefined;

/** Does nothing unless RUTTER_CONTRACT_PAGE is set. A machine that cannot run a scenario does not overrule one that could. */
export function writeCells(group: string, cells: Cells): void {
  if (!isAsked()) return;
  const results = new Map(existsSync(PAGE) ? readPage(readFileSync(PAGE, "utf8")) : []);
  for (const [key, cell] of cells) {
    const at = `${group}|${key}`;
    if (!cell.startsWith("not here: ") || !results.has(at)) results.set(at, cell);
  }
  writeFileSync(PAGE, pageOf(results));
}
