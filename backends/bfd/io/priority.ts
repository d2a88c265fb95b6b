/**
 * Real-time scheduling for the loop's thread, where the host permits it.
 *
 * Measured beside two busy loops at 10 ms: under SCHED_FIFO the p99.9 of our own send interval was 10.3 ms, without it 14.2
 * (design §7). The kernel keeps 5 % of each second for others, so a loop that ran wild would not take the host with it.
 */
import { calls, failure } from "../../os/libc.ts";

const SCHED_FIFO = 1;
/** Above everything that is not real-time; below the kernel's own threads. */
const PRIORITY = 20;

/** Why it is not to be had; empty where it is set. */
export function realTimePriority(): string {
  const parameters = new Uint8Array(new Int32Array([PRIORITY]).buffer);
  if ((calls.sched_setscheduler(0, SCHED_FIFO, parameters) as number) === 0) return "";
  return `real-time scheduling is refused (${failure()}): give the process CAP_SYS_NICE`;
}
