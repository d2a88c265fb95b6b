/**
 * Outside data made plain before any schema sees it: no null, no forbidden key, not too deep.
 *
 * Kubernetes reads null as "not said"; so does this. Data without nulls is handed back as it is, not copied.
 */
import { type FieldComplaint, isFields, type Path } from "./reading.ts";

/** The deepest of our kinds has 11 levels; the rest is room for upstream's fields. */
export const MAX_DEPTH = 64;

export type Plain =
  | { readonly type: "plain"; readonly value: unknown }
  | { readonly type: "refused"; readonly complaint: FieldComplaint };

export function plainly(value: unknown): Plain {
  const found: FieldComplaint[] = [];
  const plain = walk(value, [], found);
  const [complaint] = found;
  return complaint === undefined ? { type: "plain", value: plain } : { type: "refused", complaint };
}

function walk(value: unknown, path: (string | number)[], found: FieldComplaint[]): unknown {
  if (typeof value !== "object" || value === null || found.length > 0) return value;
  if (path.length >= MAX_DEPTH) {
    found.push({
      path: [...path],
      rule: "too-many",
      message: `is nested deeper than ${MAX_DEPTH} levels`,
    });
    return value;
  }
  if (Array.isArray(value)) return walkList(value, path, found);
  return isFields(value) ? walkFields(value, path, found) : value;
}

function walkList(
  list: readonly unknown[],
  path: (string | number)[],
  found: FieldComplaint[],
): unknown {
  let changed = false;
  const copy = list.map((item, i) => {
    path.push(i);
    const plain = walk(item, path, found);
    path.pop();
    changed ||= plain !== item;
    return plain;
  });
  return changed ? copy : list;
}

function walkFields(
  fields: Readonly<Record<string, unknown>>,
  path: (string | number)[],
  found: FieldComplaint[],
): unknown {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields)) {
    if (key === "__proto__") {
      found.push({
        path: [...path, key],
        rule: "unknown-field",
        message: "is no field of any kind: remove it",
      });
      return fields;
    }
    const value = fields[key];
    path.push(key);
    const plain = walk(value, path, found);
    path.pop();
    if (plain === value && value !== null) continue;
    copy ??= { ...fields };
    if (value === null || value === undefined) delete copy[key];
    else copy[key] = plain;
  }
  return copy ?? fields;
}

export type ListItem = {
  readonly path: Path;
  /** As it stands in the list. */
  readonly written: unknown;
  readonly document: unknown;
};

/** The items of a `List`, each with its place; undefined where the document is none. Items without a kind take the list's. */
export function listItems(document: unknown): readonly ListItem[] | undefined {
  if (!isFields(document)) return undefined;
  const { kind, apiVersion, items } = document;
  if (typeof kind !== "string" || !kind.endsWith("List") || !Array.isArray(items)) return undefined;
  const itemKind = kind.slice(0, -"List".length);
  const inherits = itemKind !== "" && typeof apiVersion === "string";
  return items.map((item: unknown, i) => ({
    path: ["items", i],
    written: item,
    document: inherits && isFields(item) ? { apiVersion, kind: itemKind, ...item } : item,
  }));
}
