/**
 * rutter/v1 RouteImport: which learned routes this host installs, into which table of its kernel, and how.
 *
 * It opens its peers for these routes, too: a RouteImport without a receive rule of FRRConfiguration is enough. Where several
 * take a route, the one that is first in order of name decides. A default route is never taken unless it says so.
 */
import * as z from "zod";
import { type Address, type Family, familyOf } from "../address.ts";
import { flag, MAX_UINT32, text, texts, unicastAt, whole } from "./fields.ts";
import { filterAt, type PrefixFilter, writtenFilter } from "./frr-policy.ts";
import { type Reading } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorsAt, writtenSelector } from "./selectors.ts";
import { INTERFACE_NAME } from "./session.ts";

export type RouteImport = Typed<"rutter/RouteImport", RouteImportSpec>;

export type RouteImportSpec = {
  /** Empty: every host. */
  readonly nodeSelectors: readonly LabelSelector[];
  /** VRF device of the peers; empty for the default one. */
  readonly vrf: string;
  /** Names of BGPPeers, or addresses of neighbours; empty: all in the VRF. */
  readonly peers: readonly string[];
  /** Empty: everything but the default route. */
  readonly prefixes: readonly PrefixFilter[];
  /** Absent: the VRF's own table, or main. */
  readonly table?: number;
  /** The kernel's: lower is better. */
  readonly metric: number;
  readonly preferredSource: Readonly<Partial<Record<Family, Address>>>;
  /** No more routes of one family than this; what is held stays. */
  readonly maximum: number;
  readonly acceptDefault: boolean;
};

/** What FRR gives its BGP routes (example 05). */
export const IMPORT_METRIC = 20;
/** Tables that belong to the kernel itself (rt_tables: local, default, unspec). */
const RESERVED_TABLES = [0, 253, 255];
/** Twice the IPv4 Internet of 2026, as the speaker's own bound. */
export const MOST_IMPORTED = 2_000_000;

export const writtenRouteImport = z.strictObject({
  nodeSelectors: z.array(writtenSelector).optional(),
  vrf: text.optional(),
  peers: texts.optional(),
  prefixes: z.array(writtenFilter).optional(),
  table: whole(1, MAX_UINT32).optional(),
  metric: whole(1, MAX_UINT32).optional(),
  preferredSource: z.strictObject({ ipv4: text.optional(), ipv6: text.optional() }).optional(),
  maximum: whole(0, MOST_IMPORTED).optional(),
  acceptDefault: flag.optional(),
});
type Written = z.infer<typeof writtenRouteImport>;

export function routeImportSpec(written: Written, reading: Reading): RouteImportSpec {
  const vrf = written.vrf ?? "";
  if (vrf !== "" && !INTERFACE_NAME.test(vrf)) {
    reading.refuse(["spec", "vrf"], "bad-value", `"${vrf}" is no name of a device`);
  }
  const { table } = written;
  if (table !== undefined && RESERVED_TABLES.includes(table)) {
    reading.refuse(["spec", "table"], "not-allowed", `table ${table} is the kernel's own`);
  }
  const at = ["spec", "prefixes"];
  return {
    nodeSelectors: selectorsAt(reading, ["spec", "nodeSelectors"], written.nodeSelectors),
    vrf,
    peers: [...new Set(written.peers)].toSorted(),
    prefixes: (written.prefixes ?? []).flatMap(
      (item, i) => filterAt(reading, [...at, i], item, []) ?? [],
    ),
    ...(table === undefined ? {} : { table }),
    metric: written.metric ?? IMPORT_METRIC,
    preferredSource: {
      ...sourceAt(reading, "ipv4", written.preferredSource?.ipv4),
      ...sourceAt(reading, "ipv6", written.preferredSource?.ipv6),
    },
    maximum: written.maximum ?? MOST_IMPORTED,
    acceptDefault: written.acceptDefault ?? false,
  };
}

function sourceAt(
  reading: Reading,
  family: Family,
  value: string | undefined,
): RouteImportSpec["preferredSource"] {
  const path = ["spec", "preferredSource", family];
  const address = unicastAt(reading, path, value);
  if (address === undefined) return {};
  if (familyOf(address) === family) return { [family]: address };
  reading.refuse(path, "family-mismatch", `${address} is no ${family} address`);
  return {};
}
