/**
 * The BFD engine against the rules of RFC 5880 and 5881, each in virtual time with a second engine as the peer.
 *
 * Timers are timers.test.ts.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeControl } from "../../backends/bfd/packet.ts";
import type { Datagram } from "../../backends/bfd/port.ts";
import { DELAY_MICROS, type Link, makeLink, parametersOf, type Sent, TIMING } from "./link.ts";
import { datagramOf, packetOf, status, upLink, withFlag, withOctet, withWord } from "./packets.ts";

describe("state machine (RFC 5880 §6.2, §6.8.6)", () => {
  test("three packets bring both sides up, and the diagnostic is clear", () => {
    const link = upLink();
    expect(link.ends[0].transitions.map(({ to }) => to)).toContain("Up");
    expect(status(link.ends[0])).toMatchObject({ diagnostic: 0, remoteDiscriminator: 2 });
  });
  test("silence takes it Down with diagnostic 1 after the Detection Time (§6.8.4)", () => {
    const link = upLink();
    link.lose((from) => from === 1);
    const cut = link.now();
    link.run(2000);
    const down = link.ends[0].transitions.at(-1);
    expect(down).toMatchObject({ from: "Up", to: "Down", diagnostic: 1 });
    expect(down?.detectedAfterMicros).toBe(900_000);
    expect((down?.atMicros ?? 0) - cut).toBeLessThanOrEqual(900_000);
    // The other side is told, with its own word for it.
    expect(link.ends[1].transitions).toContainEqual(
      expect.objectContaining({ from: "Up", to: "Down", diagnostic: 3 }),
    );
  });
  test("a session that is taken back says AdminDown, which is no failure", () => {
    const link = upLink();
    link.ends[1].engine.hold([], link.now());
    link.run(50);
    expect(link.ends[0].transitions.at(-1)).toMatchObject({
      to: "Down",
      diagnostic: 3,
      remoteState: "AdminDown",
      remoteDiagnostic: 7,
    });
    link.run(5000);
    expect(link.ends[1].engine.leaving()).toBe(false);
    expect(link.ends[1].engine.nextDue()).toBeUndefined();
  });
  test("after a Detection Time of silence the remote discriminator is forgotten (§6.8.1)", () => {
    const link = upLink();
    link.lose(() => true);
    link.run(5000);
    expect(status(link.ends[0]).remoteDiscriminator).toBe(0);
  });
});

describe("echo (§6.8.9)", () => {
  const echoing = { echoIntervalMillis: 50 };
  /** From now on none comes back to this end. */
  const loseEchoes = (link: Link): void =>
    link.alter((datagram, to) =>
      to === 0 && datagram.to === "echo" ? { ...datagram, timeToLive: 1 } : datagram,
    );
  test("runs while Up, slows the control packets, and its loss is diagnostic 2", () => {
    const link = upLink([echoing, echoing]);
    expect(status(link.ends[0]).echo).toBe("active");
    expect(status(link.ends[0]).counters.echoReceived).toBeGreaterThan(100);
    expect(status(link.ends[0]).transmitIntervalMicros).toBe(1_000_000);
    loseEchoes(link);
    link.run(1000);
    const failed = link.ends[0].transitions.find(({ diagnostic }) => diagnostic === 2);
    expect(failed).toMatchObject({ from: "Up", to: "Down", detectionTimeMicros: 150_000 });
    expect(failed?.detectedAfterMicros).toBeLessThanOrEqual(200_000);
  });
  test("who never sent one back is watched by control packets at their own rate, and does not flap", () => {
    const link = makeLink();
    loseEchoes(link);
    for (const end of [0, 1] as const) {
      const timing = { ...TIMING, ...echoing };
      link.ends[end].engine.hold([parametersOf(end, { timing })], 0);
    }
    link.run(30_000);
    const [end] = link.ends;
    expect(status(end)).toMatchObject({ state: "Up", echo: "unanswered" });
    expect(status(end)).toMatchObject({ detectionTimeMicros: 900_000 });
    expect(end.transitions.filter(({ to }) => to === "Down")).toEqual([]);
    expect(packetOf(end.sent.at(-1) as Sent).desiredMinTxMicros).toBe(300_000);
    expect(status(end).counters.echoSent).toBeLessThan(50);
  });
  test("one that is heard again proves nothing", () => {
    const link = upLink([echoing, echoing]);
    const old: Datagram[] = [];
    link.alter((datagram, to) => {
      if (to === 0 && datagram.to === "echo" && datagram.timeToLive === 254) old.push(datagram);
      return datagram;
    });
    link.run(1000);
    const before = status(link.ends[0]).counters.echoReceived;
    link.ends[0].engine.receive(old[0] as Datagram, link.now());
    expect(status(link.ends[0]).counters.echoReceived).toBe(before);
    expect(link.ends[0].engine.discards()).toMatchObject({ echo: 1 });
  });
  test("is not sent to a peer that takes none", () => {
    const link = upLink([echoing, {}]);
    expect(status(link.ends[0])).toMatchObject({ echo: "off", counters: { echoSent: 0 } });
  });
});

