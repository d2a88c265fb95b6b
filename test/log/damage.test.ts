/**
 * Logs that were changed behind our back: by an attacker with root, by a disk, by a newer program.
 * Method: write a small log, attack its file, and ask verify, open and read for the very seq.
 */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Seq } from "../../events/ids.ts";
import { chainHash, type Row } from "../../events/log/chain.ts";
import type { LogHead } from "../../events/log/log.ts";
import { readOnlyLog } from "../../events/log/read.ts";
import { type Verified, verifyLog, type VerifyOptions } from "../../events/log/verify.ts";
import { openLog } from "../../events/log/open-log.ts";
import { factPen, HOST, ownDirectory, ownLog } from "./facts.ts";
import { rawDatabase, withoutRules } from "./raw.ts";

let ten: { readonly octets: Uint8Array; readonly head: LogHead };

/** A closed log of ten facts; seq 7 has a source position. */
beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), "rutter-test-log-"));
  const pen = factPen();
  const log = await openLog({ directory, host: HOST, program: "test", birth: (e) => pen.fact(e) });
  await log.append(Array.from({ length: 5 }, () => pen.session()));
  await log.append([
    pen.fact({ type: "agent-stopped", mode: "final" }, "agent", { name: "api", position: "k" }),
    ...Array.from({ length: 3 }, () => pen.session()),
  ]);
  await log.close();
  ten = { octets: readFileSync(join(directory, "log.db")), head: log.head() };
  rmSync(directory, { recursive: true });
});

function tenFacts(): { directory: string; file: string; head: LogHead } {
  const directory = ownDirectory();
  const file = join(directory, "log.db");
  writeFileSync(file, ten.octets);
  return { directory, file, head: ten.head };
}

function verified(file: string, options?: VerifyOptions): Verified {
  const reader = readOnlyLog(file);
  onTestFinished(() => reader.close());
  return verifyLog(reader, options);
}

/** What an attacker who knows the format writes: every hash from `from` on computed anew. */
function signAgain(file: string, from: number): void {
  const database = rawDatabase(file);
  let previous =
    database
      .prepare<[number], string>("SELECT lower(hex(hash)) FROM event WHERE seq = ?")
      .pluck()
      .get(from - 1) ?? "";
  const rows = database
    .prepare<[number], Pick<Row, "seq" | "header" | "bodyDigest">>(
      "SELECT seq, header, lower(hex(body_digest)) AS bodyDigest FROM event WHERE seq >= ? ORDER BY seq",
    )
    .all(from);
  for (const { seq, header, bodyDigest } of rows) {
    previous = chainHash(previous, header, bodyDigest);
    database.prepare("UPDATE event SET hash = unhex(?) WHERE seq = ?").run(previous, seq);
  }
}

describe("verify names the exact seq of a row whose", () => {
  test.for<readonly [what: string, seq: number, statement: string]>([
    [
      "header was edited",
      4,
      "UPDATE event SET header = replace(header, 'tor-1', 'tor-1 ') || ' ' WHERE seq = 4",
    ],
    ["body was edited", 5, "UPDATE event SET body = replace(body, 'tor-1', 'tor-2') WHERE seq = 5"],
    [
      "body and digest were edited",
      5,
      "UPDATE event SET body = body || ' ', body_digest = zeroblob(32) WHERE seq = 5",
    ],
    ["hash was edited", 6, "UPDATE event SET hash = zeroblob(32) WHERE seq = 6"],
    ["hash, the first, was edited", 1, "UPDATE event SET hash = zeroblob(32) WHERE seq = 1"],
    ["hash, the last, was edited", 10, "UPDATE event SET hash = zeroblob(32) WHERE seq = 10"],
    ["place is empty", 3, "DELETE FROM event WHERE seq = 3"],
    ["place, the first, is empty", 1, "DELETE FROM event WHERE seq = 1"],
    [
      "place was given to another",
      2,
      "UPDATE event SET seq = 99 WHERE seq = 2; UPDATE event SET seq = 2 WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 99",
    ],
    ["body was erased without an erased event", 8, "UPDATE event SET body = NULL WHERE seq = 8"],
    ["id column was edited", 8, "UPDATE event SET id = 'other' WHERE seq = 8"],
    ["position column was edited", 7, "UPDATE event SET position = 'other' WHERE seq = 7"],
    [
      "position column was emptied",
      7,
      "UPDATE event SET position = NULL, source = NULL WHERE seq = 7",
    ],
    ["erases column was invented", 9, "UPDATE event SET erases = 2 WHERE seq = 9"],
  ])("%s", async ([, seq, statement]) => {
    const { file } = tenFacts();
    expect(verified(file)).toMatchObject({ ok: true, count: 10 });
    withoutRules(file).exec(statement);
    expect(verified(file)).toMatchObject({
      ok: false,
      seq,
      head: { seq: seq === 8 && statement.includes("body") ? 10 : seq - 1 },
    });
  });
});

