/**
 * What a schema refuses, worded for people: zod's issues become complaints with our rules.
 *
 * Never shows the value that was refused: it may be a password. Read from: kinds.ts.
 */
import * as z from "zod";
import { type FieldComplaint, isFields, type Path, type Rule } from "./reading.ts";
import { unknownField } from "./unknown.ts";

type Issue = z.core.$ZodIssue;

/** One complaint a field (an unknown field is a field of its own), in the order of the schema. `root` is where `input` stands in the manifest. */
export function complaintsOf(
  error: z.core.$ZodError,
  schema: z.ZodType,
  input: unknown,
  root: Path,
): readonly FieldComplaint[] {
  const seen = new Set<string>();
  return error.issues
    .flatMap((issue) => fromIssue(issue, schema, input, root))
    .filter(({ path, rule }) => {
      const key = JSON.stringify(rule === "unknown-field" ? [path, rule] : path);
      const first = !seen.has(key);
      seen.add(key);
      return first;
    });
}

function fromIssue(
  issue: Issue,
  schema: z.ZodType,
  input: unknown,
  root: Path,
): readonly FieldComplaint[] {
  const inside = pathOf(issue.path);
  const path = [...root, ...inside];
  if (issue.code === "unrecognized_keys") {
    const known = knownFields(schema, inside);
    return issue.keys.map((key) => ({
      path: [...path, key],
      rule: "unknown-field",
      message: unknownField(key, known),
    }));
  }
  if (valueAt(input, inside) === undefined)
    return [{ path, rule: "required", message: "is missing" }];
  return [{ path, rule: ruleOf(issue), message: messageOf(issue, valueAt(input, inside)) }];
}

const pathOf = (path: readonly PropertyKey[]): Path =>
  path.map((part) => (typeof part === "number" ? part : String(part)));

function ruleOf(issue: Issue): Rule {
  if (issue.code === "too_small" && issue.origin === "array") return "required";
  if (issue.code === "too_small" || issue.code === "too_big") return "out-of-range";
  if (issue.code === "invalid_value" || issue.code === "invalid_union") return "not-allowed";
  if (issue.code === "invalid_type") return "wrong-type";
  return "bad-value";
}

function messageOf(issue: Issue, value: unknown): string {
  if (issue.code === "invalid_value") {
    return `must be ${issue.values.filter((allowed) => allowed !== "").join(" or ")}`;
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined)
    return "is not one of the known types";
  if (issue.code !== "invalid_type" || typeof value === issue.expected) return issue.message;
  const is = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  return `must be ${wanted(issue.expected)}, and is ${is}${hint(issue.expected, value)}`;
}

function wanted(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    array: "a list",
    boolean: "true or false",
    int: "a whole number",
    number: "a number",
    object: "a map of fields",
    record: "a map",
    string: "text",
  };
  return words[expected] ?? expected;
}

function hint(expected: string, value: unknown): string {
  if (expected === "string" && typeof value !== "object") return ": put it in quotes";
  if (expected === "number" && typeof value === "string") return ": write it without quotes";
  if (expected === "array" && typeof value === "string") return ": put `- ` before it";
  return "";
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (Array.isArray(at)) at = at[Number(part)];
    else if (isFields(at)) at = Object.hasOwn(at, part) ? at[part] : undefined;
    else return undefined;
  }
  return at;
}

/** Names of the fields that the schema knows at that place; empty where it cannot be told. */
function knownFields(schema: z.ZodType, path: Path): readonly string[] {
  let at: unknown = bare(schema);
  for (const part of path) {
    if (at instanceof z.ZodObject) at = bare(at.shape[part]);
    else if (at instanceof z.ZodArray) at = bare(at.element);
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function bare(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault) at = at.unwrap();
  return at;
}
