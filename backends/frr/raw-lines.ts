/**
 * Raw snippets on their way to the daemons, and what is remembered of them.
 *
 * A snippet is sent once: again when its text or secrets change, when one before it does (later ones win), or when the daemon is another. What
 * FRR refuses of it is said with its owner's name, and stops nothing. Reads next: config/raw.ts.
 */
import type { ResourceKey } from "../../events/ids.ts";
import type { RevealSecret } from "../backend.ts";
import type { RawSnippet } from "../intent.ts";
import type { Command } from "./config/difference.ts";
import { bothEffects, type Effect, effectOf, foundIn, NO_EFFECT, placeRaw } from "./config/raw.ts";
import type { ConfigTree } from "./config/tree.ts";
import { withoutSecret } from "./config/words.ts";
import { hasControlCharacter, type Vty } from "./io/vty.ts";
import { sendLines } from "./send.ts";

export type RawRefusal = { readonly owner: ResourceKey; readonly reason: string };

type Sent = {
  readonly owner: ResourceKey;
  /** With its secrets: only ever compared. */
  readonly text: string;
  readonly effect: Effect;
  readonly refused: readonly string[];
};

export type RawLines = {
  /** What the snippets that stay have done, and what those did that go or change. */
  judge(
    snippets: readonly RawSnippet[],
    current: ConfigTree,
  ): { readonly kept: Effect; readonly left: Effect };
  /** Sends what is not there yet. Behind judge(), when the rest is applied. True where something was sent. */
  send(vty: Vty, read: () => Promise<ConfigTree>): Promise<boolean>;
  refused(): readonly RawRefusal[];
  /** The daemon is another one. */
  forget(): void;
};

const SECRET = /⟨secret (\d+)⟩/g;

export function createRawLines(reveal: RevealSecret): RawLines {
  let sent: readonly Sent[] = [];
  let waiting: readonly RawSnippet[] = [];

  const textOf = ({ raw }: RawSnippet): string | undefined => {
    const values = raw.secrets.map((ref) => reveal(ref));
    if (values.includes(undefined)) return undefined;
    return raw.text.replaceAll(SECRET, (_whole, at: string) => values[Number(at)] ?? "");
  };

  const sendOne = async (
    vty: Vty,
    snippet: RawSnippet,
    before: ConfigTree,
    read: () => Promise<ConfigTree>,
  ): Promise<{ readonly done: Sent; readonly after: ConfigTree }> => {
    const { owner } = snippet;
    const text = textOf(snippet);
    const problem = text === undefined ? "a secret of its raw lines is not there" : problemOf(text);
    if (text === undefined || problem !== undefined) {
      const refused = [problem ?? ""];
      return { done: { owner, text: text ?? "", effect: NO_EFFECT, refused }, after: before };
    }
    const { lines, refused } = placeRaw(text);
    const answers = await sendLines(vty, lines);
    const after = await read();
    const effect = bothEffects(effectOf(before, after), thereAnyway(after, lines));
    return {
      done: {
        owner,
        text,
        effect,
        refused: [
          ...refused.map((line) => `"${withoutSecret(line)}" is no line of a configuration`),
          ...answers.map(({ reason }) => reason),
        ],
      },
      after,
    };
  };

  return {
    judge(snippets, current) {
      const staying: Sent[] = [];
      for (const snippet of snippets) {
        const text = textOf(snippet);
        const known = sent[staying.length];
        if (text !== undefined && known?.owner === snippet.owner && known.text === text) {
          staying.push(known);
          continue;
        }
        // What an earlier run of the agent sent is not sent again: it would only be a risk.
        const { lines, refused } = placeRaw(text ?? "");
        const { effect, isAll } = foundIn(current, lines);
        if (text === undefined || refused.length > 0 || !isAll) break;
        staying.push({ owner: snippet.owner, text, effect, refused: [] });
      }
      const left = effects(sent.slice(staying.length));
      sent = staying;
      waiting = snippets.slice(staying.length);
      // What is there of those that are about to be sent stays meanwhile.
      const kept = waiting.reduce(
        (whole, snippet) =>
          bothEffects(whole, foundIn(current, placeRaw(textOf(snippet) ?? "").lines).effect),
        effects(staying),
      );
      return { kept, left };
    },
    async send(vty, read) {
      if (waiting.length === 0) return false;
      let before = await read();
      for (const snippet of waiting) {
        const { done, after } = await sendOne(vty, snippet, before, read);
        sent = [...sent, done];
        before = after;
      }
      waiting = [];
      return true;
    },
    refused: () =>
      sent.flatMap(({ owner, refused }) => refused.map((reason) => ({ owner, reason }))),
    forget() {
      sent = [];
    },
  };
}

const effects = (all: readonly Sent[]): Effect =>
  all.reduce((whole, { effect }) => bothEffects(whole, effect), NO_EFFECT);

/** Lines of a snippet that were there before it, and stay because of it. */
const thereAnyway = (after: ConfigTree, lines: readonly Command[]): Effect => ({
  added: foundIn(after, lines).effect.added,
  removed: [],
});

function problemOf(text: string): string | undefined {
  const lines = text.split(/\r?\n/).map((line) => line.replaceAll("\t", " "));
  return lines.some(hasControlCharacter) ? "its raw lines hold control characters" : undefined;
}