describe("authentication (§6.7)", () => {
  const types = [
    "simple-password",
    "keyed-md5",
    "meticulous-keyed-md5",
    "keyed-sha1",
    "meticulous-keyed-sha1",
  ] as const;
  const keyed = (type: (typeof types)[number], key: string) => ({
    authentication: { type, keyId: 7, key },
  });
  test.for(types)("%s: the right key comes up, the wrong one never", (type) => {
    for (const [key, state] of [
      ["sesame", "Up"],
      ["simsim", "Down"],
    ] as const) {
      const link = makeLink();
      link.ends[0].engine.hold([parametersOf(0, keyed(type, "sesame"))], 0);
      link.ends[1].engine.hold([parametersOf(1, keyed(type, key))], 0);
      link.run(10_000);
      expect(status(link.ends[0]).state).toBe(state);
      expect(link.ends[0].engine.discards()["authentication"] ?? 0).toBe(
        state === "Up" ? 0 : status(link.ends[0]).counters.discarded,
      );
    }
  });
  test("a packet that was heard before is not taken again (meticulous, §6.7.3)", () => {
    const link = makeLink();
    for (const end of [0, 1] as const) {
      const rest = keyed("meticulous-keyed-sha1", "sesame");
      link.ends[end].engine.hold([parametersOf(end, rest)], 0);
    }
    link.run(10_000);
    const { octets } = link.ends[1].sent.at(-1) as Sent;
    const before = status(link.ends[0]).counters.discarded;
    link.ends[0].engine.receive(datagramOf(octets), link.now());
    expect(status(link.ends[0]).counters.discarded).toBe(before + 1);
  });
  test("keys change without a flap while both know the old one for a Detection Time", () => {
    const link = makeLink();
    const hold = (end: 0 | 1, key: string) =>
      link.ends[end].engine.hold([parametersOf(end, keyed("keyed-sha1", key))], link.now());
    hold(0, "old");
    hold(1, "old");
    link.run(10_000);
    const before = link.ends.map((end) => end.transitions.length);
    hold(0, "new");
    link.run(100);
    hold(1, "new");
    link.run(5000);
    expect(link.ends.map((end) => end.transitions.length)).toEqual(before);
  });
});

