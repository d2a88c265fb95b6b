/**
 * Messages on the way: acknowledged in order, whatever the order in which acknowledgements come.
 */
import { expect, test } from "vitest";
import { type Cursor, flight } from "../../agent/report/flight.ts";

const LIMITS = { messages: 3, octets: 100 };
const cursor = (): Cursor => ({ confirmed: 0, sequence: 0 });

function sending() {
  const way = flight(LIMITS);
  const at = cursor();
  const acknowledgements = [1, 2, 3].map((seq) => {
    const one = Promise.withResolvers<{ sequence: number }>();
    way.send(at, seq, 10, () => one.promise);
    return one;
  });
  return { way, at, acknowledgements };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a later acknowledgement says nothing of an earlier message", async () => {
  const { way, at, acknowledgements } = sending();
  acknowledgements[1]?.resolve({ sequence: 12 });
  acknowledgements[2]?.resolve({ sequence: 13 });
  await settled();
  expect(at).toEqual({ confirmed: 0, sequence: 0 });
  expect(way.hasLanded()).toBe(true);
  acknowledgements[0]?.resolve({ sequence: 11 });
  await way.landed();
  expect(at).toEqual({ confirmed: 3, sequence: 13 });
});

test("behind a message that failed nothing is acknowledged, and everybody hears of it", async () => {
  const { way, at, acknowledgements } = sending();
  acknowledgements[0]?.resolve({ sequence: 11 });
  acknowledgements[1]?.reject(new Error("no leader"));
  acknowledgements[2]?.resolve({ sequence: 13 });
  await expect(way.landed()).rejects.toThrow("no leader");
  await expect(way.room(1)).rejects.toThrow("no leader");
  await way.over();
  expect(at).toEqual({ confirmed: 1, sequence: 11 });
});

test("there is room again when the first has landed", async () => {
  const { way, acknowledgements } = sending();
  let hasRoom = false;
  const room = way.room(10).then(() => (hasRoom = true));
  await settled();
  expect(hasRoom).toBe(false);
  acknowledgements[0]?.resolve({ sequence: 11 });
  await room;
  expect(hasRoom).toBe(true);
});

test("a message that is larger than all room goes alone", async () => {
  const way = flight(LIMITS);
  const sent = Promise.withResolvers<{ sequence: number }>();
  await way.room(1000);
  way.send(cursor(), 1, 1000, () => sent.promise);
  let hasRoom = false;
  const room = way.room(1).then(() => (hasRoom = true));
  await settled();
  expect(hasRoom).toBe(false);
  sent.resolve({ sequence: 1 });
  await room;
  expect(hasRoom).toBe(true);
});
