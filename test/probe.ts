/**
 * Tests that are skipped, with the reason printed, where this machine cannot run them.
 *
 *     beforeEach(skipUnless("netns", "frr"));                        a file or a group
 *     test("…", (context) => { skipUnless("frr")(context); … });     one test
 *     describe.skipIf(cannot("shared-wire"))("…", …)                 where the group reads files while it is collected
 *
 * A test that cannot run must not pass and must not vanish: it skips in one of these ways, stands in expected-skips.txt
 * beside its probe, and skips.test-reporter.ts fails the run on any other skip and on one whose probe passes after all.
 * Read next: probes.ts, expected-skips.txt.
 */
import type { TestContext } from "vitest";
import { lacking, type ProbeName } from "./probes.ts";

export { SHARED } from "./probes.ts";

/** Whether one of the probes fails on this machine. */
export const cannot = (...names: readonly ProbeName[]): boolean =>
  names.some((name) => lacking(name) !== undefined);

/** A hook for `beforeEach`, or called with a test's context: skips the test where one of the probes fails. */
export const skipUnless =
  (...names: readonly ProbeName[]) =>
  (context: Pick<TestContext, "skip">): void => {
    for (const name of names) {
      const reason = lacking(name);
      if (reason !== undefined) context.skip(`${name}: ${reason}`);
    }
  };