describe("a log that was signed again", () => {
  test("from an edited row on fails at a checkpoint held elsewhere", async () => {
    const { file, head } = tenFacts();
    withoutRules(file).exec(
      "UPDATE event SET header = replace(header, 'tor', 'xxx') || ' ' WHERE seq = 4",
    );
    signAgain(file, 4);
    expect(verified(file)).toMatchObject({ ok: true });
    expect(verified(file, { checkpoint: head })).toMatchObject({ ok: false, seq: 10 });
  });

  test("after its tail was cut fails where the tail is missing", async () => {
    const { file, head } = tenFacts();
    withoutRules(file).exec("DELETE FROM event WHERE seq > 8");
    expect(verified(file)).toMatchObject({ ok: true, count: 8 });
    expect(verified(file, { checkpoint: head })).toMatchObject({ ok: false, seq: 9 });
  });
});

test("verify can begin anywhere, and says how far it is", async () => {
  const { file, head } = tenFacts();
  expect(verified(file, { from: 6 })).toEqual({ ok: true, count: 5, head });
  expect(verified(file, { from: 12 })).toMatchObject({ ok: false, seq: 11 });
});

describe("reading refuses to fold a damaged row", () => {
  test("and gives those before it", async () => {
    const { file } = tenFacts();
    withoutRules(file).exec(
      "UPDATE event SET body = replace(body, 'tor-1', 'tor-2') WHERE seq = 5",
    );
    const reader = readOnlyLog(file);
    onTestFinished(() => reader.close());
    const seen: Seq[] = [];
    const readAll = () => {
      for (const { seq } of reader.read({})) seen.push(seq);
    };
    expect(readAll).toThrow(
      expect.objectContaining({ code: "LOG_CORRUPT", message: expect.stringContaining("seq 5") }),
    );
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(() => [...reader.read({ types: ["session-observed"] })]).toThrow("seq 5");
  });

  test("and one of an event type that only a newer program knows", async () => {
    const { file } = tenFacts();
    const database = withoutRules(file);
    database.exec(
      "UPDATE event SET header = replace(header, 'session-observed', 'session-dreamt') WHERE seq = 3",
    );
    signAgain(file, 3);
    const reader = readOnlyLog(file);
    onTestFinished(() => reader.close());
    expect(verifyLog(reader)).toMatchObject({ ok: true });
    expect(() => [...reader.read({})]).toThrow(expect.objectContaining({ code: "LOG_NEWER" }));
  });
});

const open = (directory: string, recover = false) =>
  ownLog(directory, factPen("ffffffffffff"), { recover });

/** Large enough that rows lie in pages of their own. */
async function manyPages(): Promise<{ directory: string; file: string }> {
  const directory = ownDirectory();
  const pen = factPen();
  const log = await ownLog(directory, pen);
  await log.append(Array.from({ length: 300 }, () => pen.session("x".repeat(300))));
  await log.close();
  return { directory, file: join(directory, "log.db") };
}

