/**
 * Kubernetes label selectors as they are written, and their canonical form.
 *
 * Canonical: labels and expressions in order of key, values sorted, so that equal selectors are equal as JSON. Never
 * matches labels: the plan does. Rules of keys and values are Kubernetes' own (syntax of labels).
 */
import * as z from "zod";
import { quoted, textMap } from "./fields.ts";
import { type Path, type Reading, refuseDuplicates } from "./reading.ts";
import type { Labels, LabelSelector } from "./resource.ts";

const expression = z.strictObject({
  key: z.string(),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
  values: z.array(z.string()).optional(),
});
export const writtenSelector = z.strictObject({
  matchLabels: textMap.optional(),
  matchExpressions: z.array(expression).optional(),
});
export type WrittenSelector = z.infer<typeof writtenSelector>;

/** A name of at most 63 characters, perhaps behind `dns.name/`. */
const LABEL_KEY =
  /^(?:(?=[^/]{1,253}\/)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/;

export function refuseBadLabels(reading: Reading, path: Path, labels: Labels): void {
  for (const [key, value] of Object.entries(labels)) {
    checkKey(reading, [...path, key], key);
    checkValue(reading, [...path, key], value);
  }
}

export function selectorAt(reading: Reading, path: Path, written: WrittenSelector): LabelSelector {
  const matchLabels = written.matchLabels ?? {};
  refuseBadLabels(reading, [...path, "matchLabels"], matchLabels);
  const expressions = written.matchExpressions ?? [];
  const at = [...path, "matchExpressions"];
  const matchExpressions = expressions.map((item, i) => expressionAt(reading, [...at, i], item));
  return {
    matchLabels: Object.fromEntries(Object.entries(matchLabels).toSorted(byFirst)),
    matchExpressions: matchExpressions.toSorted((a, b) =>
      order(JSON.stringify(a), JSON.stringify(b)),
    ),
  };
}

/** Reads a list of alternatives; two that mean the same are refused where `unique` says so. */
export function selectorsAt(
  reading: Reading,
  path: Path,
  written: readonly WrittenSelector[] | undefined,
  duplicates: "refused" | "allowed" = "refused",
): readonly LabelSelector[] {
  const list = (written ?? []).map((selector, i) => selectorAt(reading, [...path, i], selector));
  if (duplicates === "refused") {
    refuseDuplicates(reading, path, list, (item) => JSON.stringify(item), "this selector");
  }
  return list;
}

function expressionAt(
  reading: Reading,
  path: Path,
  written: z.infer<typeof expression>,
): LabelSelector["matchExpressions"][number] {
  const { key, operator, values = [] } = written;
  checkKey(reading, [...path, "key"], key);
  const wantsValues = operator === "In" || operator === "NotIn";
  if (wantsValues && values.length === 0) {
    reading.refuse([...path, "values"], "required", `${operator} needs at least one value`);
  }
  if (!wantsValues && values.length > 0) {
    reading.refuse(
      [...path, "values"],
      "exclusive-fields",
      `${operator} takes no values: remove them`,
    );
  }
  for (const [i, value] of values.entries()) checkValue(reading, [...path, "values", i], value);
  refuseDuplicates(reading, [...path, "values"], values, (value) => value, "this value");
  return { key, operator, values: values.toSorted(order) };
}

function checkKey(reading: Reading, path: Path, key: string): void {
  if (LABEL_KEY.test(key)) return;
  reading.refuse(
    path,
    "bad-value",
    `${quoted(key)} is no label key: letters, digits, - _ . up to 63, perhaps behind dns.name/`,
  );
}

function checkValue(reading: Reading, path: Path, value: string): void {
  if (LABEL_VALUE.test(value)) return;
  reading.refuse(
    path,
    "bad-value",
    `${quoted(value)} is no label value: up to 63 letters, digits, - _ . with a letter or digit at both ends`,
  );
}

/** By code unit, not by locale: the order must be the same on every host. */
export const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byFirst = ([a]: readonly [string, string], [b]: readonly [string, string]): number =>
  order(a, b);
