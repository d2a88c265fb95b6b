/**
 * The publisher's end: what it puts into the stream, and that two of them never put two sets into one place.
 *
 * Method: streams in memory; every publisher reads the same one, and reads back what others put there.
 */
import { expect, test } from "vitest";
import { canonicalJson } from "../../events/digest.ts";
import { systemClock } from "../../backends/clock.ts";
import { headOf } from "../../agent/fleet/fleet-state.ts";
import { FleetError } from "../../agent/fleet/io/connection.ts";
import {
  createPublisher,
  type Publisher,
  type PublisherParts,
} from "../../agent/fleet/io/publisher.ts";
import { HEADERS, splitSet } from "../../agent/fleet/parts.ts";
import { readFleetManifests } from "../../agent/fleet/read-manifests.ts";
import { newSeed, type Signer, signerFromSeed } from "../../agent/fleet/signing.ts";
import { fleetNames } from "../../agent/fleet/subjects.ts";
import type { TrustRule } from "../../agent/fleet/trust.ts";
import {
  advertisementManifest,
  documents,
  poolManifest,
  serviceManifest,
} from "../live/manifests.ts";
import { type MemoryStream, memoryStream } from "./memory-stream.ts";

const NAMES = fleetNames("berlin");
const [signer, other] = [signerFromSeed(newSeed("user")), signerFromSeed(newSeed("user"))];
const BASICS = [poolManifest(["203.0.113.0/24"]), advertisementManifest()];

function publisherOf(
  { connection }: MemoryStream,
  by: Signer = signer,
  trust: readonly TrustRule[] = [{ key: signer.publicKey }, { key: other.publicKey }],
  heard?: PublisherParts["heard"],
): Publisher {
  return createPublisher({
    fleet: "berlin",
    connection,
    signer: by,
    trust,
    consumer: "publisher",
    clock: { ...systemClock, random: () => 0 },
    signal: AbortSignal.timeout(20_000),
    heard,
  });
}

const putsOf = (...manifests: readonly string[]) =>
  readFleetManifests([{ name: "test.yaml", text: documents(...manifests) }], "berlin", []).puts;

const apply = (publisher: Publisher, ...manifests: readonly string[]) =>
  publisher.publish(() => ({ puts: putsOf(...manifests), deletes: [] }), false);

const addressesIn = async (publisher: Publisher): Promise<Readonly<Record<string, string>>> => {
  const { state } = await publisher.read();
  return Object.fromEntries(
    [...state.desired.allocations].map(([key, { addresses }]) => [
      key,
      addresses.map(({ address }) => address).join(),
    ]),
  );
};
const kindsIn = (stream: MemoryStream): readonly string[] =>
  stream.messages().map(({ subject }) => (subject === NAMES.bases ? "base" : "change"));

test("a set has generation, chain and addresses; what is in force already is nothing to publish", async () => {
  const stream = memoryStream();
  const publisher = publisherOf(stream);
  expect(await apply(publisher, ...BASICS, serviceManifest("web"))).toMatchObject({
    type: "set",
    sequence: 1,
    set: {
      generation: 1,
      previous: "",
      allocations: [{ service: "/Service/default/web", addresses: [{ address: "203.0.113.0" }] }],
    },
  });
  expect(await apply(publisher, serviceManifest("web"))).toMatchObject({ type: "unchanged" });
  expect(stream.messages()).toHaveLength(1);

  const dry = await publisher.publish(
    () => ({ puts: putsOf(serviceManifest("two")), deletes: [] }),
    true,
  );
  expect(dry).toMatchObject({ type: "set", sequence: undefined, set: { generation: 2 } });
  expect(stream.messages()).toHaveLength(1);

  expect(
    await publisher.publish(
      () => ({ puts: [], deletes: ["/Service/default/nobody" as never] }),
      false,
    ),
  ).toMatchObject({ type: "refused", refusals: [{ rule: "not-found" }] });
});

test("who loses the race decides anew: two publishers never give one address twice", async () => {
  const stream = memoryStream();
  const [one, two] = [publisherOf(stream), publisherOf(stream, other)];
  await apply(one, ...BASICS);
  await two.read();
  // Both have read up to the same message, and decide on it.
  const done = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      await apply(one, serviceManifest(`a${i}`));
      return apply(two, serviceManifest(`b${i}`));
    }),
  );
  expect(done.map(({ type }) => type)).toEqual(Array.from({ length: 10 }, () => "set"));
  const addresses = await addressesIn(publisherOf(stream));
  expect(Object.keys(addresses)).toHaveLength(20);
  expect(new Set(Object.values(addresses)).size).toBe(20);
  const { state, passed } = await publisherOf(stream).read();
  expect(headOf(state).generation).toBe(21);
  expect(passed).toEqual([]);
});

