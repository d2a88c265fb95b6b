/**
 * Judges skipped tests against expected-skips.txt: which were expected, with what reason, and which are faults.
 *
 * Pure: the list's text and the probes' answers come in, verdicts go out.
 * Read next: skips.test-reporter.ts, which feeds it.
 */

export type Expectation = { readonly pattern: RegExp; readonly probe: string };

export type Verdict =
  | { readonly type: "expected"; readonly probe: string; readonly reason: string }
  | { readonly type: "fault"; readonly reason: string };

const asPattern = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")}$`, "s");

/** Reads the list. Throws on a line that is neither empty, a comment, nor `pattern<TAB>probe`. */
export function parseExpectations(text: string): Expectation[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const [pattern, probe, ...rest] = line.split("\t");
    if (pattern === undefined || probe === undefined || rest.length > 0) {
      throw new Error(`expected-skips.txt: not "pattern<TAB>probe": ${line}`);
    }
    return { pattern: asPattern(pattern), probe };
  });
}

/**
 * `lacking` gives the reason why a probe fails on this machine, or undefined where it passes. `named` is the probe that
 * the test itself gave as its reason, where it did: then only that one is asked.
 */
export function judgeSkip(
  test: string,
  expectations: readonly Expectation[],
  lacking: (probe: string) => string | undefined,
  named?: string,
): Verdict {
  const matching = expectations.filter(
    ({ pattern, probe }) => pattern.test(test) && (named === undefined || named === probe),
  );
  if (matching.length === 0) {
    return { type: "fault", reason: "no line of expected-skips.txt allows this skip" };
  }
  for (const { probe } of matching) {
    const reason = lacking(probe);
    if (reason !== undefined) return { type: "expected", probe, reason };
  }
  const names = matching.map(({ probe }) => probe).join(", ");
  return { type: "fault", reason: `could have run here: passed are the probes ${names}` };
}
