/**
 * The nft program, run with a JSON program on its standard input; never a shell, never a line of text made of names.
 *
 * Reads next: ../nft.ts (what is run).
 */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A rule set of ours has some hundred rules; nft that takes longer hangs. */
const TIMEOUT_MILLIS = 10_000;
const MOST_WORDS = 2_000;

export type NftAnswer = {
  readonly ok: boolean;
  readonly words: string;
  /** False where there is no such program. */
  readonly started: boolean;
};

/** Runs nft to its end; `ok` is false, with its words, where it refused or can't be started. */
export async function runNft(
  program: string,
  argv: readonly string[],
  input = "",
): Promise<NftAnswer> {
  const fd = readable(input);
  try {
    return await run(program, argv, fd);
  } finally {
    closeSync(fd);
  }
}

/** A file that has lost its name: nft opens /dev/stdin anew, which can't be done with the sockets that Node makes for pipes. */
function readable(input: string): number {
  const directory = mkdtempSync(join(tmpdir(), "rutter-nft-"));
  try {
    const path = join(directory, "program");
    writeFileSync(path, input, { mode: 0o600 });
    return openSync(path, "r");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(program: string, argv: readonly string[], stdin: number): Promise<NftAnswer> {
  return new Promise((resolve) => {
    const child = spawn(program, argv, {
      stdio: [stdin, "ignore", "pipe"],
      timeout: TIMEOUT_MILLIS,
    });
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      words = (words + chunk).slice(0, MOST_WORDS);
    });
    child.once("error", (error) => resolve({ ok: false, words: error.message, started: false }));
    child.once("close", (code) => resolve({ ok: code === 0, words: words.trim(), started: true }));
  });
}
