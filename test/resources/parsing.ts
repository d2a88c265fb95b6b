/**
 * How the tests of kinds speak: a manifest of a kind with a spec, and what became of it.
 *
 * Seals nothing for real: a sealed secret is its field's name, so that a value that leaks is seen.
 */
import { expect } from "vitest";
import type { Resource, ResourceType } from "../../events/resources/kinds.ts";
import { parseResource, type ParseOptions, type Parsed } from "../../events/resources/parse.ts";
import { fieldText } from "../../events/resources/reading.ts";
import type { Seal } from "../../events/resources/resource.ts";

export type Written = Readonly<Record<string, unknown>>;

export const fakeSeal: Seal = (name) => ({ name, version: "1", digest: "00" });

export const parsed = (document: unknown, options?: ParseOptions): Parsed =>
  parseResource(document, fakeSeal, options);

export const manifest = (
  apiVersion: string,
  kind: string,
  spec: unknown,
  metadata: Written = {},
): Written => ({
  apiVersion,
  kind,
  metadata: { name: "it", ...metadata },
  spec,
});

/** The resource, or a failed test that shows the complaints. */
export function resourceOf(document: unknown, options?: ParseOptions): Resource {
  const result = parsed(document, options);
  expect(result).toMatchObject({ type: "resource" });
  if (result.type !== "resource") throw new Error("unreachable");
  return result.resource;
}

export function specOf<Type extends ResourceType>(type: Type, document: unknown): SpecOf<Type> {
  const resource = resourceOf(document);
  expect(resource.type).toBe(type);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the line above is the guard
  return resource.spec as SpecOf<Type>;
}

type SpecOf<Type extends ResourceType> = Extract<Resource, { type: Type }>["spec"];

/** `field rule` of each refusal; empty where it was read. */
export function refusals(document: unknown, options?: ParseOptions): readonly string[] {
  const result = parsed(document, options);
  if (result.type !== "refused") return [];
  return result.complaints.map(({ path, rule }) => `${fieldText(path)} ${rule}`);
}

/** `field rule` of each warning. Fails where it was refused. */
export function warnings(document: unknown, options?: ParseOptions): readonly string[] {
  const result = parsed(document, options);
  expect(result).toMatchObject({ type: "resource" });
  return result.type === "resource"
    ? result.warnings.map(({ path, rule }) => `${fieldText(path)} ${rule}`)
    : [];
}
