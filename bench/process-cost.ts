/**
 * What a process costs the machine, as the kernel counts it: processor time of all its threads, and memory.
 *
 * Reads next: idle.ts, bfd-cost.ts.
 */
import { readdirSync, readFileSync } from "node:fs";

export type Memory = {
  readonly residentMib: number;
  /** What is shared with other processes counts in parts. */
  readonly proportionalMib: number;
};

/** Nanoseconds on a processor. /proc/PID/stat counts in hundredths of a second: too coarse for one that rests. */
export function cpuNanos(pid: number): number {
  return perTask(pid, "schedstat").reduce((sum, text) => sum + Number(text.split(" ")[0]), 0);
}

/** How often its threads were put on a processor: each is a wake, or a turn that another process cut off. */
export function turns(pid: number): number {
  return perTask(pid, "schedstat").reduce((sum, text) => sum + Number(text.split(" ")[2]), 0);
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1]) / 1024;
  return { residentMib: mib("Rss"), proportionalMib: mib("Pss") };
}

const perTask = (pid: number, file: string): readonly string[] =>
  readdirSync(`/proc/${pid}/task`).map((task) =>
    readFileSync(`/proc/${pid}/task/${task}/${file}`, "utf8"),
  );
