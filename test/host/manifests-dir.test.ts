/**
 * The manifests directory: whole files only, changes seen, and what cannot be read is never taken for nothing.
 */
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type ManifestsDirectory,
  type Snapshot,
  watchManifests,
} from "../../agent/feeds/manifests-dir.ts";
import { systemClock } from "../../backends/clock.ts";

let base = "";
let root = "";
let followed: ManifestsDirectory | undefined;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "rutter-manifests-"));
  root = join(base, "manifests.d");
  mkdirSync(root);
});
afterEach(() => {
  followed?.stop();
  rmSync(base, { recursive: true });
});

/** Follows with a slow look so rare that only the kernel's notices and rescan() count. */
function follow(path = root): Snapshot[] {
  const seen: Snapshot[] = [];
  followed = watchManifests({
    path,
    clock: systemClock,
    onSnapshot: (snapshot) => seen.push(snapshot),
    rescanMillis: 600_000,
  });
  return seen;
}
const put = (name: string, text: string): void => writeFileSync(join(root, name), text);
const place = (name: string, text: string): void => {
  const draft = join(base, "draft");
  writeFileSync(draft, text);
  renameSync(draft, join(root, name));
};
const say = (snapshot: Snapshot | undefined): string =>
  snapshot === undefined
    ? "nothing"
    : snapshot.type === "unreadable"
      ? "unreadable"
      : [
          ...snapshot.files.map(
            ({ path, text }) => `${path.slice(base.length + 1)}=${text.trim()}`,
          ),
          ...snapshot.problems.map(({ path, code }) => `${path.slice(base.length + 1)}!${code}`),
        ].join(" ");
const expectLast = (seen: readonly Snapshot[], wanted: string) =>
  expect.poll(() => say(seen.at(-1)), { timeout: 5000, interval: 10 }).toBe(wanted);

test("manifests by ending, in order, without hidden ones and directories of other things", async () => {
  put("b.yaml", "b: 1");
  put("a.yml", "a: 1");
  put("c.json", "{}");
  for (const name of [".hidden.yaml", "README", "x.yaml~", "x.yaml.swp"]) put(name, "no");
  await expectLast(
    follow(),
    "manifests.d/a.yml=a: 1 manifests.d/b.yaml=b: 1 manifests.d/c.json={}",
  );
});

test("an empty directory is an empty snapshot, a missing one is not", async () => {
  await expectLast(follow(), "");
  followed?.stop();
  await expectLast(follow(join(base, "nowhere")), "unreadable");
});

test("a new, a changed, a renamed and a deleted file are seen without a slow look", async () => {
  const seen = follow();
  await expectLast(seen, "");
  place("a.yaml", "v: 1");
  await expectLast(seen, "manifests.d/a.yaml=v: 1");
  put("a.yaml", "v: 2");
  await expectLast(seen, "manifests.d/a.yaml=v: 2");
  renameSync(join(root, "a.yaml"), join(root, "b.yaml"));
  await expectLast(seen, "manifests.d/b.yaml=v: 2");
  rmSync(join(root, "b.yaml"));
  await expectLast(seen, "");
});

test("a file that is written piece by piece is handed over whole, never in part", async () => {
  const seen = follow();
  await expectLast(seen, "");
  for (let pieces = 0; pieces <= 20; pieces += 1) {
    writeFileSync(join(root, "a.yaml"), "x".repeat(pieces));
    await new Promise((done) => setTimeout(done, 5));
  }
  await expectLast(seen, `manifests.d/a.yaml=${"x".repeat(20)}`);
  const texts = seen.map(say).filter((text) => text.includes("="));
  expect(texts).toEqual([`manifests.d/a.yaml=${"x".repeat(20)}`]);
});

test("an emptied file, a link, a directory and what is no text are problems, and the others go on", async () => {
  put("a.yaml", "a: 1");
  put("b.yaml", "  \n");
  symlinkSync(join(root, "a.yaml"), join(root, "c.yaml"));
  mkdirSync(join(root, "d.yaml"));
  writeFileSync(join(root, "e.yaml"), Buffer.from([0xff, 0xfe, 0x41]));
  await expectLast(
    follow(),
    "manifests.d/a.yaml=a: 1 manifests.d/b.yaml!empty manifests.d/c.yaml!symlink manifests.d/d.yaml!not-a-file manifests.d/e.yaml!not-text",
  );
});

test("a directory that vanishes and comes back: held meanwhile, then followed again", async () => {
  put("a.yaml", "a: 1");
  const seen = follow();
  await expectLast(seen, "manifests.d/a.yaml=a: 1");
  rmSync(root, { recursive: true });
  await expectLast(seen, "unreadable");
  mkdirSync(root);
  place("b.yaml", "b: 1");
  await expectLast(seen, "manifests.d/b.yaml=b: 1");
  place("b.yaml", "b: 2");
  await expectLast(seen, "manifests.d/b.yaml=b: 2");
  expect(seen.map(say)).not.toContain("");
});

test("files that go one by one are handed over once, as what is left in the end", async () => {
  for (const name of ["a.yaml", "b.yaml", "c.yaml"]) put(name, "v: 1");
  const seen = follow();
  const all = ["a", "b", "c"].map((name) => `manifests.d/${name}.yaml=v: 1`).join(" ");
  await expectLast(seen, all);
  for (const name of ["a.yaml", "b.yaml"]) {
    rmSync(join(root, name));
    await new Promise((done) => setTimeout(done, 20));
  }
  await expectLast(seen, "manifests.d/c.yaml=v: 1");
  expect(seen.map(say)).toEqual([all, "manifests.d/c.yaml=v: 1"]);
});

test("a single file is followed through its replacement", async () => {
  put("one.yaml", "v: 1");
  const seen = follow(join(root, "one.yaml"));
  await expectLast(seen, "manifests.d/one.yaml=v: 1");
  place("one.yaml", "v: 2");
  await expectLast(seen, "manifests.d/one.yaml=v: 2");
  rmSync(join(root, "one.yaml"));
  await expectLast(seen, "unreadable");
});

test("what did not change is not handed over again, also when its time stamp moved", async () => {
  put("a.yaml", "a: 1");
  const seen = follow();
  await expectLast(seen, "manifests.d/a.yaml=a: 1");
  utimesSync(join(root, "a.yaml"), 1, 1);
  await followed?.rescan();
  expect(seen).toHaveLength(1);
});

test("a burst of changes costs few snapshots, and the last one is the truth", async () => {
  const seen = follow();
  await expectLast(seen, "");
  for (let i = 0; i < 200; i += 1) place("a.yaml", `v: ${i}`);
  await expectLast(seen, "manifests.d/a.yaml=v: 199");
  expect(seen.length).toBeLessThan(20);
});
