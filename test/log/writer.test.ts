/**
 * The writer against the world: other agents, kill -9, a full disk; and what it does beside appending.
 * Method: real processes and, where we are root, a small file system of the test's own.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { seq as seqOf } from "../../events/ids.ts";
import { exportLine } from "../../events/log/export.ts";
import { readOnlyLog } from "../../events/log/read.ts";
import { verifyLog } from "../../events/log/verify.ts";
import { skipUnless } from "../probe.ts";
import { factPen, ownDirectory, ownLog } from "./facts.ts";

type Appender = { readonly process: ChildProcess; readonly lines: AsyncIterator<string> };

/** Resolves when the process has the log open. */
async function appender(directory: string, run: string): Promise<Appender> {
  const script = join(import.meta.dirname, "appender.ts");
  const child = spawn(process.execPath, [script, directory, run], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("ready");
  return { process: child, lines };
}

/** Kills it after so many acknowledged batches and gives all that it acknowledged. */
async function killedAfter(count: number, directory: string, run: string): Promise<string[]> {
  const { process: child, lines } = await appender(directory, run);
  const acknowledged: string[] = [];
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    acknowledged.push(`${run}:${line.value}`);
    if (acknowledged.length === count) child.kill("SIGKILL");
  }
  return acknowledged;
}

describe("one writer", () => {
  test("a second agent is refused with the first one's pid, and gets the log when that is killed", async () => {
    const directory = ownDirectory();
    const first = await appender(directory, "aaaaaaaaaaaa");
    await expect(ownLog(directory, factPen())).rejects.toMatchObject({
      code: "LOG_HELD",
      message: expect.stringContaining(`pid ${first.process.pid} `),
    });
    const ended = once(first.process, "exit");
    first.process.kill("SIGKILL");
    await ended;
    const log = await ownLog(directory, factPen());
    expect(log.head().seq).toBeGreaterThan(0);
  });

  test("a second log in the same process is refused too", async () => {
    const directory = ownDirectory();
    const log = await ownLog(directory, factPen());
    await expect(ownLog(directory, factPen())).rejects.toMatchObject({ code: "LOG_HELD" });
    await log.close();
    await ownLog(directory, factPen());
  });

  test("a database that was copied from another host is refused with the way out", async () => {
    const directory = ownDirectory();
    await (await ownLog(directory, factPen())).close();
    await expect(ownLog(directory, factPen(), { host: "host-b" })).rejects.toMatchObject({
      code: "LOG_FOREIGN",
      message: expect.stringContaining("host-a"),
    });
  });
});

test("after kill -9 each acknowledged batch is there once and whole, and the chain verifies", async () => {
  const directory = ownDirectory();
  const acknowledged: string[] = [];
  for (const [round, count] of [1, 2, 3, 5, 8, 13, 21, 34, 55, 89].entries()) {
    acknowledged.push(...(await killedAfter(count, directory, `${round}`.padStart(12, "0"))));
  }
  const reader = readOnlyLog(join(directory, "log.db"));
  onTestFinished(() => reader.close());
  expect(verifyLog(reader)).toMatchObject({ ok: true });
  const sizes = new Map<string, number>();
  const twice: string[] = [];
  let current = "";
  for (const { event, source } of reader.read({})) {
    if (event?.type !== "agent-stopped") continue;
    if (source.position !== undefined && sizes.has(source.position)) twice.push(source.position);
    current = source.position ?? current;
    sizes.set(current, (sizes.get(current) ?? 0) + 1);
  }
  expect(twice).toEqual([]);
  expect(acknowledged.filter((position) => !sizes.has(position))).toEqual([]);
  const halves = [...sizes].filter(
    ([position, size]) => size !== (Number(position.split(":")[1]) % 5) + 1,
  );
  expect(halves).toEqual([]);
});

test("on a full disk a batch is refused whole and counted, and recording goes on when there is room", async (context) => {
  skipUnless("root")(context);
  const directory = ownDirectory();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "rutter-test", directory]);
  if (mounted.status !== 0) context.skip("no tmpfs can be mounted");
  onTestFinished(() => {
    spawnSync("umount", ["-l", directory]);
  });
  const pen = factPen();
  const log = await ownLog(directory, pen);
  writeFileSync(join(directory, "filler"), Buffer.alloc(1024 * 1024));
  const large = () => [pen.session("x".repeat(100_000)), pen.session()];
  let recorded = 0;
  const fill = async (): Promise<void> => {
    for (;;) {
      await log.append(large());
      recorded += 1;
    }
  };
  await expect(fill()).rejects.toMatchObject({ code: "NOT_RECORDED" });
  expect(log.interruption()).toMatchObject({ lost: 2, reason: expect.stringMatching(/full|I\/O/) });
  await expect(log.append(large())).rejects.toMatchObject({ code: "NOT_RECORDED" });
  expect(log.head().seq).toBe(1 + 2 * recorded);

  rmSync(join(directory, "filler"));
  const lost = log.interruption()?.lost ?? 0;
  expect(lost).toBe(4);
  await log.append([pen.fact({ type: "recording-interrupted", lost, reason: "disk full" })]);
  expect(log.interruption()).toBeUndefined();
  await log.append([pen.session()]);
  expect([...log.read({})]).toHaveLength(1 + 2 * recorded + 2);
  await log.close();
  const reader = readOnlyLog(join(directory, "log.db"));
  expect(verifyLog(reader)).toMatchObject({ ok: true, count: 1 + 2 * recorded + 2 });
  reader.close();
});

