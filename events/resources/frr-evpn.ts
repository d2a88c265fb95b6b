/**
 * The EVPN part of an FRRConfiguration's router (RFC 7432, RFC 9136): network identifiers, distinguishers, targets.
 *
 * Read and checked whole; carrying it is for a backend that can. Never looks at other resources.
 */
import * as z from "zod";
import { parseAddress } from "../address.ts";
import { flag, quoted, text, texts, whole } from "./fields.ts";
import type { WrittenNeighbor } from "./frr-neighbor.ts";
import { type Path, type Reading, said } from "./reading.ts";

export type FrrEvpn = {
  readonly advertiseVnis: "Disabled" | "All";
  readonly advertiseSvi: boolean;
  readonly l2vnis: readonly Vni[];
  readonly l3vni?: Vni & { readonly advertisePrefixes: readonly "unicast"[] };
};

export type Vni = {
  readonly vni: number;
  /** Empty: the backend's choice. */
  readonly rd: string;
  readonly importRouteTargets: readonly string[];
  readonly exportRouteTargets: readonly string[];
};

const targets = texts.max(100, "at most 100 route targets").optional();
/** RFC 7348 §5: 24 bits. */
const vniFields = {
  vni: whole(1, 0xff_ffff),
  rd: text.optional(),
  importRTs: targets,
  exportRTs: targets,
};
const writtenVni = z.strictObject(vniFields);
export const writtenEvpn = z.strictObject({
  advertiseVNIs: z.enum(["Disabled", "All", ""]).optional(),
  advertiseSVI: flag.optional(),
  l2vnis: z.array(writtenVni).max(10, "at most 10").optional(),
  l3vni: z
    .strictObject({
      ...vniFields,
      advertisePrefixes: z
        .array(z.enum(["unicast"]))
        .min(1, "must be [unicast]")
        .max(1, "must be [unicast]"),
    })
    .optional(),
});
type WrittenEvpn = z.infer<typeof writtenEvpn>;

export function evpnAt(
  reading: Reading,
  path: Path,
  written: WrittenEvpn | undefined,
  neighbors: readonly WrittenNeighbor[],
): FrrEvpn | undefined {
  if (written === undefined) return undefined;
  const speaks = neighbors.some((neighbor) => neighbor.addressFamilies?.includes("evpn"));
  const needs = {
    advertiseVNIs: written.advertiseVNIs === "All",
    advertiseSVI: written.advertiseSVI === true,
  };
  for (const [field, needed] of Object.entries(needs)) {
    if (needed && !speaks)
      reading.refuse(
        [...path, field],
        "required",
        `${field} needs a neighbour whose addressFamilies has evpn`,
      );
  }
  if (written.l3vni !== undefined && neighbors.length > 0) {
    reading.refuse(
      [...path, "l3vni"],
      "exclusive-fields",
      "l3vni belongs to a router without neighbours: move it to the VRF's own router",
    );
  }
  return {
    advertiseVnis: written.advertiseVNIs === "All" ? "All" : "Disabled",
    advertiseSvi: written.advertiseSVI ?? false,
    l2vnis: (written.l2vnis ?? []).map((item, i) => vniAt(reading, [...path, "l2vnis", i], item)),
    ...(written.l3vni === undefined
      ? {}
      : {
          l3vni: {
            ...vniAt(reading, [...path, "l3vni"], written.l3vni),
            advertisePrefixes: written.l3vni.advertisePrefixes,
          },
        }),
  };
}

/** A VNI belongs to one VRF, and is there once. */
export function refuseSharedVnis(
  reading: Reading,
  routersPath: Path,
  evpns: readonly (WrittenEvpn | undefined)[],
): void {
  const seen = new Set<number>();
  const once = (vni: number, path: Path): void => {
    if (seen.has(vni))
      reading.refuse([...path, "vni"], "duplicate", `VNI ${vni} is used twice in this resource`);
    seen.add(vni);
  };
  for (const [i, evpn] of evpns.entries()) {
    const path = [...routersPath, i, "evpn"];
    for (const [k, { vni }] of (evpn?.l2vnis ?? []).entries()) once(vni, [...path, "l2vnis", k]);
    if (evpn?.l3vni !== undefined) once(evpn.l3vni.vni, [...path, "l3vni"]);
  }
}

function vniAt(reading: Reading, path: Path, written: z.infer<typeof writtenVni>): Vni {
  if (said(written.rd)) checkPair(reading, [...path, "rd"], written.rd, "no");
  for (const [i, target] of (written.importRTs ?? []).entries())
    checkPair(reading, [...path, "importRTs", i], target, "wildcard");
  for (const [i, target] of (written.exportRTs ?? []).entries())
    checkPair(reading, [...path, "exportRTs", i], target, "no");
  return {
    vni: written.vni,
    rd: written.rd ?? "",
    importRouteTargets: written.importRTs ?? [],
    exportRouteTargets: written.exportRTs ?? [],
  };
}

/** `administrator:number` (RFC 4364 §4.2): 32 bits after a two-octet AS, 16 after an address or a four-octet AS. */
function checkPair(reading: Reading, path: Path, pair: string, wildcard: "wildcard" | "no"): void {
  const [administrator = "", number = "", ...rest] = pair.split(":");
  const max =
    administrator === "*" && wildcard === "wildcard" ? 0xffff_ffff : largest(administrator);
  if (rest.length === 0 && max !== undefined && /^\d{1,10}$/.test(number) && Number(number) <= max)
    return;
  reading.refuse(
    path,
    "bad-value",
    `${quoted(pair)} is not administrator:number, the number up to 65535 after an address or a four-octet AS${wildcard === "wildcard" ? ", * for any administrator" : ""}`,
  );
}

function largest(administrator: string): number | undefined {
  const address = parseAddress(administrator);
  if (address !== undefined) return address.includes(":") ? undefined : 0xffff;
  if (!/^\d{1,10}$/.test(administrator)) return undefined;
  const asn = Number(administrator);
  if (asn <= 0xffff) return 0xffff_ffff;
  return asn <= 0xffff_ffff ? 0xffff : undefined;
}
