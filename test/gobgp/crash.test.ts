/**
 * What is heard of peers beside gobgpd, and which of it a crash was about.
 * Method: packets made by hand, whole, cut, twice, out of order and in the middle of a stream; a real panic of gobgpd 3.10.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BackendError } from "../../backends/backend.ts";
import type { DaemonFact } from "../../backends/daemons.ts";
import { createDaemonWatch } from "../../backends/gobgp/daemon-watch.ts";
import { crashIn, messageOf } from "../../backends/gobgp/read/crash.ts";
import { createStreams, type Heard } from "../../backends/gobgp/read/streams.ts";
import { address } from "../../events/address.ts";
import { keepalive, message, TYPE } from "../live/raw-peer.ts";
import { virtualClock } from "../virtual-clock.ts";

const PANIC = `
panic: runtime error: slice bounds out of range [20:19]

goroutine 83 [running]:
github.com/osrg/gobgp/pkg/packet/bgp.(*BGPUpdate).DecodeFromBytes(0xc00007e0c0, {0xc000156a00?, 0x38?, 0xc00035dd18?}, {0xc0003a0a30?, 0x1, 0x1})
	github.com/osrg/gobgp/pkg/packet/bgp/bgp.go:13385 +0x86b
github.com/osrg/gobgp/pkg/packet/bgp.parseBody(0xc00035dec0, {0xc000156a00, 0x38, 0x38}, {0xc0003a0a30, 0x1, 0x1})
	github.com/osrg/gobgp/pkg/packet/bgp/bgp.go:13686 +0x297
`;

const update = (length: number, fill: number): Uint8Array =>
  message(TYPE.update, Array(length).fill(fill));

type Plan = { readonly sequence: number; readonly flags?: number; readonly six?: boolean };

/** One TCP packet of peer 10.99.0.3 or fd99::3, as the network layer gives it. */
function packet(octets: Uint8Array, { sequence, flags = 0x18, six = false }: Plan): Uint8Array {
  const tcp = [0x9c, 0x40, 0, 179, ...u32(sequence), 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0];
  const length = tcp.length + octets.length;
  const v4 = [0x45, 0, ...u16(20 + length), 0, 0, 0x40, 0, 1, 6, 0, 0, 10, 99, 0, 3, 10, 99, 0, 1];
  const end = (last: number) => [0xfd, 0x99, ...Array(13).fill(0), last];
  const v6 = [0x60, 0, 0, 0, ...u16(length), 6, 1, ...end(3), ...end(1)];
  return Uint8Array.from([...(six ? v6 : v4), ...tcp, ...octets]);
}
const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
const SYN = 2;
/** Lengths of what was heard. */
const lengths = (heard: readonly Heard[]): readonly number[] =>
  heard.map(({ octets }) => octets.length);

describe("a stream", () => {
  test("gives whole messages in order, however its packets are cut, doubled and shuffled; KEEPALIVEs are left out", () => {
    const all = joined(update(30, 1), keepalive(), update(56, 2), update(7, 3));
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: all.length - 1 }), { maxLength: 6 }),
        fc.infiniteStream(fc.nat()),
        // Sequence numbers that begin anew in the middle, too.
        fc.constantFrom(0, 4_294_967_200),
        fc.boolean(),
        (cuts, order, first, six) => {
          const bounds = [0, ...cuts.toSorted((a, b) => a - b), all.length];
          const parts = bounds.slice(1).map((end, at) => {
            const from = bounds[at] ?? 0;
            return packet(all.slice(from, end), { sequence: (first + 1 + from) >>> 0, six });
          });
          const shuffled = [...parts, ...parts].toSorted(() => (order.next().value % 2) - 0.5);
          const streams = createStreams();
          streams.take(packet(new Uint8Array(), { sequence: first, flags: SYN, six }));
          for (const one of shuffled) streams.take(one);
          const heard = streams.drain();
          expect(lengths(heard)).toEqual([49, 75, 26]);
          expect(heard[0]?.from).toBe(six ? "fd99::3" : "10.99.0.3");
          expect(streams.drain()).toEqual([]);
        },
      ),
    );
  });

  test("that is joined in its middle begins with the next message", () => {
    const streams = createStreams();
    const all = joined(update(30, 1), update(56, 2));
    streams.take(packet(all.slice(10), { sequence: 5000 }));
    expect(lengths(streams.drain())).toEqual([75]);
  });

  test("is kept as it came where it is no message, and nothing behind that", () => {
    const streams = createStreams();
    streams.take(packet(new Uint8Array(), { sequence: 0, flags: SYN }));
    const lie = message(TYPE.update, [1, 2, 3], 5000);
    streams.take(packet(joined(lie, update(9, 1)), { sequence: 1 }));
    streams.take(packet(update(9, 1), { sequence: 51 }));
    const heard = streams.drain();
    expect(lengths(heard)).toEqual([50]);
    expect([...(heard[0]?.octets.slice(16, 18) ?? [])]).toEqual([0x13, 0x88]);
    streams.take(packet(new Uint8Array(), { sequence: 900, flags: SYN }));
    streams.take(packet(update(9, 1), { sequence: 901 }));
    expect(lengths(streams.drain())).toEqual([28]);
  });

  test("no octets throw, whatever they are", () => {
    const streams = createStreams();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (octets, isTcp) => {
        streams.take(isTcp ? packet(octets, { sequence: octets.length }) : octets);
      }),
    );
    expect(streams.drain().length).toBeLessThan(5000);
  });
});

