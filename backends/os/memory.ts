/**
 * Memory that a process needed once and holds on to: how V8, malloc and the mapped program are told to let go of it.
 *
 * Nothing that is in use is lost, only time: a collection holds the thread up (40 ms for 20 MB of objects [measured]), the rest
 * some 5 ms. Who calls this says when nobody waits. Reads next: ../../agent/rest.ts (the agent), ../../agent/serve-bfd.ts.
 */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { calls, check } from "./libc.ts";

const MADV_DONTNEED = 4;

/**
 * A full collection of this thread's heap. V8 hands the pages that become free to the kernel some 8 seconds later, and collects
 * twice more by then, in small steps.
 */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  try {
    // Of a context of its own, which is garbage afterwards: this program's globals stay as they are.
    const collect: NodeJS.GCFunction = runInNewContext("gc");
    collect({ type: "major", execution: "sync" });
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}

/** What was freed in malloc's arenas goes back to the kernel: most of it is what threads compiled and parsed in. */
export function returnFreed(): void {
  calls.malloc_trim(0);
}

/**
 * Unmaps the pages of programs and libraries. Those that are used come back from the page cache, a microsecond for 64 KB; those
 * that only the start needed do not. They stay in the page cache, where nobody's mapping now keeps the kernel from taking them.
 */
export function unmapProgram(): void {
  for (const { address, octets } of programPages(readFileSync("/proc/self/smaps", "utf8"))) {
    check(calls.madvise(address, octets, MADV_DONTNEED) as number, "madvise");
  }
}

export type Pages = { readonly address: bigint; readonly octets: number };

/**
 * Of /proc/PID/smaps (proc(5)): mappings of files that this process can't write and has not changed, so that what is unmapped
 * is the file's own. One with pages of its own (relocated data, a debugger's break points) is not among them.
 */
export function programPages(smaps: string): readonly Pages[] {
  return smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((mapping) => {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +\//.exec(mapping) ?? [];
    if (from === undefined || !/^Anonymous: +0 kB$/m.test(mapping)) return [];
    const address = BigInt(`0x${from}`);
    return [{ address, octets: Number(BigInt(`0x${to}`) - address) }];
  });
}

/** Octets that are this process' alone and no file's: what it costs the host whatever else runs (RssAnon of proc(5)). */
export function ownOctets(): number {
  const [, kibibytes] =
    /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kibibytes ?? 0) * 1024;
}
