/**
 * The host's end of the feed: where it begins to read, what it reads again, and that nothing is skipped.
 *
 * Method: a stream in memory, and an intake that knows generations only (the body's number): it says what the real one would.
 */
import { describe, expect, onTestFinished, test } from "vitest";
import { startFleetFeed, type FeedIntake } from "../../agent/feeds/fleet-feed.ts";
import { digestOf } from "../../agent/fleet/change-set.ts";
import { splitSet } from "../../agent/fleet/parts.ts";
import { newSeed, signerFromSeed } from "../../agent/fleet/signing.ts";
import { fleetNames } from "../../agent/fleet/subjects.ts";
import { systemClock } from "../../backends/clock.ts";
import { LogError } from "../../events/log/log.ts";
import { until } from "../live/until.ts";
import { type MemoryStream, memoryStream } from "./memory-stream.ts";

const NAMES = fleetNames("berlin");
const signer = signerFromSeed(newSeed("user"));

/** A set of this generation, `base` or `change`; `maxPayload` cuts it into parts. */
function publish(stream: MemoryStream, text: string, maxPayload = 1_000_000): void {
  const subject = text.startsWith("base") ? NAMES.bases : NAMES.changes;
  // Long and not compressible, so that a small payload makes parts.
  const filler = Array.from({ length: 200 }, (_, i) =>
    digestOf(new TextEncoder().encode(`${text}${i}`)),
  );
  const octets = new TextEncoder().encode(`${text} ${filler.join("")}`);
  for (const { headers, body } of splitSet(octets, signer, maxPayload))
    stream.put(subject, body, headers);
}

function host(stream: MemoryStream) {
  const taken: string[] = [];
  const refused: string[] = [];
  const dead: string[] = [];
  let generation = 0;
  let position: ReturnType<Parameters<typeof startFleetFeed>[0]["position"]>;
  let diskIsFull = false;
  const intake: FeedIntake = {
    async take({ octets }, at) {
      if (diskIsFull) throw new LogError("NOT_RECORDED", "no space left");
      const [type = "", number] = new TextDecoder().decode(octets).split(" ", 2);
      if (type === "forged") return { type: "refused", reason: "forged", generation };
      const own = Number(number);
      if (own <= generation) return { type: "known", generation };
      if (type === "change" && own > generation + 1) return { type: "gap", generation };
      generation = own;
      position = at;
      taken.push(`${type} ${own}`);
      return { type: "advanced", generation };
    },
    async refuse({ rule }) {
      refused.push(rule);
    },
  };
  const feed = startFleetFeed({
    names: NAMES,
    consumer: "host",
    connection: stream.connection,
    intake,
    clock: { ...systemClock, random: () => 0 },
    logger: { warn: () => {} },
    position: () => position,
    deadLetter: (what) => dead.push(what),
  });
  onTestFinished(() => feed.stop());
  const upTo = (wanted: number) =>
    until(() => generation === wanted, { what: `generation ${wanted}` });
  return {
    feed,
    taken,
    refused,
    dead,
    upTo,
    fillDisk: (full: boolean) => {
      diskIsFull = full;
    },
  };
}

test("a newcomer takes the newest base, of parts too, and what stands behind it", async () => {
  const stream = memoryStream();
  publish(stream, "change 1");
  publish(stream, "base 1");
  publish(stream, "change 2");
  publish(stream, "base 2", 2048);
  publish(stream, "change 3");
  expect(stream.messages().length).toBeGreaterThan(6);
  const { taken, upTo, feed } = host(stream);
  await upTo(3);
  publish(stream, "change 4");
  await upTo(4);
  expect(taken).toEqual(["base 2", "change 3", "change 4"]);
  expect(feed.state()).toMatchObject({ connected: true, reason: "memory", lag: 0 });
});

test("without a base the whole stream is read", async () => {
  const stream = memoryStream();
  for (const text of ["change 1", "change 2", "change 3"]) publish(stream, text);
  const { taken, upTo } = host(stream);
  await upTo(3);
  expect(taken).toEqual(["change 1", "change 2", "change 3"]);
});

