/**
 * Example 07 with nothing left out: VRF, policy rules and source NAT, by the whole agent under a kernel that has them all.
 *
 * `npm run test:vm-full`, no part of `npm test`: it takes a minute or two of a software processor. The program in the guest is that
 * of ../vrf-examples.live.test.ts; only who is heard differs. Says why and ends well where this machine can't have the guest.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { lacking } from "../../probes.ts";
import { runInGuest } from "../guest.ts";
import { bootFull, lackingFullGuest } from "./kernel.ts";

/** Some three times what it takes on two processors. */
const PATIENCE_SECONDS = 400;
const RULES = [
  "5000: from 172.17.0.2 lookup 11 proto 82",
  "5000: from 172.19.20.190 lookup 11 proto 82",
];
/** Replies come from the VIP; what starts here has the host's own address in the VRF. */
const TRAFFIC = {
  toProgramOutside: "host hears 198.51.100.1",
  toProgramInside: "host hears 198.51.100.1",
  fromVip: "near hears 172.19.11.2",
  fromContainer: "near hears 172.19.11.2",
};

const reason =
  lackingFullGuest() ?? lacking("bird") ?? lacking("nft") ?? lacking("shared-examples");
if (reason === undefined) {
  for (const backend of ["native", ...(lacking("frr") === undefined ? ["frr"] : [])]) {
    const program = join(import.meta.dirname, "../in-guest/example-07.ts");
    // What one program has compiled the next need not.
    const script = `NODE_COMPILE_CACHE=/dev/shm/compiled node ${program} ${backend}`;
    const job = { timeoutSeconds: PATIENCE_SECONDS, script };
    const done = await runInGuest(job, bootFull);
    assert.equal(done.code, 0, done.log);
    const line = done.log.split("\n").find((one) => one.startsWith("{")) ?? "{}";
    const seen: unknown = JSON.parse(line);
    assert.deepEqual(seen, {
      code: 0,
      byNumber: { rules: RULES, bound: ["vrf1"], traffic: TRAFFIC, status: [], doctor: [] },
      byName: { rules: RULES, traffic: TRAFFIC },
      after: [],
    });
    const seconds = done.seconds.toFixed(0);
    console.log(
      `vm-full: example 07 is whole with ${backend} (booted in ${done.bootSeconds} s, ${seconds} s in all)`,
    );
  }
} else console.log(`vm-full: skipped: ${reason}`);