test("a server that lags behind the stream is not the end of it: nothing is decided on what it has", async () => {
  const stream = memoryStream();
  const first = publisherOf(stream);
  await apply(first, ...BASICS);
  await apply(first, serviceManifest("one"));
  stream.lag(2, 1);
  expect(await apply(publisherOf(stream, other), serviceManifest("two"))).toMatchObject({
    type: "set",
    set: { generation: 3 },
  });
  expect(await addressesIn(publisherOf(stream))).toEqual({
    "/Service/default/one": "203.0.113.0",
    "/Service/default/two": "203.0.113.1",
  });
  // Messages that are gone are nothing to wait for: the server counts on behind them.
  await publisherOf(stream).writeBase();
  const late = publisherOf(stream);
  const count = stream.messages().length;
  stream.purge(count);
  expect((await late.read()).passed).toEqual([]);
});

test("a base comes after a hundred sets, and a newcomer begins with it", async () => {
  const stream = memoryStream();
  const publisher = publisherOf(stream);
  await apply(publisher, ...BASICS);
  for (let i = 0; i < 99; i += 1)
    await apply(publisher, serviceManifest("web", { ports: [{ port: i + 1 }] }));
  expect(kindsIn(stream).filter((kind) => kind === "base")).toHaveLength(1);
  expect(kindsIn(stream).at(-1)).toBe("base");
  await apply(publisher, serviceManifest("two"));
  const newcomer = publisherOf(stream);
  expect(await addressesIn(newcomer)).toEqual(await addressesIn(publisher));
  expect(stream.readings.at(-1)).toBe("publisher 102");
});

test("a set that is larger than a payload goes in parts, and a torso in between joins nothing", async () => {
  const stream = memoryStream(4096);
  const publisher = publisherOf(stream);
  const many = Array.from({ length: 400 }, (_, i) =>
    serviceManifest(`service-${i}-${(i * 7919) % 1000}`),
  );
  const done = await apply(
    publisher,
    poolManifest(["10.0.0.0/16"]),
    advertisementManifest(),
    ...many,
  );
  expect(done.type).toBe("set");
  expect(stream.messages().length).toBeGreaterThan(1);
  expect(stream.messages().map(({ headers }) => headers[HEADERS.first])).toEqual(
    stream.messages().map(() => "1"),
  );
  // The first part of a set that lost.
  const [torso] = splitSet(
    new TextEncoder().encode(
      canonicalJson({ long: Array.from({ length: 9000 }, (_, i) => i * i) }),
    ),
    signer,
    4096,
  );
  stream.put(NAMES.changes, torso?.body ?? "", torso?.headers);
  await apply(publisher, serviceManifest("after"));
  const { state, passed } = await publisherOf(stream).read();
  expect(headOf(state).generation).toBe(2);
  expect(passed).toEqual([]);
  expect(state.puts.size).toBe(403);
});

test("a stranger's set and poison are passed over, and told", async () => {
  const stream = memoryStream();
  await apply(publisherOf(stream), ...BASICS);
  stream.put(NAMES.changes, "poison");
  const stranger = signerFromSeed(newSeed("user"));
  const alone = publisherOf(stream, stranger, [
    { key: stranger.publicKey },
    { key: signer.publicKey },
  ]);
  await apply(alone, serviceManifest("forged"));
  const publisher = publisherOf(stream);
  expect(await apply(publisher, serviceManifest("web"))).toMatchObject({
    type: "set",
    set: { generation: 2 },
  });
  const { passed, state } = await publisher.read();
  expect(passed.map(({ sequence, rule }) => [sequence, rule])).toEqual([
    [2, "headers"],
    [3, "signer"],
  ]);
  expect(state.puts.has("/Service/default/forged" as never)).toBe(false);
});

test("a signer that is not trusted for it publishes nothing", async () => {
  const stream = memoryStream();
  const narrow = publisherOf(stream, signer, [{ key: signer.publicKey, kinds: ["Service"] }]);
  expect(await apply(narrow, ...BASICS)).toMatchObject({
    type: "refused",
    refusals: [{ rule: "scope" }],
  });
  expect(stream.messages()).toEqual([]);
});

