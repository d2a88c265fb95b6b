/**
 * What an unquoted word means, where YAML 1.2 and the tools of Kubernetes users differ.
 *
 * YAML 1.2's core schema rules, so that `65535:65282` is text and not a number to base 60; besides, yes, no, on and off are
 * true and false, as kubectl reads them. `y` and `n` stay text. Read from: simple-yaml.ts, yaml-document.ts.
 */

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...["yes", "Yes", "YES", "on", "On", "ON"].map((word) => [word, true] as const),
  ...["no", "No", "NO", "off", "Off", "OFF"].map((word) => [word, false] as const),
]);

/** What kubectl makes of a word that YAML 1.2 reads as text. */
export const kubectlWord = (word: string): string | boolean => WORDS.get(word) ?? word;

const CORE: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
  ...["null", "Null", "NULL", "~"].map((word) => [word, null] as const),
]);
const NUMBER = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
/** Numbers that are rare enough to be left to the whole parser. */
const ODD = /^(?:0[ox]|[-+]?\.(?:inf|nan|Inf|NaN|INF|NAN)$)/;

/** YAML 1.2 §10.3.2; undefined where the word is one for the whole parser. */
export function coreValue(word: string): string | number | boolean | null | undefined {
  const first = word.codePointAt(0) ?? 0;
  // Letters but those that begin a word of the tables: the usual case, quickly.
  if (first >= 0x41 && !"tTfFnNyYoO~".includes(word[0] ?? "")) return word;
  const core = CORE.get(word);
  if (core !== undefined) return core;
  if (NUMBER.test(word)) return Number(word);
  return ODD.test(word) ? undefined : kubectlWord(word);
}
