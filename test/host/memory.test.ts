/**
 * Memory given back: when the agent is at rest, what is let go of, and what must stay.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { giveBackAtRest } from "../../agent/rest.ts";
import { collectGarbage, ownOctets, programPages, unmapProgram } from "../../backends/os/memory.ts";
import { virtualClock } from "../virtual-clock.ts";

const MEBI = 1024 * 1024;

/** An agent that uses `share` of a core, and what it was told to do, with the second in which that was. */
function agentAt(first: { readonly share: number; readonly heap?: number; readonly own?: number }) {
  const clock = virtualClock();
  const now = { heap: 20 * MEBI, own: 80 * MEBI, refuses: false, ...first };
  const done: string[] = [];
  const warned: string[] = [];
  const did = (what: string): void => {
    done.push(`${what} at ${clock.monotonicMillis() / 1000}`);
  };
  let [busy, since] = [0, 0];
  const logger = {
    info() {},
    warn: (_: object, text: string) => void warned.push(text),
    error() {},
  };
  const stop = giveBackAtRest(
    { clock, logger },
    {
      heapOctets: () => now.heap,
      ownOctets: () => now.own,
      busyMillis() {
        busy += now.share * (clock.monotonicMillis() - since);
        since = clock.monotonicMillis();
        return busy;
      },
      collect: () => did("collect"),
      giveBack() {
        if (now.refuses) throw new Error("madvise: EPERM");
        did("give back");
      },
    },
  );
  return { clock, now, done, warned, stop };
}

describe("at rest", () => {
  test("collects once the start is over, and gives back what that set free", () => {
    const { clock, done } = agentAt({ share: 0.001 });
    clock.advance(3_600_000);
    expect(done).toEqual(["collect at 10", "give back at 20"]);
  });

  test("waits for as long as there is work", () => {
    const { clock, now, done } = agentAt({ share: 0.5 });
    clock.advance(30_000);
    expect(done).toEqual([]);
    now.share = 0.001;
    clock.advance(20_000);
    expect(done).toEqual(["collect at 40", "give back at 50"]);
  });

  test("does it again after work that needed much more, and not for a little more", () => {
    const { clock, now, done } = agentAt({ share: 0.001 });
    clock.advance(20_000);
    now.own += 15 * MEBI;
    clock.advance(600_000);
    expect(done).toHaveLength(2);
    now.own += 2 * MEBI;
    clock.advance(600_000);
    expect(done.slice(2)).toEqual(["collect at 680", "give back at 690"]);
  });

  test("collects no heap whose collection would be felt", () => {
    const { clock, done } = agentAt({ share: 0.001, heap: 65 * MEBI });
    clock.advance(60_000);
    expect(done).toEqual(["give back at 20"]);
  });

  test("goes on where the kernel refuses, and says so once", () => {
    const { clock, now, warned } = agentAt({ share: 0.001 });
    now.refuses = true;
    clock.advance(600_000);
    expect(warned).toEqual(["memory could not be given back"]);
  });

  test("ends when it is told to, also between the two steps", () => {
    const { clock, done, stop } = agentAt({ share: 0.001 });
    clock.advance(15_000);
    stop();
    clock.advance(60_000);
    expect(done).toEqual(["collect at 10"]);
    expect(clock.pending()).toBe(0);
  });
});

const mapping = (head: string, anonymous: number): string =>
  `${head}\nSize: 8 kB\nAnonymous: ${anonymous} kB\nVmFlags: rd mr mw me\n`;

test("only a file's pages are unmapped that nobody can write and nobody has changed", () => {
  const smaps = [
    mapping("00400000-00402000 r--p 00000000 fe:00 12                /usr/lib/rutter/node", 0),
    mapping("00500000-00504000 r-xp 00100000 fe:00 12                /usr/lib/rutter/node", 0),
    mapping("00600000-00602000 r--p 00200000 fe:00 12                /usr/lib/rutter/node", 8),
    mapping("00700000-00702000 rw-p 00300000 fe:00 12                /usr/lib/rutter/node", 0),
    mapping(
      "7f0000000000-7f0000002000 rw-s 00000000 fe:00 9         /var/lib/rutter/log.db-shm",
      0,
    ),
    mapping("7f0000010000-7f0000012000 r--s 00000000 fe:00 9         /usr/lib/gconv/cache", 0),
    mapping("7f0000020000-7f0000022000 r--p 00000000 00:00 0 ", 0),
    mapping("7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0         [vdso]", 0),
  ].join("");
  expect(programPages(smaps)).toEqual([
    { address: 0x400000n, octets: 0x2000 },
    { address: 0x500000n, octets: 0x4000 },
  ]);
});

describe("this process", () => {
  /** Pages of files that are mapped, of /proc/self/statm. */
  const filePages = (): number => Number(readFileSync("/proc/self/statm", "utf8").split(" ")[2]);

  test("has fewer pages of its program afterwards, and goes on", () => {
    const before = filePages();
    unmapProgram();
    expect(filePages()).toBeLessThan(before);
    expect(JSON.parse(JSON.stringify({ still: "here" }))).toEqual({ still: "here" });
  });

  test("loses what nobody holds, and keeps its globals", async () => {
    const names = Object.getOwnPropertyNames(globalThis);
    const reference = new WeakRef({ held: "by nobody" });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    collectGarbage();
    expect(reference.deref()).toBeUndefined();
    expect(Object.getOwnPropertyNames(globalThis)).toEqual(names);
  });

  test("counts what is its own", () => {
    const before = ownOctets();
    const filled = Buffer.alloc(64 * MEBI, 1);
    expect(ownOctets() - before).toBeGreaterThan(32 * MEBI);
    expect(filled.at(-1)).toBe(1);
  });
});
