/**
 * All of YAML, for one document: its plain value, its mistakes with line and column, and where each field stands.
 *
 * The only door to the package `yaml`. A document never unfolds to more values than its text could spell out (aliases are
 * counted before they are followed); keys are text; a key that occurs twice is a mistake.
 * Reads next: simple-yaml.ts (the quick way), scalars.ts (what words mean).
 */
import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  type YAMLMap,
} from "yaml";
import type { Path } from "../../events/resources/reading.ts";
import type { TextRule } from "./complaint.ts";
import { kubectlWord } from "./scalars.ts";

/** Both from 0, within the text. */
export type Position = { readonly line: number; readonly column: number };
export type Mistake = Position & { readonly rule: TextRule; readonly message: string };

export type YamlDocument = {
  readonly value: unknown;
  readonly mistakes: readonly Mistake[];
  readonly start: Position;
  /** Where a map or list begins, for those of `value`. */
  readonly lineOf: (item: object) => number | undefined;
  /** Where the field of that path stands, or else the nearest one above it that does. */
  readonly locate: (path: Path) => Position;
};

/** Even a small document may be this large once its aliases are followed. */
const MIN_BUDGET = 100_000;
/** A file full of mistakes is told with its first ones. */
const MAX_MISTAKES = 20;

/** `text` is one document or several; texts with none give an empty list. */
export function readYaml(text: string): readonly YamlDocument[] {
  const counter = new LineCounter();
  // Our own check of keys is linear; the package's compares each with each.
  const composer = new Composer({
    uniqueKeys: false,
    version: "1.2",
    schema: "core",
    lineCounter: counter,
  });
  const parser = new Parser(counter.addNewLine);
  const documents: YamlDocument[] = [];
  for (const document of composer.compose(parser.parse(text))) {
    documents.push(readDocument(document, counter, Math.max(MIN_BUDGET, text.length)));
  }
  return documents;
}

function readDocument(
  document: Document.Parsed,
  counter: LineCounter,
  budget: number,
): YamlDocument {
  const at = (offset: number): Position => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(0, line - 1), column: Math.max(0, col - 1) };
  };
  const mistakes: Mistake[] = [];
  for (const error of [...document.errors, ...document.warnings].slice(0, MAX_MISTAKES)) {
    mistakes.push({ ...at(error.pos[0]), rule: "yaml-syntax", message: firstLine(error.message) });
  }
  const { contents } = document;
  const start = at(contents?.range?.[0] ?? document.range[0]);
  const walk = new Walk(budget);
  // A text with mistakes has no value that could be trusted.
  const value = mistakes.length > 0 ? undefined : walk.plain(contents).value;
  for (const { offset, rule, message } of walk.mistakes.slice(0, MAX_MISTAKES)) {
    mistakes.push({ ...at(offset), rule, message });
  }
  return {
    value: mistakes.length > 0 ? undefined : value,
    mistakes,
    start,
    lineOf: (item) => {
      const offset = walk.offsetOf.get(item);
      return offset === undefined ? undefined : at(offset).line;
    },
    locate: (path) => at(offsetOfPath(contents, path) ?? contents?.range?.[0] ?? 0),
  };
}

/** The package adds an excerpt below its sentence. */
const firstLine = (message: string): string =>
  (message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "");

type Sized = { readonly value: unknown; readonly size: number };

/** Holds what is spent and what anchors mean so far: a thing with a lifetime. */
class Walk {
  readonly mistakes: { offset: number; rule: TextRule; message: string }[] = [];
  readonly offsetOf = new WeakMap<object, number>();
  readonly #anchors = new Map<string, Sized>();
  #budget: number;

  constructor(budget: number) {
    this.#budget = budget;
  }

