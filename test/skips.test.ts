/**
 * Which skipped test is forgiven and which fails the run.
 */
import { describe, expect, test } from "vitest";
import { judgeSkip, parseExpectations } from "./skips.ts";

const expectations = parseExpectations(
  "# why\n\n*.live.test.ts > *\tfrr\n*.live.test.ts > *\tnetns\ntest/wire.test.ts > a (b) *\tshared-wire\n",
);
const live = "test/live/a.live.test.ts > peers > come up";

const noNetns = (probe: string) => (probe === "netns" ? "not root" : undefined);
const nothing = () => "absent";

describe("a skipped test", () => {
  test("is expected where a probe beside it fails, and says which", () => {
    expect(judgeSkip(live, expectations, noNetns)).toEqual({
      type: "expected",
      probe: "netns",
      reason: "not root",
    });
  });

  test("is a fault where each probe beside it passes", () => {
    expect(judgeSkip(live, expectations, () => undefined).type).toBe("fault");
  });

  test("that names its probe is judged by that one alone", () => {
    expect(judgeSkip(live, expectations, nothing, "netns")).toMatchObject({ probe: "netns" });
    expect(judgeSkip(live, expectations, nothing, "bird").type).toBe("fault");
    expect(judgeSkip(live, expectations, noNetns, "frr").type).toBe("fault");
  });

  test("is a fault where no line names it, whatever is missing", () => {
    expect(judgeSkip("test/fsm.test.ts > x", expectations, nothing).type).toBe("fault");
    expect(judgeSkip("test/wire.test.ts > a b", expectations, nothing).type).toBe("fault");
    expect(judgeSkip("test/wire.test.ts > a (b) c", expectations, nothing).type).toBe("expected");
  });
});

test("a line of the list without a probe is refused", () => {
  expect(() => parseExpectations("test/a.test.ts > x\n")).toThrow("pattern<TAB>probe");
});
