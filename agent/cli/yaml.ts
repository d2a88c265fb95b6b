/**
 * JSON values as YAML, for `-o yaml`: block style, keys in their order, strings quoted wherever a reader could take them
 * for something else.
 *
 * Writes only: nothing is ever read with this. Small, so that a command does not load a whole YAML library to print.
 */

/** Plain scalars that no YAML 1.1 or 1.2 reader takes for a number, a boolean, null, a date or syntax. */
const plain = /^[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./()-]+)*$/;
const reserved = /^(?:true|false|null|yes|no|on|off|y|n|nan|inf)$/i;

const scalar = (value: unknown): string => {
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  return plain.test(value) && !reserved.test(value) ? value : JSON.stringify(value);
};

type Pair = readonly [string, unknown];

const pairsOf = (value: object): readonly Pair[] =>
  Object.entries(value).filter(([, one]) => one !== undefined);

/** One document, with a newline at its end. */
export function yaml(value: unknown): string {
  return `${block(value, "")}\n`;
}

function block(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return value.map((one) => `${indent}- ${nested(one, `${indent}  `)}`).join("\n");
  }
  if (typeof value !== "object" || value === null) return scalar(value);
  const pairs = pairsOf(value);
  if (pairs.length === 0) return "{}";
  return pairs.map(([key, one]) => `${indent}${scalar(key)}:${under(one, indent)}`).join("\n");
}

/** A list's item: its first line stands beside the dash. */
const nested = (value: unknown, indent: string): string => block(value, indent).trimStart();

function under(value: unknown, indent: string): string {
  const isEmpty =
    typeof value !== "object" ||
    value === null ||
    (Array.isArray(value) ? value.length === 0 : pairsOf(value).length === 0);
  return isEmpty ? ` ${block(value, "")}` : `\n${block(value, `${indent}  `)}`;
}