test("where a generation is missing it refuses, and a base above it begins anew", async () => {
  const stream = memoryStream();
  const publisher = publisherOf(stream);
  await apply(publisher, ...BASICS);
  await apply(publisher, serviceManifest("web"));
  await apply(publisher, serviceManifest("two"));
  stream.purge(2);
  await expect(publisherOf(stream).read()).rejects.toThrow(FleetError);
  await expect(publisherOf(stream).read()).rejects.toThrow("rebase");
  const again = publisherOf(stream);
  const puts = putsOf(...BASICS, serviceManifest("web"));
  const given = {
    address: "203.0.113.7" as never,
    pool: "metallb.io/IPAddressPool/metallb-system/pool" as never,
  };
  expect(
    await again.rebase(9, puts, [{ service: "/Service/default/web" as never, addresses: [given] }]),
  ).toBe(true);
  expect(await addressesIn(again)).toEqual({ "/Service/default/web": "203.0.113.7" });
  expect(await apply(again, serviceManifest("two"))).toMatchObject({ set: { generation: 10 } });
});

test("a server that is away is waited for, until the time is over", async () => {
  const stream = memoryStream();
  await apply(publisherOf(stream), ...BASICS);
  stream.cut();
  const hasty = createPublisher({
    fleet: "berlin",
    connection: stream.connection,
    signer,
    trust: [{ key: signer.publicKey }],
    consumer: "publisher",
    clock: systemClock,
    signal: AbortSignal.timeout(50),
  });
  await expect(hasty.read()).rejects.toThrow(FleetError);
  const patient = apply(publisherOf(stream), serviceManifest("web"));
  stream.mend();
  expect(await patient).toMatchObject({ type: "set", set: { generation: 2 } });
});

test("a set below what a host has is refused, in an empty stream and behind an older one, until hosts and stream agree", async () => {
  const stream = memoryStream();
  let words = [{ host: "edge1", generation: 7 }];
  let asked = 0;
  const publisher = publisherOf(stream, signer, [{ key: signer.publicKey }], async () => {
    asked += 1;
    return words;
  });
  const refused = {
    type: "refused",
    refusals: [{ rule: "hosts-ahead", message: expect.stringContaining("edge1 has 7") }],
  };
  expect(await apply(publisher, ...BASICS)).toMatchObject(refused);
  expect(stream.messages()).toHaveLength(0);
  await apply(publisherOf(stream), ...BASICS);
  expect(await apply(publisher, serviceManifest("web"))).toMatchObject(refused);
  expect(await publisher.rebase(8, putsOf(...BASICS), [])).toBe(true);
  expect(await apply(publisher, serviceManifest("web"))).toMatchObject({ set: { generation: 9 } });
  // What follows in a stream that no host is ahead of is nobody else's history.
  words = [{ host: "edge1", generation: 99 }];
  const { length } = stream.messages();
  expect(await apply(publisher, serviceManifest("two"))).toMatchObject({ type: "set" });
  expect(stream.messages()).toHaveLength(length + 1);
  expect(asked).toBe(3);
  stream.recreate();
  expect(await apply(publisher, serviceManifest("two"))).toMatchObject({
    refusals: [{ message: expect.stringContaining("edge1 has 99") }],
  });
});

test("a server that hides what hosts have is believed behind a history, and lets none begin", async () => {
  const stream = memoryStream();
  const hidden = () => Promise.reject(new FleetError("FLEET_FORBIDDEN", "no"));
  const publisher = publisherOf(stream, signer, [{ key: signer.publicKey }], hidden);
  expect(await apply(publisher, ...BASICS)).toMatchObject({ refusals: [{ rule: "hosts-ahead" }] });
  await apply(publisherOf(stream), ...BASICS);
  expect(await apply(publisher, serviceManifest("web"))).toMatchObject({ set: { generation: 2 } });
});

test("a history is not begun before hosts could say that there was one; later sets wait for nobody", async () => {
  const stream = memoryStream();
  const answers = [[], [{ host: "edge1", generation: 3 }], [], []];
  const waits: number[] = [];
  const publisher = createPublisher({
    fleet: "berlin",
    connection: stream.connection,
    signer,
    trust: [{ key: signer.publicKey }],
    consumer: "publisher",
    clock: {
      ...systemClock,
      random: () => 0,
      after: (millis, act) => {
        waits.push(millis);
        return systemClock.after(0, act);
      },
    },
    signal: AbortSignal.timeout(20_000),
    heard: async () => answers.shift() ?? [],
  });
  expect(await apply(publisher, ...BASICS)).toMatchObject({
    refusals: [{ message: expect.stringContaining("edge1 has 3") }],
  });
  expect(waits).toEqual([5000]);
  expect(await apply(publisher, ...BASICS)).toMatchObject({ set: { generation: 1 } });
  expect(await apply(publisher, serviceManifest("web"))).toMatchObject({ set: { generation: 2 } });
  expect(waits).toEqual([5000, 5000]);
});
