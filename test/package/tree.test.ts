/**
 * What the package installs: complete without node_modules, the same octets twice, and every licence said.
 */
import { globSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../agent/config.ts";
import { layOut } from "../../systemd/package/layout.ts";
import { run } from "../live/daemon.ts";

const PLATFORM = `linux-${process.arch}`;
const BUILD_MS = 120_000;
const root = mkdtempSync(join(tmpdir(), "rutter-tree-"));
const tree = join(root, "one");
const library = join(tree, "usr/lib/rutter");
const read = (path: string): string => readFileSync(join(tree, path), "utf8");
/** With the package's own Node, and nothing of this process' environment. */
const rutter = (...args: readonly string[]) =>
  run([join(library, "node"), join(library, "program/main.js"), ...args], { env: {} });

beforeAll(() => layOut(tree, "9.8.7"), BUILD_MS);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a command runs from it, with the package's version", async () => {
  expect(await rutter("--version")).toEqual({ code: 0, stdout: "9.8.7\n", stderr: "" });
  expect((await rutter("apply", "--help")).stdout).toContain("rutter apply -f");
});

test("all of its code loads: nothing is left to be found on the host", async () => {
  const moved = join(root, "moved");
  renameSync(library, moved);
  try {
    const warm = await run([join(moved, "node"), join(moved, "program/warm.js")], { env: {} });
    expect(warm).toEqual({ code: 0, stdout: "", stderr: "" });
  } finally {
    renameSync(moved, library);
  }
});

/** Files of the program that are read when this one is, without what is imported only when it is needed. */
function loadedWith(name: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const [, next = ""] of read(`usr/lib/rutter/program/${name}`).matchAll(
    /(?:import|from)"\.\/([\w.-]+\.js)"/g,
  )) {
    loadedWith(next, seen);
  }
  return seen;
}

test("an agent that speaks for itself loads no other speaker's code, no fleet's, and of packages what it uses", () => {
  const entries = globSync("{main,compose-*,server-*}.js", { cwd: join(library, "program") });
  expect(entries).toHaveLength(3);
  const loaded = new Set(entries.flatMap((name) => [...loadedWith(name)]));
  const code = [...loaded].map((name) => read(`usr/lib/rutter/program/${name}`)).join("\n");
  // Words that only the code of these has: gRPC, FRR's side, NATS; and of what was left out for good.
  const needed = ["node_modules/@grpc", "show bgp", "node_modules/@nats-io/nats-core"];
  const leftOut = ["node_modules/ajv", "node_modules/rxjs/dist/cjs", 'require("node:http2")'];
  /** zod speaks German, too. */
  const german = "erwartet";
  const found = [...needed, ...leftOut, german].filter((word) => code.includes(word));
  expect(found).toEqual([]);
  expect(code).toContain("node_modules/fastify");
});

test("it holds nothing of this machine", () => {
  const code = globSync("usr/lib/rutter/{program,bfd}/*.js", { cwd: tree });
  expect(code.length).toBeGreaterThan(10);
  const elsewhere = /"\.\.\/[^"]*node_modules\/[^."]/;
  const isTold = (path: string) => read(path).includes(process.cwd()) || elsewhere.test(read(path));
  expect(code.filter(isTold)).toEqual([]);
});

test(
  "the same sources make the same octets, and the version is no part of the BFD process' digest",
  async () => {
    const again = join(root, "two");
    await layOut(again, "9.8.8");
    const paths = globSync("usr/lib/rutter/{program,bfd}/*", { cwd: tree });
    const differ = paths.filter(
      (path) => !readFileSync(join(tree, path)).equals(readFileSync(join(again, path))),
    );
    expect(paths).toContain("usr/lib/rutter/bfd/digest");
    expect(differ).toEqual([]);
  },
  BUILD_MS,
);

test("the licences of all that was bundled are said, Node's among them", () => {
  const text = read("usr/share/doc/rutter/copyright");
  for (const name of [
    "fastify",
    "better-sqlite3",
    "zod",
    `@koromix/koffi-${PLATFORM}`,
    `node-${PLATFORM}`,
  ]) {
    expect(text).toContain(`Files: ${name}\n`);
  }
  expect(text).not.toContain("esbuild");
});

test("agent.yaml is empty as it comes, and right once its lines are taken", () => {
  const text = read("etc/rutter/agent.yaml");
  expect(parseConfig(text, "agent.yaml")).toEqual({});
  const [, ...examples] = text.split("\n\n");
  const written = examples.join("\n").replaceAll(/^# /gm, "");
  expect(Object.keys(parseConfig(written, "agent.yaml"))).toEqual(
    expect.arrayContaining(["node", "stop", "checks", "kernel", "log"]),
  );
});

test("what the code reads while it runs lies where it looks", () => {
  expect(read("usr/lib/rutter/api/gobgp.proto")).toContain("service GobgpApi");
  const sql = globSync("*.sql", { cwd: join(import.meta.dirname, "../../migrations") });
  expect(globSync("*.sql", { cwd: join(library, "program") }).toSorted()).toEqual(sql.toSorted());
});
