/**
 * A Debian under its systemd in a node of a test's network: the machine's own files and kernel, a second to boot.
 *
 *     await using booted = await bootDebian(host, { "rutter.deb": path });
 *     await booted.run(["dpkg", "-i", "/job/rutter.deb"]);
 *
 * For everything about units, packages and restarts. What it writes is forgotten. Needs root, overlayfs and a cgroup2 mount; its
 * limits on memory and tasks hold nowhere that has its controllers on cgroup v1. It must never be booted outside of a node.
 * Read next: booted.sh (the first process), ../live/netns.ts.
 */
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Finished, run, startDaemon } from "../live/daemon.ts";
import type { Node } from "../live/netns.ts";
import { lastLines } from "../live/router.ts";
import { serving, until } from "../live/until.ts";

export type Booted = AsyncDisposable & {
  /** Runs a program in it as root; the exit code is an answer. */
  run(argv: readonly string[], input?: string): Promise<Finished>;
  /** As run(), but throws where the program fails; gives its standard output without the last line's end. */
  must(argv: readonly string[], input?: string): Promise<string>;
  /** One property of a unit, as `systemctl show` has it. */
  property(unit: string, name: string): Promise<string>;
  /** What to print when a test fails: the units' state and the journal's end. */
  explain(): Promise<string>;
};

const SYSTEMD = "/lib/systemd/systemd";
const NAMESPACES = ["--mount", "--pid", "--uts", "--ipc", "--cgroup"];
const BOOT_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 120_000;

/** Boots in `node`; `files` are copied to /job under their names. Resolves when systemd has reached its target. */
export async function bootDebian(
  node: Pick<Node, "namespace">,
  files: Readonly<Record<string, string>> = {},
): Promise<Booted> {
  const work = mkdtempSync(join(tmpdir(), `rutter-booted-${process.pid}-`));
  for (const name of ["memory", "files"]) mkdirSync(join(work, name));
  for (const [name, path] of Object.entries(files)) copyFileSync(path, join(work, "files", name));
  const group = makeGroup();
  const enter = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const init = ["sh", join(import.meta.dirname, "booted.sh")];
  // Not by `ip netns exec`, which hides this machine's cgroups.
  const network = ["nsenter", `--net=/run/netns/${node.namespace}`];
  const apart = ["unshare", ...NAMESPACES, "--fork", "--kill-child", ...init];
  const env = { ...process.env, WORK: work };
  const starter = await startDaemon(["sh", "-c", enter, group, ...network, ...apart], { env });
  const inside = (argv: readonly string[]): readonly string[] => [
    "nsenter",
    `--target=${firstProcess(starter.pid)}`,
    ...NAMESPACES,
    "--net",
    "--root",
    "env",
    "-i",
    "--chdir=/",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    ...argv,
  ];
  const runInside: Booted["run"] = (argv, input = "") =>
    run(inside(argv), { input, timeoutMs: COMMAND_TIMEOUT_MS });
  const must: Booted["must"] = async (argv, input) => {
    const { code, stdout, stderr } = await runInside(argv, input);
    if (code !== 0) throw new Error(`${argv.join(" ")} ends with ${code}:\n${stdout}${stderr}`);
    return stdout.trimEnd();
  };
  const stop = async (): Promise<void> => {
    await starter.stop("SIGKILL");
    await removeGroup(group);
    rmSync(work, { recursive: true, force: true });
  };
  try {
    await serving(starter, () => must(["systemctl", "--quiet", "is-active", "test.target"]), {
      what: "systemd",
      timeoutMs: BOOT_TIMEOUT_MS,
      explain: () => `${starter.stdout()}${starter.stderr()}`,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    run: runInside,
    must,
    property: (unit, name) => must(["systemctl", "show", unit, "--property", name, "--value"]),
    async explain() {
      const state = await runInside(["systemctl", "--no-pager", "status", "rutter*"]);
      const journal = await runInside(["journalctl", "--no-pager", "--output=short-monotonic"]);
      return `${state.stdout}${state.stderr}\n${lastLines(journal.stdout)}`;
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** systemd, by the pid that it has out here. */
function firstProcess(starter: number): string {
  const children = readFileSync(`/proc/${starter}/task/${starter}/children`, "utf8").trim();
  if (!/^\d+$/.test(children)) throw new Error(`no first process: "${children}"`);
  return children;
}

function groupRoot(): string | undefined {
  const lines = readFileSync("/proc/mounts", "utf8").split("\n");
  return lines.map((line) => line.split(" ")).find(([, , type]) => type === "cgroup2")?.[1];
}

/** A cgroup that systemd takes for the root of all. */
function makeGroup(): string {
  const root = groupRoot();
  if (root === undefined) throw new Error("no cgroup2 mount");
  return mkdtempSync(join(root, `rutter-${process.pid}-`));
}

/** Ends whatever outlived the first process, and takes the groups away, the innermost first. */
async function removeGroup(group: string): Promise<void> {
  await until(
    () => {
      writeFileSync(join(group, "cgroup.kill"), "1");
      const groups = globSync(`${group}/**/cgroup.procs`).map((file) => dirname(file));
      for (const one of groups.toSorted((a, b) => b.length - a.length)) rmdirSync(one);
      return true;
    },
    { what: `the end of ${group}` },
  );
}

/** Undefined where this machine can boot one; otherwise why not. Boots nothing. */
export function lackingBooted(): string | undefined {
  try {
    accessSync(SYSTEMD, constants.X_OK);
  } catch {
    return "systemd is not installed";
  }
  if (spawnSync("dpkg-deb", ["--version"]).status !== 0) return "this is no Debian";
  if (groupRoot() === undefined) return "no cgroup2 mount";
  let group: string | undefined;
  try {
    group = makeGroup();
  } catch (error) {
    return `no cgroups: ${String(error)}`;
  } finally {
    if (group !== undefined) rmdirSync(group);
  }
  const layers =
    "mount -t tmpfs m /mnt && cd /mnt && mkdir u w r && mount -t overlay -o lowerdir=/,upperdir=u,workdir=w o r";
  const tried = spawnSync("unshare", [...NAMESPACES, "--fork", "sh", "-c", layers], {
    encoding: "utf8",
  });
  return tried.status === 0 ? undefined : `no layers in a namespace: ${tried.stderr.trim()}`;
}
