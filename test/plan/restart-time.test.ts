/**
 * How long peers are asked to keep our routes over a restart (RFC 4724 §3): the host's configuration says it, for all that ask.
 */
import { expect, test } from "vitest";
import { neighborsIn, peer, planOf, together, world } from "./world.ts";

const peers = together(
  peer("keeps", "10.0.0.1", { enableGracefulRestart: true }),
  peer("forgets", "10.0.0.2"),
);
const asked = (facts: object): unknown => {
  const { keeps, forgets } = neighborsIn(planOf(world(facts, peers)));
  return [keeps?.gracefulRestart, forgets?.gracefulRestart];
};

test("peers with enableGracefulRestart are asked for the host's restart time, others for none", () => {
  expect(asked({ restartTimeSeconds: 300 })).toEqual([{ restartTimeSeconds: 300 }, undefined]);
});

test("facts of before it was one mean 120 s", () => {
  expect(asked({})).toEqual([{ restartTimeSeconds: 120 }, undefined]);
});
