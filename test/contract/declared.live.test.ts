/** What each backend declares, against what it may lack (capabilities.ts). */
import { beforeEach, expect, test } from "vitest";
import { makeNetwork } from "../live/netns.ts";
import { skipUnless } from "../probe.ts";
import { lacking } from "../probes.ts";
import { KERNEL_DECIDES, MAY_LACK, type Need, NEEDS } from "./capabilities.ts";
import { BACKENDS } from "./speakers.ts";

beforeEach(skipUnless("netns", "frr"));

const isTheKernels = (need: Need): boolean => {
  const probe = KERNEL_DECIDES[need];
  return probe !== undefined && lacking(probe) !== undefined;
};

test.for(BACKENDS)("$name declares nothing missing but what it may lack", async (backend) => {
  await using network = await makeNetwork(["host"]);
  const speaker = await backend.start(network.nodes.host);
  const { has } = speaker.capabilities;
  const beside = speaker.restart !== undefined;
  await speaker.stop();
  const lacks = NEEDS.filter((need) => (need === "own-process" ? !beside : !has.has(need)));
  const excess = lacks.filter(
    (need) => MAY_LACK[backend.name][need] === undefined && !isTheKernels(need),
  );
  expect(excess).toEqual([]);
});
