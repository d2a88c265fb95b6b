/**
 * A complaint as an operator reads it: which file, which line, which field, which rule, and the way out.
 *
 * The one place that words it as a line of text. Made by read.ts and yaml-document.ts.
 */

export type Complaint = {
  /** As the user named it; `-` is standard input. */
  readonly file: string;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  /** `spec.peers[0].peerIP`; empty where the complaint is about no single field. */
  readonly field: string;
  /** Stable id: those of events/resources/reading.ts, and those of the text itself below. */
  readonly rule: string;
  readonly message: string;
  readonly severity: "error" | "warning";
};

/** Rules about the text, before any field has a meaning. */
export type TextRule =
  | "too-large"
  | "too-many"
  | "not-text"
  | "yaml-syntax"
  | "duplicate-key"
  | "alias-bomb"
  | "duplicate";

/** `file:line:column: error: field: message [rule]`, on one line whatever the message holds. */
export function complaintText(complaint: Complaint): string {
  const { file, line, column, field, rule, message, severity } = complaint;
  const about = field === "" ? "" : `${field}: `;
  // oxlint-disable-next-line no-control-regex -- outside text may hold terminal sequences
  const safe = `${about}${message}`.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
  return `${file}:${line}:${column}: ${severity}: ${safe} [${rule}]`;
}
