/**
 * The YAML that machines print, read some ten times faster than all of YAML: block maps and lists of plain or simply quoted words.
 *
 * It reads a text exactly as yaml-document.ts would, or says nothing (a test compares the two over random texts). Whatever is
 * not surely simple (anchors, tags, flow lists, escapes, a mistake) is left to that file, which also finds lines for complaints.
 */
import { coreValue } from "./scalars.ts";

export type Simple = {
  readonly value: unknown;
  /** Line, from 0, on which a map or list begins. */
  readonly lineOf: WeakMap<object, number>;
};

type Line = { readonly number: number; readonly indent: number; readonly text: string };

/** Thrown inside this file only: the text is not simple. */
const notSimple = Symbol("not simple");

const KEY = /^([A-Za-z_][\w./-]*):(?: +(\S.*))?$/;
const UNPLAIN = /: |:$| #/;
const PLAIN_START = /^(?:[A-Za-z0-9_./+<(~]|-[^\s])/;
const DOUBLE = /^"([^"\\]*)"$/;
const SINGLE = /^'([^']*)'$/;
/** Tabs, carriage returns, and what only Unicode takes for space. */
const OTHER_SPACE = /[^\S \n]/;
/** Deeper texts are left to the parser that has a bound of its own. */
const MAX_DEPTH = 60;

/** Undefined where `text` (one document, no `---`) is not surely simple. */
export function readSimply(text: string): Simple | undefined {
  try {
    return new Reader(text).document();
  } catch (reason) {
    if (reason === notSimple) return undefined;
    throw reason;
  }
}

/** Holds the place in the text: a thing with a lifetime. */
class Reader {
  readonly #lines: readonly string[];
  readonly #lineOf = new WeakMap<object, number>();
  #next = 0;
  #current: Line | undefined;

  constructor(text: string) {
    if (OTHER_SPACE.test(text)) throw notSimple;
    this.#lines = text.split("\n");
    this.#advance();
  }

  document(): Simple {
    const line = this.#current;
    const value = line === undefined ? null : this.#block(line.indent, 0);
    if (this.#current !== undefined || (line !== undefined && line.indent !== 0)) throw notSimple;
    return { value, lineOf: this.#lineOf };
  }

  /** To the next line that is neither blank nor a comment. */
  #advance(): void {
    this.#current = undefined;
    while (this.#next < this.#lines.length) {
      const number = this.#next;
      const raw = this.#lines[number] ?? "";
      this.#next += 1;
      const text = raw.trimStart();
      if (text === "" || text.startsWith("#")) continue;
      const indent = raw.length - text.length;
      this.#current = { number, indent, text: text.trimEnd() };
      return;
    }
  }

  #block(indent: number, depth: number): unknown {
    const line = this.#current;
    if (line === undefined || depth > MAX_DEPTH) throw notSimple;
    return isItem(line.text) ? this.#list(indent, depth) : this.#map(indent, depth);
  }

  #map(indent: number, depth: number): object {
    const fields: Record<string, unknown> = {};
    this.#lineOf.set(fields, this.#current?.number ?? 0);
    while (
      this.#current !== undefined &&
      this.#current.indent === indent &&
      !isItem(this.#current.text)
    ) {
      const [, key, rest] = KEY.exec(this.#current.text) ?? [];
      if (key === undefined || key === "__proto__" || Object.hasOwn(fields, key)) throw notSimple;
      // Keys that are words of the tables would not stay text.
      if (coreValue(key) !== key) throw notSimple;
      fields[key] = rest === undefined ? this.#below(indent, depth) : this.#word(rest, indent);
    }
    if (this.#current !== undefined && this.#current.indent > indent) throw notSimple;
    return fields;
  }

  #list(indent: number, depth: number): unknown[] {
    const items: unknown[] = [];
    this.#lineOf.set(items, this.#current?.number ?? 0);
    while (
      this.#current !== undefined &&
      this.#current.indent === indent &&
      isItem(this.#current.text)
    ) {
      items.push(this.#item(this.#current, depth));
    }
    if (this.#current !== undefined && this.#current.indent > indent) throw notSimple;
    return items;
  }

  #item(line: Line, depth: number): unknown {
    const rest = line.text.slice(1).trimStart();
    // An empty item has too many readings to be simple.
    if (rest === "" || rest.startsWith("#")) throw notSimple;
    const inner = line.indent + line.text.length - rest.length;
    if (!KEY.test(rest) && !isItem(rest)) return this.#word(rest, line.indent);
    this.#current = { number: line.number, indent: inner, text: rest };
    return this.#block(inner, depth + 1);
  }

  /** The value of a key with nothing behind it: a deeper block, a list at the same indent, or null. */
  #below(indent: number, depth: number): unknown {
    this.#advance();
    const line = this.#current;
    if (line === undefined || line.indent < indent) return null;
    if (line.indent === indent && !isItem(line.text)) return null;
    return this.#block(line.indent, depth + 1);
  }

  #word(text: string, indent: number): unknown {
    if (text === "|" || text === "|-") return this.#literal(indent, text);
    this.#advance();
    // A deeper line would continue this word.
    if (this.#current !== undefined && this.#current.indent > indent) throw notSimple;
    const quotes = DOUBLE.exec(text) ?? SINGLE.exec(text);
    if (quotes !== null) return quotes[1];
    if (text === "{}") return {};
    if (text === "[]") return [];
    if (!PLAIN_START.test(text) || UNPLAIN.test(text)) throw notSimple;
    const value = coreValue(text);
    if (value === undefined) throw notSimple;
    return value;
  }

  /** YAML 1.2 §8.1.2, with clip or strip and an indent that shows itself. */
  #literal(indent: number, header: string): string {
    const first = this.#lines[this.#next] ?? "";
    const inner = first.length - first.trimStart().length;
    if (inner <= indent || first.trim() === "") throw notSimple;
    const taken: string[] = [];
    for (; this.#next < this.#lines.length; this.#next += 1) {
      const raw = this.#lines[this.#next] ?? "";
      if (raw.trim() === "" && raw.length > inner) throw notSimple;
      const depth = raw.length - raw.trimStart().length;
      if (raw.trim() !== "" && depth < inner) {
        if (depth > indent) throw notSimple;
        break;
      }
      taken.push(raw.slice(inner));
    }
    this.#advance();
    while (taken.at(-1) === "") taken.pop();
    return taken.join("\n") + (header === "|" ? "\n" : "");
  }
}

const isItem = (text: string): boolean => text === "-" || text.startsWith("- ");
