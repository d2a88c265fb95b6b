/**
 * The book without an agent: the command line on a log's file, also a damaged or a foreign one.
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { parsed, parsedLines } from "../api/serve.ts";
import { factPen, ownDirectory, ownLog } from "../log/facts.ts";
import { rutter } from "./rutter.ts";

/** A log of five facts, closed, as a file that was copied. */
async function copiedLog(): Promise<string> {
  const directory = ownDirectory();
  const pen = factPen();
  const log = await ownLog(directory, pen);
  await log.append(["one", "two", "three", "four"].map((reason) => pen.session(reason)));
  await log.close();
  const copy = join(directory, "copy.db");
  copyFileSync(join(directory, "log.db"), copy);
  return copy;
}

describe("a copied log", () => {
  test("is verified, and its head can be noted and checked later", async () => {
    const file = await copiedLog();
    const { code, stdout } = await rutter(["log", "verify", "--log", file]);
    expect(code).toBe(0);
    const [, count = "", seq = "", hash = ""] =
      /^whole: (\d+) facts, the last is seq (\d+), hash ([0-9a-f]{64})\n$/.exec(stdout) ?? [];
    expect(count).toBe(seq);
    const again = (checkpoint: string) =>
      rutter(["log", "verify", "--log", file, "--checkpoint", checkpoint]);
    expect((await again(`${seq}:${hash}`)).code).toBe(0);
    expect((await again(`${seq}:${"0".repeat(64)}`)).code).toBe(1);
    expect((await again(`${Number(seq) + 1}:${hash}`)).stderr).toContain("the end was cut off");
    expect((await again("nonsense")).code).toBe(2);
  });

  test("that somebody changed is refused at the seq", async () => {
    const file = await copiedLog();
    const database = new Database(file);
    for (const { name } of database
      .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'")
      .all()) {
      database.exec(`DROP TRIGGER ${name}`);
    }
    database.exec("UPDATE event SET body = replace(body, 'two', 'six')");
    database.close();
    const { code, stderr } = await rutter(["log", "verify", "--log", file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^rutter: .*copy\.db: broken at seq 3: .*; whole up to seq 2\n$/);
  });

  test("is exported whole, and shown filtered", async () => {
    const file = await copiedLog();
    const exported = await rutter(["log", "export", "--log", file]);
    const facts = parsedLines<{ seq: number }>(exported.stdout);
    expect(facts.map(({ seq }) => seq)).toEqual(facts.map((_, index) => index + 1));
    const { stdout } = await rutter(["log", "--log", file, "-o", "json", "-n", "1"]);
    expect(JSON.parse(stdout)).toMatchObject({ seq: facts.length, body: { reason: "four" } });
    const created = await rutter(["log", "--log", file, "-o", "json", "--type", "log-created"]);
    expect(created.stdout.trim().split("\n")).toHaveLength(1);
  });

  test("tells the status of any moment", async () => {
    const file = await copiedLog();
    const reasonAt = async (moment: string) => {
      const { stdout } = await rutter(["at", moment, "status", "--log", file, "-o", "json"]);
      return parsed<{ peers: { reason: string }[] }>(stdout).peers[0]?.reason;
    };
    expect(await reasonAt("3")).toBe("two");
    expect(await reasonAt("5")).toBe("four");
    expect((await rutter(["at", "3", "get", "all", "--log", file, "-o", "json"])).stdout).toBe(
      "[]\n",
    );
    const beyond = await rutter(["at", "99", "status", "--log", file]);
    expect(beyond.code).toBe(1);
    expect(beyond.stderr).toContain("the log does not reach seq 99");
  });

  test("that is not there, or no log, is refused in words", async () => {
    const missing = await rutter(["log", "verify", "--log", "/nonexistent/log.db"]);
    const other = await rutter(["log", "--log", import.meta.filename]);
    expect([missing.code, other.code]).toEqual([1, 1]);
    expect(missing.stderr).toContain("[LOG_UNREADABLE]");
    expect(other.stderr).toMatch(/^rutter: .*\[LOG_/);
  });
});
