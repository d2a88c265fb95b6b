/**
 * A small file system of a test's own, for an agent's state: filled, given room again, or made read-only.
 *
 * A tmpfs below a directory that the test owns. It is unmounted with the test, and at the latest when the test's process
 * leaves; nothing else of this machine is mounted or filled.
 * Read next: disk.live.test.ts.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { run } from "./daemon.ts";

export type SmallDisk = AsyncDisposable & {
  readonly path: string;
  /** Takes every octet that is left. */
  fill(): void;
  /** Gives back what fill() took. */
  makeRoom(): void;
  remount(how: "rw" | "ro"): Promise<void>;
};

const mounted = new Set<string>();
process.once("exit", () => {
  for (const path of mounted) spawnSync("umount", ["--lazy", path]);
});

async function mustRun(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await run(argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}: ${stderr.trim()}`);
}

/** Mounts a tmpfs of so many KiB on `path`, which is made. Needs root. */
export async function smallDisk(path: string, kibibytes: number): Promise<SmallDisk> {
  mkdirSync(path);
  await mustRun([
    "mount",
    "-t",
    "tmpfs",
    "-o",
    `size=${kibibytes}k,mode=0750`,
    "rutter-test",
    path,
  ]);
  mounted.add(path);
  const ballast = join(path, "ballast");
  return {
    path,
    fill: () => {
      const file = openSync(ballast, "a");
      try {
        for (;;) writeSync(file, Buffer.alloc(4096));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      } finally {
        closeSync(file);
      }
    },
    makeRoom: () => {
      rmSync(ballast);
    },
    remount: (how) => mustRun(["mount", "-o", `remount,${how}`, path]),
    [Symbol.asyncDispose]: async () => {
      // Lazily: whoever still has a file open there is ended with the network, which may come after this.
      await mustRun(["umount", "--lazy", path]);
      mounted.delete(path);
    },
  };
}
