/**
 * The full guest: Debian's cloud kernel in qemu, which has VRF and nftables; far slower than the usual guest.
 *
 * Made by build.sh and only looked for here. Read next: boot.sh (how it is started), ../guest.ts (runs a job in it).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Boot } from "../guest.ts";

const here = (name: string): string => join(import.meta.dirname, name);

function madeFolder(): string {
  const looked = spawnSync("sh", [here("build.sh"), "look"], { encoding: "utf8" });
  return looked.stdout.trim();
}

/** Undefined where this machine has it; otherwise why not. */
export function lackingFullGuest(): string | undefined {
  if (process.getuid?.() !== 0) return "not root: its files are handed out by a daemon of root's";
  if (!existsSync(madeFolder())) return "no full guest (test/vm/full/build.sh says why)";
  return undefined;
}

/** The kernel leaves with the process that started it. */
export const bootFull: Boot = (folder, init, job) => {
  const made = madeFolder();
  const toKernel = [`FIRST=${init}`, `KERNEL=${made}`, "SHARES=virtiofs"];
  return {
    argv: ["setpriv", "--pdeathsig", "TERM", "sh", here("boot.sh"), ...toKernel],
    env: { PATH: process.env["PATH"], FOLDER: made, BOOT: folder, JOB: job },
  };
};