  plain(node: Node | null | undefined): Sized {
    const before = this.#budget;
    const value = this.#value(node);
    const sized = { value, size: before - this.#budget };
    const anchor = node !== null && node !== undefined && !isAlias(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, sized);
    return sized;
  }

  #value(node: Node | null | undefined): unknown {
    if (node === null || node === undefined) return null;
    if (!this.#spend(1, node)) return null;
    if (isAlias(node)) return this.#alias(node);
    if (isScalar(node)) return scalarValue(node);
    if (isSeq(node)) {
      const list = node.items.map((item) => this.plain(nodeOf(item)).value);
      this.offsetOf.set(list, node.range?.[0] ?? 0);
      return list;
    }
    if (!isMap(node)) throw new Error("a YAML node is a scalar, a list, a map or an alias");
    const fields = this.#fields(node);
    this.offsetOf.set(fields, node.range?.[0] ?? 0);
    return fields;
  }

  #fields(map: YAMLMap): Record<string, unknown> {
    const own = new Map<string, unknown>();
    const merged: unknown[] = [];
    for (const pair of map.items) {
      const key = keyText(pair);
      const offset = offsetOfPair(pair) ?? map.range?.[0] ?? 0;
      if (key === undefined) this.#mistake(offset, "yaml-syntax", "a key must be one word");
      else if (isMerge(pair)) merged.push(this.plain(nodeOf(pair.value)).value);
      else if (own.has(key))
        this.#mistake(
          offset,
          "duplicate-key",
          `${JSON.stringify(key.slice(0, 80))} is there twice: remove one of the two`,
        );
      else own.set(key, this.plain(nodeOf(pair.value)).value);
    }
    return this.#withMerged(own, merged.flat(), map);
  }

  /** Merge keys as kubectl reads them: own keys go first, then earlier sources. */
  #withMerged(
    own: ReadonlyMap<string, unknown>,
    sources: readonly unknown[],
    map: YAMLMap,
  ): Record<string, unknown> {
    const fields: Record<string, unknown> = {};
    for (const source of sources) {
      const usable = typeof source === "object" && source !== null && !Array.isArray(source);
      if (!usable)
        this.#mistake(map.range?.[0] ?? 0, "yaml-syntax", "<< takes a map, or a list of maps");
      for (const [key, value] of Object.entries(usable ? source : {})) {
        if (!this.#spend(1, map)) return fields;
        if (!own.has(key) && !Object.hasOwn(fields, key)) define(fields, key, value);
      }
    }
    for (const [key, value] of own) define(fields, key, value);
    return fields;
  }

  #alias(node: Alias): unknown {
    const target = this.#anchors.get(node.source);
    if (target === undefined) {
      this.#mistake(
        node.range?.[0] ?? 0,
        "yaml-syntax",
        `*${node.source} refers to no anchor above it`,
      );
      return null;
    }
    return this.#spend(target.size, node) ? target.value : null;
  }

  /** False, with a mistake said once, where the document unfolds to more than it may. */
  #spend(amount: number, node: Node): boolean {
    if (this.#budget >= amount) {
      this.#budget -= amount;
      return true;
    }
    if (this.#budget >= 0) {
      this.#mistake(
        node.range?.[0] ?? 0,
        "alias-bomb",
        "aliases unfold to more values than the text has characters: write them out",
      );
    }
    this.#budget = -1;
    return false;
  }

  #mistake(offset: number, rule: TextRule, message: string): void {
    this.mistakes.push({ offset, rule, message });
  }
}

/** Also for `__proto__`, which a plain assignment would not set. */
function define(fields: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") fields[key] = value;
  else
    Object.defineProperty(fields, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

function scalarValue(node: {
  readonly value: unknown;
  readonly type?: string | undefined;
  readonly tag?: string | undefined;
}): unknown {
  const { value, type, tag } = node;
  return typeof value === "string" && type === "PLAIN" && tag === undefined
    ? kubectlWord(value)
    : value;
}

const nodeOf = (item: unknown): Node | null | undefined => {
  if (isPair(item)) throw new Error("a pair stands only in a map");
  return isScalar(item) || isAlias(item) || isMap(item) || isSeq(item) ? item : null;
};

/** Keys are text in these kinds: `80:` is the key "80". */
function keyText(pair: Pair): string | undefined {
  const { key } = pair;
  if (!isScalar(key)) return undefined;
  return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
}

const isMerge = (pair: Pair): boolean =>
  isScalar(pair.key) && pair.key.type === "PLAIN" && pair.key.value === "<<";

const offsetOfPair = (pair: Pair): number | undefined =>
  isScalar(pair.key) || isMap(pair.key) || isSeq(pair.key) ? pair.key.range?.[0] : undefined;

function offsetOfPath(contents: Node | null | undefined, path: Path): number | undefined {
  const anchors = new Map<string, Node>();
  let node: Node | null | undefined = contents;
  let offset = contents?.range?.[0];
  for (const part of path) {
    if (isAlias(node)) node = followed(node, contents, anchors);
    if (isSeq(node)) {
      node = nodeOf(node.items[Number(part)]);
      offset = node?.range?.[0] ?? offset;
    } else if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => keyText(item) === String(part));
      if (pair === undefined) return offset;
      offset = offsetOfPair(pair) ?? offset;
      node = nodeOf(pair.value);
    } else return offset;
  }
  return offset;
}

/** The anchored node of that name; where several have it, the last before the alias. */
function followed(
  alias: Alias,
  contents: Node | null | undefined,
  anchors: Map<string, Node>,
): Node | undefined {
  const end = alias.range?.[0] ?? 0;
  const visit = (node: unknown): void => {
    if (isPair(node)) {
      visit(node.key);
      visit(node.value);
    } else if ((isScalar(node) || isMap(node) || isSeq(node)) && (node.range?.[0] ?? 0) < end) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
      if (isMap(node) || isSeq(node)) for (const item of node.items) visit(item);
    }
  };
  anchors.clear();
  visit(contents);
  return anchors.get(alias.source);
}
