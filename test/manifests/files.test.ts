/**
 * Reading manifests from files, directories and standard input, and what of that is refused.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ManifestFileError, readSource } from "../../agent/manifests/files.ts";
import { MAX_BYTES } from "../../agent/manifests/text.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rutter-manifests-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const nothing = (): Readable => Readable.from([]);
const code = async (path: string, stdin = nothing()): Promise<string> => {
  try {
    await readSource(path, stdin);
    return "read";
  } catch (error) {
    if (error instanceof ManifestFileError) return error.code;
    throw error;
  }
};

test("a file comes with the digest of the very octets", async () => {
  const path = join(folder, "one.yaml");
  writeFileSync(path, "a: b\n");
  const digest = createHash("sha256").update("a: b\n").digest("hex");
  expect(await readSource(path, nothing())).toEqual([
    { file: path, octets: new Uint8Array(Buffer.from("a: b\n")), digest },
  ]);
});

test("a directory is its manifests in order of name, none hidden, none below", async () => {
  const path = join(folder, "many");
  mkdirSync(join(path, "below.yaml.d"), { recursive: true });
  for (const name of [
    "b.yml",
    "a.yaml",
    "c.json",
    ".hidden.yaml",
    "note.txt",
    "a.yaml~",
    "a.yaml.swp",
  ])
    writeFileSync(join(path, name), name);
  symlinkSync(join(path, "a.yaml"), join(path, "link.yaml"));
  const files = await readSource(path, nothing());
  expect(files.map(({ file }) => basename(file))).toEqual([
    "a.yaml",
    "b.yml",
    "c.json",
    "link.yaml",
  ]);
});

test("standard input is `-`, in as many pieces as it comes", async () => {
  const [file] = await readSource("-", Readable.from([Buffer.from("a: "), Buffer.from("b\n")]));
  expect(file).toMatchObject({ file: "-" });
  expect(Buffer.from(file?.octets ?? []).toString()).toBe("a: b\n");
});

test("what is not there says so, by code and by name", async () => {
  const path = join(folder, "missing.yaml");
  expect(await code(path)).toBe("MANIFEST_NOT_FOUND");
  await expect(readSource(path, nothing())).rejects.toThrow(`${path}: is not there`);
});

test("a file beyond the limit is refused by its size, before it is read", async () => {
  const path = join(folder, "large.yaml");
  writeFileSync(path, "");
  // Sparse: it has no blocks that could be read slowly.
  truncateSync(path, MAX_BYTES + 1);
  expect(await code(path)).toBe("MANIFEST_TOO_LARGE");
});

test("standard input beyond the limit is refused as soon as it is", async () => {
  let pieces = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        pieces += 1;
        yield Buffer.alloc(8 * 1024 * 1024);
      }
    })(),
  );
  expect(await code("-", endless)).toBe("MANIFEST_TOO_LARGE");
  expect(pieces).toBeLessThan(20);
});

test("a FIFO is refused and not waited for", async () => {
  const path = join(folder, "fifo.yaml");
  execFileSync("mkfifo", [path]);
  expect(await code(path)).toBe("MANIFEST_NOT_A_FILE");
});

test("a file that cannot be opened says so, whoever asks", async () => {
  const path = join(folder, "circle.yaml");
  symlinkSync(path, path);
  expect(await code(path)).toBe("MANIFEST_UNREADABLE");
});
