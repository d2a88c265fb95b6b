/**
 * The nft program, run with a JSON program on its standard input; never a shell, never a line of text made of names.
 *
 * Reads next: ../nft.ts (what is run).
 */
import { spawn } from "node:child_process";

/** A rule set of ours has some hundred rules; nft that takes longer hangs. */
const TIMEOUT_MILLIS = 10_000;
const MOST_WORDS = 2_000;

export type NftAnswer = { readonly ok: boolean; readonly words: string };

/** Runs nft to its end; `ok` is false, with its words, where it refused or can't be started. */
export function runNft(program: string, argv: readonly string[], input = ""): Promise<NftAnswer> {
  return new Promise((resolve) => {
    const child = spawn(program, argv, {
      stdio: ["pipe", "ignore", "pipe"],
      timeout: TIMEOUT_MILLIS,
    });
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      words = (words + chunk).slice(0, MOST_WORDS);
    });
    child.once("error", (error) => resolve({ ok: false, words: error.message }));
    // It may end before it has read everything.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.once("close", (code) => resolve({ ok: code === 0, words: words.trim() }));
  });
}
