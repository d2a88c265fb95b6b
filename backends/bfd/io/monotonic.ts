/**
 * The clocks of the BFD process: microseconds of CLOCK_MONOTONIC, the same in every process of the host.
 *
 * The wall clock serves one purpose: the age of a packet whose arrival the kernel stamped with it.
 */
import { calls } from "../../os/libc.ts";

export type MonotonicClock = {
  /** CLOCK_MONOTONIC. */
  nowMicros(): number;
  /** CLOCK_REALTIME. */
  wallMicros(): number;
};

const CLOCK_REALTIME = 0;

export function monotonicClock(): MonotonicClock {
  // performance.now() counts CLOCK_MONOTONIC from the start of the process, and makes no garbage.
  const origin = Number(process.hrtime.bigint()) / 1e3 - performance.now() * 1e3;
  const time = new Uint8Array(16);
  const view = new DataView(time.buffer);
  return {
    nowMicros: () => origin + performance.now() * 1e3,
    wallMicros() {
      calls.clock_gettime(CLOCK_REALTIME, time);
      return Number(view.getBigInt64(0, true)) * 1e6 + view.getUint32(8, true) / 1e3;
    },
  };
}
