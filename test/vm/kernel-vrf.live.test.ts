/**
 * The kernel backend under a kernel with VRFs: a VRF's table is found by its device, and routes follow the device.
 *
 * Read next: in-guest/kernel-in-vrf.ts, guest.ts.
 */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { runInGuest } from "./guest.ts";

beforeEach(skipUnless("guest"));

test("routes of a VRF go into the table of its device, wait for it, and move with it", async () => {
  const program = join(import.meta.dirname, "in-guest/kernel-in-vrf.ts");
  const done = await runInGuest({ timeoutSeconds: 200, script: `node ${program}` });
  expect(done.code, done.log).toBe(0);
  const line = done.log.split("\n").find((one) => one.startsWith("{")) ?? "{}";
  const seen = JSON.parse(line) as Record<string, unknown>;
  expect(seen).toMatchObject({
    main: ["172.16.0.0/24 via 10.99.0.2 dev eth0 metric 20"],
    blue: [
      "172.16.0.0/24 via 10.50.0.2 dev blue0 metric 20",
      "172.16.1.0/24 via 10.50.0.2 dev blue0 metric 20",
    ],
    held: ["red: vrf-missing"],
    red: ["172.16.2.0/24 via 10.50.0.3 dev red0 metric 20"],
    gone: [],
    again: [
      "172.16.0.0/24 via 10.50.0.2 dev blue20 metric 20",
      "172.16.1.0/24 via 10.50.0.2 dev blue20 metric 20",
    ],
  });
  expect(seen["capabilities"]).toEqual(expect.arrayContaining(["vrf", "nexthop-objects"]));
  expect(seen["facts"]).toBeGreaterThan(0);
});
