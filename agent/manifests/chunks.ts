/**
 * A text divided at its document markers, so that one document is parsed at a time and a long file costs no long tree.
 *
 * `---` in the first column is a marker wherever it stands (YAML 1.2 §9.1.4), also within a block of text. Directives and `...` are
 * rare and make the whole text one chunk.
 */
import type { TextProblem } from "./text.ts";

export type Chunk = {
  readonly text: string;
  /** Line of the file on which the chunk begins, from 0. */
  readonly firstLine: number;
  /** It has to go to the whole parser. */
  readonly wholeYaml: boolean;
};
export type Chunks =
  | { readonly type: "chunks"; readonly chunks: readonly Chunk[] }
  | { readonly type: "refused"; readonly problem: TextProblem };

const MARKER = /^---(?=[ \t\r\n]|$)/gm;
const BARE_MARKER = /^---[ \t]*(?:#[^\n]*)?\r?(?:\n|$)/;
const BEYOND = /^(?:%|\.\.\.(?:[ \t\r\n]|$))/m;

export function chunksOf(text: string, max: number): Chunks {
  if (BEYOND.test(text)) {
    return { type: "chunks", chunks: [{ text, firstLine: 0, wholeYaml: true }] };
  }
  const starts = [0];
  for (const { index } of text.matchAll(MARKER)) {
    if (index > 0) starts.push(index);
    if (starts.length > max) return { type: "refused", problem: tooMany(max) };
  }
  const chunks: Chunk[] = [];
  let line = 0;
  for (const [i, start] of starts.entries()) {
    const piece = text.slice(start, starts[i + 1] ?? text.length);
    const [marker = ""] = BARE_MARKER.exec(piece) ?? [];
    const skipped = marker.endsWith("\n") ? 1 : 0;
    chunks.push({
      text: piece.slice(marker.length),
      firstLine: line + skipped,
      // What follows on the marker's own line is rare enough for the whole parser.
      wholeYaml: marker === "" && piece.startsWith("---"),
    });
    line += linesIn(piece);
  }
  return { type: "chunks", chunks };
}

const tooMany = (max: number): TextProblem => ({
  line: 0,
  rule: "too-many",
  message: `more than ${max} documents: divide the file`,
});

function linesIn(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines;
}
