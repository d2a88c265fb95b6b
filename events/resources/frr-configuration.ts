/**
 * frrk8s.metallb.io FRRConfiguration: routers, neighbours and what each is told and may send, as frr-k8s takes it.
 *
 * Each resource stands for itself: what a neighbour is told must be in its own router's prefixes or in a VRF that it imports,
 * and its BFD profile beside it. Merging several resources is the plan's. Neighbours: frr-neighbor.ts; EVPN: frr-evpn.ts.
 */
import * as z from "zod";
import type { Address } from "../address.ts";
import { type Asn, asn } from "../ids.ts";
import { comparePrefixes, type Prefix } from "../prefix.ts";
import { bfdFields, type BfdProfileSpec, bfdProfileSpec } from "./bfd-profile.ts";
import { int32, prefixAt, readAddress, routerIdAt, text, texts, writtenAsn } from "./fields.ts";
import { type FrrEvpn, evpnAt, refuseSharedVnis, writtenEvpn } from "./frr-evpn.ts";
import {
  type FrrNeighbor,
  neighborAt,
  type NeighborPlace,
  writtenNeighbor,
  type WrittenNeighbor,
} from "./frr-neighbor.ts";
import { type RawText, sealRaw } from "./raw.ts";
import { type Manifest, type Path, type Reading, refuseDuplicates, said } from "./reading.ts";
import type { LabelSelector, Typed } from "./resource.ts";
import { selectorAt, writtenSelector } from "./selectors.ts";

export type FrrConfiguration = Typed<"frrk8s.metallb.io/FRRConfiguration", FrrConfigurationSpec>;

export type FrrConfigurationSpec = {
  readonly bfdProfiles: readonly (BfdProfileSpec & { readonly name: string })[];
  readonly routers: readonly FrrRouter[];
  /** One selector; an empty one selects every node. */
  readonly nodeSelector: LabelSelector;
  /** Absent: none. Ascending priority, then by name: higher is later. */
  readonly raw?: RawText & { readonly priority: number };
};

export type FrrRouter = {
  readonly asn: Asn;
  readonly routerId?: Address;
  /** Empty: the default VRF. */
  readonly vrf: string;
  /** In order, without doubles. */
  readonly prefixes: readonly Prefix[];
  /** VRFs whose prefixes leak into this one; empty text: the default VRF. */
  readonly imports: readonly string[];
  readonly neighbors: readonly FrrNeighbor[];
  readonly evpn?: FrrEvpn;
};

/** Upstream's bound. */
const MAX_ROUTERS = 50;
/** The word by which an import names the default VRF. */
const DEFAULT_VRF = "default";

const writtenRouter = z.strictObject({
  asn: writtenAsn,
  id: text.optional(),
  vrf: text.optional(),
  prefixes: texts.optional(),
  imports: z.array(z.strictObject({ vrf: text.optional() })).optional(),
  neighbors: z.array(writtenNeighbor).optional(),
  evpn: writtenEvpn.optional(),
});
export const writtenFrrConfiguration = z.strictObject({
  bgp: z
    .strictObject({
      bfdProfiles: z
        .array(z.strictObject({ name: text.min(1, "must not be empty"), ...bfdFields }))
        .optional(),
      routers: z.array(writtenRouter).max(MAX_ROUTERS, `at most ${MAX_ROUTERS} routers`).optional(),
    })
    .optional(),
  nodeSelector: writtenSelector.optional(),
  raw: z.strictObject({ priority: int32.optional(), rawConfig: text.optional() }).optional(),
});
type Written = z.infer<typeof writtenFrrConfiguration>;
type WrittenRouter = z.infer<typeof writtenRouter>;