describe("an erased body", () => {
  test("is gone from all files, while header, digest and chain stay", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    // Long enough to have pages of its own, which SQLite only marks as free.
    const fact = pen.session(`${"x".repeat(20_000)}the-word-to-erase`);
    const receipt = await log.append([fact, pen.session()]);
    if (receipt.type !== "recorded") throw new Error("not recorded");
    const { seq, hash } = receipt.positions[0] ?? { seq: seqOf(0), hash: "" };
    await log.saveSnapshot({ foldVersion: "1", seq, hash, state: "the-word-to-erase" });
    await log.append([pen.fact({ type: "erased", seq, fact: fact.id, reason: "asked" })]);
    expect([...log.read({ from: seq, to: seq })]).toMatchObject([
      { id: fact.id, event: undefined, type: "session-observed", hash },
    ]);
    await expect(
      log.append([pen.fact({ type: "erased", seq, fact: fact.id, reason: "again" })]),
    ).rejects.toThrow("cannot be erased");
    await log.close();

    const files = readdirSync(directory, { recursive: true, withFileTypes: true });
    const holding = files
      .filter((file) => file.isFile())
      .filter(({ parentPath, name }) =>
        readFileSync(join(parentPath, name)).includes("the-word-to-erase"),
      );
    expect(holding).toEqual([]);
    const reader = readOnlyLog(join(directory, "log.db"));
    onTestFinished(() => reader.close());
    expect(verifyLog(reader)).toMatchObject({ ok: true, count: 4 });
    const [row] = [...reader.rows(seq, seq)];
    expect(row === undefined || JSON.parse(exportLine(row))).toMatchObject({ body: null, hash });
  });

  test("cannot be that of an erased event itself", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const first = pen.session();
    await log.append([first]);
    const erasure = pen.fact({ type: "erased", seq: seqOf(2), fact: first.id, reason: "" });
    await log.append([erasure]);
    await expect(
      log.append([pen.fact({ type: "erased", seq: seqOf(3), fact: erasure.id, reason: "" })]),
    ).rejects.toThrow("cannot be erased");
  });
});

describe("a snapshot", () => {
  test("is loaded where fold version and chain agree, newest first", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    for (const state of ["old", "new", "newest"]) {
      await log.append([pen.session()]);
      await log.saveSnapshot({ foldVersion: "1", ...log.head(), state });
    }
    expect(log.loadSnapshot("1")).toEqual({ foldVersion: "1", ...log.head(), state: "newest" });
    expect(log.loadSnapshot("2")).toBeUndefined();
    expect(readdirSync(join(directory, "snapshots"))).toHaveLength(2);
  });

  test.for<readonly [what: string, damage: (text: string) => string]>([
    ["is not the chain's", (text) => text.replace(/"hash":"./, '"hash":"z')],
    ["stands beyond the end", (text) => text.replace('"seq":3', '"seq":4')],
    ["was changed", (text) => text.replace("newest", "forged")],
    ["was cut", (text) => text.slice(0, 40)],
  ])("that %s is ignored for the one before it", async ([, damage]) => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    for (const state of ["older", "newest"]) {
      await log.append([pen.session()]);
      await log.saveSnapshot({ foldVersion: "1", ...log.head(), state });
    }
    const file = join(directory, "snapshots", "0000000000000003.json");
    writeFileSync(file, damage(readFileSync(file, "utf8")));
    expect(log.loadSnapshot("1")?.state).toBe("older");
  });

  test("is nothing but time: without the directory's files the log opens the same", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    await log.saveSnapshot({ foldVersion: "1", ...log.head(), state: "" });
    await log.close();
    rmSync(join(directory, "snapshots"), { recursive: true });
    const again = await ownLog(directory, pen);
    expect(again.loadSnapshot("1")).toBeUndefined();
    expect(again.head()).toEqual(log.head());
  });
});

const octets = (directory: string) =>
  readdirSync(directory).map((name) => [name, readFileSync(join(directory, name)).toString("hex")]);

describe("a copied file", () => {
  test("is read offline with and without its WAL, and nothing beside it changes", async () => {
    const [directory, withWal, without] = [ownDirectory(), ownDirectory(), ownDirectory()];
    const pen = factPen();
    const log = await ownLog(directory, pen);
    await log.append([pen.session(), pen.session()]);
    for (const suffix of ["", "-wal"]) {
      cpSync(join(directory, `log.db${suffix}`), join(withWal, `log.db${suffix}`));
    }
    await log.close();
    cpSync(join(directory, "log.db"), join(without, "log.db"));
    expect(existsSync(join(withWal, "log.db-wal"))).toBe(true);
    for (const copy of [withWal, without]) {
      const before = octets(copy);
      const reader = readOnlyLog(join(copy, "log.db"));
      expect([...reader.read({})]).toHaveLength(3);
      expect(reader.head()).toEqual(log.head());
      reader.close();
      expect(octets(copy)).toEqual(before);
    }
  });

  test("can be read while its agent writes on", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    const reader = readOnlyLog(join(directory, "log.db"));
    onTestFinished(() => reader.close());
    await log.append([pen.session()]);
    expect(reader.head()).toEqual(log.head());
  });
});
