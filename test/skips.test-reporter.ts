/**
 * Vitest's reporter of what was not run, and of the last line of a run: `N passed, N failed, N skipped`.
 *
 * A skip that nobody expected is a failure: otherwise a suite can go green by running nothing. A run that was narrowed
 * by hand (`-t`) is not judged.
 * Read next: skips.ts (the judgement), expected-skips.txt.
 */
import { readFileSync, writeSync } from "node:fs";
import { join, relative } from "node:path";
import type { SerializedError } from "vitest";
import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node";
import { isProbe, lacking } from "./probes.ts";
import { judgeSkip, parseExpectations } from "./skips.ts";

type Counts = { passed: number; failed: number; skipped: number };

const reasonOf = (probe: string): string | undefined =>
  isProbe(probe) ? lacking(probe) : undefined;

const titleOf = (test: TestCase): string =>
  `${relative(process.cwd(), test.module.moduleId)} > ${test.fullName}`;

/** skipUnless notes `probe: reason`. */
function namedBy(test: TestCase): string | undefined {
  const result = test.result();
  return result.state === "skipped" ? result.note?.split(":")[0] : undefined;
}

function judge(skipped: readonly TestCase[], print: (line: string) => void): number {
  const list = readFileSync(join(import.meta.dirname, "expected-skips.txt"), "utf8");
  const expectations = parseExpectations(list);
  const unknown = expectations.filter(({ probe }) => !isProbe(probe));
  for (const { probe } of unknown) print(`expected-skips.txt names no probe: ${probe}`);
  let faults = unknown.length;
  for (const test of skipped) {
    const title = titleOf(test);
    const verdict = judgeSkip(title, expectations, reasonOf, namedBy(test));
    if (verdict.type === "fault") faults += 1;
    print(
      verdict.type === "expected"
        ? `skipped: ${title}: ${verdict.probe}: ${verdict.reason}`
        : `skipped without leave: ${title}: ${verdict.reason}`,
    );
  }
  return faults;
}

/** Errors outside tests (a file that does not load, a rejection nobody awaited) fail a run, so they are counted. */
const moduleFaults = (modules: readonly TestModule[]): number =>
  modules.reduce((sum, module) => {
    const suites = [...module.children.allSuites()];
    return sum + module.errors().length + suites.reduce((n, suite) => n + suite.errors().length, 0);
  }, 0);

export function skipsReporter(): Reporter {
  let narrowed = false;
  return {
    onInit(vitest: Vitest) {
      narrowed = vitest.config.testNamePattern !== undefined;
    },
    onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]) {
      const counts: Counts = {
        passed: 0,
        failed: moduleFaults(modules) + errors.length,
        skipped: 0,
      };
      const tests = modules.flatMap((module) => [...module.children.allTests()]);
      const skipped = tests.filter((test) => test.result().state === "skipped");
      for (const test of tests) {
        const { state } = test.result();
        if (state !== "pending") counts[state] += 1;
      }
      const faults = narrowed ? 0 : judge(skipped, (line) => console.log(line));
      counts.failed += faults;
      counts.skipped -= faults;
      if (faults > 0) process.exitCode = 1;
      // At the very end, after what vitest and its workers still have to say.
      process.once("exit", () => {
        writeSync(
          1,
          `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
        );
      });
    },
  };
}
