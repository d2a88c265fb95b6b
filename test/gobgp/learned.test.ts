/**
 * When gobgpd's table counts as whole: the kernel takes what an earlier run left there away as soon as that is said.
 * Method: a gobgpd whose table is empty, on a clock that the test turns.
 */
import { expect, test } from "vitest";
import type { BestPaths } from "../../backends/best-paths.ts";
import type { GobgpClient } from "../../backends/gobgp/io/client.ts";
import { createLearned } from "../../backends/gobgp/learned.ts";
import { virtualClock } from "../virtual-clock.ts";
import { THREE } from "./world.ts";

/** Has no path of anybody. */
const emptyTable: Pick<GobgpClient, "dialect" | "walk"> = {
  dialect: () => Promise.resolve(THREE),
  // oxlint-disable-next-line require-yield
  async *walk() {
    await Promise.resolve();
  },
};

test("a gobgpd that answers before anything was planned has not said all, whatever time goes by", async () => {
  const clock = virtualClock();
  let isPlanned = false;
  const learned = createLearned({
    client: emptyTable as GobgpClient,
    clock,
    sourceOf: () => undefined,
    neighbors: () => [],
    isPlanned: () => isPlanned,
    onFailure: (error) => expect.fail(error.message),
  });
  const told: BestPaths["type"][] = [];
  learned.listen(({ type }) => told.push(type));
  const turns = async () => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    clock.advance(1000);
  };
  learned.resync();
  for (let second = 0; second < 5; second += 1) await turns();
  expect(told).toEqual([]);
  isPlanned = true;
  await turns();
  expect(told).toEqual(["complete", "complete"]);
  learned.close();
});
