/**
 * `npm run package [-- --version V] [-- --arch amd64|arm64] [-- --out DIR]`: makes the Debian package, by default of this machine's
 * architecture and in dist/.
 *
 * Needs dpkg-deb and no root; the network only for another architecture than this machine's, once. Prints the file's path.
 * With --tree it only lays the files out, in DIR; with --quick it packs them loosely. Reads next: target.ts, layout.ts, deb.ts.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./bundle.ts";
import { pack } from "./deb.ts";
import { layOut } from "./layout.ts";
import { isArchitecture, targetOf, thisMachine } from "./target.ts";

const { values } = parseArgs({
  options: {
    version: { type: "string", default: ownVersion() },
    arch: { type: "string", default: thisMachine().architecture },
    out: { type: "string", default: join(ROOT, "dist") },
    tree: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
// What is laid out is for everybody to read, whatever this shell's user keeps to himself.
process.umask(0o022);
const { arch, version } = values;
if (!isArchitecture(arch)) throw new Error(`--arch is amd64 or arm64, not ${arch}`);
const target = targetOf(arch);
const out = resolve(values.out);
mkdirSync(out, { recursive: true });
if (values.tree) await layOut(out, version, target);
else console.log(await packed());

async function packed(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "rutter-package-"));
  try {
    const tree = join(root, "tree");
    mkdirSync(tree);
    await layOut(tree, version, target);
    const file = join(out, `rutter_${version}_${target.architecture}.deb`);
    const compression = values.quick ? "quick" : "tight";
    pack(tree, file, { version, architecture: target.architecture, epoch: epoch(), compression });
    return file;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function ownVersion(): string {
  const text = readFileSync(join(ROOT, "package.json"), "utf8");
  const { version }: { readonly version: string } = JSON.parse(text);
  return version;
}

/** Seconds; 0 where neither the environment nor a repository says. */
function epoch(): number {
  const said = process.env["SOURCE_DATE_EPOCH"];
  if (said !== undefined) return Number(said);
  const { stdout } = spawnSync("git", ["log", "-1", "--format=%ct"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return Number(stdout.trim());
}
