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

/** Does nothing unless RUTTER_CONTRACT_PAGE is set. */
export function writeCells(group: string, cells: Cells): void {
  if (process.env[ASKED] === undefined) return;
  const before = existsSync(PAGE) ? readPage(readFileSync(PAGE, "utf8")) : new Map();
  const now = [...cells].map(([key, cell]) => [`${group}|${key}`, cell] as const);
  writeFileSync(PAGE, pageOf(new Map([...before, ...now])));
}