export function frrConfigurationSpec(
  written: Written,
  manifest: Manifest,
  reading: Reading,
): FrrConfigurationSpec {
  const profiles = written.bgp?.bfdProfiles ?? [];
  const routers = written.bgp?.routers ?? [];
  const at = ["spec", "bgp", "routers"];
  refuseDuplicates(
    reading,
    ["spec", "bgp", "bfdProfiles"],
    profiles,
    ({ name }) => name,
    "this profile",
  );
  refuseDuplicates(reading, at, routers, (router) => router.vrf ?? "", "a router of this VRF");
  refuseSharedVnis(
    reading,
    at,
    routers.map(({ evpn }) => evpn),
  );
  const known = {
    profiles: new Set(profiles.map(({ name }) => name)),
    prefixesOf: prefixesByVrf(routers, reading),
    namespace: manifest.metadata.namespace,
  };
  const rawConfig = written.raw?.rawConfig;
  return {
    bfdProfiles: profiles.map((profile) => ({ name: profile.name, ...bfdProfileSpec(profile) })),
    routers: routers.map((router, i) => routerAt(reading, [...at, i], router, known)),
    nodeSelector: selectorAt(reading, ["spec", "nodeSelector"], written.nodeSelector ?? {}),
    ...(said(rawConfig)
      ? { raw: { priority: written.raw?.priority ?? 0, ...sealRaw(rawConfig, "raw", reading) } }
      : {}),
  };
}

type Known = {
  readonly profiles: ReadonlySet<string>;
  readonly prefixesOf: ReadonlyMap<string, readonly Prefix[]>;
  readonly namespace: string;
};

function prefixesByVrf(
  routers: readonly WrittenRouter[],
  reading: Reading,
): ReadonlyMap<string, readonly Prefix[]> {
  return new Map(
    routers.map((router, i) => {
      const path = ["spec", "bgp", "routers", i, "prefixes"];
      const read = (router.prefixes ?? []).flatMap(
        (line, k) => prefixAt(reading, [...path, k], line) ?? [],
      );
      return [router.vrf ?? "", [...new Set(read)].toSorted(comparePrefixes)];
    }),
  );
}

function routerAt(reading: Reading, path: Path, written: WrittenRouter, known: Known): FrrRouter {
  if (written.asn === 0)
    reading.refuse(
      [...path, "asn"],
      "out-of-range",
      "0 is no AS number (RFC 7607): write this host's AS",
    );
  const vrf = written.vrf ?? "";
  const routerId = routerIdAt(reading, [...path, "id"], written.id);
  const imports = importsAt(reading, [...path, "imports"], written, known);
  const neighbors = written.neighbors ?? [];
  const prefixes = known.prefixesOf.get(vrf) ?? [];
  const place: NeighborPlace = {
    routerAsn: written.asn,
    vrf,
    profiles: known.profiles,
    advertisable: new Set([
      ...prefixes,
      ...imports.flatMap((from) => known.prefixesOf.get(from) ?? []),
    ]),
    namespace: known.namespace,
  };
  const read = neighbors.flatMap(
    (item, i) => neighborAt(reading, [...path, "neighbors", i], item, place) ?? [],
  );
  refuseDuplicates(reading, [...path, "neighbors"], neighbors, farEnd, "this neighbour");
  const evpn = evpnAt(reading, [...path, "evpn"], written.evpn, neighbors);
  return {
    // The number only fills the place of one that was refused.
    asn: asn(written.asn === 0 ? 1 : written.asn),
    ...(routerId === undefined ? {} : { routerId }),
    vrf,
    prefixes,
    imports,
    neighbors: read,
    ...(evpn === undefined ? {} : { evpn }),
  };
}

/** Compared as addresses, not as text: one far end in two spellings would be two neighbours that contradict each other. */
const farEnd = ({ address, interface: link = "" }: WrittenNeighbor): string =>
  said(address) ? (readAddress(address) ?? address) : `%${link}`;

function importsAt(
  reading: Reading,
  path: Path,
  written: WrittenRouter,
  known: Known,
): readonly string[] {
  const named = (written.imports ?? []).map(({ vrf = "" }) => (vrf === DEFAULT_VRF ? "" : vrf));
  for (const [i, vrf] of named.entries()) {
    if (known.prefixesOf.has(vrf)) continue;
    reading.refuse(
      [...path, i, "vrf"],
      "required",
      `no router of this resource is in ${vrf === "" ? "the default VRF" : `VRF ${vrf}`}: add one`,
    );
  }
  return [...new Set(named)].toSorted();
}
