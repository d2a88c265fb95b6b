/**
 * Reading a bucket to its end, also where the server counts what is gone.
 */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FleetConnection, Reading } from "../../agent/fleet/io/connection.ts";
import { readKeys } from "../../agent/fleet/io/to-end.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Says that there are `counted`, sends the messages with what is pending behind each, and then waits for the end. */
const server = (
  counted: number,
  sent: readonly (readonly [key: string, pending: number])[],
): Pick<FleetConnection, "read"> => ({
  async read(reading: Reading, signal) {
    reading.onStart?.(counted);
    for (const [key, pending] of sent) {
      const message = { subject: `$KV.b.${key}`, headers: {}, body: new Uint8Array(0) };
      const storedAt = "2026-11-21T12:00:00Z";
      await reading.onMessage({ ...message, sequence: 1, pending, storedAt });
    }
    if (signal.aborted) return;
    await new Promise((resolve) => {
      signal.addEventListener("abort", resolve);
    });
  },
});
const keysOf = async (from: Pick<FleetConnection, "read">): Promise<string[]> => {
  const keys = readKeys(from, { bucket: "b", consumer: "c", filter: "*" });
  await vi.advanceTimersByTimeAsync(3001);
  return [...(await keys).keys()];
};

test("ends with the last message, and at once where there is none", async () => {
  expect(
    await keysOf(
      server(2, [
        ["x", 1],
        ["y", 0],
      ]),
    ),
  ).toEqual(["x", "y"]);
  expect(await keysOf(server(0, []))).toEqual([]);
});

test("ends where a key was written anew meanwhile and is counted twice", async () => {
  const reading = readKeys(server(1, [["x", 1]]), { bucket: "b", consumer: "c", filter: "*" });
  expect([...(await reading).keys()]).toEqual(["x"]);
});

test("ends where what was counted is gone", async () => {
  expect(await keysOf(server(3, [["x", 2]]))).toEqual(["x"]);
});
