/**
 * A fact of the log on one line: where it stands, when, what, about what, by whom, and the gist of its body.
 *
 * Pure. The whole of a fact is what `-o json` prints.
 */
import type { EnvelopeJson } from "../api/contract.ts";
import { resourceName } from "./tables.ts";
import { cut, safe } from "./terminal.ts";

const widths = [8, 24, 22, 44, 10] as const;
/** Of the body's gist: enough to see what it is about; JSON has the rest. */
const GIST_LENGTH = 160;

const cells = (row: readonly string[]): string =>
  `${row
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join(" ")
    .trimEnd()}\n`;

export const factHeading = (): string => cells(["SEQ", "TIME", "TYPE", "SUBJECT", "ACTOR", "WHAT"]);

export function factLine(fact: EnvelopeJson): string {
  const { seq, at, type, subject, actor, body } = fact;
  return cells([
    String(seq),
    // Milliseconds are enough to read; all nine digits are in the JSON.
    `${safe(at).slice(0, 23)}Z`,
    safe(type),
    subject.split("/").length === 4 ? resourceName(subject) : safe(subject),
    actorName(actor),
    body === null ? "(erased)" : cut(safe(gist(type, body)), GIST_LENGTH),
  ]);
}

function actorName(actor: EnvelopeJson["actor"]): string {
  if (actor.type === "user") return safe(actor.name);
  return actor.type === "signer" ? safe(actor.key) : "agent";
}

type Body = NonNullable<EnvelopeJson["body"]>;

function gist(type: string, body: Body): string {
  if (type === "resource-applied") return textOf(body["owner"]);
  if (type === "applied") return deltaGist(body);
  if (type === "feed-advanced") return feedGist(body);
  return Object.entries(body)
    .map(([key, value]) => pairOf(key, value))
    .filter((text) => text !== "")
    .join(" ");
}

/** What is short says itself; lists say how many; the rest is left to JSON. */
function pairOf(key: string, value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "" : `${key}=${listOf(value)}`;
  if (typeof value === "object" || value === "" || value === null) return "";
  return key === "reason" ? textOf(value) : `${key}=${textOf(value)}`;
}

function listOf(values: readonly unknown[]): string {
  const [only] = values;
  return values.length === 1 && typeof only !== "object" ? textOf(only) : String(values.length);
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");

/** A set that was refused looks like any other but for its verdict. */
function feedGist(body: Body): string {
  const verdict: unknown = body["verdict"];
  const { result, reason = "" }: { result?: unknown; reason?: unknown } =
    typeof verdict === "object" && verdict !== null ? verdict : {};
  const counts = ["applied", "deleted", "left"].map((key) => pairOf(key, body[key]));
  const words = [
    `${textOf(body["set"])} ${textOf(body["generation"])} of ${textOf(body["fleet"])}`,
    result === "refused" ? `REFUSED: ${textOf(reason)}` : "",
    ...counts,
  ];
  return words.filter((word) => word !== "").join(" ");
}

function deltaGist(body: Body): string {
  const delta: unknown = body["delta"];
  if (typeof delta !== "object" || delta === null) return "";
  const counts = Object.entries(delta)
    .filter(([key]) => key !== "sets")
    .map(([key, value]) => [key, Array.isArray(value) ? value.length : 0] as const)
    .filter(([, count]) => count > 0)
    .map(([key, count]) => `${key}=${count}`);
  return counts.length === 0 ? "nothing changed" : counts.join(" ");
}
