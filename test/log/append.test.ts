/**
 * What appending promises: whole batches, in order, once, by one writer.
 * Method: a log in a directory of its own; SQLite is asked directly where the promise is the file's.
 */
import { createHash } from "node:crypto";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Recorded } from "../../events/envelope.ts";
import { readOnlyLog } from "../../events/log/read.ts";
import { verifyLog } from "../../events/log/verify.ts";
import { factPen, ownDirectory, ownLog } from "./facts.ts";
import { rawDatabase } from "./raw.ts";

describe("a new log", () => {
  test("begins with log-created, seq 1", async () => {
    const log = await ownLog(ownDirectory(), factPen());
    expect(log.head().seq).toBe(1);
    expect([...log.read({})].map((fact) => fact.event?.type)).toEqual(["log-created"]);
  });

  test("is for its owner and group only", async () => {
    const directory = join(ownDirectory(), "state");
    await ownLog(directory, factPen());
    expect(statSync(directory).mode & 0o7).toBe(0);
    const files = ["log.db", "log.db-wal", "log.lock", "log.holder"];
    expect(files.filter((name) => (statSync(join(directory, name)).mode & 0o137) !== 0)).toEqual(
      [],
    );
  });

  test("is refused where a symbolic link stands in its place", async () => {
    const directory = ownDirectory();
    const elsewhere = join(ownDirectory(), "elsewhere.db");
    writeFileSync(elsewhere, "");
    symlinkSync(elsewhere, join(directory, "log.db"));
    await expect(ownLog(directory, factPen())).rejects.toMatchObject({ code: "LOG_UNREADABLE" });
  });
});

describe("append", () => {
  test("gives each fact the next seq and the hash that the reader finds", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const receipt = await log.append([pen.session(), pen.session(), pen.session()]);
    const read = [...log.read({ from: 2 })];
    expect(receipt).toEqual({
      type: "recorded",
      positions: read.map(({ seq, hash }) => ({ seq, hash })),
    });
    expect(read.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    expect(log.head()).toEqual({ seq: 4, hash: read.at(-1)?.hash });
  });

  test("gives the hash of the format, also behind a header longer than any before", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    const event = { type: "agent-stopped", mode: "final" } as const;
    for (const size of [1, 30_000, 200_000, 1]) {
      // oxlint-disable-next-line no-await-in-loop -- in this order
      await log.append([pen.fact(event, "ü".repeat(size)), pen.session()]);
    }
    await log.close();
    const reader = readOnlyLog(join(directory, "log.db"));
    onTestFinished(() => reader.close());
    const sha256 = (...parts: (string | Buffer)[]) =>
      createHash("sha256")
        .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
        .digest();
    let previous: Buffer = Buffer.alloc(32);
    const octets = (hex: string) => Buffer.from(hex, "hex");
    for (const { header, body, bodyDigest, hash } of reader.rows(1)) {
      expect(sha256(body ?? "").toString("hex")).toBe(bodyDigest);
      previous = sha256("rutter-log-1\0", previous, header, octets(bodyDigest));
      expect(previous.toString("hex")).toBe(hash);
    }
    expect(log.head().seq).toBe(9);
  });

  test("chains a large batch alike, wherever in it a fact with a position stands", async () => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    const event = { type: "agent-stopped", mode: "final" } as const;
    const facts = Array.from({ length: 100 }, (_, place) =>
      [0, 20, 52, 99].includes(place)
        ? pen.fact(event, "agent", { name: "api", position: `p${place}` })
        : pen.session(`ü€𝄞${"x".repeat(place * 500)}`),
    );
    const receipt = await log.append(facts);
    expect(receipt).toMatchObject({ type: "recorded", positions: { length: 100 } });
    expect(log.find({ name: "api", position: "p52" })).toBe(2 + 52);
    expect([...log.read({ from: 2 })].map(({ id }) => id)).toEqual(facts.map(({ id }) => id));
    await log.close();
    const reader = readOnlyLog(join(directory, "log.db"));
    onTestFinished(() => reader.close());
    expect(verifyLog(reader)).toMatchObject({ ok: true, count: 101, head: log.head() });
  });

  test("stores every member of the envelope, 64-bit clocks exactly", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const fact = {
      ...pen.session('„quotes", \u0000 and \ud83d\udea2'),
      at: { wall: 9_007_199_254_740_993n, monotonic: 2n ** 62n + 1n, boot: "b" },
    };
    await log.append([fact]);
    expect([...log.read({ from: 2 })]).toMatchObject([fact]);
  });

  test("keeps the order in which it was called, however many wait", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const facts = Array.from({ length: 500 }, () => pen.session());
    await Promise.all(facts.map((fact) => log.append([fact])));
    expect([...log.read({ from: 2 })].map(({ id }) => id)).toEqual(facts.map(({ id }) => id));
  });

  test("tells followers of each commit in order, before its receipt", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const seen: Recorded[] = [];
    const stop = log.follow((committed) => seen.push(...committed));
    await Promise.all([log.append([pen.session()]), log.append([pen.session(), pen.session()])]);
    expect(seen).toEqual([...log.read({ from: 2 })]);
    stop();
    await log.append([pen.session()]);
    expect(seen).toHaveLength(3);
  });

  test("refuses a batch of nothing, and every batch after close", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    await expect(log.append([])).rejects.toThrow("at least one");
    const last = log.append([pen.session()]);
    await log.close();
    await expect(last).resolves.toMatchObject({ type: "recorded" });
    await expect(log.append([pen.session()])).rejects.toMatchObject({ code: "LOG_CLOSED" });
  });
});

