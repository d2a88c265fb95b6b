/**
 * The tree of files that the package installs: program, Node, units, configuration, documents.
 *
 *     /usr/bin/rutter                     starts the program with the package's own Node
 *     /usr/lib/rutter/node                that Node
 *     /usr/lib/rutter/program/            the program's code and what it reads (bundle.ts)
 *     /usr/lib/rutter/bfd/                the BFD process' code, and the digest of it
 *     /usr/lib/rutter/package.json, api/  what the code reads at `../`
 *
 * The same sources make the same octets, on whatever machine. Reads next: deb.ts (what is made of it), bundle.ts.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundleBfd, bundleProgram, ROOT } from "./bundle.ts";
import { licences } from "./licences.ts";
import { type Target, thisMachine } from "./target.ts";

/** Where each file of `systemd/` goes. */
const SYSTEM_FILES: Readonly<Record<string, string>> = {
  "rutter.service": "usr/lib/systemd/system/rutter.service",
  "rutter-bfd.service": "usr/lib/systemd/system/rutter-bfd.service",
  "sysusers.conf": "usr/lib/sysusers.d/rutter.conf",
  "tmpfiles.conf": "usr/lib/tmpfiles.d/rutter.conf",
  "sysctl.conf": "usr/lib/sysctl.d/60-rutter.conf",
  "agent.yaml": "etc/rutter/agent.yaml",
  "gobgpd.conf": "usr/share/rutter/gobgpd.conf",
};

/** The launcher: a shell is there a millisecond later than nothing would be. */
const LAUNCHER = `#!/bin/sh
export NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-/var/cache/rutter/code}" NODE_COMPILE_CACHE_PORTABLE=1
exec /usr/lib/rutter/node /usr/lib/rutter/program/main.js "$@"
`;

/** The binary of package.json's optional dependency; this machine's is the very one that runs the tests. */
const nodeBinary = ({ cpu, packages }: Target): string =>
  join(packages, `node-linux-${cpu}/bin/node`);

/** Lays out everything below `root`, an empty directory. `version`: what the program says it is. */
export async function layOut(
  root: string,
  version: string,
  target: Target = thisMachine(),
): Promise<void> {
  const library = join(root, "usr/lib/rutter");
  const program = await bundleProgram(join(library, "program"), target);
  const bfd = await bundleBfd(join(library, "bfd"), target);
  placeNode(join(library, "node"), target);
  place(join(library, "api/gobgp.proto"), join(ROOT, "backends/gobgp/api/gobgp.proto"));
  const about = { name: "rutter", version, type: "module" };
  write(join(library, "package.json"), `${JSON.stringify(about)}\n`);
  write(join(library, "bfd/digest"), `${digestOf(library)}\n`);
  write(join(root, "usr/bin/rutter"), LAUNCHER, 0o755);
  for (const [name, target] of Object.entries(SYSTEM_FILES)) {
    place(join(root, target), join(ROOT, "systemd", name));
  }
  mkdirSync(join(root, "etc/rutter/manifests.d"), { recursive: true });
  const documents = join(root, "usr/share/doc/rutter");
  place(join(documents, "README.md"), join(ROOT, "README.md"));
  place(join(documents, "credentials.md"), join(ROOT, "docs/credentials.md"));
  const inputs = [...program.inputs, ...bfd.inputs];
  write(join(documents, "copyright"), licences(inputs, nodeBinary(target)));
}

/** Of what the BFD process runs: its own code, its native module, Node. The program's version is no part of it. */
function digestOf(library: string): string {
  const hash = createHash("sha256");
  const files = globSync("bfd/*.{js,node}", { cwd: library }).toSorted();
  for (const file of [...files, "node"]) {
    hash.update(`${file}\0`).update(readFileSync(join(library, file)));
  }
  return hash.digest("hex");
}

/** Without its symbols, where the strip(1) for it is there: 18 MB less to read, and a start is not slower for it. */
function placeNode(path: string, target: Target): void {
  place(path, nodeBinary(target), 0o755);
  spawnSync(target.strip, [path], { stdio: "ignore" });
}

function place(target: string, source: string, mode = 0o644): void {
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(source, target);
  chmodSync(target, mode);
}

function write(target: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
  chmodSync(target, mode);
}
