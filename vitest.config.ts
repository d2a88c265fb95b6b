/**
 * How the tests run: two tiers, the quick ones first.
 *
 * Live tests (`*.live.test.ts`) start routers in namespaces and mostly wait, so they come after the others and two files
 * at a time, whatever the machine has. `vitest run --project live` and `--project spec` run one tier alone.
 * Read next: test/probe.ts, test/skips.test-reporter.ts.
 */
import { join } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { skipsReporter } from "./test/skips.test-reporter.ts";

// Of the hundreds of programs that a run starts none strips and compiles what another one has: agent/main.ts has the same folder.
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/rutter");

/** Small files that take minutes: begun last they would run alone. A clean checkout knows no times of earlier runs to go by. */
const isLong = ({ moduleId }: TestSpecification): boolean => moduleId.includes("/test/vm/");

class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => Number(isLong(b)) - Number(isLong(a)));
  }
}

const live = "test/**/*.live.test.ts";

export default defineConfig({
  test: {
    // A forgotten `.only` must not turn the rest of its file off.
    allowOnly: false,
    reporters: ["default", skipsReporter()],
    sequence: { sequencer: LongFilesFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "spec",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, live],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          // Not 0: where the machine has one worker for it, vitest puts that group behind all others.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "live",
          include: [live],
          // Alone most take seconds; beside other work ten times as long.
          testTimeout: 300_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
