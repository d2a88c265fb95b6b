/**
 * From octets to text, or the line on which they are none: size, UTF-8, control characters.
 *
 * The size is judged before anything is read. Never repairs: a text with a bad octet is refused.
 */
import type { TextRule } from "./complaint.ts";

/** `line` from 0. */
export type TextProblem = {
  readonly line: number;
  readonly rule: TextRule;
  readonly message: string;
};
export type Decoded =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "refused"; readonly problem: TextProblem };

/** 100,000 Services as kubectl prints them are some 45 MB; beyond this a mistake is likelier than a host. */
export const MAX_BYTES = 64 * 1024 * 1024;

export const tooLarge = (size: number): TextProblem => ({
  line: 0,
  rule: "too-large",
  message: `${(size / 1024 / 1024).toFixed(1)} MiB are more than the ${MAX_BYTES / 1024 / 1024} MiB that are read: divide the file`,
});

export function decodeText(input: string | Uint8Array): Decoded {
  if (input.length > MAX_BYTES) return { type: "refused", problem: tooLarge(input.length) };
  const text = typeof input === "string" ? input.replace(/^\uFEFF/, "") : decodeUtf8(input);
  if (text === undefined) {
    const line = typeof input === "string" ? 0 : badLine(input);
    return {
      type: "refused",
      problem: { line, rule: "not-text", message: "is not UTF-8: save the file as UTF-8" },
    };
  }
  // oxlint-disable-next-line no-control-regex -- YAML 1.2 §5.1 allows none of them
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text);
  if (control === null) return { type: "text", text };
  const code = (control[0].codePointAt(0) ?? 0).toString(16).padStart(2, "0");
  const what = code === "00" ? "a NUL octet" : `the control character 0x${code}`;
  return {
    type: "refused",
    problem: {
      line: linesBefore(text, control.index),
      rule: "not-text",
      message: `holds ${what}: remove it`,
    },
  };
}

function decodeUtf8(octets: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const LINE_FEED = 0x0a;

/** A line feed is never part of a longer sequence, so lines can be tried one by one. */
function badLine(octets: Uint8Array): number {
  let line = 0;
  for (let start = 0; start < octets.length; line += 1) {
    const found = octets.indexOf(LINE_FEED, start);
    const end = found < 0 ? octets.length : found;
    if (decodeUtf8(octets.subarray(start, end)) === undefined) return line;
    start = end + 1;
  }
  return 0;
}

function linesBefore(text: string, index: number): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < index; at = text.indexOf("\n", at + 1))
    lines += 1;
  return lines;
}
