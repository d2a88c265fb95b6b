/**
 * The examples with a VRF, as an operator applies them: the whole agent and real routers under a kernel with VRFs.
 *
 * 06 and 07 with FRR as the speaker, too, whose zebra brings learned routes into the kernel. What counts is what `ip` says on the
 * host, what the routers have in their tables, and who hears whom by TCP.
 * Read next: in-guest/vrf.ts (the network), guest.ts.
 */
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { skipUnless } from "../probe.ts";
import { runInGuest } from "./guest.ts";

beforeEach(skipUnless("guest", "bird", "frr", "shared-examples"));

/** Alone each takes 25 to 50 seconds; beside other work, more. */
const SCRIPT_SECONDS = 300;
const PATIENT = { timeout: 420_000 };

/** What the program in the guest saw. */
async function seenBy(program: string, backend = "native"): Promise<unknown> {
  const path = join(import.meta.dirname, "in-guest", program);
  const script = `node ${path} ${backend}`;
  const done = await runInGuest({ timeoutSeconds: SCRIPT_SECONDS, script });
  console.log(`guest: ${program} ${backend} took ${done.seconds.toFixed(1)} s`);
  expect(done.code, done.log).toBe(0);
  const line = done.log.split("\n").find((one) => one.startsWith("{")) ?? "{}";
  const seen: unknown = JSON.parse(line);
  return seen;
}

test(
  "03: the session waits for its VRF's device and comes and goes with it; the VIP is there and nowhere else",
  PATIENT,
  async () => {
    const missing = {
      peers: ["VRF device ens4vrf does not exist on this host"],
      problems: [
        { entry: "address 192.169.10.0/32 dev ens4vrf", reason: "device ens4vrf is not there" },
      ],
    };
    const well = { peers: [""], problems: [] };
    expect(await seenBy("example-03.ts")).toMatchObject({
      code: 0,
      before: missing,
      during: {
        ...well,
        bound: ["ens4vrf"],
        nextHop: "192.168.130.2",
        routes: ["198.51.100.0/24 via 192.168.130.1 dev vlan1001 metric 20"],
        sockets: expect.stringMatching(/192\.168\.130\.2%ens4vrf:\d+ /),
      },
      traffic: {
        toProgramOutside: "host hears 198.51.100.1",
        toProgramInside: "host hears 198.51.100.1",
        fromVip: "near hears 192.169.10.0",
        fromHost: "near hears 192.168.130.2",
      },
      after: missing,
      again: { ...well, bound: ["ens4vrf"] },
    });
  },
);

const SPEAKERS = ["native", "frr"] as const;

test.for(SPEAKERS)(
  "06, %s: each router is told its host route and may say that one; what vrf1's says is in the table of vrf1",
  PATIENT,
  async (backend) => {
    const tables = {
      main: ["172.19.20.181 via 172.18.20.1 dev eth0 metric 20"],
      vrf1: ["172.19.20.190 via 172.19.11.1 dev vlan1001 metric 20"],
    };
    const peers = [": 1", "vrf1: 1"];
    expect(await seenBy("example-06.ts", backend)).toEqual({
      code: 0,
      asItStands: {
        peers,
        tables: backend === "frr" ? { main: [], vrf1: [] } : tables,
        outside: ["172.19.20.181/32 via 172.18.20.2"],
        inside: ["172.19.20.190/32 via 172.19.11.2"],
        problems: [],
      },
      announcing: { nothing: tables, peers },
      after: { ...tables, vrf1: [] },
    });
  },
);

test.for(SPEAKERS)(
  "07, %s: what the VIP and its container send and answer leaves by vrf1; that source NAT lacks nft is said",
  PATIENT,
  async (backend) => {
    const rules = [
      "5000: from 172.17.0.2 lookup 11 proto 82",
      "5000: from 172.19.20.190 lookup 11 proto 82",
    ];
    // Without source NAT each is heard as who it is.
    const traffic = {
      toProgramOutside: "host hears 198.51.100.1",
      toProgramInside: "host hears 198.51.100.1",
      fromVip: "near hears 172.19.20.190",
      fromContainer: "near hears 172.17.0.2",
    };
    const lacking = /source NAT .*CONFIG_NF_TABLES_INET/;
    expect(await seenBy("example-07.ts", backend)).toEqual({
      code: 0,
      byNumber: {
        rules,
        bound: ["vrf1"],
        traffic,
        status: [],
        doctor: expect.arrayContaining([expect.stringMatching(lacking)]),
      },
      byName: { rules, traffic },
      after: [],
    });
  },
);
