/**
 * Raw router configuration: text that a user wrote in one backend's own language, with its secrets taken out.
 *
 * The text is opaque but for that: words after `password`, `key`, `key-string` and `md5` are sealed, and a placeholder
 * stands in their place, because the log never holds a secret. The backend that may use it puts them back.
 */
import type { Reading } from "./reading.ts";
import type { SecretRef } from "./resource.ts";

export type RawText = {
  /** Has `⟨secret 0⟩`, `⟨secret 1⟩`… where `secrets[0]`, `secrets[1]`… belong. */
  readonly text: string;
  readonly secrets: readonly SecretRef[];
};

const SECRET = /^(\s*(?:.*\s)?(?:password|key|key-string|md5)\s+(?:[0-9]\s+)?)(\S.*?)(\s*)$/;
/** Lines in which these words name something else (`key chain`, `key 1`). */
const NO_SECRET = /^\s*(?:no\s+)?key\s+(?:chain\s+\S+|\d+)\s*$/;

export function sealRaw(raw: string, field: string, reading: Reading): RawText {
  const secrets: SecretRef[] = [];
  const lines = raw.split("\n").map((line) => {
    const [, head, secret, tail = ""] = NO_SECRET.test(line) ? [] : (SECRET.exec(line) ?? []);
    if (head === undefined || secret === undefined) return line;
    secrets.push(reading.seal(`${field}-${secrets.length}`, secret));
    return `${head}⟨secret ${secrets.length - 1}⟩${tail}`;
  });
  return { text: lines.join("\n"), secrets };
}
