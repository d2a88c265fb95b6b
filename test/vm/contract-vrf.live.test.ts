/** The contract's scenarios in a VRF, on every backend, under a kernel that has VRFs. Read next: ../contract/vrf.ts. */
import { beforeEach, expect, test } from "vitest";
import { isAsked, PAGE, writeCells } from "../contract/page-file.ts";
import { readPage } from "../contract/page.ts";
import { BACKENDS } from "../contract/speakers.ts";
import { IN_VRF } from "../contract/vrf.ts";
import { skipUnless } from "../probe.ts";
import { runInGuest } from "./guest.ts";

beforeEach(skipUnless("guest", "bird", "frr"));

/** Alone a backend takes some 30 seconds. */
const SECONDS = 60 + 180 * BACKENDS.length;

test("every backend keeps the contract in a VRF", { timeout: 1e3 * (SECONDS + 60) }, async () => {
  const script = [
    "export NO_COLOR=1 RUTTER_CONTRACT_PAGE=1",
    "node node_modules/vitest/vitest.mjs run --project live test/contract/vrf.live.test.ts",
    `cp ${PAGE} $OUT/page`,
  ].join("\n");
  const { code, log, out, seconds } = await runInGuest({ timeoutSeconds: SECONDS, script });
  console.log(`guest: the contract in a VRF took ${seconds.toFixed(1)} s`);
  const page = readPage(out.get("page")?.toString("utf8") ?? "");
  const ofGroup = `${IN_VRF.name}|`;
  const cells = [...page].filter(([key]) => key.startsWith(ofGroup));
  if (isAsked()) {
    writeCells(IN_VRF.name, new Map(cells.map(([key, cell]) => [key.slice(ofGroup.length), cell])));
  }
  expect(code, log).toBe(0);
  expect(log).toContain(`${IN_VRF.scenarios.length * BACKENDS.length} passed, 0 failed, 0 skipped`);
});