describe("what is not the peer's is discarded and counted (faults 40)", () => {
  const cases: readonly (readonly [string, (datagram: Datagram) => Datagram])[] = [
    ["hop-limit", (one) => ({ ...one, timeToLive: 254 })],
    ["version", (one) => withOctet(one, 0, 0x00)],
    ["version", (one) => withOctet(one, 0, 0x40)],
    ["short", (one) => ({ ...one, octets: one.octets.subarray(0, 23) })],
    ["length", (one) => withOctet(one, 3, 23)],
    ["length", (one) => withOctet(one, 3, 25)],
    ["multiplier-zero", (one) => withOctet(one, 2, 0)],
    ["multipoint", (one) => withFlag(one, 0x01)],
    ["my-discriminator-zero", (one) => withWord(one, 4, 0)],
    ["your-discriminator-zero", (one) => withWord(one, 8, 0)],
    ["no-session", (one) => withWord(one, 8, 4711)],
    ["wrong-source", (one) => ({ ...one, remote: new Uint8Array([10, 0, 0, 9]) })],
    ["wrong-source", (one) => ({ ...one, to: "multihop" })],
    ["wrong-source", (one) => ({ ...one, vrf: "red" })],
    ["length", (one) => withFlag(one, 0x04)],
  ];
  test.for(cases)("%s", ([reason, spoil]) => {
    const link = upLink();
    const [end] = link.ends;
    const before = status(end);
    const { octets } = link.ends[1].sent.at(-1) as Sent;
    // One that would take the session down if it were believed.
    const down = withOctet(datagramOf(octets), 1, 0x40 | ((octets[1] ?? 0) & 0x3f));
    const plausible = reason === "your-discriminator-zero" ? datagramOf(octets) : down;
    end.engine.receive(spoil(plausible), link.now());
    expect(end.engine.discards()).toMatchObject({ [reason]: 1 });
    expect(status(end)).toMatchObject({ state: "Up", transitions: before.transitions });
  });
  test("A bit and a section, without authentication here", () => {
    const link = upLink();
    const [end] = link.ends;
    const { octets } = link.ends[1].sent.at(-1) as Sent;
    const longer = new Uint8Array([...octets, 1, 4, 0, 65]);
    const signed = withOctet(withFlag(datagramOf(longer), 0x04), 3, longer.length);
    end.engine.receive(signed, link.now());
    expect(end.engine.discards()).toEqual({ authentication: 1 });
  });
  test("whatever comes, nothing throws, and only a valid packet changes a session", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(255), (octets, timeToLive) => {
        const link = upLink();
        const [end] = link.ends;
        const before = status(end).transitions;
        for (const to of ["single-hop", "multihop", "echo"] as const) {
          end.engine.receive({ ...datagramOf(octets), to, timeToLive }, link.now());
        }
        const isValid = timeToLive === 255 && typeof decodeControl(octets) !== "string";
        expect(isValid || status(end).transitions === before).toBe(true);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });
});

test("two random ends come up, hold while less than a Detection Time is lost, and fall within one", () => {
  const interval = fc.integer({ min: 20, max: 2000 });
  const timing = fc.record({
    transmitIntervalMillis: interval,
    receiveIntervalMillis: interval,
    detectMultiplier: fc.integer({ min: 3, max: 10 }),
  });
  fc.assert(
    fc.property(timing, timing, fc.nat(), (a, b, seed) => {
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      const link = upLink([a, b], random);
      const before = link.ends.map((end) => end.transitions.length);
      // Every second packet of each side is lost.
      const counts = [0, 0];
      link.lose((from) => (counts[from] = (counts[from] ?? 0) + 1) % 2 === 0);
      link.run(20_000);
      expect(link.ends.map((end) => end.transitions.length)).toEqual(before);
      link.lose(() => true);
      const cut = link.now();
      const longest = Math.max(...link.ends.map((end) => status(end).detectionTimeMicros));
      link.run(longest / 1000 + 1);
      for (const end of link.ends) {
        expect(end.transitions.at(-1)).toMatchObject({ to: "Down" });
        // What was under way at the cut still arrives.
        const took = (end.transitions.at(-1)?.atMicros ?? 0) - cut;
        expect(took).toBeLessThanOrEqual(longest + DELAY_MICROS);
      }
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

test("level-triggered: the same again changes nothing, and what goes is told", () => {
  const link = upLink();
  const [{ engine }] = link.ends;
  expect(engine.hold([parametersOf(0)], link.now())).toEqual({
    added: [],
    changed: [],
    removed: [],
  });
  const { key } = parametersOf(0);
  expect(engine.hold([], link.now()).removed).toEqual([key]);
  expect(engine.hold([parametersOf(0)], link.now()).added).toEqual([key]);
});
