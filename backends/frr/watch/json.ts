/**
 * Reading what a daemon prints as JSON, without believing any of it.
 *
 * Pure. Nothing here throws: what is not there, or is something else, is undefined, and whoever asked goes without it. FRR leaves
 * fields out, spells them anew between versions, and may die in the middle of an answer.
 * Reads next: summary.ts, neighbor-detail.ts, tables.ts (who ask).
 */

export type Json = Readonly<Record<string, unknown>>;

/** undefined where the text is no JSON, or is cut off. */
export function readJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const readObject = (text: string): Json | undefined => {
  const value = readJson(text);
  return isObject(value) ? value : undefined;
};

const own = (object: Json, key: string): unknown =>
  Object.hasOwn(object, key) ? object[key] : undefined;

export function textAt(object: Json, key: string): string | undefined {
  const value = own(object, key);
  return typeof value === "string" ? value : undefined;
}

/** A finite number. */
export function numberAt(object: Json, key: string): number | undefined {
  const value = own(object, key);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** A counter: undefined counts as none. */
export const countAt = (object: Json, key: string): number =>
  Math.max(0, numberAt(object, key) ?? 0);

export const isTrueAt = (object: Json, key: string): boolean => own(object, key) === true;

/** The object there; one without anything in it where there is none. */
export function objectAt(object: Json, key: string): Json {
  const value = own(object, key);
  return isObject(value) ? value : {};
}

export function listAt(object: Json, key: string): readonly unknown[] {
  const value = own(object, key);
  return Array.isArray(value) ? value : [];
}

/** Only texts of a list. */
export const textsAt = (object: Json, key: string): readonly string[] =>
  listAt(object, key).filter((one) => typeof one === "string");

/** What of an object are objects again, in its order. */
export const objectsIn = (object: Json): readonly (readonly [string, Json])[] =>
  Object.entries(object).filter((entry): entry is [string, Json] => isObject(entry[1]));