const overwrite = (file: string, at: number, octets: Uint8Array): void => {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, octets, 0, octets.length, at);
  closeSync(descriptor);
};

describe("opening", () => {
  test("refuses a schema that a newer program wrote, and leaves it as it is", async () => {
    const { directory, file } = tenFacts();
    rawDatabase(file).pragma("user_version = 99");
    await expect(open(directory)).rejects.toMatchObject({ code: "LOG_NEWER" });
    expect(() => readOnlyLog(file)).toThrow(expect.objectContaining({ code: "LOG_NEWER" }));
    expect(rawDatabase(file).pragma("user_version", { simple: true })).toBe(99);
  });

  test("refuses a head that does not follow from the row before it", async () => {
    const { directory, file } = tenFacts();
    withoutRules(file).exec("UPDATE event SET hash = zeroblob(32) WHERE seq = 10");
    await expect(open(directory)).rejects.toMatchObject({
      code: "LOG_CORRUPT",
      message: expect.stringContaining("seq 10"),
    });
  });

  test("of a torn WAL stands at the last whole commit", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    await log.append([pen.session()]);
    const wal = join(directory, "log.db-wal");
    const whole = statSync(wal).size;
    await log.append([pen.session(), pen.session()]);
    const copy = ownDirectory();
    writeFileSync(join(copy, "log.db"), readFileSync(join(directory, "log.db")));
    writeFileSync(join(copy, "log.db-wal"), readFileSync(wal));
    truncateSync(join(copy, "log.db-wal"), whole + 1000);
    const again = await open(copy);
    expect(again.head().seq).toBe(2);
    await again.append([pen.session()]);
    expect([...again.read({})]).toHaveLength(3);
  });

  test.for<readonly [what: string, damage: (file: string) => void]>([
    ["an empty file", (file) => truncateSync(file, 0)],
    ["half a file", (file) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096)],
    ["a zeroed first page", (file) => overwrite(file, 0, new Uint8Array(4096))],
    [
      "pages of zeros at the end",
      (file) => overwrite(file, statSync(file).size - 40_960, new Uint8Array(40_960)),
    ],
  ])(
    "of %s is refused with a seq, or moved aside when recovery was asked for",
    async ([, damage]) => {
      const { directory, file } = await manyPages();
      damage(file);
      const damaged = readFileSync(file);
      await expect(open(directory)).rejects.toMatchObject({
        code: "LOG_CORRUPT",
        message: expect.stringMatching(/seq \d+/),
      });
      const log = await open(directory, true);
      const [first, second] = [...log.read({})];
      expect(first?.event).toMatchObject({ type: "log-recovered", movedTo: `${file}.damaged-1` });
      expect(second?.event).toMatchObject({ type: "log-created" });
      expect(readFileSync(`${file}.damaged-1`).equals(damaged)).toBe(true);
    },
  );

  test("with recovery walks the whole chain and names the last whole position of the old log", async () => {
    const { directory, file } = tenFacts();
    withoutRules(file).exec(
      "UPDATE event SET body = replace(body, 'tor-1', 'tor-2') WHERE seq = 5",
    );
    const hash = [...readOnlyLog(file).rows(4, 4)][0]?.hash;
    await (await open(directory)).close();
    const log = await open(directory, true);
    expect([...log.read({ limit: 1 })][0]?.event).toMatchObject({
      type: "log-recovered",
      lastSeq: 4,
      lastHash: hash,
    });
  });

  test("with recovery leaves a whole log alone", async () => {
    const { directory, head } = tenFacts();
    expect((await open(directory, true)).head()).toEqual(head);
  });

  test("refuses a WAL whose database is gone", async () => {
    const directory = ownDirectory();
    writeFileSync(join(directory, "log.db-wal"), "left over");
    await expect(open(directory)).rejects.toMatchObject({ code: "LOG_CORRUPT" });
  });
});
