/**
 * Judges one file by the tables of rules.ts: every breach is a sentence.
 *
 * Pure: path and text come in, sentences go out, so that planted breaches can be tried on it. It reads import lines by
 * their shape and does not resolve packages.
 * Read next: rules.ts, ../tidy.test.ts.
 */
import { dirname, join, normalize } from "node:path";
import {
  DOORS,
  LINES_LIMIT,
  MAY_IMPORT,
  MAY_IMPORT_EVERYTHING,
  type Place,
  PURE,
  WORLDLY,
} from "./rules.ts";

/** `from "x"`, `import "x"`, `import("x")`; types count, since a cycle of types is a cycle. */
const IMPORT = /(?:^(?:import|export)\b[^;"]*?\bfrom\s+|^import\s+|\bimport\(\s*)"([^"]+)"/gm;

/** Spelt so that this very file does not hold the words. */
const MARKERS = /\b(?:TO[D]O|FIX[M]E)\b/;

/** Tests and benchmarks may import anything. */
const FREE = /^(?:test|bench)\//;

function importsOf(path: string, source: string): string[] {
  return [...source.matchAll(IMPORT)].map(([, target = ""]) =>
    target.startsWith(".") ? normalize(join(dirname(path), target)) : target,
  );
}

/** Whether `target` (a file of ours or a package) lies in `place`. */
function liesIn(target: string, place: Place): boolean {
  if (place.endsWith("/") || place.endsWith(":")) return target.startsWith(place);
  if (place.endsWith("/*.ts")) return dirname(target) === dirname(place);
  return target === place || target.startsWith(`${place}/`);
}

/** The row of the longest key that holds the file; undefined where the table has no row for its folder. */
function rowOf(path: string): readonly Place[] | undefined {
  const keys = Object.keys(MAY_IMPORT).filter((key) => liesIn(path, key));
  const longest = keys.toSorted((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : MAY_IMPORT[longest];
}

const packageOf = (target: string): string => {
  const [scope = "", name = ""] = target.split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
};

function faultOfImport(path: string, target: string): string | undefined {
  const ours = target.endsWith(".ts");
  if (!ours && !target.startsWith("node:")) {
    const doors = DOORS[packageOf(target)];
    if (doors === undefined) return `imports ${target}, which has no door`;
    if (!doors.some((door) => liesIn(path, door))) {
      return `imports ${target}, which comes in only through ${doors.join(", ")}`;
    }
    if (target === "ts-pattern") return undefined;
  }
  if (path === MAY_IMPORT_EVERYTHING) return undefined;
  const row = rowOf(path) ?? [];
  const ownFolder = ours && dirname(target) === dirname(path);
  // agent/*.ts are separate things that happen to lie side by side; compose.ts joins them.
  if (ownFolder && target !== MAY_IMPORT_EVERYTHING) return undefined;
  if (target === MAY_IMPORT_EVERYTHING && path !== "agent/main.ts")
    return "imports agent/compose.ts";
  return row.some((place) => liesIn(target, place)) ? undefined : `may not import ${target}`;
}

/** Comments may name a clock, code may not. Strings with `//` lose their end, which hides nothing we look for. */
const withoutComments = (source: string): string =>
  source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/\/\/.*$/gm, "");

function faultsOfSource(path: string, source: string): string[] {
  const faults: string[] = [];
  if (rowOf(path) === undefined) faults.push("lies in a folder that has no row in rules.ts");
  for (const target of importsOf(path, source)) {
    const fault = faultOfImport(path, target);
    if (fault !== undefined) faults.push(fault);
    if (target.startsWith("node:") && isPure(path)) faults.push(`is pure, and imports ${target}`);
  }
  const worldly = WORLDLY.exec(withoutComments(source));
  if (isPure(path) && worldly !== null) faults.push(`is pure, and says ${worldly[0]}`);
  if (path.includes("/wire/") && !/RFC \d{4} §/.test(source)) faults.push("cites no RFC clause");
  return faults;
}

const isPure = (path: string): boolean => PURE.some((place) => liesIn(path, place));

/** Everything that is wrong with a TypeScript file of ours; empty where it keeps the rules. `path` is from the root. */
export function faultsOf(path: string, source: string): string[] {
  const faults = FREE.test(path) ? [] : faultsOfSource(path, source);
  if (!/^(?:#!.*\n)?\/\*\*/.test(source)) faults.push("has no header that says why it exists");
  if (MARKERS.test(source)) faults.push("leaves work behind in a comment");
  if (path.endsWith("/index.ts")) faults.push("is an index.ts");
  if (/^export default\b/m.test(source) && !path.endsWith(".config.ts")) {
    faults.push("has a default export");
  }
  const lines = source.trimEnd().split("\n").length;
  if (lines > LINES_LIMIT) faults.push(`has ${lines} lines, more than ${LINES_LIMIT}`);
  return faults;
}

/** Numbers from 001 without a gap or a double. */
export function faultsOfMigrations(names: readonly string[]): string[] {
  return names.toSorted().flatMap((name, index) => {
    const expected = String(index + 1).padStart(3, "0");
    return name.startsWith(`${expected}-`) ? [] : [`${name} should be number ${expected}`];
  });
}

const NAMED_PATH =
  /\b(?:agent|backends|events|migrations|test|bench|docs|systemd)\/[\w./-]*[\w/]|\b[A-Z]+\.md\b/g;

/** The paths of ours that a document names. */
export const pathsNamedIn = (text: string): string[] => [
  ...new Set([...text.matchAll(NAMED_PATH)].map(([path]) => path)),
];
