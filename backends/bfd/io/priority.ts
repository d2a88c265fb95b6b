/**
 * Real-time scheduling for the loop's thread, where the host permits it, and no other thread that it would have to wait for.
 *
 * Measured beside two busy loops at 10 ms: under SCHED_FIFO the p99.9 of our own send interval was 10.3 ms, without it 14.2
 * (design §7). The kernel keeps 5 % of each second for others, so a loop that ran wild would not take the host with it.
 *
 * A garbage collection waits for V8's helper threads, which collect and compile at normal priority, behind whatever keeps the
 * host busy: with 100 sessions at 10 ms beside two busy loops the longest took 107 ms, and without helpers less than 1 ms.
 * Real-time helpers are no way out: below the loop they get no turn while it takes a whole core, not compiled yet.
 */
import { calls, failure } from "../../os/libc.ts";

const SCHED_FIFO = 1;
/** Above everything that is not real-time; below the kernel's own threads. */
const PRIORITY = 20;

const NO_HELPERS = "--single-threaded";

/** V8 takes the flag at its start only, so the program is executed anew with it: the same process, with the same arguments. */
export function withoutHelpers(): void {
  const { execArgv, execPath, argv } = process;
  if (execArgv.includes(NO_HELPERS)) return;
  process.execve?.(execPath, [execPath, NO_HELPERS, ...execArgv, ...argv.slice(1)], process.env);
}

/** Why it is not to be had; empty where it is set, by the unit or here. */
export function realTimePriority(): string {
  if (calls.sched_getscheduler(0) === SCHED_FIFO) return "";
  const parameters = new Uint8Array(new Int32Array([PRIORITY]).buffer);
  if ((calls.sched_setscheduler(0, SCHED_FIFO, parameters) as number) === 0) return "";
  return `real-time scheduling is refused (${failure()}): give the process CAP_SYS_NICE`;
}