const position = (value: string) => ({ name: "api", position: value });

describe("a source position", () => {
  test("is recorded once: the second batch is told where the first stands", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const batch = () => [
      pen.fact({ type: "agent-stopped", mode: "final" }, "agent", position("k1")),
      pen.session(),
    ];
    const receipts = await Promise.all([log.append(batch()), log.append(batch())]);
    expect(receipts).toMatchObject([{ type: "recorded" }, { type: "duplicate", seq: 2 }]);
    await expect(log.append(batch())).resolves.toEqual({ type: "duplicate", seq: 2 });
    expect(log.head().seq).toBe(3);
    expect(log.find(position("k1"))).toBe(2);
    expect(log.find(position("k2"))).toBeUndefined();
  });

  test("belongs to its source: another source may use the same", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const event = { type: "agent-stopped", mode: "final" } as const;
    await log.append([pen.fact(event, "agent", { name: "cli", position: "1" })]);
    await log.append([pen.fact(event, "agent", { name: "api", position: "1" })]);
    expect(log.head().seq).toBe(3);
  });

  test("twice in one batch is the caller's mistake, and nothing of the batch is recorded", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const event = { type: "agent-stopped", mode: "final" } as const;
    const one = () => pen.fact(event, "agent", position("k"));
    const [wrong, right] = await Promise.allSettled([
      log.append([one(), one()]),
      log.append([pen.session()]),
    ]);
    expect(wrong.status).toBe("rejected");
    expect(right).toMatchObject({ value: { positions: [{ seq: 2 }] } });
  });
});

test("a fact is found by its id", async () => {
  const pen = factPen();
  const log = await ownLog(ownDirectory(), pen);
  const fact = pen.session();
  await log.append([pen.session(), fact]);
  expect(log.seqOf(fact.id)).toBe(3);
  expect(log.seqOf(pen.session().id)).toBeUndefined();
});

describe("the file itself", () => {
  test.for<readonly [claim: string, statement: string]>([
    ["changes a header", "UPDATE event SET header = '{}' WHERE seq = 2"],
    ["changes a body", "UPDATE event SET body = '{}' WHERE seq = 2"],
    ["erases a body that no erased event names", "UPDATE event SET body = NULL WHERE seq = 2"],
    ["deletes the last row", "DELETE FROM event WHERE seq = 3"],
    [
      "leaves a gap",
      "INSERT INTO event SELECT 9, 'x', header, body, body_digest, hash, NULL, NULL, NULL FROM event WHERE seq = 2",
    ],
    [
      "replaces a row",
      "INSERT OR REPLACE INTO event SELECT 2, 'x', header, body, body_digest, hash, NULL, NULL, NULL FROM event WHERE seq = 2",
    ],
    [
      "replaces a row by its position",
      "INSERT OR REPLACE INTO event SELECT 4, 'x', header, body, body_digest, hash, source, position, NULL FROM event WHERE seq = 3",
    ],
    ["gives the log to another host", "UPDATE log_identity SET host = 'other'"],
  ])("refuses a statement that %s", async ([, statement]) => {
    const directory = ownDirectory();
    const pen = factPen();
    const log = await ownLog(directory, pen);
    const event = { type: "agent-stopped", mode: "final" } as const;
    await log.append([pen.session(), pen.fact(event, "agent", { name: "cli", position: "1" })]);
    await log.close();
    const database = rawDatabase(join(directory, "log.db"));
    expect(() => database.exec(statement)).toThrow(/append-only|keeps its identity/);
    const reader = readOnlyLog(join(directory, "log.db"));
    expect(verifyLog(reader)).toMatchObject({ ok: true, count: 3 });
    reader.close();
  });
});

describe("a filtered read", () => {
  test("gives what matches type, subject, time and range, and no more than asked for", async () => {
    const pen = factPen();
    const log = await ownLog(ownDirectory(), pen);
    const trap = pen.session('"type":"agent-stopped",');
    const stopped = pen.fact({ type: "agent-stopped", mode: "final" }, "host");
    const facts = [pen.session(), trap, stopped, pen.session()];
    await log.append(facts);
    const seqs = (filter: Parameters<typeof log.read>[0]) =>
      [...log.read(filter)].map(({ seq }) => seq);
    expect(seqs({ types: ["agent-stopped"] })).toEqual([4]);
    expect(seqs({ types: [] })).toEqual([]);
    expect(seqs({ types: ["log-created", "agent-stopped"] })).toEqual([1, 4]);
    expect(seqs({ subject: "host" })).toEqual([4]);
    expect(seqs({ subject: trap.subject, limit: 2 })).toEqual([2, 3]);
    expect(seqs({ since: trap.at.wall, until: stopped.at.wall })).toEqual([3, 4]);
    expect(seqs({ from: 2, to: 3 })).toEqual([2, 3]);
    expect(seqs({ limit: 0 })).toEqual([]);
  });
});
