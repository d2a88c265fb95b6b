/**
 * The native speaker at rest: it looks each second for what time alone settles, and rarely once nothing waits for that.
 * Method: the real speaker without listeners on a virtual clock; the timers that it sets are counted.
 */
import { afterEach, expect, test } from "vitest";
import { createNativeBackend, type NativeBackend } from "../../backends/native/native-backend.ts";
import { intentOf, never } from "../live/gobgpd.ts";
import { virtualClock } from "../virtual-clock.ts";
import { neighborOf } from "./neighbors.ts";

let open: NativeBackend | undefined;
afterEach(() => open?.close("graceful"));

function stage() {
  const clock = virtualClock();
  const set: number[] = [];
  const quiet = (): void => undefined;
  open = createNativeBackend({
    clock: {
      ...clock,
      after(millis, act) {
        set.push(millis);
        return clock.after(millis, act);
      },
    },
    logger: { info: quiet, warn: quiet, error: quiet },
    reveal: () => undefined,
    restart: { restarting: false, forwardingPreserved: false },
    listen: [],
    addresses: () => [],
  });
  /** Looks in that many seconds, each by the pause before the next one. */
  const looks = async (seconds: number): Promise<readonly number[]> => {
    set.length = 0;
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1000);
      // What is complete is told in a turn of its own.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return set.filter((one) => one === 1000 || one === 10_000);
  };
  return { backend: open, looks };
}

test("without a neighbour it looks every ten seconds, and soon again after an apply", async () => {
  const { backend, looks } = stage();
  await backend.apply(intentOf({ neighbors: [] }), never());
  await looks(3);
  expect(await looks(60)).toEqual([10_000, 10_000, 10_000, 10_000, 10_000, 10_000]);
  await backend.apply(intentOf({ localAs: 64513, neighbors: [] }), never());
  expect(await looks(1)).toEqual([10_000]);
});

test("while a neighbour may still say its routes, it looks each second", async () => {
  const { backend, looks } = stage();
  // Refused for its secret, so that no socket is opened.
  const secret = { name: "missing", version: "1", digest: "" };
  const neighbor = neighborOf({ authentication: { type: "tcp-md5", secret } });
  await backend.apply(intentOf({ neighbors: [neighbor] }), never());
  expect(new Set(await looks(60))).toEqual(new Set([1000]));
  await looks(70);
  expect(await looks(30)).toEqual([10_000, 10_000, 10_000]);
});
