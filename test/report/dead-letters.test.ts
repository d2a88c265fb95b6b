/**
 * Dead letters: a flood is counted, and what a message held does not leave the host.
 */
import { expect, test } from "vitest";
import { beginningOf, letterbox } from "../../agent/report/dead-letters.ts";

const letter = (what: string) => ({
  what,
  reason: "",
  octets: 0,
  digest: "",
  beginning: undefined,
});

test("a few are told one by one", () => {
  const letters = letterbox();
  expect(letters.put(letter("1"), 0)).toBe(true);
  expect(letters.put(letter("2"), 1)).toBe(true);
  expect(letters.take(2)).toEqual({ letter: letter("1"), leftOut: 0 });
  expect(letters.take(2)).toEqual({ letter: letter("2"), leftOut: 0 });
  expect(letters.take(2)).toBeUndefined();
});

test("a flood is counted, and the count is told with the next one", () => {
  const letters = letterbox();
  for (let index = 0; index < 1000; index += 1) letters.put(letter(`${index}`), 0);
  expect(letters.leftOut()).toBe(980);
  expect(letters.take(0)).toEqual({ letter: letter("0"), leftOut: 980 });
  const rest = Array.from({ length: 19 }, () => letters.take(0)?.leftOut);
  expect(rest).toEqual(Array.from({ length: 19 }, () => 0));
  expect(letters.put(letter("later"), 4999)).toBe(false);
  expect(letters.put(letter("later"), 5001)).toBe(true);
});

test("a count is told also where nothing follows the flood", () => {
  const letters = letterbox();
  for (let index = 0; index < 25; index += 1) letters.put(letter(`${index}`), 0);
  for (let index = 0; index < 20; index += 1) letters.take(0);
  letters.put(letter("too many"), 100);
  expect(letters.take(100)).toBeUndefined();
  expect(letters.take(5100)).toEqual({ letter: undefined, leftOut: 1 });
});

test("what could not be sent is told later, the count too", () => {
  const letters = letterbox();
  for (let index = 0; index < 22; index += 1) letters.put(letter(`${index}`), 0);
  const taken = letters.take(0);
  expect(taken).toEqual({ letter: letter("0"), leftOut: 2 });
  letters.back(taken ?? { letter: undefined, leftOut: 0 });
  expect(letters.take(0)).toEqual({ letter: letter("0"), leftOut: 2 });
});

test("the beginning of a message shows no password and no key", () => {
  const shown = (text: string) => beginningOf(new TextEncoder().encode(text));
  expect(shown('{"stringData":{"password":"hunter2-hunter2"},"kind":"Secret"}')).not.toContain(
    "hunter2",
  );
  expect(shown("{}")).toBe("{}");
  expect(shown("x".repeat(5000))?.length).toBe(200);
});

test("what is no text has no beginning; text that is cut within a character has one", () => {
  expect(beginningOf(Uint8Array.of(0x1f, 0x8b, 0xff))).toBeUndefined();
  expect(beginningOf(new TextEncoder().encode("ü".repeat(20_000)))).toMatch(/^ü{200}$/);
});
