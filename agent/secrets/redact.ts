/**
 * Takes keys and passwords out of free text: raw snippets, running configurations, what a daemon answered.
 *
 * Pure. It stands before the log, the API and log lines, and is the last line only: secrets of manifests are sealed before
 * any text is made (secrets.ts). It rather takes a harmless word than leaves a key; names of references
 * (`passwordSecret`, `secretName`) stay.
 */

export const REDACTED = "<redacted>";

const WORD = String.raw`(?:password|passwd|passphrase|key-string|key|md5|secret)`;
const QUOTED = String.raw`"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*'`;

type Rule = readonly [pattern: RegExp, replacement: string];

const RULES: readonly Rule[] = [
  // YAML block text: `password: |` and every deeper line after it.
  [
    new RegExp(
      String.raw`^([ \t]*)((?:- )?["']?${WORD}["']?:[ \t]*)[|>][^\n]*(?:\n(?:\1[ \t]+[^\n]*|[ \t]*(?=\n)))+`,
      "gim",
    ),
    `$1$2${REDACTED}`,
  ],
  // YAML, JSON and `name=value`: `password: x`, `"secret": "x"`, `md5=x`.
  [
    new RegExp(
      String.raw`(?<![\w-])(["']?${WORD}["']?[ \t]*[:=][ \t]*)(?:${QUOTED}|[^\s"'{}[\],;&][^\n,;}\]&]*)`,
      "gi",
    ),
    `$1${REDACTED}`,
  ],
  // BIRD and others: a word and a quoted text.
  [
    new RegExp(String.raw`(?<![\w-])(${WORD}[ \t]+(?:[0-9][ \t]+)?)(?:${QUOTED})`, "gi"),
    `$1${REDACTED}`,
  ],
  // FRR: the password is the rest of the line, wherever in a line the command is told.
  [/(\b(?:neighbor|peer)[ \t]+\S+[ \t]+password[ \t]+)[^\n]+/gi, `$1${REDACTED}`],
  [
    /(\b(?:authentication[ \t]+key|key-string|message-digest-key[ \t]+\d+[ \t]+md5|authentication-key|(?:area|domain)-password[ \t]+(?:clear|md5))[ \t]+)[^\n]+/gi,
    `$1${REDACTED}`,
  ],
  // A command of its own line: `password x`, `enable password 8 x`, `secret x`.
  [
    /^([ \t]*(?:no[ \t]+)?(?:enable[ \t]+)?(?:password|passwd|secret|md5|key(?![ \t]+(?:\d+[ \t]*$|chain\b)))[ \t]+)[^\n]+/gim,
    `$1${REDACTED}`,
  ],
];

/** `text` without the values of passwords and keys. Any text, any length; linear in it but for pathological quoting. */
export function redact(text: string): string {
  let result = text;
  for (const [pattern, replacement] of RULES) result = result.replaceAll(pattern, replacement);
  return result;
}

/** Shorter values occur by chance in any text, and taking them out would only tell where they are. */
const MIN_VALUE = 4;

/** Takes these very values out as well, wherever they stand. */
export function redactValues(text: string, values: Iterable<string>): string {
  let result = text;
  for (const value of values) {
    if (value.length >= MIN_VALUE) result = result.replaceAll(value, () => REDACTED);
  }
  return redact(result);
}
