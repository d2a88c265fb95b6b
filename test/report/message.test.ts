/**
 * A fact on its way: what is stored travels as it is stored, and whatever was touched on the way is noticed.
 * Method: rows of a real log; messages are changed one header or octet at a time.
 */
import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { type Message, messagesOf, placeOf, readFact } from "../../agent/report/message.ts";
import { confirming } from "../../agent/report/message.ts";
import { assembler } from "../../agent/report/parts.ts";
import { GENESIS, type Row } from "../../events/log/chain.ts";
import { openReader } from "../../events/log/read.ts";
import { factPen, ownDirectory, ownLog } from "../log/facts.ts";

const origin = { fleet: "berlin", host: "edge-1", lane: "desired" } as const;
const signer = signerFromSeed(newSeed("user"));
const PAYLOAD = 1024 * 1024;

/** Seq 1 is log-created, 2 a session, 3 one of `size` characters, 4 erases 2. */
async function rows(size = 10): Promise<readonly Row[]> {
  const pen = factPen();
  const log = await ownLog(ownDirectory(), pen);
  const reason = randomBytes(size).toString("base64");
  const first = pen.session("was ünlucky");
  await log.append([first, pen.session(reason)]);
  const seq = log.seqOf(first.id) ?? 0;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a brand
  const erased = { type: "erased", seq: seq as never, fact: first.id, reason: "asked" } as const;
  await log.append([pen.fact(erased)]);
  const reader = openReader(log.file);
  onTestFinished(() => reader.close());
  return [...reader.rows(1)];
}

async function told(all: readonly Row[], seq: number, payload = PAYLOAD, standsFor = 0) {
  const row = all[seq - 1];
  if (row === undefined) throw new Error(`no seq ${seq}`);
  const previousHash = all[seq - 2]?.hash ?? GENESIS;
  const telling = { row, previousHash, previous: seq - 1, standsFor, refill: "" };
  const messages = await messagesOf(telling, origin, signer, payload);
  return messages.map(({ headers, body }) => ({ headers: confirming(headers, seq - 1), body }));
}

const only = ([message]: readonly Message[]): Message => {
  if (message === undefined) throw new Error("no message");
  return message;
};

test("header and body arrive octet by octet, with place, chain and signer", async () => {
  const all = await rows();
  const message = only(await told(all, 3, PAYLOAD, 7));
  expect(await readFact(message, origin)).toEqual({
    ok: true,
    fact: {
      seq: 3,
      hash: all[2]?.hash,
      previousHash: all[1]?.hash,
      previous: 2,
      standsFor: 7,
      header: all[2]?.header,
      body: all[2]?.body,
      signer: signer.publicKey,
    },
  });
  expect(placeOf(message.headers)).toEqual({
    seq: 3,
    hash: all[2]?.hash,
    previous: 2,
    confirmed: 2,
    isWhole: true,
  });
});

test("the first fact of a log stands behind nothing", async () => {
  const all = await rows();
  const read = await readFact(only(await told(all, 1)), origin);
  expect(read).toMatchObject({ ok: true, fact: { seq: 1, previousHash: GENESIS } });
});

test("an erased body stays erased, and the fact can be verified all the same", async () => {
  const all = await rows();
  const message = only(await told(all, 2));
  expect(new TextDecoder().decode(message.body)).not.toContain("ünlucky");
  expect(await readFact(message, origin)).toMatchObject({ ok: true, fact: { seq: 2, body: null } });
});

describe("what was touched on the way is refused", () => {
  const touched = async (change: (message: Message) => Message): Promise<unknown> =>
    readFact(change(only(await told(await rows(), 3))), origin);
  const header = (name: string, value: string) => (message: Message) => ({
    ...message,
    headers: { ...message.headers, [name]: value },
  });

  test.each([
    ["another hash", header("Rutter-Hash", "ab".repeat(32)), "hash does not match the fact"],
    ["another one before", header("Rutter-Previous-Hash", GENESIS), "hash does not match the fact"],
    ["another digest", header("Rutter-Body-Digest", GENESIS), "body does not match its digest"],
    ["another seq", header("Rutter-Seq", "4"), "its header belongs to another seq"],
    ["a gap hidden", header("Rutter-Lane-Previous", "1"), "its signature is not its signer's"],
    ["a count made small", header("Rutter-Stands-For", "1"), "its signature is not its signer's"],
    ["no number", header("Rutter-Seq", "1e3"), "its headers are not those of a fact"],
    ["no gzip", header("Rutter-Encoding", "gzip"), "its octets cannot be unpacked"],
    ["an unknown packing", header("Rutter-Encoding", "br"), "its octets cannot be unpacked"],
    [
      "another signer",
      header("Rutter-Signer", signerFromSeed(newSeed("user")).publicKey),
      "its signature is not its signer's",
    ],
  ])("%s", async (_, change, reason) => {
    expect(await touched(change)).toEqual({ ok: false, reason });
  });

  test("another body", async () => {
    const change = ({ headers, body }: Message): Message => ({
      headers,
      body: Buffer.from(Buffer.from(body).toString().replace("192.0.2.2", "192.0.2.9")),
    });
    expect(await touched(change)).toMatchObject({ ok: false });
  });

  test("broken UTF-8 and no header at all", async () => {
    const octets = (body: Uint8Array) => (message: Message) => ({ ...message, body });
    expect(await touched(octets(Uint8Array.of(0xff, 0x0a, 0xff)))).toMatchObject({ ok: false });
    expect(await touched(octets(Uint8Array.of(0x7b)))).toMatchObject({ ok: false });
  });

  test("the fact of one host told as another's", async () => {
    const message = only(await told(await rows(), 3));
    expect(await readFact(message, { ...origin, host: "edge-2" })).toEqual({
      ok: false,
      reason: "its signature is not its signer's",
    });
  });
});

describe("a fact that is larger than a message", () => {
  const SMALL = 64 * 1024;

  test("travels in parts that the server takes, and is put together again", async () => {
    const all = await rows(300_000);
    const messages = await told(all, 3, SMALL);
    expect(messages.length).toBeGreaterThan(4);
    expect(messages.every(({ body }) => body.length <= SMALL - 4096)).toBe(true);
    const isWhole = messages.map(({ headers }) => placeOf(headers)?.isWhole);
    expect(isWhole.indexOf(true)).toBe(messages.length - 1);
    const parts = assembler();
    const joined = messages.map((message) => parts.push("edge-1 desired", message));
    expect(joined.slice(0, -1)).toEqual(messages.slice(1).map(() => undefined));
    const read = await readFact(joined.at(-1) ?? only(messages), origin);
    expect(read).toMatchObject({ ok: true, fact: { body: all[2]?.body } });
  });

  test("told again from its first part is one fact, whatever came of it before", async () => {
    const messages = await told(await rows(300_000), 3, SMALL);
    const parts = assembler();
    const again = [...messages.slice(0, 3), ...messages, ...messages.slice(1)];
    const whole = again.flatMap((message) => parts.push("edge-1 desired", message) ?? []);
    expect(whole.length).toBe(1);
    expect(await readFact(only(whole), origin)).toMatchObject({ ok: true });
  });
});

test("two facts of one seq in two logs are no doubles for the server", async () => {
  const [one, other] = [await rows(), await rows()];
  const id = async (all: readonly Row[]) => only(await told(all, 3)).headers["Nats-Msg-Id"];
  expect(await id(one)).toMatch(/^edge-1 desired 3 [0-9a-f]{16} 1$/);
  expect(await id(one)).toBe(await id(one));
  expect(await id(one)).not.toBe(await id(other));
});
