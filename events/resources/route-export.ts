/**
 * rutter/v1 RouteExport: which prefixes of this host's kernel are announced, to whom, and how.
 *
 * Each is told as long as the kernel has it. Never told, whatever a manifest says: what this agent itself learned or bound,
 * loopback, link-local and multicast prefixes; a default route only where `exportDefault` is set.
 */
import * as z from "zod";
import { bgpCommunitiesAt } from "./bgp-advertisement.ts";
import type { CommunityRef } from "./communities.ts";
import { flag, MAX_UINT32, quoted, readAddress, text, texts, whole } from "./fields.ts";
import { filterAt, type PrefixFilter, writtenFilter } from "./frr-policy.ts";
import type { Path, Reading } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorsAt, writtenSelector } from "./selectors.ts";
import { INTERFACE_NAME } from "./session.ts";

export type RouteExport = Typed<"rutter/RouteExport", RouteExportSpec>;

export type RouteExportSpec = {
  /** Empty: every host. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** VRF device of the peers, and of what is exported; empty for the default one. */
  readonly vrf: string;
  /** Names of BGPPeers, or addresses of neighbours; empty: all in the VRF. */
  readonly peers: readonly string[];
  readonly from: ExportSource;
  /** Empty: all. */
  readonly prefixes: readonly PrefixFilter[];
  /** In the order written. */
  readonly communities: readonly CommunityRef[];
  readonly localPref?: number;
  readonly med?: number;
  /** No more prefixes than this; what is told stays. */
  readonly maximum: number;
  readonly exportDefault: boolean;
};

export type ExportSource =
  | {
      readonly type: "kernel-routes";
      /** Absent: the VRF's own table, or main. */
      readonly table?: number;
      /** Numbers of rtnetlink; empty: all but routing daemons'. Blackholes and their like go only with a protocol named here. */
      readonly protocols: readonly number[];
      /** Devices that they lead over; empty: any. */
      readonly interfaces: readonly string[];
    }
  /** Networks of the addresses on these devices (empty: any), while their links are up. */
  | { readonly type: "connected"; readonly interfaces: readonly string[] }
  /** The addresses themselves, each as a host prefix. */
  | { readonly type: "addresses"; readonly interfaces: readonly string[] };

/** More than any host has of its own; a rule that takes a full table by mistake ends here. */
export const MOST_EXPORTED = 100_000;
/** Unless told: some ten times a large hypervisor's. */
const EXPORTED = 10_000;
/** Tables 0 (unspec) and 255 (local: addresses and broadcasts) of rtnetlink.h hold nothing to announce. */
const NO_TABLES = [0, 255];

/** As iproute2's rt_protos names them, which is what `ip route` prints. */
export const ROUTE_PROTOCOLS: Readonly<Record<string, number>> = {
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  openr: 99,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
};
/** Ours (backends/kernel/netlink/numbers.ts): what was learned is never told on, for the host is no transit. */
const OWN_PROTOCOL = 82;

const interfaces = texts.optional();
export const writtenRouteExport = z.strictObject({
  nodeSelectors: z.array(writtenSelector).optional(),
  vrf: text.optional(),
  peers: texts.optional(),
  from: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("kernel-routes"),
      table: whole(1, MAX_UINT32).optional(),
      protocols: z.array(z.union([text, whole(1, 255)])).optional(),
      interfaces,
    }),
    z.strictObject({ type: z.literal("connected"), interfaces }),
    z.strictObject({
      type: z.literal("addresses"),
      interfaces: texts.min(1, "names no interface"),
    }),
  ]),
  prefixes: z.array(writtenFilter).optional(),
  communities: texts.optional(),
  localPref: whole(0, MAX_UINT32).optional(),
  med: whole(0, MAX_UINT32).optional(),
  maximum: whole(1, MOST_EXPORTED).optional(),
  exportDefault: flag.optional(),
});
type Written = z.infer<typeof writtenRouteExport>;

export function routeExportSpec(written: Written, reading: Reading): RouteExportSpec {
  const vrf = written.vrf ?? "";
  if (vrf !== "") deviceAt(reading, ["spec", "vrf"], vrf);
  const at = ["spec", "prefixes"];
  const { localPref, med } = written;
  return {
    nodeSelectors: selectorsAt(reading, ["spec", "nodeSelectors"], written.nodeSelectors),
    vrf,
    peers: [...new Set(written.peers?.map((one) => readAddress(one) ?? one))].toSorted(),
    from: sourceAt(reading, written.from),
    prefixes: (written.prefixes ?? []).flatMap(
      (item, i) => filterAt(reading, [...at, i], item, []) ?? [],
    ),
    communities: bgpCommunitiesAt(reading, written.communities),
    ...(localPref === undefined ? {} : { localPref }),
    ...(med === undefined ? {} : { med }),
    maximum: written.maximum ?? EXPORTED,
    exportDefault: written.exportDefault ?? false,
  };
}

function sourceAt(reading: Reading, from: Written["from"]): ExportSource {
  const devices = [...new Set(from.interfaces)].toSorted();
  for (const [i, name] of (from.interfaces ?? []).entries()) {
    deviceAt(reading, ["spec", "from", "interfaces", i], name);
  }
  if (from.type !== "kernel-routes") return { type: from.type, interfaces: devices };
  const { table, protocols = [] } = from;
  if (table !== undefined && NO_TABLES.includes(table)) {
    const why = `table ${table} is the kernel's own: for addresses write from: {type: addresses}`;
    reading.refuse(["spec", "from", "table"], "not-allowed", why);
  }
  const numbers = protocols.flatMap(
    (one, i) => protocolAt(reading, ["spec", "from", "protocols", i], one) ?? [],
  );
  return {
    type: from.type,
    ...(table === undefined ? {} : { table }),
    protocols: [...new Set(numbers)].toSorted((a, b) => a - b),
    interfaces: devices,
  };
}

function protocolAt(reading: Reading, path: Path, written: string | number): number | undefined {
  const named =
    typeof written === "string" && Object.hasOwn(ROUTE_PROTOCOLS, written)
      ? ROUTE_PROTOCOLS[written]
      : undefined;
  const number = named ?? (/^[1-9]\d{0,2}$/.test(`${written}`) ? Number(written) : undefined);
  if (number === undefined || number > 255) {
    const names = Object.keys(ROUTE_PROTOCOLS).join(", ");
    const why = `${quoted(`${written}`)} is no protocol: write a number from 1 to 255, or one of ${names}`;
    reading.refuse(path, "bad-value", why);
    return undefined;
  }
  if (number === OWN_PROTOCOL) {
    const why = "these are the routes that this agent learned: it never tells them on";
    reading.refuse(path, "not-allowed", why);
    return undefined;
  }
  return number;
}

function deviceAt(reading: Reading, path: Path, name: string): void {
  if (INTERFACE_NAME.test(name)) return;
  reading.refuse(path, "bad-value", `${quoted(name)} is no name of a device`);
}
