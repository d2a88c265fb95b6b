/**
 * What this kernel can, found by asking it (nothing is made), and the sysctls that decide whether routing works as meant.
 *
 * Reads next: ../kernel.ts (who asks first), socket.ts.
 */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import type { KernelCapabilities, KernelCapability } from "../facts.ts";
import { cString, encodeAttributes, encodeMessage } from "../netlink/codec.ts";
import { linkFilter } from "../netlink/entries.ts";
import { nexthopFilter } from "../netlink/nexthop.ts";
import {
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  RTM_GETNEXTHOP,
  RTM_NEWLINK,
} from "../netlink/numbers.ts";
import { runNft } from "./nft.ts";
import { NetlinkError, newBatch, type Orders } from "./socket.ts";

const EPERM = 1;
const EINVAL = 22;

export async function probeKernel(orders: Orders, nft: string): Promise<KernelCapabilities> {
  const errno = await refusalOfVrf(orders);
  const answers: Readonly<Record<KernelCapability, string>> = {
    changes:
      errno === EPERM ? "this process may not change the network: give it CAP_NET_ADMIN" : "",
    // Who may not make one is not told whether there are any.
    vrf:
      errno === EINVAL || errno === EPERM ? "" : "this kernel has no VRF devices (CONFIG_NET_VRF)",
    "nexthop-objects": await lackingNexthops(orders),
    nft: await lackingNft(nft),
    "address-protocol": since(5, 18, "marks on addresses (IFA_PROTO); the ledger serves instead"),
    "ipv4-via-ipv6": since(5, 2, "IPv4 routes over IPv6 next hops"),
  };
  const all = Object.entries(answers) as [KernelCapability, string][];
  return {
    has: new Set(all.flatMap(([name, lacking]) => (lacking === "" ? [name] : []))),
    missing: new Map(all.filter(([, lacking]) => lacking !== "")),
  };
}

/** A VRF device without a table is refused as such (EINVAL) by a kernel that knows VRFs, and as unknown by others. */
async function refusalOfVrf(orders: Orders): Promise<number | undefined> {
  const batch = newBatch();
  const kind = encodeAttributes([[IFLA_INFO_KIND, cString("vrf")]]);
  const message = encodeMessage(
    RTM_NEWLINK,
    NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
    linkFilter,
    [
      [IFLA_IFNAME, cString("rutter-probe")],
      [IFLA_LINKINFO, kind],
    ],
  );
  batch.bytes.set(message, 0);
  const [failure] = await orders.send(batch, message.length, 1);
  return failure?.errno;
}

async function lackingNexthops(orders: Orders): Promise<string> {
  try {
    await orders.dump(RTM_GETNEXTHOP, nexthopFilter, () => {});
    return "";
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.code !== "DUMP_REFUSED") throw error;
    return "this kernel has no next hop objects (Linux 5.3); routes carry their hops themselves";
  }
}

/** Checked only (`-c`): the kernel says whether it would make the table, and makes none. */
async function lackingNft(program: string): Promise<string> {
  const table = { family: "inet", name: "rutter-probe" };
  const input = JSON.stringify({ nftables: [{ add: { table } }] });
  const { ok, words, started } = await runNft(program, ["-c", "-j", "-f", "-"], input);
  if (ok) return "";
  const [first = ""] = words.split("\n");
  return started
    ? `nft may make no table (${first}): source NAT needs a kernel with nftables (CONFIG_NF_TABLES_INET) and CAP_NET_ADMIN`
    : `nft is not to be had (${first}): install nftables`;
}

function since(major: number, minor: number, what: string): string {
  const [a = 0, b = 0] = release()
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor)
    ? ""
    : `this kernel (${release()}) is older than ${major}.${minor}: no ${what}`;
}

export type Sysctl = {
  readonly name: string;
  /** Empty where the kernel has no such knob. */
  readonly value: string;
  /** Whether it is as routing needs it. */
  readonly good: boolean;
  readonly why: string;
  /** The line that sets it. */
  readonly fix: string;
};

type Wish = {
  readonly name: string;
  readonly wanted: string;
  readonly good: (value: string) => boolean;
  readonly why: string;
};

const isNot =
  (bad: string) =>
  (value: string): boolean =>
    value !== bad;

const WISHES: readonly Wish[] = [
  {
    name: "net.ipv4.ip_forward",
    wanted: "1",
    good: isNot("0"),
    why: "without it the host passes nothing on for others",
  },
  {
    name: "net.ipv6.conf.all.forwarding",
    wanted: "1",
    good: isNot("0"),
    why: "without it the host passes nothing on for others",
  },
  {
    name: "net.ipv4.conf.all.rp_filter",
    wanted: "2",
    good: isNot("1"),
    why: "strict: packets that come back over another path of an ECMP route are dropped",
  },
  {
    name: "net.ipv4.fib_multipath_hash_policy",
    wanted: "1",
    good: isNot("0"),
    why: "0 spreads by addresses only: all flows between two hosts take one path",
  },
  {
    name: "net.ipv6.fib_multipath_hash_policy",
    wanted: "1",
    good: isNot("0"),
    why: "0 spreads by addresses only: all flows between two hosts take one path",
  },
  {
    name: "net.ipv4.tcp_l3mdev_accept",
    wanted: "1",
    good: isNot("0"),
    why: "0: services outside of a VRF are not reached from inside",
  },
  {
    name: "net.ipv4.udp_l3mdev_accept",
    wanted: "1",
    good: isNot("0"),
    why: "0: services outside of a VRF are not reached from inside",
  },
];

/** Values as they are now, for `doctor`. `root`: where /proc is. */
export function probeSysctls(root = "/proc"): readonly Sysctl[] {
  return WISHES.map(({ name, wanted, good, why }) => {
    const value = readKnob(`${root}/sys/${name.replaceAll(".", "/")}`);
    return {
      name,
      value,
      good: value === "" || good(value),
      why,
      fix: `sysctl -w ${name}=${wanted}`,
    };
  });
}

function readKnob(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
