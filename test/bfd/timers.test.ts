/**
 * How fast the BFD engine speaks, and when it misses somebody (RFC 5880 §6.5–6.8), in virtual time.
 */
import { describe, expect, test } from "vitest";
import { makeLink, parametersOf, type Sent, TIMING } from "./link.ts";
import { datagramOf, packetOf, status, upLink, withFlag, withOctet, withWord } from "./packets.ts";

describe("timers", () => {
  test("while not Up no more than a packet a second is asked for (§6.8.3)", () => {
    const link = makeLink();
    link.ends[0].engine.hold([parametersOf(0)], 0);
    link.run(10_000);
    expect(link.ends[0].sent.length).toBeLessThanOrEqual(14);
    expect(link.ends[0].sent.map(packetOf).every((one) => one.desiredMinTxMicros >= 1e6)).toBe(
      true,
    );
  });
  test("jitter keeps the interval between 75 and 90 % (§6.8.7)", () => {
    let i = 0;
    const link = upLink([{}, {}], () => ((i += 1) % 100) / 100);
    const from = link.ends[0].sent.length;
    link.run(30_000);
    const times = link.ends[0].sent.slice(from).map(({ atMicros }) => atMicros);
    const gaps = times.slice(1).map((at, n) => at - (times[n] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(225_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(270_000);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(30_000);
  });
  test("the slower of what one sends and the other takes counts (§6.8.2, §6.8.4)", () => {
    const link = upLink([
      { transmitIntervalMillis: 100, receiveIntervalMillis: 50, detectMultiplier: 5 },
      { transmitIntervalMillis: 200, receiveIntervalMillis: 400, detectMultiplier: 3 },
    ]);
    expect(status(link.ends[0])).toMatchObject({
      transmitIntervalMicros: 400_000,
      detectionTimeMicros: 600_000,
    });
    expect(status(link.ends[1])).toMatchObject({
      transmitIntervalMicros: 200_000,
      detectionTimeMicros: 2_000_000,
    });
  });
  test("a change is polled for, a laxer one counts only after Final, and nothing flaps (§6.5, §6.8.3)", () => {
    const link = upLink();
    const before = link.ends.map((end) => end.transitions.length);
    link.lose((from) => from === 1);
    const slower = { ...TIMING, transmitIntervalMillis: 500, receiveIntervalMillis: 200 };
    link.ends[0].engine.hold([parametersOf(0, { timing: slower })], link.now());
    link.run(300);
    expect(packetOf(link.ends[0].sent.at(-1) as Sent)).toMatchObject({
      poll: true,
      desiredMinTxMicros: 500_000,
    });
    expect(status(link.ends[0])).toMatchObject({
      transmitIntervalMicros: 300_000,
      detectionTimeMicros: 900_000,
    });
    link.lose(() => false);
    link.run(2000);
    expect(packetOf(link.ends[0].sent.at(-1) as Sent).poll).toBe(false);
    expect(status(link.ends[0])).toMatchObject({ transmitIntervalMicros: 500_000 });
    expect(link.ends.map((end) => end.transitions.length)).toEqual(before);
  });
  test("a peer that takes nothing is sent nothing, but for answers to its polls (§6.8.7)", () => {
    // Patient, so that it does not take our silence for our end meanwhile.
    const link = upLink([{ detectMultiplier: 20 }, {}]);
    link.alter((datagram, to) => (to === 0 ? withWord(datagram, 16, 0) : datagram));
    link.run(1000);
    const sent = link.ends[0].sent.length;
    link.run(600);
    expect(link.ends[0].sent.length).toBe(sent);
  });
  test("remote demand mode stops periodic packets while both are Up (§6.6)", () => {
    const link = upLink();
    link.alter((datagram, to) => (to === 0 ? withFlag(datagram, 0x02) : datagram));
    link.run(350);
    const sent = link.ends[0].sent.length;
    // Not longer than the Detection Time of the peer, which did not mean it.
    link.run(400);
    expect(link.ends[0].sent.length).toBe(sent);
  });
  test("passive: not a word before the peer's first (§6.1)", () => {
    const link = makeLink();
    link.ends[0].engine.hold([parametersOf(0, { timing: { ...TIMING, passive: true } })], 0);
    link.run(5000);
    expect(link.ends[0].sent).toEqual([]);
    link.ends[1].engine.hold([parametersOf(1)], link.now());
    link.run(5000);
    expect(status(link.ends[0]).state).toBe("Up");
  });
  test("a process that was held up accuses nobody: what arrived meanwhile counts from its arrival", () => {
    const link = upLink();
    const [end] = link.ends;
    const { octets } = link.ends[1].sent.at(-1) as Sent;
    const late = link.now() + 5_000_000;
    end.engine.receive({ ...datagramOf(octets), arrivedMicros: late - 100_000 }, late);
    end.engine.act(late);
    expect(status(end).state).toBe("Up");
    end.engine.act(late + 800_000);
    expect(status(end).state).toBe("Down");
  });
  test("nor while packets still wait to be received: silence is judged up to the last one that was", () => {
    const link = upLink();
    const [end] = link.ends;
    const late = link.now() + 5_000_000;
    end.engine.act(late, link.now());
    expect(status(end).state).toBe("Up");
    expect(end.engine.nextDue()).toBeLessThanOrEqual(late);
    end.engine.act(late, late);
    expect(status(end).state).toBe("Down");
  });
  test("passive: nor a word to who fell silent (§6.8.7)", () => {
    const link = upLink([{ passive: true }, {}]);
    link.lose(() => true);
    link.run(5000);
    expect(status(link.ends[0])).toMatchObject({ state: "Down", remoteDiscriminator: 0 });
    const last = link.ends[0].sent.at(-1) as Sent;
    expect(packetOf(last).state).toBe("Up");
  });
  test("a Final that answers a packet of before the change ends no poll of the change (§6.5)", () => {
    const link = upLink();
    const hold = (transmitIntervalMillis: number) =>
      link.ends[0].engine.hold(
        [parametersOf(0, { timing: { ...TIMING, transmitIntervalMillis } })],
        link.now(),
      );
    hold(500);
    link.lose((from) => from === 1);
    link.run(600);
    hold(5000);
    const { octets } = link.ends[1].sent.at(-1) as Sent;
    const final = withOctet(datagramOf(octets), 1, ((octets[1] ?? 0) & ~0x20) | 0x10);
    link.ends[0].engine.receive({ ...final, arrivedMicros: link.now() }, link.now());
    expect(status(link.ends[0]).transmitIntervalMicros).toBeLessThanOrEqual(500_000);
    link.lose(() => false);
    link.run(8000);
    expect(status(link.ends[0])).toMatchObject({
      state: "Up",
      transmitIntervalMicros: 5_000_000,
    });
  });
});
