/**
 * Everything that a command says: safe text, tables that fit, durations for people.
 *
 * Pure. Text from outside (names, reasons, routes) may hold terminal sequences; nothing leaves here that a terminal would
 * obey. Reads next: io.ts (where it goes), yaml.ts.
 */

/** C0, DEL and C1: what a terminal acts on; and the marks that turn the direction of text. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const unsafeInJson = /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

const escaped = (character: string): string =>
  `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;

/** One line of text, whatever it held. */
export const safe = (text: string): string => text.replaceAll(unsafe, escaped);

/** JSON's own escapes leave DEL and C1 as they are; inside a JSON string this is the same string. */
export const safeJson = (json: string): string => json.replaceAll(unsafeInJson, escaped);

export type Row = readonly string[];

/** Between columns, as kubectl has it. */
const GAP = 3;
/** A last column is not cut below this, however narrow the terminal is. */
const LAST_COLUMN = 20;

/**
 * Aligned columns under a heading. Where `width` (columns of a terminal) is given, the last column is cut to fit; into a
 * file or pipe everything is written.
 */
export function table(heading: Row, rows: readonly Row[], width?: number): string {
  const all = [heading, ...rows.map((row) => row.map((cell) => (cell === "" ? "-" : safe(cell))))];
  const widths = heading.map((_, column) =>
    all.reduce((widest, row) => Math.max(widest, (row[column] ?? "").length), 0),
  );
  const lines = all.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd((widths[column] ?? 0) + GAP));
    return cells.join("").trimEnd();
  });
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + GAP, 0);
  const room = width === undefined ? undefined : Math.max(width, before + LAST_COLUMN);
  return lines.map((line) => `${room === undefined ? line : cut(line, room)}\n`).join("");
}

export const cut = (line: string, length: number): string =>
  line.length <= length ? line : `${line.slice(0, length - 1)}…`;

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
] as const;

/** `3m12s`, `2d4h`: the two largest units; below a minute whole seconds. Negative (a clock that was set) reads as `0s`. */
export function duration(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [name, size] of units) {
    const count = Math.floor(rest / size);
    if (count === 0 && !(name === "s" && parts.length === 0)) {
      if (parts.length > 0) break;
      continue;
    }
    parts.push(`${count}${name}`);
    rest -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join("");
}

/** How long ago an RFC 3339 time was, seen from `nowMillis`; `-` for none. */
export function ago(time: string | null, nowMillis: number): string {
  if (time === null) return "-";
  const millis = Date.parse(time);
  return Number.isNaN(millis) ? "-" : duration((nowMillis - millis) / 1000);
}

/** `90s`, `10m`, `1h30m`, `2d` in seconds; undefined: not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+[dhms])+$/.test(text)) return undefined;
  const sizes: ReadonlyMap<string, number> = new Map(units);
  return [...text.matchAll(/(\d+)([dhms])/g)].reduce(
    (sum, [, count = "", unit = ""]) => sum + Number(count) * (sizes.get(unit) ?? 0),
    0,
  );
}

export type Colour = "green" | "red" | "yellow" | "dim";
const codes: Readonly<Record<Colour, string>> = { green: "32", red: "31", yellow: "33", dim: "2" };

/** Only where `enabled` (a terminal, and NO_COLOR is not set); `text` is safe already. */
export const coloured = (text: string, colour: Colour, enabled: boolean): string =>
  enabled ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text;
