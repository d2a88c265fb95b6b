/**
 * What one reading of a manifest is made of: what goes in, what can be said about it, and what comes out.
 *
 * A complaint is a value, for outside data fails every day; it carries the path of the field, a stable rule and the way
 * out, and knows nothing of files and lines: agent/manifests/ adds those. Reads next: kinds.ts (the table of kinds).
 */
import type { Metadata, Seal, SecretRef } from "./resource.ts";

export type Path = readonly (string | number)[];

/** Stable ids, for people who search and for programs that match. New ones are added, none is renamed. */
export type Rule =
  | "required"
  | "wrong-type"
  | "out-of-range"
  | "not-allowed"
  | "bad-value"
  | "exclusive-fields"
  | "unknown-field"
  | "unknown-kind"
  | "unknown-group"
  | "unknown-version"
  | "misplaced-field"
  | "duplicate"
  | "overlap"
  | "family-mismatch"
  | "aggregation"
  | "too-many"
  | "not-carried"
  | "not-portable"
  | "deprecated"
  | "ignored"
  | "host-bits";

export type FieldComplaint = {
  readonly path: Path;
  readonly rule: Rule;
  /** One sentence: what is wrong and how to put it right. Never holds a secret's value. */
  readonly message: string;
};

/** A manifest whose frame (apiVersion, kind, metadata) is read; `body` is still outside data. */
export type Manifest = {
  readonly apiVersion: string;
  readonly version: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly body: Readonly<Record<string, unknown>>;
};

/** Where a kind's reader says what it finds. Any refusal refuses the whole resource; warnings travel with it. */
export type Reading = {
  readonly refuse: (path: Path, rule: Rule, message: string) => void;
  readonly warn: (path: Path, rule: Rule, message: string) => void;
  /** `field` tells the secrets of one resource apart; it must not change when lists are put in another order. */
  readonly seal: (field: string, value: string) => SecretRef;
  readonly refusals: readonly FieldComplaint[];
  readonly warnings: readonly FieldComplaint[];
};

/** More complaints than this help nobody, and a hostile manifest could have millions. */
const MAX_COMPLAINTS = 100;

export function newReading(owner: string, seal: Seal): Reading {
  const refusals: FieldComplaint[] = [];
  const warnings: FieldComplaint[] = [];
  const into = (list: FieldComplaint[]) => (path: Path, rule: Rule, message: string) => {
    if (list.length < MAX_COMPLAINTS) list.push({ path, rule, message });
  };
  return {
    refuse: into(refusals),
    warn: into(warnings),
    seal: (field, value) => seal(`${owner}#${field}`, value),
    refusals,
    warnings,
  };
}

/** Absent and empty are one in these kinds (their authors marshal empty text away). */
export const said = (text: string | undefined): text is string => text !== undefined && text !== "";

/** `spec.peers[0].peerIP`: a path as people write it. */
export function fieldText(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** Says each element that occurs a second time, at its place. `keyOf` gives what must differ. */
export function refuseDuplicates<T>(
  reading: Reading,
  path: Path,
  list: readonly T[],
  keyOf: (item: T) => string,
  what: string,
): void {
  const first = new Map<string, number>();
  for (const [i, item] of list.entries()) {
    const key = keyOf(item);
    const before = first.get(key);
    if (before === undefined) first.set(key, i);
    else
      reading.refuse(
        [...path, i],
        "duplicate",
        `${what} is already item ${before} of this list: remove one of the two`,
      );
  }
}

/** A YAML or JSON map; a list is none. */
export const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