describe("a crash", () => {
  const from = address("10.99.0.3");
  const heard = (...all: readonly Uint8Array[]): readonly Heard[] =>
    all.map((octets) => ({ from, octets }));

  test("names the length of the message that was read, which tells it from what came behind", () => {
    const crash = crashIn(PANIC);
    expect(crash).toEqual({
      panic: "panic: runtime error: slice bounds out of range [20:19]",
      bodyLength: 56,
    });
    const found = messageOf(crash, heard(update(56, 7), update(9, 1)));
    expect(found).toMatchObject({ from, certain: true });
    expect(found?.octets).toBe(Buffer.from(update(56, 7)).toString("hex"));
  });

  test("of several of that length the newest is the likeliest, and without a length the last that came", () => {
    const two = heard(update(56, 1), update(56, 2), update(9, 1));
    expect(messageOf(crashIn(PANIC), two)).toMatchObject({
      certain: false,
      octets: Buffer.from(update(56, 2)).toString("hex"),
    });
    expect(messageOf(crashIn("fatal error: all goroutines are asleep"), two)).toMatchObject({
      certain: false,
      octets: Buffer.from(update(9, 1)).toString("hex"),
    });
    expect(messageOf(crashIn(PANIC), heard(update(9, 1)))).toBeUndefined();
    expect(messageOf(crashIn(""), two)).toBeUndefined();
  });
});

describe("gobgpd as a program", () => {
  const gone = new BackendError("SPEAKER_UNREACHABLE", "gobgpd cannot be reached");
  function watched(isChild: boolean) {
    const facts: DaemonFact[] = [];
    const watch = createDaemonWatch({
      clock: virtualClock(),
      problem: () => undefined,
      isChild: () => isChild,
      heard: () => [{ from: address("10.99.0.3"), octets: update(56, 7) }],
      isOurs: isChild,
    });
    watch.watch((fact) => facts.push(fact));
    return { watch, facts: () => facts.map(({ state, reason }) => `${state}: ${reason}`) };
  }
  const CRASH =
    "gobgpd ended with status 2: panic: runtime error: slice bounds out of range [20:19], over a message of 10.99.0.3";

  test("that is our child ends once, whoever sees it first, and says of the one before why it ended", () => {
    const { watch, facts } = watched(true);
    watch.up();
    watch.down(gone);
    expect(watch.exited("gobgpd ended with status 2", PANIC)).toBe(CRASH);
    watch.down(gone);
    watch.up();
    expect(facts()).toEqual(["up: ", `ended: ${CRASH}`, "up: "]);
    expect(watch.all()).toMatchObject([{ daemon: "gobgpd", state: "up", reason: CRASH, fix: "" }]);
  });

  test("that is somebody else's ends or hangs as far as its answers tell", () => {
    const { watch, facts } = watched(false);
    watch.up();
    watch.down(new BackendError("SPEAKER_TIMEOUT", "gobgpd does not answer"));
    watch.down(gone);
    expect(facts()).toEqual([
      "up: ",
      "hung: gobgpd does not answer",
      "ended: gobgpd cannot be reached",
    ]);
    expect(watch.all()).toMatchObject([{ state: "ended", fix: expect.stringMatching(/^start/) }]);
  });

  test("that the agent may not speak to: a drop-in mends it", () => {
    const { watch } = watched(false);
    watch.down(new BackendError("SPEAKER_UNREACHABLE", "connect EACCES /run/gobgp/gobgpd.sock"));
    expect(watch.all()).toMatchObject([
      { state: "ended", fix: expect.stringContaining("/usr/share/rutter/gobgpd.conf") },
    ]);
    expect(watch.all()[0]?.fix).toContain("is not the agent's to open");
  });
});