test("after a break it goes on behind the last set, and says meanwhile that it is cut off", async () => {
  const stream = memoryStream();
  publish(stream, "change 1");
  const { taken, upTo, feed } = host(stream);
  await upTo(1);
  stream.cut();
  publish(stream, "change 2");
  await until(() => !feed.state().connected, { what: "the break" });
  expect(feed.state()).toMatchObject({ connected: false, reason: "cut", lag: undefined });
  stream.mend();
  await upTo(2);
  expect(taken).toEqual(["change 1", "change 2"]);
  expect(stream.readings.at(-1)).toBe("host 2");
});

describe("where a generation is missing", () => {
  test("the newest base is taken: the stream was purged while the host was away", async () => {
    const stream = memoryStream();
    publish(stream, "change 1");
    const { taken, upTo } = host(stream);
    await upTo(1);
    stream.cut();
    publish(stream, "change 2");
    publish(stream, "change 3");
    publish(stream, "base 3");
    publish(stream, "change 4");
    stream.purge(2);
    stream.mend();
    await upTo(4);
    expect(taken).toEqual(["change 1", "base 3", "change 4"]);
  });

  test("it waits and says so, and the base that comes later heals it", async () => {
    const stream = memoryStream();
    publish(stream, "change 1");
    const { taken, upTo, feed } = host(stream);
    await upTo(1);
    publish(stream, "change 3");
    await until(() => /generation 2 is not in/.test(feed.state().reason), { what: "the reason" });
    publish(stream, "base 3");
    publish(stream, "change 4");
    await upTo(4);
    expect(taken).toEqual(["change 1", "base 3", "change 4"]);
    expect(feed.state().reason).toBe("memory");
  });

  test("a base that is no base, or a torso of one, is passed over for the whole stream", async () => {
    const stream = memoryStream();
    publish(stream, "change 1");
    publish(stream, "base 1");
    publish(stream, "change 2");
    stream.put(NAMES.bases, "junk");
    const { taken, upTo, refused, dead } = host(stream);
    await upTo(2);
    expect(taken).toEqual(["change 1", "change 2"]);
    await until(() => refused.length === 1, { what: "the junk in the book" });
    expect(refused).toEqual(["headers"]);
    expect(dead).toEqual(["headers"]);
  });
});

test("a stream made anew is read from its base, and what the host has stays", async () => {
  const stream = memoryStream();
  publish(stream, "change 1");
  publish(stream, "change 2");
  const { taken, upTo } = host(stream);
  await upTo(2);
  stream.recreate();
  publish(stream, "change 1");
  publish(stream, "base 5");
  await upTo(5);
  expect(taken).toEqual(["change 1", "change 2", "base 5"]);
});

test("poison stops nobody and is told once, however often the stream is read", async () => {
  const stream = memoryStream();
  publish(stream, "change 1");
  stream.put(NAMES.changes, "poison");
  publish(stream, "forged 9");
  publish(stream, "change 2");
  const { taken, refused, dead, upTo } = host(stream);
  await upTo(2);
  stream.put(NAMES.changes, "more poison");
  await until(() => refused.length === 2, { what: "the second one" });
  stream.cut();
  stream.mend();
  publish(stream, "change 3");
  await upTo(3);
  expect(taken).toEqual(["change 1", "change 2", "change 3"]);
  expect(refused).toEqual(["headers", "headers"]);
  expect(dead).toEqual(["headers", "refused", "headers"]);
});

test("a set that the disk refuses is tried again, and the next one waits for it", async () => {
  const stream = memoryStream();
  publish(stream, "change 1");
  const { taken, upTo, fillDisk, feed } = host(stream);
  await upTo(1);
  fillDisk(true);
  publish(stream, "change 2");
  publish(stream, "change 3");
  await until(() => feed.state().reason.includes("waits for the disk"), { what: "the reason" });
  expect(feed.state().lag).toBeGreaterThan(0);
  expect(taken).toEqual(["change 1"]);
  fillDisk(false);
  await upTo(3);
  expect(taken).toEqual(["change 1", "change 2", "change 3"]);
  expect(feed.state().reason).toBe("memory");
});
