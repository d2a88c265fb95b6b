/**
 * The package for the other architecture, laid out on this machine: every binary in it is that machine's, and none is missing.
 *
 * What runs on it is not tried here. Its packages of npm must have been fetched: `npm run package -- --arch arm64` does so.
 */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { LIBC } from "../../systemd/package/deb.ts";
import { layOut } from "../../systemd/package/layout.ts";
import { isFetched, otherMachine } from "../../systemd/package/target.ts";
import { skipUnless } from "../probe.ts";

beforeEach(skipUnless("other-architecture"));

const BUILD_MS = 120_000;
/** ELF's e_machine. */
const MACHINES = { amd64: 62, arm64: 183 } as const;
const root = mkdtempSync(join(tmpdir(), "rutter-other-"));
const target = otherMachine();

beforeAll(async () => {
  if (isFetched(target)) await layOut(root, "9.8.7", target);
}, BUILD_MS);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const binaries = (): readonly string[] =>
  globSync("usr/lib/rutter/{node,**/*.node}", { cwd: root }).toSorted();
const octets = (path: string): Buffer => readFileSync(join(root, path));

test("Node, SQLite, and koffi for the agent and for the BFD process: all of that machine", () => {
  const names = binaries().map((path) => path.replace(/-[A-Z0-9]{8}\.node$/, ""));
  expect(names).toEqual([
    "usr/lib/rutter/bfd/koffi",
    "usr/lib/rutter/node",
    "usr/lib/rutter/program/koffi",
    `usr/lib/rutter/program/linux-${target.cpu}`,
  ]);
  const machines = binaries().map((path) => octets(path).readUInt16LE(18));
  expect(new Set(machines)).toEqual(new Set([MACHINES[target.architecture]]));
});

test("none needs another libc than the package depends on", () => {
  const needed = binaries().flatMap((path) =>
    [
      ...octets(path)
        .toString("latin1")
        .matchAll(/GLIBC_2\.(\d+)\0/g),
    ].map(([, minor]) => Number(minor)),
  );
  expect(`2.${Math.max(...needed)}`).toBe(LIBC);
});

test("the licence of that machine's Node is said, and no path of this machine", () => {
  const text = octets("usr/share/doc/rutter/copyright").toString();
  expect(text).toContain(`Files: node-linux-${target.cpu}\n`);
  expect(text).toContain(`Files: @koromix/koffi-linux-${target.cpu}\n`);
  const code = globSync("usr/lib/rutter/{program,bfd}/*.js", { cwd: root });
  expect(code.filter((path) => octets(path).includes(target.packages))).toEqual([]);
});
