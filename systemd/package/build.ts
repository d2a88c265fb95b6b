/**
 * `npm run package [-- --version V] [-- --out DIR]`: makes the Debian package of this machine's architecture, by default in dist/.
 *
 * Needs dpkg-deb, and neither root nor the network. Prints the file's path. With --tree it only lays the files out, in DIR.
 * Reads next: layout.ts, deb.ts.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./bundle.ts";
import { architecture, pack } from "./deb.ts";
import { layOut } from "./layout.ts";

const { values } = parseArgs({
  options: {
    version: { type: "string", default: ownVersion() },
    out: { type: "string", default: join(ROOT, "dist") },
    tree: { type: "boolean", default: false },
  },
});
// What is laid out is for everybody to read, whatever this shell's user keeps to himself.
process.umask(0o022);
const out = resolve(values.out);
mkdirSync(out, { recursive: true });
if (values.tree) await layOut(out, values.version);
else console.log(await packed());

async function packed(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), "rutter-package-"));
  try {
    const tree = join(root, "tree");
    mkdirSync(tree);
    await layOut(tree, values.version);
    const file = join(out, `rutter_${values.version}_${architecture()}.deb`);
    pack(tree, file, values.version, epoch());
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
