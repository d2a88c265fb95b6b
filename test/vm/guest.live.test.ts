/**
 * The guest is sound: it has what this machine's kernel may lack, it runs our code, and it leaves nothing behind.
 *
 * Tests of the product that need VRF, VLAN, dummy or netem build on runInGuest; here it is tried itself.
 * Read next: guest.ts, README.md beside it.
 */
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { type GuestRun, runInGuest, TIMED_OUT } from "./guest.ts";

beforeEach(skipUnless("guest"));

/** Alone these take some ten seconds; beside other work, more. */
const PATIENT = { timeoutSeconds: 200 };
const program = (name: string): string => join(import.meta.dirname, "in-guest", name);
const times = ({ bootSeconds, seconds }: GuestRun): void =>
  console.log(`guest: booted in ${bootSeconds} s, ${seconds.toFixed(1)} s in all`);
const jsonLines = (log: string): Record<string, unknown>[] =>
  log
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("BFD with one address in a VRF and outside of it: two sessions, and one of them dies", async (context) => {
  skipUnless("bird")(context);
  const done = await runInGuest({ ...PATIENT, script: `node ${program("bfd-in-vrf.ts")}` });
  times(done);
  expect(done.code, done.log).toBe(0);
  const [seen] = jsonLines(done.log);
  expect(seen).toMatchObject({
    sessions: [
      { key: "|10.99.0.2|||single", state: "Up" },
      { key: "blue|10.99.0.2|||single", state: "Down", diagnostic: 1 },
    ],
    problems: [],
  });
});

describe("BGP with one address in a VRF and outside of it", () => {
  const ways = [
    { who: "we-dial", shared: 0, key: "" },
    { who: "we-dial", shared: 0, key: "k3y" },
    { who: "the-routers-dial", shared: 0, key: "k3y" },
    // Sockets without a device take connections of VRFs, too, as far as no other does.
    { who: "the-routers-dial", shared: 1, key: "k3y" },
  ];
  test.for(ways)(
    "two sessions, the VRF's device coming late: $who, tcp_l3mdev_accept $shared, key $key",
    async ({ who, shared, key }, context) => {
      skipUnless("bird")(context);
      const script = `node ${program("bgp-in-vrf.ts")} ${who} ${shared} ${key}`;
      const done = await runInGuest({ ...PATIENT, script });
      times(done);
      expect(done.code, done.log).toBe(0);
      const gone = "VRF device blue does not exist on this host";
      expect(jsonLines(done.log)).toMatchObject([
        {
          before: ["Refused", gone],
          best: [
            " 10.1.0.0/16 |10.99.0.2|",
            " 10.9.0.0/16 |10.99.0.2|",
            "blue 10.2.0.0/16 blue|10.99.0.2|",
            "blue 10.9.0.0/16 blue|10.99.0.2|",
          ],
          listenProblem: "",
          after: ["Refused", gone, 0],
          outside: ["Established", 0],
        },
      ]);
    },
  );
});

test("the agent and BIRD, by the live tests' harness, over a slow cable", async (context) => {
  skipUnless("bird")(context);
  const done = await runInGuest({ ...PATIENT, script: `node ${program("agent-and-bird.ts")}` });
  times(done);
  expect(done.code, done.log).toBe(0);
  const [told] = jsonLines(done.log);
  expect(told).toMatchObject({ peers: [{ state: "Established" }], asPath: [64512] });
  expect(told?.["roundTripMs"]).toBeGreaterThanOrEqual(40);
});

test("VLAN and dummy devices, and a system that forgets what was written", async () => {
  const mark = `/etc/rutter-guest-${process.pid}`;
  const script = `
    test ! -e ${mark}
    echo > ${mark}
    ip link add port type dummy
    ip link add link port name port.7 type vlan id 7
    ip -d link show port.7
    cat /job/given/note
  `;
  for (let run = 0; run < 2; run += 1) {
    const done = await runInGuest({ script, files: { "given/note": "handed over\n" } });
    expect(done.code, done.log).toBe(0);
    expect(done.log).toMatch(/vlan protocol 802\.1Q id 7/);
    expect(done.log).toMatch(/^handed over$/m);
  }
  expect(existsSync(mark)).toBe(false);
});

test("a script that fails or hangs is told apart, and nothing stays", async () => {
  const failed = await runInGuest({ script: "echo so far; false; echo never" });
  expect(failed).toMatchObject({ code: 1, log: "so far\n" });
  const hung = await runInGuest({ script: "echo so far; sleep 1000", timeoutSeconds: 1 });
  expect(hung).toMatchObject({ code: TIMED_OUT, log: "so far\n" });
  const mine = readdirSync(tmpdir()).filter((name) => name.startsWith(`rutter-vm-${process.pid}-`));
  expect(mine).toEqual([]);
});
