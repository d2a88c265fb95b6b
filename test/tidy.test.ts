/**
 * The architecture, as a test: who may import whom, which package has which one door, and that every file says why it
 * exists.
 * Method: read each source; judge it by the tables of tidy/rules.ts. What the judge would miss is planted and must be found.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { faultsOf, faultsOfMigrations, pathsNamedIn } from "./tidy/faults.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const files = globSync("{agent,backends,events,migrations,systemd,test,bench}/**/*.ts", {
  cwd: root,
});
const migrations = globSync("migrations/*.sql", { cwd: root });

test("the walk sees the sources", () => {
  expect(files).toContain("events/fold.ts");
  expect(files).toContain("test/tidy/faults.ts");
});

test.for(files)("%s keeps the rules", (path) => {
  expect(faultsOf(path, read(path))).toEqual([]);
});

describe("migrations", () => {
  test("are numbered without gaps", () => {
    expect(migrations.length).toBeGreaterThan(0);
    expect(faultsOfMigrations(migrations.map((path) => basename(path)))).toEqual([]);
  });

  // The newest may still be in the making; it is added to the list by the release that carries it:
  //   sha256sum migrations/*.sql > test/tidy/released-migrations.sha256
  test("are never edited once released", () => {
    const released = read("test/tidy/released-migrations.sha256").trimEnd().split("\n");
    const digest = (path: string) => createHash("sha256").update(read(path)).digest("hex");
    for (const line of released) {
      const [expected = "", path = ""] = line.split(/\s+/);
      expect(`${digest(path)}  ${path}`).toBe(`${expected}  ${path}`);
    }
    expect(migrations.length - released.length).toBeLessThanOrEqual(1);
  });
});

test("every path that ARCHITECTURE.md names exists", () => {
  const named = pathsNamedIn(read("ARCHITECTURE.md"));
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

describe("the judge finds a planted", () => {
  const header = "/** Why. */\n";
  const planted: readonly (readonly [string, string, string, RegExp])[] = [
    [
      "import against the arrow",
      "events/a.ts",
      'import { b } from "../backends/b.ts";',
      /may not import backends/,
    ],
    [
      "import of the log by a pure fold",
      "events/a.ts",
      'import type { L } from "./log/log.ts";',
      /may not import events\/log/,
    ],
    [
      "type-only import",
      "agent/plan/a.ts",
      'import type { B } from "../api/b.ts";',
      /may not import agent\/api/,
    ],
    [
      "import over several lines",
      "backends/native/fsm/a.ts",
      'import {\n  b,\n} from "../io/b.ts";',
      /may not import/,
    ],
    [
      "dynamic import",
      "backends/native/rib/a.ts",
      'await import("../fsm/b.ts");',
      /may not import/,
    ],
    ["re-export", "events/a.ts", 'export { b } from "../agent/b.ts";', /may not import agent/],
    [
      "second door",
      "agent/core/a.ts",
      'import Sqlite from "better-sqlite3";',
      /only through events\/log\/sqlite.ts/,
    ],
    [
      "door of a subpath",
      "events/a.ts",
      'import { map } from "rxjs/operators";',
      /only through agent\/pipeline/,
    ],
    ["new package", "agent/core/a.ts", 'import x from "left-pad";', /no door/],
    ["way round compose.ts", "agent/core/a.ts", 'import { c } from "../compose.ts";', /compose/],
    [
      "import of a test",
      "agent/core/a.ts",
      'import { c } from "../../test/probe.ts";',
      /may not import test/,
    ],
    [
      "log opened by the command line",
      "agent/cli/get.ts",
      'import { o } from "../../events/log/open-log.ts";',
      /may not import/,
    ],
    [
      "node in pure code",
      "events/a.ts",
      'import { join } from "node:path";',
      /is pure, and imports node:path/,
    ],
    [
      "node behind a pipeline",
      "agent/pipeline/a.ts",
      'import { join } from "node:path";',
      /may not import node:path/,
    ],
    [
      "clock in pure code",
      "agent/plan/a.ts",
      "const now = Date.now();",
      /is pure, and says Date.now/,
    ],
    [
      "timer in pure code",
      "backends/native/fsm/a.ts",
      "setTimeout(go, 1);",
      /is pure, and says setTimeout/,
    ],
    ["codec without a clause", "backends/native/wire/a.ts", "export const a = 1;", /cites no RFC/],
    ["folder nobody decided about", "agents/a.ts", "", /no row/],
    ["mark of unfinished work", "test/a.ts", ["// TO", "DO: later"].join(""), /leaves work behind/],
    ["barrel", "events/index.ts", "", /index/],
    ["default export", "agent/core/a.ts", "export default 1;", /default export/],
    ["long file", "test/a.ts", "\n".repeat(400) + "1", /401|402/],
  ];

  test.for(planted)("%s", ([, path, source, fault]) => {
    expect(faultsOf(path, header + source).join("; ")).toMatch(fault);
  });

  test("file without a header", () => {
    expect(faultsOf("events/a.ts", "export const a = 1;\n")).toEqual([
      "has no header that says why it exists",
    ]);
  });

  test("gap, double and stray name among migrations", () => {
    expect(faultsOfMigrations(["001-a.sql", "003-b.sql"])).toHaveLength(1);
    expect(faultsOfMigrations(["001-a.sql", "001-b.sql"])).toHaveLength(1);
    expect(faultsOfMigrations(["first.sql"])).toHaveLength(1);
  });

  test("path in a document", () => {
    expect(pathsNamedIn("see `events/fold.ts`, agent/web/ and README.md.")).toEqual([
      "events/fold.ts",
      "agent/web/",
      "README.md",
    ]);
  });
});

test("what the rules allow is not called a fault", () => {
  const source = `/** Why: never Date.now(). */
import { match } from "ts-pattern";
import { asn } from "../../../events/ids.ts";
// RFC 4271 §4.1
`;
  expect(faultsOf("backends/native/wire/a.ts", source)).toEqual([]);
  expect(faultsOf("agent/compose.ts", '/** */\nimport { a } from "./core/a.ts";\n')).toEqual([]);
});
