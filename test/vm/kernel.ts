/**
 * The guest kernel: where it is, how it is started, and whether this machine can run it at all.
 *
 * It is a program like any other (user-mode Linux): no KVM, no root, but ptrace. It is made by build.sh and only looked
 * for here. Nothing of vitest may be imported: probes.ts asks, too.
 * Read next: guest.ts (runs a job in it), init.sh (what it starts).
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Enough for Node, FRR and BIRD with small tables; the machine gives only what the guest touches. */
const MEMORY_MEBIBYTES = 1024;
/** A boot takes two seconds; a machine that does much else gets more. */
const PROBE_TIMEOUT_MS = 90_000;

/** The folder that build.sh makes, whether it is there or not. */
export function kernelFolder(): string {
  const looked = spawnSync("sh", [join(import.meta.dirname, "build.sh"), "look"], {
    encoding: "utf8",
  });
  return looked.stdout.trim();
}

/** A folder of one boot's own; the kernel takes no path with a blank in it. */
export function bootFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), `rutter-vm-${process.pid}-`));
  if (/\s/.test(folder)) throw new Error(`the guest kernel cannot take the path "${folder}"`);
  return folder;
}

/** The guest's memory is a file without a name: in memory where there is room for it (containers have 64 MiB there). */
function memoryFolder(): string {
  const shared = "/dev/shm";
  if (!existsSync(shared)) return tmpdir();
  const { bavail, bsize } = statfsSync(shared);
  return bavail * bsize > 2 * MEMORY_MEBIBYTES * 2 ** 20 ? shared : tmpdir();
}

export type Start = {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
};

/**
 * How to boot: this machine's root file system, read-only, and `init` as the first process. `folder` is for the kernel's
 * own files. The kernel leaves with the process that started it, and takes its helpers with it.
 */
export function bootOf(folder: string, init: readonly string[]): Start {
  const [program = "", ...rest] = init;
  return {
    argv: [
      "setpriv",
      "--pdeathsig",
      "TERM",
      join(kernelFolder(), "linux"),
      `mem=${MEMORY_MEBIBYTES}M`,
      `uml_dir=${folder}`,
      "root=none",
      "rootfstype=hostfs",
      "ro",
      "con=null",
      "con0=null,fd:1",
      "panic=-1",
      "quiet",
      `init=${program}`,
      ...rest,
    ],
    env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: memoryFolder() },
  };
}

/** Undefined where this machine can run a guest; otherwise why not. Boots one that powers off at once. */
export function lackingGuest(): string | undefined {
  if (process.arch !== "x64") return "user-mode Linux runs on x86_64 only";
  const kernel = kernelFolder();
  if (!existsSync(kernel))
    return "no guest kernel (test/vm/build.sh makes it, and says why it does not)";
  const folder = bootFolder();
  try {
    const off = [join(kernel, "modules/busybox"), "poweroff", "-f"];
    const { argv, env } = bootOf(folder, off);
    const [program = "", ...rest] = argv;
    const tried = spawnSync(program, rest, { encoding: "utf8", env, timeout: PROBE_TIMEOUT_MS });
    if (tried.status === 0) return undefined;
    const said = `${tried.error?.message ?? ""}\n${tried.stdout}\n${tried.stderr}`.trim();
    return `the guest kernel does not run here: ${said.split("\n").at(-1)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
